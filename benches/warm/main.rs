//! `cargo bench --bench warm`: the cost of a call compared with `cat` of the same document. docs/performance.md
//! explains the tables.
//!
//! It measures on Linux, where `cat` is the same everywhere and system calls can be counted; on other systems it does
//! nothing.

#[cfg(target_os = "linux")]
mod linux;

fn main() {
    #[cfg(target_os = "linux")]
    linux::measure();
}
