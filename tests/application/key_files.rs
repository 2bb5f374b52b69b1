//! The files of a private key: under a passphrase, lost, spoilt, open to everybody, and the certificate beside them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use testworld::{ClientKey, Desk, Knob, PASSPHRASE, World};

use super::{
    SPENT, counts, kept,
    key::{assertions, desk},
    served, world,
};

/// Puts other bytes into a file, which stays private.
#[expect(clippy::disallowed_methods, reason = "a test may spoil files")]
pub(super) fn replace(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn unlock(desk: &Desk<'_>, passphrase: &str) -> testworld::Outcome {
    desk.run_with(["login", "--client-key-passphrase-stdin"], &format!("{passphrase}\n"))
}

#[test]
fn a_passphrase_opens_the_key_once_it_was_stored() {
    for key in [ClientKey::P256Locked, ClientKey::RsaLocked] {
        let world = world("private_key_jwt");
        world.next(1, Knob::CredentialLifetime, SPENT);
        let desk = desk(&world, key, "");
        let (what, hint) = desk.run(["credentials"]).refused(3, "config/no_client_key_passphrase");
        assert!(what.ends_with(" is encrypted, and no passphrase of it is kept on this machine"), "{what}");
        let command = "run `bedrock-sso login --client-key-passphrase-stdin --profile claude` and give it the passphrase";
        assert_eq!((hint.as_str(), desk.tabs()), (command, 0));
        let (what, _) = unlock(&desk, "something else").refused(3, "config/client_key_passphrase");
        assert!(what.starts_with("the passphrase that is kept does not open"), "{what}");
        assert_eq!(kept(&desk), Vec::<String>::new(), "one that opens nothing is not kept");
        unlock(&desk, PASSPHRASE).expect_code(0);
        served(&desk);
        assert_eq!(counts(&world), [1, 1, 1, 0], "{key:?}");
        let told = desk.run(["logout", "--all"]).expect_code(0).stderr;
        assert!(told.ends_with("The secret of the application is forgotten.\n"), "{told}");
    }
}

#[test]
fn a_passphrase_is_taken_for_a_private_key_only_and_where_it_can_be_kept() {
    let world = world("none");
    let desk = Desk::new(&world, super::PROGRAM);
    unlock(&desk, PASSPHRASE).refused(3, "config/secret_not_used");
    let desk = super::key::desk(&world, ClientKey::RsaLocked, "");
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("storage = \"file\"", "storage = \"none\""));
    unlock(&desk, PASSPHRASE).refused(3, "config/contradiction");
}

#[test]
fn a_key_that_is_lost_spoilt_or_of_another_kind_is_told_before_anybody_is_asked() {
    let world = world("private_key_jwt");
    let desk = desk(&world, ClientKey::Rsa, "");
    let file = world.client_key(ClientKey::Rsa);
    let pem = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    for (contents, words) in [
        (String::new(), "is not what it should be"),
        ("no PEM at all".to_owned(), "is not what it should be"),
        (pem("CERTIFICATE", "AAAA"), "is not what it should be"),
        (pem("PRIVATE KEY", "AAAA"), "is of a kind that is not supported"),
        (
            pem("ENCRYPTED PRIVATE KEY", "AAAA"),
            "is encrypted, and no passphrase of it is kept on this machine",
        ),
        (
            pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA"),
            "is encrypted in a way that is not understood",
        ),
        ("x".repeat(70_000), "is larger than 64 KiB"),
    ] {
        replace(&file, contents.as_bytes());
        let outcome = desk.run(["credentials"]).expect_code(3);
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    fs::remove_file(&file).unwrap();
    let (what, hint) = desk.run(["credentials"]).refused(3, "config/client_key");
    assert_eq!(what, format!("the private key {} is not there", file.display()));
    assert!(hint.starts_with("check `client_key`"), "{hint}");
    assert_eq!((counts(&world), desk.tabs()), ([0; 4], 0));
}

#[test]
fn a_key_that_is_lost_costs_neither_the_refresh_token_nor_valid_credentials() {
    let world = world("private_key_jwt");
    // Short enough to be renewed before they are served.
    world.next(1, Knob::CredentialLifetime, 200);
    let desk = desk(&world, ClientKey::P256, "");
    served(&desk);
    let file = world.client_key(ClientKey::P256);
    fs::remove_file(&file).unwrap();
    served(&desk);
    assert_eq!((counts(&world), world.live_grants()), ([1, 1, 0, 0], 1));
    world.client_key(ClientKey::P256);
    served(&desk);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0], 1));
}

#[test]
fn a_key_that_everybody_may_read_is_refused_unless_it_is_encrypted() {
    let everybody = |file: &Path| fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let world = world("private_key_jwt");
    let open = desk(&world, ClientKey::P256, "");
    everybody(&world.client_key(ClientKey::P256));
    let (what, hint) = open.run(["credentials"]).refused(3, "config/client_key_exposed");
    assert!(what.starts_with("every user of this machine may read the private key /"), "{what}");
    assert!(hint.starts_with("run `chmod o-rwx /"), "{hint}");
    let locked = desk(&world, ClientKey::P256Locked, "");
    everybody(&world.client_key(ClientKey::P256Locked));
    unlock(&locked, PASSPHRASE).expect_code(0);
}

/// A certificate of this key, valid in these years.
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
fn the_certificates_digest_names_the_key() {
    for key in [ClientKey::Rsa, ClientKey::P256, ClientKey::P384] {
        let world = world("private_key_jwt");
        let desk = desk(&world, key, &certificate(&world, key, [2020, 2090]));
        served(&desk);
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
fn a_certificate_that_is_spent_too_young_of_another_key_or_lost_is_told_before_anybody_is_asked() {
    let world = world("private_key_jwt");
    for (key, years, words) in [
        (ClientKey::Rsa, [2020, 2021], "expired at 2021-01-01T00:00:00Z"),
        (ClientKey::Rsa, [2080, 2090], "is valid from 2080-01-01T00:00:00Z only"),
        (ClientKey::Stranger, [2020, 2090], "belongs to another key than `client_key`"),
    ] {
        let desk = desk(&world, ClientKey::Rsa, &certificate(&world, key, years));
        let (what, _) = desk.run(["credentials"]).refused(3, "config/client_certificate");
        assert!(what.ends_with(words), "{what}");
        assert_eq!(desk.tabs(), 0);
    }
    let desk = desk(&world, ClientKey::Rsa, "client_certificate = \"/nowhere/c.pem\"");
    let (what, hint) = desk.run(["credentials"]).refused(3, "config/client_certificate");
    assert_eq!(what, "the certificate /nowhere/c.pem is not there");
    assert!(hint.starts_with("check `client_certificate`"), "{hint}");
}

#[test]
fn a_key_that_cannot_sign_as_the_profile_says_is_told() {
    let world = world("private_key_jwt");
    let desk = desk(&world, ClientKey::P256, "client_algorithm = \"RS256\"");
    let (what, _) = desk.run(["credentials"]).refused(3, "config/client_algorithm");
    assert!(what.ends_with(" cannot sign with RS256"), "{what}");
}
