//! Faults of this program and of what it keeps on this machine.

use std::{fs::File, process::Command};

use testworld::{Knob, Port};

use super::*;

#[test]
fn another_copy_is_named_with_its_version() {
    let world = World::new();
    let desk = laptop(&world);
    install(&desk, "bedrock-sso", "echo bedrock-sso 0.0.9");
    complains(
        &desk,
        &[(
            "version",
            "warn",
            "a shell starts another copy: ~/bin/bedrock-sso (bedrock-sso 0.0.9)",
            "keep one of them, and run `bedrock-sso setup` with it so that every hook names it",
        )],
    );
    install(&desk, "bedrock-sso", concat!("echo bedrock-sso ", env!("CARGO_PKG_VERSION")));
    complains(&desk, &[]);
}

#[test]
fn a_misspelt_key_is_named_with_the_nearest() {
    let world = World::new();
    let desk = laptop(&world);
    reword(&desk, CONFIG, "storage = ", "storrage = ");
    let line = 1 + read(&desk, CONFIG).lines().position(|line| line.starts_with("storrage")).unwrap();
    let message = format!(
        "~/{CONFIG}:{line}: unknown key \"storrage\" in [profiles.claude]; did you mean \"storage\"?"
    );
    complains(
        &desk,
        &[("configuration", "bad", &message, "correct or remove it; config.example.toml lists every key")],
    );
    desk.run(["doctor"]).expect_code(3);
}

#[test]
fn a_file_that_every_user_may_change_is_warned_about() {
    let world = World::new();
    let desk = laptop(&world);
    fs::set_permissions(desk.config_file(), fs::Permissions::from_mode(0o646)).unwrap();
    complains(
        &desk,
        &[(
            "configuration",
            "warn",
            &format!("~/{CONFIG}: every user of this machine may change it…"),
            "change it as it says; `bedrock-sso config check` has every warning",
        )],
    );
    desk.run(["doctor"]).expect_code(0);
}

