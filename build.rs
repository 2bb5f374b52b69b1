//! Passes to the linker: on Windows and macOS the program's description; on Linux an order of functions that needs
//! little memory, and GCC's static unwinder, so that no call loads `libgcc_s.so`.
//!
//! A warm call only starts, reads and prints, so one library less reduces its time to 0.9 of what it was. Rust always
//! links `libgcc_s.so`; a linker script of this name, in a folder that is searched first, replaces it. Where the static
//! unwinder is missing, or everything is linked statically anyway, nothing is changed.
#![expect(clippy::disallowed_methods, reason = "Cargo configures a build script through the environment")]

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

/// Reduces the memory that a call uses.
///
/// `packaging/linux/warm-order` lists the functions of a warm call. They are placed side by side, so that a call
/// touches a few dozen pages of the program. A static program also corrects nine thousand addresses at every start;
/// their list is packed. A linker without support for that warns and continues.
fn stay_small(is_static: bool) {
    let folder = env::var("CARGO_MANIFEST_DIR").expect("Cargo says where the package is");
    println!("cargo::rerun-if-changed=build/warm.ld");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/build/warm.ld");
    if is_static {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// GCC answers a query for a file that it does not have with the bare name.
fn has_static_unwinder() -> bool {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let answer = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}
