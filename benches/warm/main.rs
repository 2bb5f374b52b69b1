//! `cargo bench --bench warm`: what a call costs beside `cat` of the same document. docs/performance.md reads its tables.
//!
//! It measures on Linux, where `cat` is the same everywhere and system calls can be counted; elsewhere it does nothing.

#[cfg(target_os = "linux")]
mod linux;

fn main() {
    #[cfg(target_os = "linux")]
    linux::measure();
}
