//! `logout`: it deletes the records on this machine, revokes the session at the provider, and reports both.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and damage files"
)]

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use testworld::{CLIENT_ID, Desk, Endpoint, Fault, Knob, World, wait_until};

use crate::{SPENT, desk, to_local_text};

/// The golden text of a sign-out that the provider has confirmed.
const REVOKED: &str = "logout: revoked";

/// Signs in and returns the expiration of the credentials.
#[track_caller]
fn sign_in(desk: &Desk<'_>, profile: &str) -> String {
    let outcome = desk.run(["credentials", "--profile", profile]).expect_code(0);
    outcome.document()["Expiration"].as_str().unwrap().to_owned()
}

/// A home whose user has signed in, with expired credentials, which `logout` does not mention.
fn signed_in(world: &World) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(world);
    sign_in(&desk, "claude");
    desk
}

/// Adds a profile that has a separate sign-in.
fn add_profile(desk: &Desk<'_>, name: &str) {
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let (_, profile) = text.split_once("[profiles.claude]").unwrap();
    let profile = profile.split("[profiles.").next().unwrap();
    desk.configure(&format!("{text}\n[profiles.{name}]{profile}\nextra_params = {{ login_hint = \"{name}\" }}\n"));
}

/// The names of the stored files, without the configuration, which is in the same folder on macOS.
fn stored_files(desk: &Desk<'_>) -> Vec<String> {
    let entries = fs::read_dir(desk.data()).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "config.toml").collect();
    names.sort();
    names
}

/// The one file of this kind that belongs to the sign-in. Names of credentials files contain a hyphen.
fn find_sign_in_file(desk: &Desk<'_>, kind: &str) -> PathBuf {
    let names = stored_files(desk);
    let is_sign_in = |name: &&String| name.ends_with(kind) && !name.trim_end_matches(kind).contains('-');
    let found: Vec<_> = names.iter().filter(is_sign_in).collect();
    assert_eq!(found.len(), 1, "{names:?}");
    desk.data().join(found[0])
}

/// Asserts that only empty lock files are left.
#[track_caller]
fn assert_only_locks_left(desk: &Desk<'_>) {
    let names = stored_files(desk);
    assert!(!names.is_empty() && names.iter().all(|name| name.ends_with(".lock")), "{names:?}");
    assert!(names.iter().all(|name| fs::read(desk.data().join(name)).unwrap().is_empty()));
}

#[track_caller]
fn assert_no_file_left(desk: &Desk<'_>) {
    // On macOS the configuration is in the same folder.
    assert_eq!((stored_files(desk), desk.data().exists()), (Vec::new(), cfg!(target_os = "macos")));
}

fn status(desk: &Desk<'_>, profile: &str) -> Value {
    desk.run(["status", "--json", "--profile", profile]).expect_code(0).document()
}

#[test]
fn logout_deletes_the_session_and_revokes_it() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("TZ", "UTC");
    let until = sign_in(&desk, "claude");
    assert_eq!((stored_files(&desk).len(), world.live_grants()), (9, 1), "{:?}", stored_files(&desk));
    let requests = world.ledger().total();
    let outcome = desk.run(["logout"]);
    outcome.prints("logout: revoked while credentials are valid");
    assert!(outcome.stderr.contains(&to_local_text(&until, 0)), "{outcome:?}");
    assert_eq!((world.live_grants(), world.ledger().total() - requests), (0, 1), "one request revokes the session");
    assert_only_locks_left(&desk);
    let status = status(&desk, "claude");
    assert_eq!((&status["signed_in"], &status["can_renew"]), (&json!(false), &json!(false)));
    assert_eq!((&status["identity"], &status["last_error"]), (&Value::Null, &Value::Null));
    desk.run(["credentials", "--no-login"]).expect_code(4);
}

#[test]
fn revocation_request_has_token_type_hint_and_client_id() {
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
fn logout_fetches_discovery_when_it_is_not_cached() {
    let world = World::new();
    let desk = signed_in(&world);
    fs::remove_file(find_sign_in_file(&desk, ".provider")).unwrap();
    desk.run(["logout"]).prints(REVOKED);
    assert_eq!((world.live_grants(), world.count(Endpoint::Discovery)), (0, 2));
    assert_only_locks_left(&desk);
}

/// Whatever the provider answers, `logout` deletes the records and succeeds.
#[test]
fn logout_deletes_everything_when_revocation_fails() {
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
        assert_only_locks_left(&desk);
    }
}

#[test]
fn logout_deletes_everything_when_provider_is_unreachable() {
    let world = World::new();
    let desk = signed_in(&world);
    world.stop_provider();
    for _ in ["with the stored description of the provider", "without it"] {
        desk.run(["logout"]).prints("logout: not revoked");
        assert_only_locks_left(&desk);
        world.start_provider();
        world.next(1, Knob::CredentialLifetime, SPENT);
        sign_in(&desk, "claude");
        fs::remove_file(find_sign_in_file(&desk, ".provider")).unwrap();
        world.stop_provider();
    }
}

