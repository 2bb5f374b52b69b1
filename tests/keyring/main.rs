//! `storage = "keyring"` with the whole program and a real Secret Service: gnome-keyring on a bus of each test's own.
//!
//! `tests/keyring/run` installs the packages and runs the tests one at a time, because they share the kernel's keyring.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and starts daemons")]

mod disk;
mod kwallet;
mod quiet;
mod session;

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    thread,
    time::Duration,
};

use session::{Session, forget_copy, has_copy, plant_copy};
use testworld::{Desk, Endpoint, FirstSignIn, KeyringWorks, Knob, Outcome, STORAGE_QUESTION, World};

const SPENT: u32 = 10;

/// One desk per storage that stores a sign-in.
fn desks<'w>(world: &'w World, session: &Session) -> [Desk<'w>; 2] {
    let in_file = Desk::new(world, env!("CARGO_BIN_EXE_bedrock-sso"));
    [desk(world, session), in_file]
}

/// A desk whose profile stores its key in this session's keyring.
fn desk<'w>(world: &'w World, session: &Session) -> Desk<'w> {
    store_in_keyring(Desk::new(world, env!("CARGO_BIN_EXE_bedrock-sso")), session)
}

fn store_in_keyring<'w>(desk: Desk<'w>, session: &Session) -> Desk<'w> {
    forget_copy();
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("storage = \"file\"", "storage = \"keyring\""));
    desk.set_variable("DBUS_SESSION_BUS_ADDRESS", session.address());
    desk
}

#[track_caller]
fn refused(outcome: &Outcome, slug: &str) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(10), ""), "{outcome:?}");
    assert!(outcome.stderr.contains(&format!("[storage/{slug}]")), "{outcome:?}");
    assert!(outcome.stderr.contains("storage = \"file\""), "the hint does not name the other storage: {outcome:?}");
}

