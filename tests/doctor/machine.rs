//! Checks of the program itself, its configuration, its stored files, redirect ports and browser.

use std::{fs::File, process::Command};

use testworld::{Knob, Port};

use super::*;

#[test]
fn doctor_reports_another_copy_with_its_version() {
    let world = World::new();
    let desk = laptop(&world);
    install(&desk, "bedrock-sso", "echo bedrock-sso 0.0.9");
    complains(&desk, "version", "warn", &["~/bin/bedrock-sso", "0.0.9"]);
    install(&desk, "bedrock-sso", concat!("echo bedrock-sso ", env!("CARGO_PKG_VERSION")));
    complains_of_nothing(&desk);
}

#[test]
fn doctor_suggests_the_nearest_configuration_key() {
    let world = World::new();
    let desk = laptop(&world);
    replace_in_file(&desk, CONFIG, "storage = ", "storrage = ");
    let line = 1 + desk.read(CONFIG).lines().position(|line| line.starts_with("storrage")).unwrap();
    let place = format!("~/{CONFIG}:{line}:");
    complains(&desk, "configuration", "bad", &[&place, "\"storrage\"", "[profiles.claude]", "\"storage\""]);
    desk.run(["doctor"]).expect_code(3);
}

#[test]
fn doctor_warns_about_a_world_writable_configuration() {
    let world = World::new();
    let desk = laptop(&world);
    fs::set_permissions(desk.config_file(), fs::Permissions::from_mode(0o646)).unwrap();
    complains(&desk, "configuration", "warn", &[&format!("~/{CONFIG}:"), "`bedrock-sso config check`"]);
    desk.run(["doctor"]).expect_code(0);
}

#[test]
fn doctor_warns_about_readable_data_and_shows_chmod() {
    let world = World::new();
    let desk = laptop(&world);
    for (name, mode, check, remedy) in [("", 0o755, "folder", "700"), ("/key", 0o644, "key", "600")] {
        let path = desk.home().join(format!("{DATA}{name}"));
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let command = format!("chmod {remedy} ~/{DATA}{name}");
        complains(&desk, check, "warn", &[&format!("`{command}`")]);
        let done = Command::new("sh").args(["-c", &command]).env("HOME", desk.home()).status().unwrap();
        assert!(done.success(), "{command}");
        assert_eq!(fs::metadata(&path).unwrap().permissions(), before, "the suggested command fixes the mode");
    }
}

#[test]
fn doctor_reports_a_data_folder_that_cannot_be_created() {
    let world = World::new();
    let desk = laptop(&world);
    let folder = desk.home().join(DATA);
    fs::remove_dir_all(&folder).unwrap();
    desk.write(DATA, "in its place");
    let check = find_check(&desk, "folder");
    let parent = folder.parent().unwrap().display().to_string();
    assert_complaint(&check, "folder", "bad", &[&folder.display().to_string(), &parent]);
    assert_eq!(desk.run(["doctor"]).code, Some(10));
}

/// The records cannot be decrypted without the key, so the check of the session is skipped.
#[cfg(target_os = "linux")]
#[test]
fn doctor_reports_a_missing_keyring_once() {
    let world = World::new();
    let desk = laptop(&world);
    replace_in_file(&desk, CONFIG, "storage = \"file\"", "storage = \"keyring\"");
    // The message names the surroundings. These are the same on every machine.
    desk.set_variable("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    let failed = desk.run(["credentials"]).fails(10, "storage/keyring_absent");
    assert_complaint(&find_check(&desk, "key"), "key", "bad", &[&failed.message, &failed.hint]);
    skips(&desk, "session");
}

#[test]
fn doctor_names_the_process_of_a_hanging_sign_in() {
    let world = World::new();
    let desk = laptop(&world);
    let folder = desk.home().join(DATA);
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.filter_map(|name| Some(name.strip_suffix(".sign-in")?.to_owned())).next().unwrap();
    let lock = File::open(folder.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let holder = |ago: i64| {
        let holder = json!({ "pid": 12345, "since": world.now() - ago, "address": "http://127.0.0.1:9/x" });
        desk.write(&format!("{DATA}/{name}.holder"), &holder.to_string());
    };
    holder(3600);
    complains(&desk, "lock", "warn", &["process 12345", "1 h"]);
    skips(&desk, "ports");
    holder(20);
    assert!(says(&desk, "lock").contains("process 12345"));
}

#[test]
fn doctor_warns_when_nobody_is_signed_in() {
    let world = World::new();
    let desk = laptop(&world);
    desk.run(["logout"]).expect_code(0);
    complains(&desk, "session", "warn", &["`bedrock-sso login`"]);
}

#[test]
fn doctor_shows_the_last_failure_with_its_hint() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::AuthorizeError, json!({ "error": "access_denied", "description": "not assigned" }));
    let failed = desk.run(["login", "--force"]).ends_with_failure(5, "sign-in/access_denied");
    let check = find_check(&desk, "last-error");
    let facts = [&failed.message, "[sign-in/access_denied]", &failed.hint];
    assert_complaint(&check, "last-error", "warn", &facts);
}

/// Asserts that the check of the ports fails. Only on Linux does it know the process that holds them, which is this
/// one.
#[track_caller]
fn assert_port_complaint(desk: &Desk<'_>, result: &str, facts: &[&str]) {
    let found = checks(desk);
    let check = found.into_iter().find(|check| check["name"] == "ports").unwrap();
    assert_complaint(&check, "ports", result, facts);
    if let Ok(name) = fs::read_to_string("/proc/self/comm") {
        let holder = format!("{} (process {})", name.trim(), std::process::id());
        assert_complaint(&check, "ports", result, &[&holder, "`redirect_ports`"]);
    }
}

#[test]
fn doctor_names_the_process_that_holds_a_redirect_port() {
    let world = World::new();
    let (first, second) = (Port::reserve(), Port::reserve());
    let _first = first.listen();
    let desk = laptop_with(&world, &format!("redirect_ports = [{first}, {second}]"));
    let (taken, also_taken) = (format!("127.0.0.1:{first}"), format!("127.0.0.1:{second}"));
    assert_port_complaint(&desk, "warn", &[&taken, &format!("{second} is free")]);
    let _second = second.listen();
    assert_port_complaint(&desk, "bad", &[&taken, &also_taken]);
    desk.run(["doctor"]).expect_code(4);
}

#[test]
fn doctor_names_a_missing_browser_and_its_setting() {
    let world = World::new();
    let desk = laptop(&world);
    desk.set_key("browser", "[\"no-such-browser\", \"{url}\"]");
    complains(&desk, "browser", "bad", &["no-such-browser", "`browser`"]);
    desk.set_key("browser", "[]");
    desk.set_variable("BROWSER", "/no/such/browser");
    complains(&desk, "browser", "bad", &["/no/such/browser", "BROWSER"]);
}

#[test]
fn doctor_explains_a_sign_in_without_a_browser() {
    let world = World::new();
    let desk = laptop(&world);
    desk.set_key("browser", "[]");
    desk.set_variable("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22");
    let address = says(&desk, "browser");
    world.set(Knob::DeviceCodes, json!({}));
    assert_ne!(says(&desk, "browser"), address, "the message changes when the provider offers device codes");
    desk.unset_variable("SSH_CONNECTION");
    desk.set_variable("CI", "true");
    complains(&desk, "browser", "bad", &["`bedrock-sso login --device`"]);
}