#[test]
fn logout_reports_a_provider_without_revocation() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "revocation_endpoint": null }));
    let desk = signed_in(&world);
    desk.run(["logout"]).prints("logout: no revocation");
    assert_only_locks_left(&desk);
    world.clear(Knob::DiscoveryDocument);
    world.next(1, Knob::CredentialLifetime, SPENT);
    sign_in(&desk, "claude");
    world.next(1, Knob::RevokeFault, Fault::oauth("unsupported_token_type", "access tokens only"));
    desk.run(["logout"]).prints("logout: no revocation");
    assert_only_locks_left(&desk);
}

#[test]
fn logout_without_refresh_token_sends_no_request() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in(&world);
    let requests = world.ledger().total();
    desk.run(["logout"]).prints("logout: no refresh token");
    assert_eq!(world.ledger().total(), requests);
    assert_only_locks_left(&desk);
}

#[test]
fn logout_when_signed_out_sends_and_writes_nothing() {
    let world = World::new();
    let never = desk(&world);
    never.run(["logout"]).prints("logout: not signed in");
    never.run(["logout", "--all"]).prints("logout: not signed in");
    assert!(stored_files(&never).is_empty(), "{:?}", stored_files(&never));
    assert_eq!(world.ledger().total(), 0);
    let twice = signed_in(&world);
    twice.run(["logout"]).expect_code(0);
    twice.run(["logout"]).prints("logout: not signed in");
    assert_eq!(world.count(Endpoint::Revoke), 1);
}

#[test]
fn logout_deletes_prompt_backoff_and_last_failure() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    desk.run(["credentials"]).expect_code(4);
    assert_ne!(status(&desk, "claude")["last_error"], Value::Null);
    desk.run(["logout"]).prints("logout: only notes");
    assert_only_locks_left(&desk);
    assert_eq!(status(&desk, "claude")["last_error"], Value::Null);
    desk.person("signs-in");
    sign_in(&desk, "claude");
}

#[test]
fn logout_of_one_profile_leaves_the_other_signed_in() {
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
    assert_eq!(world.count(Endpoint::Authorize), requests, "the record of the other profile can still be decrypted");
    desk.run(["logout", "--profile", "research"]).expect_code(0);
    assert_eq!(world.live_grants(), 0);
    assert_only_locks_left(&desk);
    sign_in(&desk, "claude");
    assert_ne!(key().unwrap(), first_key, "the next sign-in creates a new key");
}

#[test]
fn logout_all_reports_each_profile_on_a_line() {
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
    assert_no_file_left(&desk);
}

#[test]
fn logout_all_deletes_orphaned_records_but_no_foreign_file() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.replace_in_config("[profiles.claude]", "[profiles.renamed]\nextra_params = { login_hint = \"bob\" }");
    let half = find_sign_in_file(&desk, ".sign-in").with_added_extension("new");
    fs::write(half, "half written").unwrap();
    let foreign = ["notes.txt", "mine.sign-in", "0123456789abcdef0123456789abcdef.txt"];
    for name in foreign {
        fs::write(desk.data().join(name), "not ours").unwrap();
    }
    desk.run(["logout", "--all"]).prints("logout --all: a sign-in without a profile");
    let mut left = foreign.map(str::to_owned);
    left.sort();
    assert_eq!(stored_files(&desk), left);
}

#[test]
fn logout_all_works_with_a_broken_configuration() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.configure("not TOML [");
    let outcome = desk.run(["logout", "--all"]).expect_code(3);
    assert!(outcome.stderr.contains("\nbedrock-sso: ") && outcome.stdout.is_empty(), "{outcome:?}");
    desk.expect_wording("output", "logout --all: a broken configuration", &outcome.stderr);
    assert_no_file_left(&desk);
    fs::remove_file(desk.config_file()).unwrap();
    fs::create_dir_all(desk.data()).unwrap();
    fs::write(desk.data().join("key"), [7; 32]).unwrap();
    desk.run(["logout", "--all"]).prints("logout --all: nothing stored");
    assert_no_file_left(&desk);
}

#[test]
fn logout_of_an_unknown_profile_deletes_nothing() {
    let world = World::new();
    let desk = signed_in(&world);
    let before = stored_files(&desk);
    desk.run(["logout", "--profile", "cloude"]).fails(3, "config/no_such_profile");
    assert_eq!((stored_files(&desk), world.live_grants()), (before, 1));
}