fn stored_files(desk: &Desk<'_>) -> Vec<String> {
    let entries = std::fs::read_dir(desk.home().join(".local/share/bedrock-sso")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
#[ignore = "tests/keyring/run"]
fn keyring_serves_sign_in_cache_and_renewal() {
    let (world, session) = (World::new(), Session::unlocked());
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(&world, &session);
    let first = desk.credentials();
    let renewed = desk.credentials();
    assert_ne!(first, renewed);
    let requests = world.ledger().total();
    assert_eq!(desk.credentials(), renewed, "the second call uses the cache");
    assert_eq!((world.ledger().total(), desk.tabs()), (requests, 1));
    assert_eq!((world.count(Endpoint::Refresh), world.count(Endpoint::Assume)), (1, 2));
}

#[test]
#[ignore = "tests/keyring/run"]
fn first_hour_on_a_desktop_stores_the_key_in_its_keyring() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let outcome = desk.spend_first_hour(KeyringWorks::Yes, FirstSignIn::Browser);
    assert_eq!(outcome.code, Some(0), "{}", outcome.shown);
    for fact in ["✓ the keyring stores and returns an item", "✓ AWS accepts the credentials"] {
        assert!(outcome.shown.contains(fact), "{fact}: {}", outcome.shown);
    }
    assert!(!outcome.shown.contains(STORAGE_QUESTION), "{}", outcome.shown);
    assert!(!stored_files(&desk).contains(&"key".to_owned()));
    assert!(session.secret_tool(["search", "service", "bedrock-sso"]).status.success());
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
}

#[test]
#[ignore = "tests/keyring/run"]
fn first_hour_with_a_locked_keyring_over_ssh_uses_a_file() {
    let (world, session) = (World::new(), Session::unlocked());
    session.lock();
    let desk = desk(&world, &session);
    desk.set_variable("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    let outcome = desk.spend_first_hour(KeyringWorks::No, FirstSignIn::Browser);
    assert_eq!(outcome.code, Some(0), "{}", outcome.shown);
    assert!(outcome.shown.contains("is locked") && outcome.shown.contains("✓ AWS accepts"), "{}", outcome.shown);
    assert!(stored_files(&desk).contains(&"key".to_owned()));
}

/// While the keyring is locked, every profile of a shared sign-in fails. After it is unlocked, all of them work as
/// before.
#[test]
#[ignore = "tests/keyring/run"]
fn shared_sign_in_survives_a_locked_keyring() {
    let (world, mut session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    let (_, body) = text.split_once("[profiles.claude]").unwrap();
    desk.configure(&format!("default_profile = \"claude\"\n{text}\n[profiles.short]{body}session_duration = \"1h\"\n"));
    let run = |profile| desk.run(["credentials", "--no-login", "--profile", profile]);
    desk.credentials();
    let short = run("short").expect_code(0);
    session.lock();
    forget_copy();
    for profile in ["claude", "short"] {
        refused(&run(profile), "keyring_locked");
    }
    session.unlock_again();
    assert_eq!(run("short").expect_code(0).stdout, short.stdout);
    assert_eq!((desk.tabs(), world.live_grants()), (1, 1));
}

#[test]
#[ignore = "tests/keyring/run"]
fn identity_center_session_survives_a_locked_keyring() {
    let (world, mut session) = (World::new(), Session::unlocked());
    let desk = Desk::with_identity_center(&world, env!("CARGO_BIN_EXE_bedrock-sso"), "");
    let desk = store_in_keyring(desk, &session);
    let first = desk.credentials();
    let requests = world.ledger().total();
    session.lock();
    forget_copy();
    for arguments in [&["credentials"][..], &["credentials", "--no-login"], &["login"]] {
        let mut command = desk.command();
        command.args(arguments);
        refused(&desk.start_command(command).finish(), "keyring_locked");
    }
    session.unlock_again();
    assert_eq!(desk.credentials(), first);
    assert_eq!((desk.tabs(), world.live_portal_sessions(), world.ledger().total()), (1, 1, requests));
}

#[test]
#[ignore = "tests/keyring/run"]
fn keyring_holds_the_key_and_files_do_not() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    desk.credentials();
    desk.settle();
    let key = session.secret_tool(["lookup", "service", "bedrock-sso"]).stdout;
    assert_eq!(key.len(), 32);
    let files = stored_files(&desk);
    assert!(!files.contains(&"key".to_owned()), "the key is also in a file: {files:?}");
    for file in &files {
        let bytes = std::fs::read(desk.home().join(".local/share/bedrock-sso").join(file)).unwrap();
        assert!(!bytes.windows(32).any(|part| part == key), "{file}");
    }
    let items = session.call("SearchItems", &["dict:string:string:service,bedrock-sso"]);
    assert_eq!(items.matches("object path").count(), 1, "{items}");
    assert!(items.contains("collection/login/"), "the item is not in the login collection: {items}");
}

#[test]
#[ignore = "tests/keyring/run"]
fn locked_keyring_fails_at_once_without_a_request() {
    let (world, mut session) = (World::new(), Session::unlocked());
    let (new, used) = (desk(&world, &session), desk(&world, &session));
    let before = used.credentials();
    session.lock();
    forget_copy();
    let requests = world.ledger().total();
    for desk in [&new, &used] {
        for verb in ["credentials", "login"] {
            let outcome = desk.run([verb]);
            refused(&outcome, "keyring_locked");
            assert!(outcome.took < Duration::from_secs(2), "{outcome:?}");
        }
    }
    assert_eq!((world.ledger().total(), new.tabs()), (requests, 0));
    session.unlock_again();
    assert_eq!(used.credentials(), before, "nothing was overwritten");
}

#[test]
#[ignore = "tests/keyring/run"]
fn unanswered_unlock_prompt_ends_as_locked_or_timeout() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    session.lock();
    desk.set_variable("DISPLAY", ":4242");
    let outcome = desk.run(["credentials"]);
    let slug = if outcome.stderr.contains("keyring_timeout") { "keyring_timeout" } else { "keyring_locked" };
    refused(&outcome, slug);
    assert!(outcome.took < Duration::from_secs(15), "{outcome:?}");
    assert_eq!(desk.tabs(), 0);
}

#[test]
#[ignore = "tests/keyring/run"]
fn missing_bus_starts_nothing_and_hints_at_file_storage() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    desk.credentials();
    forget_copy();
    let nowhere = desk.home().join("no-bus");
    for address in [None, Some(format!("unix:path={}", nowhere.display())), Some("autolaunch:".to_owned())] {
        match &address {
            Some(address) => desk.set_variable("DBUS_SESSION_BUS_ADDRESS", address),
            None => desk.unset_variable("DBUS_SESSION_BUS_ADDRESS"),
        }
        // With a display, `dbus-launch` would start a bus, as it does for other programs.
        desk.set_variable("DISPLAY", ":4242");
        refused(&desk.run(["credentials"]), "keyring_absent");
    }
    desk.settle();
    assert_eq!(session::processes_in(&desk.home()), Vec::<String>::new());
}

