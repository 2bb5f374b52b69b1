//! What another version of this program kept, and what is no record at all: read or forgotten, never a crash.
//!
//! Each state is laid down anew before every command there is; what a torn byte does to a seal is `store`'s to test.

use std::{collections::BTreeMap, fs, path::Path};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{Context, SHA256},
};
use serde_json::{Value, json};
use testworld::{CLIENT_ID, Desk, Outcome, ROLE_ARN, World};

use super::signed_in;

/// Before the nonce: magic, format and expiry.
const HEADER: usize = 16;

/// Everything that reads or writes what is kept; the last two end it, each in its own way.
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

/// The names and bytes of all that is kept.
type Kept = BTreeMap<String, Vec<u8>>;

/// A person who has signed in and set up, and what that left.
fn at_work(world: &World) -> (Desk<'_>, Kept) {
    let desk = signed_in(world);
    desk.run(["setup", "--yes"]).expect_code(0);
    desk.settle();
    let kept = kept_in(&desk.data());
    for kind in [".sign-in", ".credentials", ".provider", ".json", "setup.json", "key"] {
        assert!(kept.keys().any(|name| name.ends_with(kind)), "no {kind}: {:?}", kept.keys());
    }
    (desk, kept)
}

fn kept_in(folder: &Path) -> Kept {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn lay_down(folder: &Path, kept: &Kept) {
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in kept {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// The cipher, and what of a file is authenticated beside its content.
fn seal_of(kept: &Kept, name: &str, sealed: &[u8]) -> (LessSafeKey, Nonce, Aad<Vec<u8>>) {
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &kept["key"]).unwrap());
    let nonce: [u8; NONCE_LEN] = sealed[HEADER..HEADER + NONCE_LEN].try_into().unwrap();
    let bound = [&sealed[..HEADER], name.as_bytes()].concat();
    (cipher, Nonce::assume_unique_for_key(nonce), Aad::from(bound))
}

/// Every record, changed as JSON; those that are sealed are opened for it, and sealed again.
fn with_each(kept: &Kept, change: fn(Value) -> Vec<u8>) -> Kept {
    let changed = |name: &String, bytes: &Vec<u8>| {
        if name.ends_with(".json") {
            return change(serde_json::from_slice(bytes).unwrap());
        }
        if ![".sign-in", ".credentials", ".provider"].iter().any(|kind| name.ends_with(kind)) {
            return bytes.clone();
        }
        let (cipher, nonce, bound) = seal_of(kept, name, bytes);
        let mut body = bytes[HEADER + NONCE_LEN..].to_vec();
        let plain = cipher.open_in_place(nonce, bound, &mut body).unwrap();
        let mut body = change(serde_json::from_slice(plain).unwrap());
        let (cipher, nonce, bound) = seal_of(kept, name, bytes);
        cipher.seal_in_place_append_tag(nonce, bound, &mut body).unwrap();
        [&bytes[..HEADER + NONCE_LEN], &body].concat()
    };
    kept.iter().map(|(name, bytes)| (name.clone(), changed(name, bytes))).collect()
}

fn with_files(kept: &Kept, change: fn(&str, &[u8]) -> Vec<u8>) -> Kept {
    kept.iter().map(|(name, bytes)| (name.clone(), change(name, bytes))).collect()
}

/// A field that nobody here knows, in every object but those that hold one choice of several.
fn added_to(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_choice = members.len() == 1 && members.values().all(Value::is_object);
            members.values_mut().for_each(added_to);
            if !is_choice {
                members.insert("of_tomorrow".to_owned(), json!({ "list": [1, null] }));
            }
        }
        Value::Array(members) => members.iter_mut().for_each(added_to),
        _ => {}
    }
}

