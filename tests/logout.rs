//! Signing out: what is left on this machine, what the provider hears, and what a person is told.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and spoil files"
)]

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use testworld::{CLIENT_ID, Desk, Endpoint, Fault, Knob, World, wait_until};

use crate::{SPENT, desk, to_local_text};

/// What a sign-out prints that the provider has confirmed.
const REVOKED: &str = "logout: revoked";

/// Signs in, and says until when.
#[track_caller]
fn sign_in(desk: &Desk<'_>, profile: &str) -> String {
    let outcome = desk.run(["credentials", "--profile", profile]).expect_code(0);
    outcome.document()["Expiration"].as_str().unwrap().to_owned()
}

/// A desk where somebody has signed in to credentials that are spent, so that nothing is said of them.
fn signed_in(world: &World) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(world);
    sign_in(&desk, "claude");
    desk
}

/// A second profile beside the first, with a sign-in of its own.
fn add_profile(desk: &Desk<'_>, name: &str) {
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let (_, profile) = text.split_once("[profiles.claude]").unwrap();
    let profile = profile.split("[profiles.").next().unwrap();
    desk.configure(&format!("{text}\n[profiles.{name}]{profile}\nextra_params = {{ login_hint = \"{name}\" }}\n"));
}

/// What is kept, by name, besides the configuration, which macOS keeps in the same place.
fn kept(desk: &Desk<'_>) -> Vec<String> {
    let entries = fs::read_dir(desk.data()).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "config.toml").collect();
    names.sort();
    names
}

/// The one file of a kind that belongs to the sign-in. The names of the credentials' files have a hyphen.
fn file(desk: &Desk<'_>, kind: &str) -> PathBuf {
    let names = kept(desk);
    let is_sign_in = |name: &&String| name.ends_with(kind) && !name.trim_end_matches(kind).contains('-');
    let found: Vec<_> = names.iter().filter(is_sign_in).collect();
    assert_eq!(found.len(), 1, "{names:?}");
    desk.data().join(found[0])
}

/// Only locks are left, and they are empty.
#[track_caller]
fn nothing_is_kept(desk: &Desk<'_>) {
    let names = kept(desk);
    assert!(!names.is_empty() && names.iter().all(|name| name.ends_with(".lock")), "{names:?}");
    assert!(names.iter().all(|name| fs::read(desk.data().join(name)).unwrap().is_empty()));
}

#[track_caller]
fn no_trace_is_left(desk: &Desk<'_>) {
    // macOS has the configuration in the same folder.
    assert_eq!((kept(desk), desk.data().exists()), (Vec::new(), cfg!(target_os = "macos")));
}

fn status(desk: &Desk<'_>, profile: &str) -> Value {
    desk.run(["status", "--json", "--profile", profile]).expect_code(0).document()
}

#[test]
fn what_was_kept_is_forgotten_and_the_provider_revokes_the_session() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("TZ", "UTC");
    let until = sign_in(&desk, "claude");
    assert_eq!((kept(&desk).len(), world.live_grants()), (9, 1), "{:?}", kept(&desk));
    let requests = world.ledger().total();
    let outcome = desk.run(["logout"]);
    outcome.prints("logout: revoked while credentials are valid");
    assert!(outcome.stderr.contains(&to_local_text(&until, 0)), "{outcome:?}");
    assert_eq!((world.live_grants(), world.ledger().total() - requests), (0, 1), "one request is enough");
    nothing_is_kept(&desk);
    let status = status(&desk, "claude");
    assert_eq!((&status["signed_in"], &status["can_renew"]), (&json!(false), &json!(false)));
    assert_eq!((&status["identity"], &status["last_error"]), (&Value::Null, &Value::Null));
    desk.run(["credentials", "--no-login"]).expect_code(4);
}

#[test]
fn the_provider_hears_the_token_its_kind_and_the_client() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.run(["logout"]).expect_code(0);
    let requests = world.ledger().requests();
    let request = requests.iter().find(|request| request.endpoint == Endpoint::Revoke).unwrap();
    let fields: Vec<_> = request.body.split('&').map(|pair| pair.split_once('=').unwrap().0).collect();
    assert_eq!(fields, ["token", "token_type_hint", "client_id"]);
    assert!(request.body.ends_with(&format!("&token_type_hint=refresh_token&client_id={CLIENT_ID}")));
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/revoke"));
}