#[test]
fn logout_deletes_unreadable_records() {
    let world = World::new();
    let desk = desk(&world);
    let spoils: [fn(&Desk<'_>); 3] = [
        |desk| fs::write(find_sign_in_file(desk, ".sign-in"), "torn").unwrap(),
        |desk| fs::remove_file(desk.data().join("key")).unwrap(),
        |desk| fs::write(desk.data().join("key"), [7; 32]).unwrap(),
    ];
    for spoil in spoils {
        sign_in(&desk, "claude");
        spoil(&desk);
        desk.run(["logout"]).prints("logout: an unreadable sign-in");
        assert_only_locks_left(&desk);
    }
}

#[test]
fn logout_finds_records_of_the_former_storage_setting() {
    let world = World::new();
    for storage in ["keyring", "none"] {
        let desk = signed_in(&world);
        desk.replace_in_config("storage = \"file\"", &format!("storage = \"{storage}\""));
        desk.run(["logout"]).prints(REVOKED);
        assert_eq!(world.live_grants(), 0);
        assert_only_locks_left(&desk);
    }
}

#[test]
fn logout_after_a_storage_change_reports_the_session_once() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.replace_in_config("storage = \"file\"", "storage = \"none\"");
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    desk.run(["logout"]).prints(REVOKED);
    assert_only_locks_left(&desk);
    for storage in ["none", "file"] {
        let text = fs::read_to_string(desk.config_file()).unwrap();
        let (before, rest) = text.split_once("storage = \"").unwrap();
        desk.configure(&format!("{before}storage = \"{storage}\"{}", rest.split_once('"').unwrap().1));
        desk.run(["credentials"]).expect_code(5);
    }
    desk.run(["logout"]).prints("logout: only notes");
    assert_only_locks_left(&desk);
}

#[test]
fn logout_all_does_not_count_incomplete_sign_ins() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    desk.replace_in_config("[profiles.claude]", "[profiles.renamed]\nextra_params = { login_hint = \"bob\" }");
    desk.run(["logout", "--all"]).prints("logout --all: notes without a profile");
    assert_no_file_left(&desk);
}

#[test]
fn logout_continues_after_one_file_cannot_be_deleted() {
    let world = World::new();
    let desk = signed_in(&world);
    let notes = find_sign_in_file(&desk, ".json");
    fs::remove_file(&notes).unwrap();
    fs::create_dir(&notes).unwrap();
    let outcome = desk.run(["logout"]).expect_code(10);
    assert!(outcome.stderr.contains(&format!("{}: ", notes.display())), "{outcome:?}");
    assert!(outcome.stderr.contains(" [storage/files]\n  hint: ") && outcome.stdout.is_empty(), "{outcome:?}");
    desk.expect_wording("output", "logout: a file that cannot be removed", &outcome.stderr);
    fs::remove_dir(&notes).unwrap();
    assert_only_locks_left(&desk);
    assert_eq!(world.live_grants(), 0);
}

#[test]
fn logout_reports_a_pending_sign_in_and_leaves_it() {
    let world = World::new();
    let desk = signed_in(&world);
    add_profile(&desk, "research");
    sign_in(&desk, "research");
    world.revoke_grants();
    world.next(1, Knob::AuthorizeFault, Fault::Hold);
    let waiting = desk.start(["login", "--profile", "claude"]);
    wait_until("a third tab is open", || desk.tabs() == 3);
    let before = stored_files(&desk);
    let failed = desk.run(["logout", "--profile", "claude"]).fails(11, "busy/sign_in");
    failed.message_has(&["process "]).hint_has(&["http://127.0.0.1:"]);
    assert_eq!(stored_files(&desk), before);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("{text}\n[profiles.broken]\nregion = \"us-east-1\"\n"));
    let outcome = desk.run(["logout", "--all"]).expect_code(11);
    let parts =
        ["research", "broken:\nbedrock-sso: ", "[config/missing_key]", "claude:\nbedrock-sso: ", "[busy/sign_in]"];
    let places = parts.map(|part| outcome.stderr.find(part).unwrap_or_else(|| panic!("{part}: {outcome:?}")));
    assert!(places.is_sorted(), "the most severe problem is reported last: {outcome:?}");
    desk.expect_wording("output", "logout --all: one busy, one broken", &outcome.stderr);
    world.release();
    assert!(waiting.finish().expect_code(0).stdout.contains("demo@example.com"));
    assert_eq!(status(&desk, "claude")["signed_in"], json!(true));
}