/// Ended by itself, with a documented code that is no internal error, and with no more to say than a failure has.
#[track_caller]
fn no_crash(outcome: &Outcome, state: &str, command: &[&str]) {
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

/// Whatever is kept, no command crashes, and whoever is asked to sign in then has credentials again.
fn survives(desk: &Desk<'_>, state: &str, kept: &Kept) {
    let folder = desk.data();
    let configuration = fs::read_to_string(desk.config_file()).unwrap();
    for command in COMMANDS {
        lay_down(&folder, kept);
        desk.configure(&configuration);
        no_crash(&run(desk, command), state, command);
        desk.settle();
    }
    lay_down(&folder, kept);
    desk.configure(&configuration);
    let outcome = desk.run(["credentials"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{state}: {outcome:?}");
    assert_eq!(desk.run(["credentials", "--no-login"]).expect_code(0).stdout, outcome.stdout, "{state}");
    desk.settle();
}

#[test]
fn records_of_an_older_or_newer_version_are_forgotten_and_no_command_crashes() {
    let world = World::new();
    let (desk, kept) = at_work(&world);
    let older = with_each(&kept, |mut record| {
        record["version"] = json!(0);
        record.to_string().into_bytes()
    });
    survives(&desk, "older", &older);
    let newer = with_each(&kept, |mut record| {
        record["version"] = json!(2);
        record["record"] = json!({ "accounts": [] });
        record.to_string().into_bytes()
    });
    survives(&desk, "newer", &newer);
    lay_down(&desk.data(), &newer);
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/not_allowed");
}

#[test]
fn records_with_more_than_is_known_are_read() {
    let world = World::new();
    let (desk, kept) = at_work(&world);
    let document = desk.run(["credentials"]).expect_code(0).stdout;
    let grown = with_each(&kept, |mut record| {
        added_to(&mut record);
        record.to_string().into_bytes()
    });
    lay_down(&desk.data(), &grown);
    let asked = world.ledger().total();
    assert_eq!(desk.run(["credentials", "--no-login"]).expect_code(0).stdout, document);
    assert_eq!(world.ledger().total(), asked);
    // Also what `setup` remembers: it takes everything back.
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    assert!(!desk.home().join(".aws/config").exists());
    survives(&desk, "grown", &grown);
}

/// Taken for none it would be lost with the next setup, and what it could take back with it.
#[test]
fn what_another_versions_setup_remembers_is_kept_and_what_to_do_is_said() {
    let world = World::new();
    let (desk, kept) = at_work(&world);
    let (record, aws) = (desk.data().join("setup.json"), desk.home().join(".aws/config"));
    let written = fs::read(&aws).unwrap();
    let mut newer: Value = serde_json::from_slice(&kept["setup.json"]).unwrap();
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
    fs::write(&record, &kept["setup.json"]).unwrap();
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    assert!(!aws.exists() && !record.exists());
}

/// The name under which version 0.1 stored what belongs to a profile.
fn former_name(world: &World, profile: &str) -> String {
    let mut digest = Context::new(&SHA256);
    let mut add = |text: &str| {
        digest.update(&(text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    for text in ["bedrock-sso profile 1", profile, &world.issuer(), CLIENT_ID, ROLE_ARN, "generic"] {
        add(text);
    }
    // No scopes, no extra parameters; then the claims that may name the session, and its length.
    let numbers = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
    digest.update(&numbers(&[0, 0, 4]));
    for claim in ["email", "preferred_username", "upn", "sub"] {
        digest.update(&numbers(&[claim.len() as u64]));
        digest.update(claim.as_bytes());
    }
    digest.update(&numbers(&[12 * 3600]));
    digest.finish().as_ref()[..16].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// A record of version 0.1 in place of the two of this version.
fn as_stored_by_version_0_1(world: &World, profile: &str, kept: &Kept) -> Kept {
    let open = |kind: &str| {
        let (name, bytes) = kept.iter().find(|(name, _)| name.ends_with(kind)).unwrap();
        let (cipher, nonce, bound) = seal_of(kept, name, bytes);
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
    let name = format!("{}.session", former_name(world, profile));
    let (cipher, nonce, bound) = seal_of(kept, &name, &bytes);
    let mut body = record.to_string().into_bytes();
    cipher.seal_in_place_append_tag(nonce, bound, &mut body).unwrap();
    let mut former = kept.clone();
    former.retain(|name, _| !name.contains('-') && !name.ends_with(".sign-in") && !name.ends_with(".provider"));
    former.insert(name, [&bytes[..HEADER + NONCE_LEN], &body].concat());
    former
}

#[test]
fn a_laptop_that_version_0_1_signed_in_is_not_asked_again() {
    let world = World::new();
    let (desk, kept) = at_work(&world);
    let document = desk.run(["credentials"]).expect_code(0).stdout;
    let former = as_stored_by_version_0_1(&world, "claude", &kept);
    let asked = world.ledger().total();
    lay_down(&desk.data(), &former);
    assert_eq!(desk.run(["credentials", "--no-login"]).expect_code(0).stdout, document);
    assert_eq!(desk.run(["status", "--json"]).document()["identity"]["email"], json!("demo@example.com"));
    assert_ne!(desk.run(["otel-headers"]).expect_code(0).stdout, "{}\n");
    assert_eq!((world.ledger().total(), desk.tabs()), (asked, 1), "nothing was needed");
    // The first process that renews moves the record.
    desk.run(["login", "--profile", "claude"]).expect_code(0);
    desk.settle();
    let names = kept_in(&desk.data());
    assert!(names.keys().all(|name| !name.ends_with(".session")), "{:?}", names.keys());
    assert!(names.keys().any(|name| name.ends_with(".sign-in")), "{:?}", names.keys());
    assert_eq!((desk.tabs(), world.live_grants()), (1, 1));
    survives(&desk, "version 0.1", &former);
    lay_down(&desk.data(), &former);
    desk.run(["logout"]).expect_code(0);
    assert_eq!(world.live_grants(), 0);
}

#[test]
fn logout_takes_what_version_0_1_stored_for_profiles_that_share_the_sign_in() {
    let world = World::new();
    let (desk, kept) = at_work(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let (_, body) = text.split_once("[profiles.claude]").unwrap();
    desk.configure(&format!("default_profile = \"claude\"\n{text}\n[profiles.other]{body}"));
    let mut both = kept.clone();
    both.extend(
        as_stored_by_version_0_1(&world, "other", &kept).into_iter().filter(|(name, _)| name.ends_with(".session")),
    );
    lay_down(&desk.data(), &both);
    assert_eq!(kept_in(&desk.data()).keys().filter(|name| name.ends_with(".session")).count(), 1);
    desk.run(["logout"]).expect_code(0);
    let left = kept_in(&desk.data());
    assert!(!left.keys().any(|name| name.ends_with(".session") || name.ends_with(".sign-in")), "{:?}", left.keys());
    for profile in ["claude", "other"] {
        desk.run(["credentials", "--no-login", "--profile", profile]).expect_code(4);
    }
    assert_eq!(world.live_grants(), 0);
}

#[test]
fn what_is_no_record_is_forgotten_and_no_command_crashes() {
    let world = World::new();
    let (desk, kept) = at_work(&world);
    survives(&desk, "another shape", &with_each(&kept, |_| br#"{"version":1,"record":[]}"#.to_vec()));
    survives(&desk, "no object", &with_each(&kept, |_| b"[[[[".to_vec()));
    survives(&desk, "empty", &with_files(&kept, |_, _| Vec::new()));
    survives(&desk, "half", &with_files(&kept, |_, bytes| bytes[..bytes.len() / 2].to_vec()));
    survives(&desk, "unsealed", &with_files(&kept, |_, _| b"\xff\0garbage, and never sealed".to_vec()));
    survives(
        &desk,
        "of another format",
        &with_files(&kept, |name, bytes| match name.contains('.') {
            // The byte after the magic is the format's number.
            true => bytes.iter().enumerate().map(|(at, byte)| if at == 4 { 2 } else { *byte }).collect(),
            false => bytes.to_vec(),
        }),
    );
}