#[test]
fn a_provider_that_is_no_longer_remembered_is_asked_where_it_revokes() {
    let world = World::new();
    let desk = signed_in(&world);
    fs::remove_file(file(&desk, ".provider")).unwrap();
    desk.run(["logout"]).prints(REVOKED);
    assert_eq!((world.live_grants(), world.count(Endpoint::Discovery)), (0, 2));
    nothing_is_kept(&desk);
}

/// Whatever the provider does, this machine forgets, and the call is a success.
#[test]
fn trouble_with_the_provider_keeps_nothing_here() {
    let world = World::new();
    let desk = desk(&world);
    for (fault, reason) in [
        (Fault::Status(503), "503"),
        (Fault::Status(404), "404"),
        (Fault::Close, "127.0.0.1:"),
        (Fault::Portal, "127.0.0.1:"),
        (Fault::Redirect("http://127.0.0.1:1/elsewhere?a".into()), "http://127.0.0.1:1/elsewhere "),
        (Fault::oauth("invalid_client", "no\u{1b}[31m"), "invalid_client (no\\u{1b}[31m)"),
        (Fault::Hang, "10 s"),
    ] {
        world.next(1, Knob::CredentialLifetime, SPENT);
        sign_in(&desk, "claude");
        world.next(1, Knob::RevokeFault, fault);
        let outcome = desk.run(["logout"]);
        outcome.prints("logout: not revoked");
        assert!(outcome.stderr.contains(reason), "{outcome:?}");
        nothing_is_kept(&desk);
    }
}

#[test]
fn a_provider_that_is_gone_keeps_nothing_here() {
    let world = World::new();
    let desk = signed_in(&world);
    world.stop_provider();
    for _ in ["with the stored description of the provider", "without it"] {
        desk.run(["logout"]).prints("logout: not revoked");
        nothing_is_kept(&desk);
        world.start_provider();
        world.next(1, Knob::CredentialLifetime, SPENT);
        sign_in(&desk, "claude");
        fs::remove_file(file(&desk, ".provider")).unwrap();
        world.stop_provider();
    }
}

#[test]
fn a_provider_without_revocation_is_said_to_have_none() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "revocation_endpoint": null }));
    let desk = signed_in(&world);
    desk.run(["logout"]).prints("logout: no revocation");
    nothing_is_kept(&desk);
    world.clear(Knob::DiscoveryDocument);
    world.next(1, Knob::CredentialLifetime, SPENT);
    sign_in(&desk, "claude");
    world.next(1, Knob::RevokeFault, Fault::oauth("unsupported_token_type", "access tokens only"));
    desk.run(["logout"]).prints("logout: no revocation");
    nothing_is_kept(&desk);
}

#[test]
fn without_a_refresh_token_nobody_is_asked() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in(&world);
    let requests = world.ledger().total();
    desk.run(["logout"]).prints("logout: no refresh token");
    assert_eq!(world.ledger().total(), requests);
    nothing_is_kept(&desk);
}

#[test]
fn where_nobody_was_signed_in_nothing_is_asked_and_nothing_written() {
    let world = World::new();
    let never = desk(&world);
    never.run(["logout"]).prints("logout: not signed in");
    never.run(["logout", "--all"]).prints("logout: not signed in");
    assert!(kept(&never).is_empty(), "{:?}", kept(&never));
    assert_eq!(world.ledger().total(), 0);
    let twice = signed_in(&world);
    twice.run(["logout"]).expect_code(0);
    twice.run(["logout"]).prints("logout: not signed in");
    assert_eq!(world.count(Endpoint::Revoke), 1);
}

#[test]
fn the_door_and_the_last_failure_are_forgotten() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    desk.run(["credentials"]).expect_code(4);
    assert_ne!(status(&desk, "claude")["last_error"], Value::Null);
    desk.run(["logout"]).prints("logout: only notes");
    nothing_is_kept(&desk);
    assert_eq!(status(&desk, "claude")["last_error"], Value::Null);
    desk.person("signs-in");
    sign_in(&desk, "claude");
}

