//! What the linker is given beside the program: on Windows and macOS its description; on Linux an order that keeps a call's memory
//! small, and GCC's unwinder, so that `libgcc_s.so` is not loaded at every start.
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
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found.split(',').any(|part| part == value));
    let dynamic_gnu = is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && !is("CARGO_CFG_TARGET_FEATURE", "crt-static");
    if is("CARGO_CFG_TARGET_OS", "windows") {
        windows::describe();
    }
    if is("CARGO_CFG_TARGET_OS", "macos") {
        macos::describe();
    }
    if is("CARGO_CFG_TARGET_OS", "linux") && is("PROFILE", "release") {
        stay_small(is("CARGO_CFG_TARGET_ENV", "musl"));
    }
    if dynamic_gnu && has_static_unwinder() {
        let folder = env::var("OUT_DIR").expect("Cargo names a folder for what is made");
        fs::write(Path::new(&folder).join("libgcc_s.so"), "INPUT ( -lgcc_eh -lgcc )\n").expect("and it can be written");
        println!("cargo::rustc-link-search=native={folder}");
    }
}

/// A call has in its memory what it runs and little else.
///
/// The functions of a warm call lie side by side (`packaging/linux/warm-order` names them), so that it touches a few dozen pages
/// of the program. And the list of the nine thousand addresses that a static program corrects at every start is packed: a linker that
/// cannot do that says so and goes on.
fn stay_small(is_static: bool) {
    let folder = env::var("CARGO_MANIFEST_DIR").expect("Cargo says where the package is");
    println!("cargo::rerun-if-changed=build/warm.ld");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/build/warm.ld");
    if is_static {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Asked for a file it does not have, GCC answers with the bare name.
fn has_static_unwinder() -> bool {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let answer = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}