#[test]
fn what_others_may_look_into_is_named_with_the_command_that_ends_it() {
    let world = World::new();
    let desk = laptop(&world);
    for (name, mode, check, remedy) in [("", 0o755, "folder", "700"), ("/key", 0o644, "key", "600")] {
        let path = desk.home().join(format!("{DATA}{name}"));
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let message = format!("other users of this machine may look into ~/{DATA}{name}");
        let command = format!("chmod {remedy} ~/{DATA}{name}");
        complains(&desk, &[(check, "warn", &message, &format!("run `{command}`"))]);
        let done = Command::new("sh").args(["-c", &command]).env("HOME", desk.home()).status().unwrap();
        assert!(done.success(), "{command}");
        assert_eq!(fs::metadata(&path).unwrap().permissions(), before, "whoever does as it says is done");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_said() {
    let world = World::new();
    let desk = laptop(&world);
    let folder = desk.home().join(DATA);
    fs::remove_dir_all(&folder).unwrap();
    write(&desk, DATA, "in its place");
    let found = checks(&desk);
    let check = found.iter().find(|check| check["name"] == "folder").unwrap();
    assert_eq!(check["result"], "bad");
    assert_eq!(check["message"], format!("cannot write into {}: not a directory", folder.display()));
    let parent = folder.parent().unwrap().display().to_string();
    assert_eq!(
        check["remedy"],
        format!("make sure that you may write to {parent} and that the disk is not full")
    );
    assert_eq!(desk.run(["doctor"]).code, Some(10));
}

/// What is sealed under a key that cannot be had is not asked for again.
#[cfg(target_os = "linux")]
#[test]
fn a_keyring_that_is_not_there_is_said_once() {
    let world = World::new();
    let desk = laptop(&world);
    reword(&desk, CONFIG, "storage = \"file\"", "storage = \"keyring\"");
    let told = desk.run(["credentials"]).refused(10, "storage/keyring_absent");
    complains(&desk, &[("key", "bad", &told.0, &told.1)]);
    skips(&desk, "session", "what is kept cannot be opened, see `key`");
}

#[test]
fn a_sign_in_that_hangs_is_named_with_its_process() {
    let world = World::new();
    let desk = laptop(&world);
    let folder = desk.home().join(DATA);
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name =
        names.filter(|name| name.len() > 30).find_map(|name| Some(name.strip_suffix(".lock")?.to_owned()));
    let name = name.unwrap();
    let lock = File::open(folder.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let holder = |ago: i64| {
        let holder = json!({ "pid": 12345, "since": world.now() - ago, "address": "http://127.0.0.1:9/x" });
        write(&desk, &format!("{DATA}/{name}.holder"), &holder.to_string());
    };
    holder(3600);
    complains(
        &desk,
        &[(
            "lock",
            "warn",
            "another sign-in is still waiting: process 12345, for 1 h",
            "wait for it, or end that process",
        )],
    );
    skips(&desk, "ports", "a sign-in is under way, and may hold one");
    holder(20);
    assert!(says(&desk, "lock").starts_with("process 12345 is signing in, for "));
}

#[test]
fn nobody_signed_in_is_said() {
    let world = World::new();
    let desk = laptop(&world);
    desk.run(["logout"]).expect_code(0);
    complains(&desk, &[("session", "warn", "nobody is signed in", "run `bedrock-sso login`")]);
}

#[test]
fn the_last_failure_is_told_again_with_its_hint() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::AuthorizeError, json!({ "error": "access_denied", "description": "not assigned" }));
    let outcome = desk.run(["login", "--force"]);
    let (what, hint) = outcome.stderr.split_once("\n  hint: ").unwrap();
    let hint = hint.trim_end();
    assert!(what.contains("[sign-in/access_denied]"), "{what}");
    let found = checks(&desk);
    let check = found.iter().find(|check| check["name"] == "last-error").unwrap();
    let (_ago, message) = check["message"].as_str().unwrap().split_once(" ago: ").unwrap();
    assert_eq!((&check["result"], message), (&json!("warn"), what.trim_start_matches("bedrock-sso: ")));
    assert_eq!(check["remedy"], hint);
}

/// Who holds a port is known on Linux alone.
fn holder() -> String {
    match fs::read_to_string("/proc/self/comm") {
        Ok(name) => format!(" by {} (process {})", name.trim(), std::process::id()),
        Err(_) => String::new(),
    }
}

const PORTS: &str = "end the program that holds the port, or register another and add it to `redirect_ports`";

#[test]
fn a_port_that_is_taken_is_named_with_its_holder() {
    let world = World::new();
    let (first, second) = (Port::reserve(), Port::reserve());
    let _first = first.listen();
    let desk = laptop_with(&world, &format!("redirect_ports = [{first}, {second}]"));
    let taken = format!("127.0.0.1:{first} is in use{}", holder());
    complains(&desk, &[("ports", "warn", &format!("{taken}; {second} is free"), PORTS)]);
    let _second = second.listen();
    let both = format!("{taken}; 127.0.0.1:{second} is in use{}", holder());
    complains(&desk, &[("ports", "bad", &both, PORTS)]);
    desk.run(["doctor"]).expect_code(4);
}

#[test]
fn a_browser_that_does_not_exist_is_named_with_where_it_was_chosen() {
    let world = World::new();
    let desk = laptop(&world);
    desk.set_key("browser", "[\"no-such-browser\", \"{url}\"]");
    let message = "the browser to be opened does not exist: no-such-browser";
    complains(
        &desk,
        &[("browser", "bad", message, "install it, or name another in `browser` of the profile")],
    );
    desk.set_key("browser", "[]");
    desk.set_variable("BROWSER", "/no/such/browser");
    complains(
        &desk,
        &[(
            "browser",
            "bad",
            "the browser to be opened does not exist: /no/such/browser",
            "install it, or name another in the variable BROWSER",
        )],
    );
}

#[test]
fn another_way_in_is_told_with_its_reason() {
    let world = World::new();
    let desk = laptop(&world);
    desk.set_key("browser", "[]");
    desk.set_variable("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22");
    assert_eq!(
        says(&desk, "browser"),
        "`login` prints an address for you to open: reached by SSH, without a display"
    );
    world.set(Knob::DeviceCodes, json!({}));
    assert_eq!(
        says(&desk, "browser"),
        "`login` shows a code to enter in any browser: reached by SSH, without a display"
    );
    desk.unset_variable("SSH_CONNECTION");
    desk.set_variable("CI", "true");
    complains(
        &desk,
        &[(
            "browser",
            "bad",
            "you need to sign in, and nobody sits at this build machine",
            "`bedrock-sso login --device` shows a code even here; a build of its own is better given a role of its own",
        )],
    );
}