#[test]
fn another_profile_stays_signed_in_and_the_key_goes_with_the_last() {
    let world = World::new();
    world.set(Knob::CredentialLifetime, 40);
    let desk = desk(&world);
    add_profile(&desk, "research");
    for profile in ["claude", "research"] {
        sign_in(&desk, profile);
    }
    let key = || fs::read(desk.data().join("key")).ok();
    let first_key = key().unwrap();
    let requests = world.count(Endpoint::Authorize);
    desk.run(["logout", "--profile", "claude"]).expect_code(0);
    assert_eq!((key(), world.live_grants()), (Some(first_key.clone()), 1));
    assert_eq!(status(&desk, "claude")["signed_in"], json!(false));
    assert_eq!(status(&desk, "research")["signed_in"], json!(true));
    sign_in(&desk, "research");
    assert_eq!(world.count(Endpoint::Authorize), requests, "its record still opens");
    desk.run(["logout", "--profile", "research"]).expect_code(0);
    assert_eq!(world.live_grants(), 0);
    nothing_is_kept(&desk);
    sign_in(&desk, "claude");
    assert_ne!(key().unwrap(), first_key, "the next sign-in makes a new one");
}

#[test]
fn all_profiles_are_signed_out_with_a_line_each() {
    let world = World::new();
    world.set(Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    add_profile(&desk, "research");
    add_profile(&desk, "unused");
    for profile in ["claude", "research"] {
        sign_in(&desk, profile);
    }
    desk.run(["logout", "--all"]).prints("logout --all: three profiles");
    assert_eq!(world.live_grants(), 0);
    no_trace_is_left(&desk);
}

#[test]
fn all_takes_along_what_no_profile_leads_to_and_nothing_that_is_not_ours() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.replace_in_config("[profiles.claude]", "[profiles.renamed]\nextra_params = { login_hint = \"bob\" }");
    let half = file(&desk, ".sign-in").with_added_extension("new");
    fs::write(half, "half written").unwrap();
    let foreign = ["notes.txt", "mine.sign-in", "0123456789abcdef0123456789abcdef.txt"];
    for name in foreign {
        fs::write(desk.data().join(name), "not ours").unwrap();
    }
    desk.run(["logout", "--all"]).prints("logout --all: a sign-in without a profile");
    let mut left = foreign.map(str::to_owned);
    left.sort();
    assert_eq!(kept(&desk), left);
}

#[test]
fn all_forgets_whatever_is_wrong_with_the_configuration() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.configure("not TOML [");
    let outcome = desk.run(["logout", "--all"]).expect_code(3);
    assert!(outcome.stderr.contains("\nbedrock-sso: ") && outcome.stdout.is_empty(), "{outcome:?}");
    desk.expect_wording("output", "logout --all: a broken configuration", &outcome.stderr);
    no_trace_is_left(&desk);
    fs::remove_file(desk.config_file()).unwrap();
    fs::create_dir_all(desk.data()).unwrap();
    fs::write(desk.data().join("key"), [7; 32]).unwrap();
    desk.run(["logout", "--all"]).prints("logout --all: nothing stored");
    no_trace_is_left(&desk);
}

#[test]
fn an_unknown_profile_is_a_mistake_and_nothing_is_forgotten() {
    let world = World::new();
    let desk = signed_in(&world);
    let before = kept(&desk);
    desk.run(["logout", "--profile", "cloude"]).fails(3, "config/no_such_profile");
    assert_eq!((kept(&desk), world.live_grants()), (before, 1));
}