#[test]
#[ignore = "tests/keyring/run"]
fn absent_service_or_collection_is_an_error() {
    let world = World::new();
    for session in [Session::without_service(), Session::never_used()] {
        let desk = desk(&world, &session);
        refused(&desk.run(["credentials"]), "keyring_absent");
        assert_eq!(desk.tabs(), 0);
    }
    assert_eq!(world.ledger().total(), 0);
}

#[test]
#[ignore = "tests/keyring/run"]
fn silent_keyring_fails_at_its_deadline() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let before = desk.credentials();
    let folder = tempfile::tempdir().unwrap();
    for (name, greeting) in [("mute", ""), ("stalled", "OK 0123456789abcdef0123456789abcdef\r\n")] {
        let place = folder.path().join(name);
        listen(&place, greeting);
        desk.set_variable("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", place.display()));
        forget_copy();
        let outcome = desk.run(["credentials"]);
        refused(&outcome, "keyring_timeout");
        assert!(outcome.took < Duration::from_secs(6), "{outcome:?}");
    }
    desk.set_variable("DBUS_SESSION_BUS_ADDRESS", session.address());
    assert_eq!(desk.credentials(), before, "nothing was overwritten");
}

/// A bus that reads everything and answers with nothing but its greeting.
fn listen(place: &Path, greeting: &'static str) {
    let listener = UnixListener::bind(place).unwrap();
    thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = caller.write_all(greeting.as_bytes());
                let _ = caller.read_to_end(&mut Vec::new());
            });
        }
    });
}

#[test]
#[ignore = "tests/keyring/run"]
fn deleted_key_requires_a_new_sign_in() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let first = desk.credentials();
    session.secret_tool(["clear", "service", "bedrock-sso"]);
    forget_copy();
    assert_ne!(desk.credentials(), first);
    assert_eq!(desk.tabs(), 2);
    assert_eq!(session.secret_tool(["lookup", "service", "bedrock-sso"]).stdout.len(), 32);
}

#[test]
#[ignore = "tests/keyring/run"]
fn logout_removes_the_key_and_its_kernel_copy() {
    let (world, mut session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let key = || session.secret_tool(["lookup", "service", "bedrock-sso"]).stdout.len();
    for words in [&["logout"][..], &["logout", "--all"]] {
        desk.credentials();
        assert_eq!(key(), 32);
        let mut command = desk.command();
        command.args(words);
        desk.start_command(command).finish().expect_code(0);
        assert_eq!((key(), has_copy(), world.live_grants()), (0, false, 0));
    }
    desk.credentials();
    session.lock();
    forget_copy();
    refused(&desk.run(["logout"]), "keyring_locked");
    assert!(!stored_files(&desk).iter().any(|name| name.ends_with(".sign-in")), "the sign-in is still stored");
    session.unlock_again();
    desk.run(["logout"]).expect_code(0);
    assert_eq!(session.secret_tool(["lookup", "service", "bedrock-sso"]).stdout.len(), 0);
}

#[test]
#[ignore = "tests/keyring/run"]
fn logout_revokes_after_storage_changed_to_file() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    desk.credentials();
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("storage = \"keyring\"", "storage = \"file\""));
    desk.run(["logout"]).expect_code(0);
    assert_eq!(world.live_grants(), 0);
    assert_eq!(session.secret_tool(["lookup", "service", "bedrock-sso"]).stdout.len(), 0);
}

