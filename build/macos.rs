//! The program's Info.plist, which one outside of a bundle carries in itself.
//!
//! `codesign` takes the signature's identifier from it; for that and the team's certificate macOS lets the program at its
//! keychain item again after an update.

use std::{env, fs, path::Path};

const TEMPLATE: &str = "packaging/macos/Info.plist";

/// Has the linker put it into the program.
pub(crate) fn describe() {
    println!("cargo::rerun-if-changed={TEMPLATE}");
    let version = env::var("CARGO_PKG_VERSION").expect("Cargo names the version");
    let text = fs::read_to_string(TEMPLATE).expect("the template is part of the sources");
    let folder = env::var("OUT_DIR").expect("Cargo names a folder for what is made");
    let file = Path::new(&folder).join("Info.plist");
    fs::write(&file, text.replace("@VERSION@", &version)).expect("and it can be written");
    // Words that both Apple's compiler driver and the linker itself understand.
    for word in ["-sectcreate", "__TEXT", "__info_plist", &file.to_string_lossy()] {
        println!("cargo::rustc-link-arg-bins={word}");
    }
}