#[test]
fn what_cannot_be_opened_is_forgotten_all_the_same() {
    let world = World::new();
    let desk = desk(&world);
    let spoils: [fn(&Desk<'_>); 3] = [
        |desk| fs::write(file(desk, ".sign-in"), "torn").unwrap(),
        |desk| fs::remove_file(desk.data().join("key")).unwrap(),
        |desk| fs::write(desk.data().join("key"), [7; 32]).unwrap(),
    ];
    for spoil in spoils {
        sign_in(&desk, "claude");
        spoil(&desk);
        desk.run(["logout"]).prints("logout: an unreadable sign-in");
        nothing_is_kept(&desk);
    }
}

#[test]
fn whatever_storage_the_profile_names_by_now() {
    let world = World::new();
    for storage in ["keyring", "none"] {
        let desk = signed_in(&world);
        desk.replace_in_config("storage = \"file\"", &format!("storage = \"{storage}\""));
        desk.run(["logout"]).prints(REVOKED);
        assert_eq!(world.live_grants(), 0);
        nothing_is_kept(&desk);
    }
}

#[test]
fn a_file_that_cannot_be_removed_is_told_and_keeps_neither_the_others_nor_the_session() {
    let world = World::new();
    let desk = signed_in(&world);
    let notes = file(&desk, ".json");
    fs::remove_file(&notes).unwrap();
    fs::create_dir(&notes).unwrap();
    let outcome = desk.run(["logout"]).expect_code(10);
    assert!(outcome.stderr.contains(&format!("{}: ", notes.display())), "{outcome:?}");
    assert!(outcome.stderr.contains(" [storage/files]\n  hint: ") && outcome.stdout.is_empty(), "{outcome:?}");
    desk.expect_wording("output", "logout: a file that cannot be removed", &outcome.stderr);
    fs::remove_dir(&notes).unwrap();
    nothing_is_kept(&desk);
    assert_eq!(world.live_grants(), 0);
}

#[test]
fn a_sign_in_that_waits_is_neither_disturbed_nor_overlooked() {
    let world = World::new();
    let desk = signed_in(&world);
    add_profile(&desk, "research");
    sign_in(&desk, "research");
    world.revoke_grants();
    world.next(1, Knob::AuthorizeFault, Fault::Hold);
    let waiting = desk.start(["login", "--profile", "claude"]);
    wait_until("a third tab is open", || desk.tabs() == 3);
    let before = kept(&desk);
    let failed = desk.run(["logout", "--profile", "claude"]).fails(11, "busy/sign_in");
    failed.message_has(&["process "]).hint_has(&["http://127.0.0.1:"]);
    assert_eq!(kept(&desk), before);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("{text}\n[profiles.broken]\nregion = \"us-east-1\"\n"));
    let outcome = desk.run(["logout", "--all"]).expect_code(11);
    let parts =
        ["research", "broken:\nbedrock-sso: ", "[config/missing_key]", "claude:\nbedrock-sso: ", "[busy/sign_in]"];
    let places = parts.map(|part| outcome.stderr.find(part).unwrap_or_else(|| panic!("{part}: {outcome:?}")));
    assert!(places.is_sorted(), "the worst is last: {outcome:?}");
    desk.expect_wording("output", "logout --all: one busy, one broken", &outcome.stderr);
    world.release();
    assert!(waiting.finish().expect_code(0).stdout.contains("demo@example.com"));
    assert_eq!(status(&desk, "claude")["signed_in"], json!(true));
}

#[test]
fn who_asks_for_credentials_meanwhile_is_signed_in_after_it() {
    let world = World::new();
    let desk = signed_in(&world);
    world.next(1, Knob::RevokeFault, Fault::Delay(700));
    let leaving = desk.start(["logout"]);
    assert!(world.ledger().wait_for(Endpoint::Revoke, 1, Duration::from_secs(20)));
    let coming = desk.start(["credentials"]);
    leaving.finish().prints(REVOKED);
    coming.finish().expect_code(0);
    assert_eq!((world.live_grants(), desk.tabs()), (1, 2));
    assert_eq!(status(&desk, "claude")["can_renew"], json!(true));
}

#[test]
fn all_and_one_profile_contradict_each_other() {
    let world = World::new();
    let desk = signed_in(&world);
    for call in [["logout", "--all", "--profile", "claude"], ["--profile", "claude", "logout", "--all"]] {
        desk.run(call).fails(2, "usage/wrong_value").message_has(&["'--all'", "'--profile <NAME>'"]);
    }
    assert_eq!(world.live_grants(), 1);
}

#[test]
fn a_renewal_behind_the_scenes_is_waited_for_and_brings_nothing_back() {
    let world = World::new();
    world.set(Knob::CredentialLifetime, 600);
    let desk = desk(&world);
    sign_in(&desk, "claude");
    world.next(1, Knob::RefreshFault, Fault::Delay(800));
    sign_in(&desk, "claude");
    assert!(world.ledger().wait_for(Endpoint::Refresh, 1, Duration::from_secs(20)));
    let outcome = desk.run(["logout"]).expect_code(0);
    outcome.prints("logout: revoked while credentials are valid");
    desk.settle();
    nothing_is_kept(&desk);
    assert_eq!(world.live_grants(), 0, "the rotated token was the one revoked");
}
