//! What the linker is given beside the program: on Windows and macOS its description; on Linux GCC's unwinder, so that
//! `libgcc_s.so` is not loaded at every start, or for the static program the wish to keep its tables short.
//!
//! A warm call does nothing but start, read and print: with one library less to map and bind it takes 0.9 x the time.
//! Rust names the library by itself, so a linker script of that name, found first, stands in for it. Where the static
//! unwinder is missing, or everything is linked statically anyway, nothing is changed.
#![expect(clippy::disallowed_methods, reason = "a build script is spoken to through the environment")]

use std::{env, fs, path::Path, process::Command};

#[path = "build/macos.rs"]
mod macos;
#[path = "build/windows.rs"]
mod windows;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| {
        env::var(name).is_ok_and(|found| found.split(',').any(|part| part == value))
    };
    let dynamic_gnu = is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && !is("CARGO_CFG_TARGET_FEATURE", "crt-static");
    if is("CARGO_CFG_TARGET_OS", "windows") {
        windows::describe();
    }
    if is("CARGO_CFG_TARGET_OS", "macos") {
        macos::describe();
    }
    if is("CARGO_CFG_TARGET_ENV", "musl") {
        // Nine thousand addresses are corrected at every start. Packed, the list of where they are is a few pages instead of
        // fifty, which a call neither reads nor has in its memory. A linker that cannot do it says so and goes on.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if dynamic_gnu && has_static_unwinder() {
        let folder = env::var("OUT_DIR").expect("Cargo names a folder for what is made");
        fs::write(Path::new(&folder).join("libgcc_s.so"), "INPUT ( -lgcc_eh -lgcc )\n")
            .expect("and it can be written");
        println!("cargo::rustc-link-search=native={folder}");
    }
}

/// Asked for a file it does not have, GCC answers with the bare name.
fn has_static_unwinder() -> bool {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let answer = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}
