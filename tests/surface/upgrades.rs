//! Records of other versions of this program, and damaged records: the program reads or ignores them and never crashes.
//!
//! Each state is written again before each command. The unit tests of `store` check damaged ciphertext.

use std::{collections::BTreeMap, fs, path::Path};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{Context, SHA256},
};
use serde_json::{Value, json};
use testworld::{CLIENT_ID, Desk, Outcome, ROLE_ARN, World};

use super::signed_in;

/// The length of the header before the nonce: magic, format and expiration.
const HEADER: usize = 16;

/// Every command that reads or writes records; the last two delete them.
const COMMANDS: [&[&str]; 18] = [
    &["credentials", "--no-login"],
    &["export"],
    &["otel-headers"],
    &["token"],
    &["bearer"],
    &["env"],
    &["exec", "--", "true"],
    &["status"],
    &["status", "--json"],
    &["doctor", "--json"],
    &["config", "show"],
    &["config", "check"],
    &["setup", "--yes", "--dry-run"],
    &["setup", "--yes"],
    &["setup", "--remove", "--yes"],
    &["login"],
    &["logout"],
    &["logout", "--all"],
];

/// The names of all stored files, with their bytes.
type StoredFiles = BTreeMap<String, Vec<u8>>;

/// A home whose user has signed in and run `setup`, with the files that are stored then.
fn set_up_home(world: &World) -> (Desk<'_>, StoredFiles) {
    let desk = signed_in(world);
    desk.run(["setup", "--yes"]).expect_code(0);
    desk.settle();
    let stored = read_folder(&desk.data());
    for kind in [".sign-in", ".credentials", ".provider", ".json", "setup.json", "key"] {
        assert!(stored.keys().any(|name| name.ends_with(kind)), "no {kind}: {:?}", stored.keys());
    }
    (desk, stored)
}

fn read_folder(folder: &Path) -> StoredFiles {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn write_folder(folder: &Path, stored: &StoredFiles) {
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in stored {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// The cipher, the nonce and the additional authenticated data of an encrypted file.
fn cipher_parts(stored: &StoredFiles, name: &str, sealed: &[u8]) -> (LessSafeKey, Nonce, Aad<Vec<u8>>) {
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &stored["key"]).unwrap());
    let nonce: [u8; NONCE_LEN] = sealed[HEADER..HEADER + NONCE_LEN].try_into().unwrap();
    let bound = [&sealed[..HEADER], name.as_bytes()].concat();
    (cipher, Nonce::assume_unique_for_key(nonce), Aad::from(bound))
}

/// The files with every record changed as JSON; encrypted records are decrypted and encrypted again.
fn change_records(stored: &StoredFiles, change: fn(Value) -> Vec<u8>) -> StoredFiles {
    let changed = |name: &String, bytes: &Vec<u8>| {
        if name.ends_with(".json") {
            return change(serde_json::from_slice(bytes).unwrap());
        }
        if ![".sign-in", ".credentials", ".provider"].iter().any(|kind| name.ends_with(kind)) {
            return bytes.clone();
        }
        let (cipher, nonce, bound) = cipher_parts(stored, name, bytes);
        let mut body = bytes[HEADER + NONCE_LEN..].to_vec();
        let plain = cipher.open_in_place(nonce, bound, &mut body).unwrap();
        let mut body = change(serde_json::from_slice(plain).unwrap());
        let (cipher, nonce, bound) = cipher_parts(stored, name, bytes);
        cipher.seal_in_place_append_tag(nonce, bound, &mut body).unwrap();
        [&bytes[..HEADER + NONCE_LEN], &body].concat()
    };
    stored.iter().map(|(name, bytes)| (name.clone(), changed(name, bytes))).collect()
}

fn change_files(stored: &StoredFiles, change: fn(&str, &[u8]) -> Vec<u8>) -> StoredFiles {
    stored.iter().map(|(name, bytes)| (name.clone(), change(name, bytes))).collect()
}

/// Adds an unknown field to every JSON object except those that encode an enum variant.
fn add_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_choice = members.len() == 1 && members.values().all(Value::is_object);
            members.values_mut().for_each(add_unknown_fields);
            if !is_choice {
                members.insert("of_tomorrow".to_owned(), json!({ "list": [1, null] }));
            }
        }
        Value::Array(members) => members.iter_mut().for_each(add_unknown_fields),
        _ => {}
    }
}

/// Asserts that the command exited with a documented code other than 1 and did not panic.
#[track_caller]
fn assert_no_crash(outcome: &Outcome, state: &str, command: &[&str]) {
    let said = format!("{state}: {command:?}: {outcome:?}");
    let code = outcome.code.unwrap_or_else(|| panic!("{said}"));
    assert!(matches!(code, 0 | 3..=11), "{said}");
    assert!(!outcome.stderr.contains("panicked"), "{said}");
}

fn run(desk: &Desk<'_>, words: &[&str]) -> Outcome {
    let mut command = desk.command();
    command.args(words);
    desk.start_command(command).finish()
}

