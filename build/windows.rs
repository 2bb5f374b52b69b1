//! Embeds what Windows reads in a program before it runs it: manufacturer and version, and the manifest (rights, paths
//! longer than 260 characters, UTF-8).
//!
//! This file writes a compiled resource file, which Microsoft's linker accepts as it is. GNU's linker needs `windres`.
//! No resource compiler is needed, and no crate that searches for one.

use std::{env, fs, path::Path, process::Command};

const COMPANY: &str = "bedrock-sso contributors";
const DESCRIPTION: &str = "Corporate SSO to AWS credentials";
/// American English, which Windows uses for texts in every language.
const ENGLISH: u16 = 0x0409;
const UTF_16: u16 = 1200;

/// Makes the linker embed the resources.
pub(crate) fn describe() {
    println!("cargo::rerun-if-changed=build");
    let folder = env::var("OUT_DIR").expect("Cargo names a folder for what is made");
    let resources = Path::new(&folder).join("program.res");
    fs::write(&resources, compiled()).expect("and it can be written");
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|found| found == "msvc") {
        println!("cargo::rustc-link-arg-bins={}", resources.display());
        return;
    }
    let object = Path::new(&folder).join("resources.o");
    if as_object(&resources, &object) {
        println!("cargo::rustc-link-arg-bins={}", object.display());
    } else {
        println!("cargo::warning=without `windres` the program carries neither its version nor its manifest");
    }
}

fn as_object(resources: &Path, object: &Path) -> bool {
    println!("cargo::rerun-if-env-changed=WINDRES");
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").expect("Cargo names the target");
    let tools = match env::var("WINDRES") {
        Ok(named) => vec![named],
        Err(_) => {
            vec![format!("{architecture}-w64-mingw32-windres"), "windres".into(), "llvm-windres".into()]
        }
    };
    tools.iter().any(|tool| {
        let mut call = Command::new(tool);
        call.args(["-J", "res", "-O", "coff", "-i"]).arg(resources).arg("-o").arg(object);
        call.status().is_ok_and(|status| status.success())
    })
}

/// Makes a `.res` file: an empty entry, which identifies the format, and then each resource.
fn compiled() -> Vec<u8> {
    const VERSION: u16 = 16;
    const MANIFEST: u16 = 24;
    let [major, minor, patch] = version();
    let manifest = include_str!("windows.manifest").replace("@VERSION@", &format!("{major}.{minor}.{patch}.0"));
    [entry(0, 0, 0, &[]), entry(VERSION, 1, ENGLISH, &version_info()), entry(MANIFEST, 1, 0, manifest.as_bytes())]
        .concat()
}

fn entry(kind: u16, name: u16, language: u16, content: &[u8]) -> Vec<u8> {
    const HEADER_LENGTH: u32 = 32;
    /// Marks that the next value is a number, not a name.
    const NUMBER: u16 = 0xFFFF;
    let mut bytes = Vec::new();
    for long in [u32::try_from(content.len()).expect("a few thousand bytes"), HEADER_LENGTH] {
        bytes.extend(long.to_le_bytes());
    }
    // Two of data version, memory flags, language, then four of version and characteristics, which Windows does not
    // use.
    for short in [NUMBER, kind, NUMBER, name, 0, 0, 0, language, 0, 0, 0, 0] {
        bytes.extend(short.to_le_bytes());
    }
    bytes.extend(content);
    aligned(bytes)
}

/// `VS_VERSIONINFO`: the numbers for installers, the strings for users.
fn version_info() -> Vec<u8> {
    let shown = env!("CARGO_PKG_VERSION");
    let words = [
        ("CompanyName", COMPANY),
        ("FileDescription", DESCRIPTION),
        ("FileVersion", shown),
        ("InternalName", "bedrock-sso"),
        ("LegalCopyright", concat!("Licensed under ", env!("CARGO_PKG_LICENSE"))),
        ("OriginalFilename", "bedrock-sso.exe"),
        ("ProductName", "bedrock-sso"),
        ("ProductVersion", shown),
    ];
    let words = words.map(|(name, word)| node(name, Value::Text(word), &[])).concat();
    let language = [ENGLISH, UTF_16].map(u16::to_le_bytes).concat();
    let table = node(&format!("{ENGLISH:04X}{UTF_16:04X}"), Value::None, &words);
    let children = [
        node("StringFileInfo", Value::None, &table),
        node("VarFileInfo", Value::None, &node("Translation", Value::Bytes(&language), &[])),
    ];
    node("VS_VERSION_INFO", Value::Bytes(&numbers()), &children.concat())
}

/// `VS_FIXEDFILEINFO`.
fn numbers() -> Vec<u8> {
    const SIGNATURE: u32 = 0xFEEF_04BD;
    const STRUCTURE: u32 = 0x0001_0000;
    const ALL_FLAGS: u32 = 0x3F;
    const PRERELEASE: u32 = 0x02;
    const WINDOWS_NT: u32 = 0x0004_0004;
    const APPLICATION: u32 = 1;
    let [major, minor, patch] = version();
    let (high, low) = ((u32::from(major) << 16) | u32::from(minor), u32::from(patch) << 16);
    let flags = if env!("CARGO_PKG_VERSION_PRE").is_empty() { 0 } else { PRERELEASE };
    let numbers = [SIGNATURE, STRUCTURE, high, low, high, low, ALL_FLAGS, flags, WINDOWS_NT, APPLICATION, 0, 0, 0];
    numbers.map(u32::to_le_bytes).concat()
}

fn version() -> [u16; 3] {
    [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")]
        .map(|number| number.parse().expect("Windows counts versions up to 65535"))
}

#[derive(Clone, Copy)]
enum Value<'a> {
    None,
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A node of the `VS_VERSIONINFO` tree. Each of its parts begins at a multiple of four.
fn node(key: &str, value: Value<'_>, children: &[u8]) -> Vec<u8> {
    // The length of text is counted in characters with its terminator, that of bytes in bytes.
    let (is_text, count, value) = match value {
        Value::None => (1, 0, Vec::new()),
        Value::Text(text) => {
            let wide = wide(text);
            (1, wide.len() / 2, wide)
        }
        Value::Bytes(bytes) => (0, bytes.len(), bytes.to_vec()),
    };
    let mut bytes = vec![0; 2];
    bytes.extend(u16::try_from(count).expect("a short value").to_le_bytes());
    bytes.extend(u16::to_le_bytes(is_text));
    bytes.extend(wide(key));
    bytes = aligned(bytes);
    bytes.extend(value);
    bytes = aligned(bytes);
    bytes.extend(children);
    let length = u16::try_from(bytes.len()).expect("a short tree").to_le_bytes();
    bytes.splice(..2, length);
    bytes
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn aligned(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