#[test]
#[ignore = "tests/keyring/run"]
fn each_storage_has_a_sign_in_and_logout_ends_all() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let in_keyring = std::fs::read_to_string(desk.config_file()).unwrap();
    let in_file = in_keyring.replace("storage = \"keyring\"", "storage = \"file\"");
    let from_keyring = desk.credentials();
    desk.configure(&in_file);
    let from_file = desk.credentials();
    assert_ne!(from_file, from_keyring, "each storage has its own key");
    for (text, stored) in [(&in_keyring, &from_keyring), (&in_file, &from_file)] {
        desk.configure(text);
        assert_eq!(desk.credentials(), *stored, "the two sign-ins do not replace each other");
    }
    assert_eq!((desk.tabs(), world.live_grants()), (2, 2));
    desk.run(["logout"]).expect_code(0);
    assert_eq!(world.live_grants(), 0);
    let key = session.secret_tool(["lookup", "service", "bedrock-sso"]).stdout;
    let left: Vec<_> = stored_files(&desk).into_iter().filter(|name| !name.ends_with(".lock")).collect();
    assert_eq!((key.len(), left), (0, Vec::new()), "a key is still stored");
}

#[test]
#[ignore = "tests/keyring/run"]
fn hundred_callers_share_one_key_and_one_browser() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    for before in [forget_copy, forget_copy, || plant_copy("another key of thirty-two bytes.")] {
        before();
        let callers: Vec<_> = (0..100).map(|_| desk.start(["credentials"])).collect();
        let documents: Vec<_> = callers.into_iter().map(|caller| caller.finish().expect_code(0).document()).collect();
        assert!(documents.iter().all(|document| *document == documents[0]));
    }
    assert_eq!((desk.tabs(), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
#[ignore = "tests/keyring/run"]
fn kernel_copy_of_the_key_replaces_a_missing_bus() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let document = desk.credentials();
    if !has_copy() {
        eprintln!("this kernel stores no keys for the test, so only the Secret Service was tested");
        assert_eq!(desk.credentials(), document);
        return;
    }
    desk.unset_variable("DBUS_SESSION_BUS_ADDRESS");
    assert_eq!(desk.credentials(), document, "the kernel's copy is enough without a bus");
    forget_copy();
    refused(&desk.run(["credentials"]), "keyring_absent");
    desk.set_variable("DBUS_SESSION_BUS_ADDRESS", session.address());
    assert_eq!(desk.credentials(), document);
    assert!(has_copy(), "the call has renewed the kernel's copy");
}

#[test]
#[ignore = "tests/keyring/run"]
fn wrong_kernel_copy_falls_back_to_the_keyring() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = desk(&world, &session);
    let document = desk.credentials();
    for stale in ["another key of thirty-two bytes.", "short"] {
        plant_copy(stale);
        assert_eq!(desk.credentials(), document, "{stale}");
    }
    plant_copy("another key of thirty-two bytes.");
    world.set(Knob::CredentialLifetime, SPENT);
    desk.run(["login", "--force"]).expect_code(0);
    plant_copy("another key of thirty-two bytes.");
    world.set(Knob::CredentialLifetime, 3600);
    desk.credentials();
    assert_eq!(desk.tabs(), 2, "records are sealed with the keyring's key, not with the copy");
}
