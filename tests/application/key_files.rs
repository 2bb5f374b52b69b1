//! The files of a client key: encrypted, missing, damaged or readable by every user, and its certificate.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use testworld::{ClientKey, Desk, Knob, PASSPHRASE, World};

use super::{
    SPENT, application_files, counts,
    key::{assertions, desk},
    world,
};

/// Overwrites a file; only its owner can read it.
#[expect(clippy::disallowed_methods, reason = "a test may damage files")]
pub(super) fn replace(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn store_passphrase(desk: &Desk<'_>, passphrase: &str) -> testworld::Outcome {
    desk.run_with(["login", "--client-key-passphrase-stdin"], &format!("{passphrase}\n"))
}

#[test]
fn stored_passphrase_decrypts_the_client_key() {
    for key in [ClientKey::P256Encrypted, ClientKey::RsaEncrypted] {
        let world = world("private_key_jwt");
        world.next(1, Knob::CredentialLifetime, SPENT);
        let desk = desk(&world, key, "");
        let failed = desk.run(["credentials"]).fails(3, "config/no_client_key_passphrase");
        failed.hint_has(&["`bedrock-sso login --client-key-passphrase-stdin`"]);
        assert_eq!(desk.tabs(), 0);
        store_passphrase(&desk, "something else").fails(3, "config/client_key_passphrase");
        assert_eq!(application_files(&desk), Vec::<String>::new(), "a wrong passphrase is not stored");
        store_passphrase(&desk, PASSPHRASE).expect_code(0);
        desk.credentials();
        assert_eq!(counts(&world), [1, 1, 1, 0], "{key:?}");
        desk.run(["logout", "--all"]).prints("logout --all: a secret of the application");
        assert_eq!(application_files(&desk), Vec::<String>::new());
    }
}

#[test]
fn passphrase_is_rejected_without_private_key_or_storage() {
    let world = world("none");
    let desk = Desk::new(&world, super::PROGRAM);
    store_passphrase(&desk, PASSPHRASE).fails(3, "config/secret_not_used");
    let desk = super::key::desk(&world, ClientKey::RsaEncrypted, "");
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("storage = \"file\"", "storage = \"none\""));
    store_passphrase(&desk, PASSPHRASE).fails(3, "config/contradiction");
}

#[test]
fn unusable_client_key_is_reported_before_any_prompt() {
    let world = world("private_key_jwt");
    let desk = desk(&world, ClientKey::Rsa, "");
    let file = world.client_key(ClientKey::Rsa);
    let pem = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    for (contents, slug) in [
        (String::new(), "config/client_key"),
        ("no PEM at all".to_owned(), "config/client_key"),
        (pem("CERTIFICATE", "AAAA"), "config/client_key"),
        (pem("PRIVATE KEY", "AAAA"), "config/client_key"),
        (pem("ENCRYPTED PRIVATE KEY", "AAAA"), "config/no_client_key_passphrase"),
        (pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA"), "config/client_key"),
        ("x".repeat(70_000), "config/client_key"),
    ] {
        replace(&file, contents.as_bytes());
        desk.run(["credentials"]).fails(3, slug).message_has(&[&file.display().to_string()]);
    }
    fs::remove_file(&file).unwrap();
    let failed = desk.run(["credentials"]).fails(3, "config/client_key");
    failed.message_has(&[&file.display().to_string()]).hint_has(&["`client_key`"]);
    assert_eq!((counts(&world), desk.tabs()), ([0; 4], 0));
}

#[test]
fn missing_client_key_preserves_tokens_and_credentials() {
    let world = world("private_key_jwt");
    // So short that the program refreshes them before it serves them.
    world.next(1, Knob::CredentialLifetime, 200);
    let desk = desk(&world, ClientKey::P256, "");
    desk.credentials();
    let file = world.client_key(ClientKey::P256);
    fs::remove_file(&file).unwrap();
    desk.credentials();
    assert_eq!((counts(&world), world.live_grants()), ([1, 1, 0, 0], 1));
    world.client_key(ClientKey::P256);
    // Programs get the valid credentials for a minute after the failure; `login` tries again at once.
    desk.run(["login"]).expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0], 1));
}

#[test]
fn world_readable_client_key_must_be_encrypted() {
    let make_world_readable = |file: &Path| fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let world = world("private_key_jwt");
    let open = desk(&world, ClientKey::P256, "");
    make_world_readable(&world.client_key(ClientKey::P256));
    let failed = open.run(["credentials"]).fails(3, "config/client_key_exposed");
    failed.hint_has(&["`chmod o-rwx /"]);
    let locked = desk(&world, ClientKey::P256Encrypted, "");
    make_world_readable(&world.client_key(ClientKey::P256Encrypted));
    store_passphrase(&locked, PASSPHRASE).expect_code(0);
}

/// Writes a certificate of this key, valid between these years; returns the line of TOML that names it.
fn certificate(world: &World, key: ClientKey, years: [i32; 2]) -> String {
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.der()));
    let pair = KeyPair::try_from(&der).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(years[0], 1, 1);
    params.not_after = rcgen::date_time_ymd(years[1], 1, 1);
    let file = world.folder().join("certificate.pem");
    replace(&file, params.self_signed(&pair).unwrap().pem().as_bytes());
    format!("client_certificate = {}", json!(file))
}

#[test]
fn assertion_header_has_the_certificate_thumbprint() {
    for key in [ClientKey::Rsa, ClientKey::P256, ClientKey::P384] {
        let world = world("private_key_jwt");
        let desk = desk(&world, key, &certificate(&world, key, [2020, 2090]));
        desk.credentials();
        let pem = fs::read_to_string(world.folder().join("certificate.pem")).unwrap();
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        use base64::{
            Engine,
            engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, &STANDARD.decode(der).unwrap());
        assert_eq!(assertions(&world)[0].0["x5t#S256"], URL_SAFE_NO_PAD.encode(digest), "{key:?}");
    }
}

#[test]
fn invalid_client_certificate_is_reported_before_any_prompt() {
    let world = world("private_key_jwt");
    for (key, years, fact) in [
        (ClientKey::Rsa, [2020, 2021], "2021-01-01T00:00:00Z"),
        (ClientKey::Rsa, [2080, 2090], "2080-01-01T00:00:00Z"),
        (ClientKey::Unregistered, [2020, 2090], "`client_key`"),
    ] {
        let desk = desk(&world, ClientKey::Rsa, &certificate(&world, key, years));
        desk.run(["credentials"]).fails(3, "config/client_certificate").message_has(&[fact]);
        assert_eq!(desk.tabs(), 0);
    }
    let desk = desk(&world, ClientKey::Rsa, "client_certificate = \"/nowhere/c.pem\"");
    let failed = desk.run(["credentials"]).fails(3, "config/client_certificate");
    failed.message_has(&["/nowhere/c.pem"]).hint_has(&["`client_certificate`"]);
}

#[test]
fn client_key_unfit_for_client_algorithm_is_reported() {
    let world = world("private_key_jwt");
    let desk = desk(&world, ClientKey::P256, "client_algorithm = \"RS256\"");
    desk.run(["credentials"]).fails(3, "config/client_algorithm").message_has(&["RS256"]);
}