#[test]
fn credentials_called_during_logout_sign_in_afterwards() {
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

/// A change of `scopes` asks another question of the provider, so the sign-in is another one.
#[test]
fn logout_names_all_if_a_sign_in_of_no_profile_is_stored() {
    let world = World::new();
    let desk = signed_in(&world);
    let file = desk.config_file();
    let text = fs::read_to_string(&file).unwrap();
    desk.configure(&format!("{text}scopes = [\"openid\"]\n"));
    desk.run(["logout"]).prints("logout: a sign-in of no profile is stored");
    desk.run(["logout", "--all"]).expect_code(0);
    assert!(!desk.run(["logout"]).stderr.contains("--all"));
}

#[test]
fn logout_rejects_all_together_with_profile() {
    let world = World::new();
    let desk = signed_in(&world);
    for call in [["logout", "--all", "--profile", "claude"], ["--profile", "claude", "logout", "--all"]] {
        desk.run(call).fails(2, "usage/wrong_value").message_has(&["'--all'", "'--profile <NAME>'"]);
    }
    assert_eq!(world.live_grants(), 1);
}

#[test]
fn logout_waits_for_a_background_refresh() {
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
    assert_only_locks_left(&desk);
    assert_eq!(world.live_grants(), 0, "the rotated token was revoked");
}

// The provider's sign-out page

/// A world whose provider has a sign-out page, and the page's address.
fn with_sign_out_page() -> (World, String) {
    let world = World::new();
    let page = format!("{}/logout?tenant=1", world.issuer());
    world.set(Knob::DiscoveryDocument, json!({ "revocation_endpoint": null, "end_session_endpoint": page }));
    (world, page)
}

#[test]
fn logout_browser_opens_the_page_without_a_token() {
    let (world, page) = with_sign_out_page();
    let desk = signed_in(&world);
    let outcome = desk.run(["logout", "--browser"]);
    outcome.prints("logout --browser: opened");
    assert_only_locks_left(&desk);
    desk.settle();
    assert_eq!((desk.tabs(), desk.last_tab().unwrap()), (2, format!("{page}&client_id={CLIENT_ID}")));
    // Nothing is stored any more, and the page can still be opened.
    let discoveries = world.count(Endpoint::Discovery);
    desk.run(["logout", "--browser"]).expect_code(0);
    desk.settle();
    assert_eq!((desk.tabs(), world.count(Endpoint::Discovery)), (3, discoveries + 1));
}

#[test]
fn logout_without_revocation_names_the_sign_out_page() {
    let (world, _) = with_sign_out_page();
    let desk = signed_in(&world);
    desk.run(["logout"]).prints("logout: no revocation, but a sign-out page");
    assert_eq!(desk.tabs(), 1, "no browser is opened without the flag");
    world.set(Knob::DiscoveryDocument, json!({ "end_session_endpoint": format!("{}/logout", world.issuer()) }));
    delete_provider_file(&desk);
    world.next(1, Knob::CredentialLifetime, SPENT);
    sign_in(&desk, "claude");
    world.next(1, Knob::RevokeFault, Fault::Status(401));
    let outcome = desk.run(["logout"]).expect_code(0);
    assert!(outcome.stderr.contains("bedrock-sso logout --browser"), "{outcome:?}");
}

fn delete_provider_file(desk: &Desk<'_>) {
    let names = stored_files(desk);
    names.iter().filter(|name| name.ends_with(".provider")).for_each(|name| {
        fs::remove_file(desk.data().join(name)).unwrap();
    });
}

#[test]
fn logout_browser_without_a_page_still_signs_out() {
    let world = World::new();
    let desk = signed_in(&world);
    for page in [Value::Null, json!("http://id.example/logout"), json!("javascript:alert(1)")] {
        world.set(Knob::DiscoveryDocument, json!({ "end_session_endpoint": page }));
        world.next(1, Knob::CredentialLifetime, SPENT);
        sign_in(&desk, "claude");
        let mut outcome = desk.run(["logout", "--browser"]);
        let (report, failure) = outcome.stderr.split_once('\n').unwrap();
        assert!(report.starts_with("Signed out of claude"), "{outcome:?}");
        outcome.stderr = failure.to_owned();
        outcome.fails(5, "provider/no_sign_out_page");
        assert_only_locks_left(&desk);
    }
    desk.settle();
    let pages = world.count(Endpoint::Authorize);
    assert_eq!(desk.tabs(), pages, "only sign-ins opened a browser");
}

#[test]
fn logout_browser_without_a_browser_prints_the_address() {
    let (world, page) = with_sign_out_page();
    let desk = signed_in(&world);
    desk.set_key("browser", "[\"none\"]");
    let outcome = desk.run(["logout", "--browser"]);
    outcome.prints("logout --browser: no browser");
    assert!(outcome.stderr.contains(&format!("{page}&client_id={CLIENT_ID}\n")), "{outcome:?}");
    assert_eq!((desk.tabs(), outcome.stdout.as_str()), (1, ""));
}

#[test]
fn logout_browser_with_an_unreachable_provider_signs_out() {
    let (world, _) = with_sign_out_page();
    let desk = signed_in(&world);
    delete_provider_file(&desk);
    world.stop_provider();
    let outcome = desk.run(["logout", "--browser"]);
    assert_eq!(outcome.code, Some(9), "{outcome:?}");
    assert_only_locks_left(&desk);
}
