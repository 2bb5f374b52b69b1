//! Embeds Info.plist into the program, because a program outside a bundle has no other place for it.
//!
//! `codesign` reads the signature's identifier from it. macOS lets an updated program read its keychain item because
//! this identifier and the team's certificate stay the same.

use std::{env, fs, path::Path};

const TEMPLATE: &str = "packaging/macos/Info.plist";

/// Makes the linker embed Info.plist.
pub(crate) fn describe() {
    println!("cargo::rerun-if-changed={TEMPLATE}");
    let version = env::var("CARGO_PKG_VERSION").expect("Cargo names the version");
    let text = fs::read_to_string(TEMPLATE).expect("the template is part of the sources");
    let folder = env::var("OUT_DIR").expect("Cargo names a folder for what is made");
    let file = Path::new(&folder).join("Info.plist");
    fs::write(&file, text.replace("@VERSION@", &version)).expect("and it can be written");
    // These options work with Apple's compiler driver and with the linker itself.
    for word in ["-sectcreate", "__TEXT", "__info_plist", &file.to_string_lossy()] {
        println!("cargo::rustc-link-arg-bins={word}");
    }
}