/// Asserts that with these files no command crashes, and that `credentials` succeeds, with a prompt if necessary.
fn assert_every_command_survives(desk: &Desk<'_>, state: &str, stored: &StoredFiles) {
    let folder = desk.data();
    let configuration = fs::read_to_string(desk.config_file()).unwrap();
    for command in COMMANDS {
        write_folder(&folder, stored);
        desk.configure(&configuration);
        assert_no_crash(&run(desk, command), state, command);
        desk.settle();
    }
    write_folder(&folder, stored);
    desk.configure(&configuration);
    let outcome = desk.run(["credentials"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{state}: {outcome:?}");
    assert_eq!(desk.run(["credentials", "--no-login"]).expect_code(0).stdout, outcome.stdout, "{state}");
    desk.settle();
}

#[test]
fn records_of_other_versions_are_ignored_without_a_crash() {
    let world = World::new();
    let (desk, stored) = set_up_home(&world);
    let older = change_records(&stored, |mut record| {
        record["version"] = json!(0);
        record.to_string().into_bytes()
    });
    assert_every_command_survives(&desk, "older", &older);
    let newer = change_records(&stored, |mut record| {
        record["version"] = json!(2);
        record["record"] = json!({ "accounts": [] });
        record.to_string().into_bytes()
    });
    assert_every_command_survives(&desk, "newer", &newer);
    write_folder(&desk.data(), &newer);
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/not_allowed");
}

#[test]
fn records_with_unknown_fields_are_read() {
    let world = World::new();
    let (desk, stored) = set_up_home(&world);
    let document = desk.run(["credentials"]).expect_code(0).stdout;
    let grown = change_records(&stored, |mut record| {
        add_unknown_fields(&mut record);
        record.to_string().into_bytes()
    });
    write_folder(&desk.data(), &grown);
    let asked = world.ledger().total();
    assert_eq!(desk.run(["credentials", "--no-login"]).expect_code(0).stdout, document);
    assert_eq!(world.ledger().total(), asked);
    // The record of `setup` is readable, too: `--remove` restores everything.
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    assert!(!desk.home().join(".aws/config").exists());
    assert_every_command_survives(&desk, "grown", &grown);
}

/// If `setup` ignored the record, the next run would overwrite it, and `--remove` could no longer restore the files.
#[test]
fn setup_record_of_another_version_is_preserved() {
    let world = World::new();
    let (desk, stored) = set_up_home(&world);
    let (record, aws) = (desk.data().join("setup.json"), desk.home().join(".aws/config"));
    let written = fs::read(&aws).unwrap();
    let mut newer: Value = serde_json::from_slice(&stored["setup.json"]).unwrap();
    newer["version"] = json!(2);
    newer["files"][0]["kind"] = json!("of_tomorrow");
    let home = desk.home().display().to_string();
    let named = format!("{home}/.aws/config, {home}/.claude/settings.json");
    for (bytes, places) in
        [(newer.to_string().into_bytes(), named.as_str()), (b"[[[[".to_vec(), "AWS's and Claude Code's files")]
    {
        fs::write(&record, &bytes).unwrap();
        for command in [vec!["setup", "--remove", "--yes"], vec!["setup", "--yes", "--aws-profile", "other"]] {
            let failed = run(&desk, &command).fails(3, "setup/record");
            let record = record.display().to_string();
            failed.message_has(&[&record]).hint_has(&["`setup --remove`", places, &record]);
        }
        assert_eq!((fs::read(&record).unwrap(), fs::read(&aws).unwrap()), (bytes, written.clone()));
    }
    fs::write(&record, &stored["setup.json"]).unwrap();
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    assert!(!aws.exists() && !record.exists());
}

/// The file name that version 0.1 gave to the record of a profile.
fn file_name_of_version_0_1(world: &World, profile: &str) -> String {
    let mut digest = Context::new(&SHA256);
    let mut add = |text: &str| {
        digest.update(&(text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    for text in ["bedrock-sso profile 1", profile, &world.issuer(), CLIENT_ID, ROLE_ARN, "generic"] {
        add(text);
    }
    // No scopes and no extra parameters, then the claims of the session name, then the session duration.
    let numbers = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
    digest.update(&numbers(&[0, 0, 4]));
    for claim in ["email", "preferred_username", "upn", "sub"] {
        digest.update(&numbers(&[claim.len() as u64]));
        digest.update(claim.as_bytes());
    }
    digest.update(&numbers(&[12 * 3600]));
    digest.finish().as_ref()[..16].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The files with one record of version 0.1 instead of the two records of this version.
fn convert_to_version_0_1(world: &World, profile: &str, stored: &StoredFiles) -> StoredFiles {
    let open = |kind: &str| {
        let (name, bytes) = stored.iter().find(|(name, _)| name.ends_with(kind)).unwrap();
        let (cipher, nonce, bound) = cipher_parts(stored, name, bytes);
        let mut body = bytes[HEADER + NONCE_LEN..].to_vec();
        let plain = cipher.open_in_place(nonce, bound, &mut body).unwrap();
        (bytes.clone(), serde_json::from_slice::<Value>(plain).unwrap())
    };
    let (_, mut sign_in) = open(".sign-in");
    let (bytes, mut record) = open(".credentials");
    let fields = record["record"].as_object_mut().unwrap();
    fields.append(sign_in["record"].as_object_mut().unwrap());
    drop((fields.remove("token_count"), fields.remove("token_stored_at")));
    for hosts in fields["destinations"].as_object_mut().unwrap().values_mut() {
        *hosts = hosts[0].clone();
    }
    let name = format!("{}.session", file_name_of_version_0_1(world, profile));
    let (cipher, nonce, bound) = cipher_parts(stored, &name, &bytes);
    let mut body = record.to_string().into_bytes();
    cipher.seal_in_place_append_tag(nonce, bound, &mut body).unwrap();
    let mut former = stored.clone();
    former.retain(|name, _| !name.contains('-') && !name.ends_with(".sign-in") && !name.ends_with(".provider"));
    former.insert(name, [&bytes[..HEADER + NONCE_LEN], &body].concat());
    former
}

#[test]
fn sign_in_of_version_0_1_is_taken_over_without_a_prompt() {
    let world = World::new();
    let (desk, stored) = set_up_home(&world);
    let document = desk.run(["credentials"]).expect_code(0).stdout;
    let former = convert_to_version_0_1(&world, "claude", &stored);
    let asked = world.ledger().total();
    write_folder(&desk.data(), &former);
    assert_eq!(desk.run(["credentials", "--no-login"]).expect_code(0).stdout, document);
    assert_eq!(desk.run(["status", "--json"]).document()["identity"]["email"], json!("demo@example.com"));
    assert_ne!(desk.run(["otel-headers"]).expect_code(0).stdout, "{}\n");
    assert_eq!((world.ledger().total(), desk.tabs()), (asked, 1), "no request is sent");
    // The first process that refreshes converts the record.
    desk.run(["login", "--profile", "claude"]).expect_code(0);
    desk.settle();
    let names = read_folder(&desk.data());
    assert!(names.keys().all(|name| !name.ends_with(".session")), "{:?}", names.keys());
    assert!(names.keys().any(|name| name.ends_with(".sign-in")), "{:?}", names.keys());
    assert_eq!((desk.tabs(), world.live_grants()), (1, 1));
    assert_every_command_survives(&desk, "version 0.1", &former);
    write_folder(&desk.data(), &former);
    desk.run(["logout"]).expect_code(0);
    assert_eq!(world.live_grants(), 0);
}

#[test]
fn logout_deletes_version_0_1_records_of_all_profiles() {
    let world = World::new();
    let (desk, stored) = set_up_home(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let (_, body) = text.split_once("[profiles.claude]").unwrap();
    desk.configure(&format!("default_profile = \"claude\"\n{text}\n[profiles.other]{body}"));
    let mut both = stored.clone();
    both.extend(
        convert_to_version_0_1(&world, "other", &stored).into_iter().filter(|(name, _)| name.ends_with(".session")),
    );
    write_folder(&desk.data(), &both);
    assert_eq!(read_folder(&desk.data()).keys().filter(|name| name.ends_with(".session")).count(), 1);
    desk.run(["logout"]).expect_code(0);
    let left = read_folder(&desk.data());
    assert!(!left.keys().any(|name| name.ends_with(".session") || name.ends_with(".sign-in")), "{:?}", left.keys());
    for profile in ["claude", "other"] {
        desk.run(["credentials", "--no-login", "--profile", profile]).expect_code(4);
    }
    assert_eq!(world.live_grants(), 0);
}

#[test]
fn damaged_records_of_every_kind_cause_no_crash() {
    let world = World::new();
    let (desk, stored) = set_up_home(&world);
    assert_every_command_survives(
        &desk,
        "another shape",
        &change_records(&stored, |_| br#"{"version":1,"record":[]}"#.to_vec()),
    );
    assert_every_command_survives(&desk, "no object", &change_records(&stored, |_| b"[[[[".to_vec()));
    assert_every_command_survives(&desk, "empty", &change_files(&stored, |_, _| Vec::new()));
    assert_every_command_survives(&desk, "half", &change_files(&stored, |_, bytes| bytes[..bytes.len() / 2].to_vec()));
    assert_every_command_survives(
        &desk,
        "unsealed",
        &change_files(&stored, |_, _| b"\xff\0garbage, and never sealed".to_vec()),
    );
    assert_every_command_survives(
        &desk,
        "of another format",
        &change_files(&stored, |name, bytes| match name.contains('.') {
            // The byte after the magic is the format number.
            true => bytes.iter().enumerate().map(|(at, byte)| if at == 4 { 2 } else { *byte }).collect(),
            false => bytes.to_vec(),
        }),
    );
}
