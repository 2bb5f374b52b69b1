//! Failures of client authentication: a missing secret, an unusable key or certificate, or a provider that rejects
//! them.
//!
//! They concern confidential clients only (RFC 6749 §2.1), which authenticate with a client secret or with an assertion
//! that a private key signs (RFC 7523). What is wrong on this computer is found before the first request and ends with
//! exit code 3.

use std::path::PathBuf;

use super::provider_hints::find_hint_by_number;
use crate::{
    config::{ClientAuth, ClientKey, Profile},
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    oidc::{ClientAuthMethod, ClientCredentialError, ClientFileFault},
    shell::quote_word,
    text::{self, sanitize_line},
};

/// The slug for a client authentication that the provider rejected.
const CLIENT_REFUSED: &str = "provider/client_refused";

impl Failure {
    /// The profile requires a secret, key or certificate that cannot be used. `profile` says which files it names.
    pub fn from_client_error(error: &ClientCredentialError, profile: &Profile) -> Self {
        describe_credential_error(error, profile)
    }
}

fn describe_credential_error(error: &ClientCredentialError, profile: &Profile) -> Failure {
    let (fault, name, path, default_slug, default_hint) = match error {
        // A secret never stands in the configuration, so it must be stored before the first sign-in.
        ClientCredentialError::MissingSecret => {
            let what = "client_auth = \"secret\" needs a client secret, and none is stored on this computer";
            let hint = Hint::run(NextCommand::LoginClientSecret).text(" and enter the application's client secret");
            return Failure::new(Exit::Configuration, "config/no_client_secret", what, hint);
        }
        ClientCredentialError::Key(fault) => (
            fault,
            "the private key",
            find_file_name(profile, |key| Some(&key.file)),
            "config/client_key",
            "set `client_key` to a PEM file with the application's private key (\"BEGIN PRIVATE KEY\")",
        ),
        ClientCredentialError::Certificate(fault) => (
            fault,
            "the certificate",
            find_file_name(profile, |key| key.certificate.as_ref()),
            "config/client_certificate",
            "set `client_certificate` to a PEM file with the key's certificate (\"BEGIN CERTIFICATE\")",
        ),
    };
    let file = format!("{name} {path}");
    let store_passphrase = || Hint::run(NextCommand::LoginKeyPassphrase);
    let (slug, what, hint) = match fault {
        ClientFileFault::Missing => (default_slug, format!("{file} does not exist"), default_hint.into()),
        // The system's reason names the file itself.
        ClientFileFault::Unreadable(why) => {
            (default_slug, format!("{name} is unusable: {}", sanitize_line(why)), default_hint.into())
        }
        ClientFileFault::NotPem => (default_slug, format!("{file} is not a valid PEM file"), default_hint.into()),
        // An unencrypted key that other users of this computer may have copied. Closing the file is not enough, hence
        // the advice to replace the key.
        ClientFileFault::Exposed => (
            "config/client_key_exposed",
            format!("every user of this computer can read {file}"),
            format!("run `chmod o-rwx {}`, and replace the key if another user may have copied it", quote_word(&path))
                .into(),
        ),
        // OpenSSL's format before PKCS#8 ("Proc-Type: 4,ENCRYPTED"), or a PKCS#8 cipher that we do not implement. The
        // command converts both.
        ClientFileFault::LegacyEncryption | ClientFileFault::UnknownEncryption => (
            default_slug,
            format!("{file} is encrypted in an unsupported format"),
            format!(
                "run `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.pem`, and use NEW.pem",
                quote_word(&path)
            )
            .into(),
        ),
        // A passphrase never stands in the configuration either.
        ClientFileFault::NoPassphrase => (
            "config/no_client_key_passphrase",
            format!("{file} is encrypted, and its passphrase is not stored on this computer"),
            store_passphrase().text(" and enter the passphrase"),
        ),
        ClientFileFault::WrongPassphrase => (
            "config/client_key_passphrase",
            format!("the stored passphrase does not decrypt {file}"),
            store_passphrase().text(" and enter the right passphrase"),
        ),
        // RS256, PS256, ES256 and their relatives are what providers accept; Ed25519 and P-521 keys are rare there.
        ClientFileFault::Unsupported => (
            default_slug,
            format!("{file} is of an unsupported key type"),
            "use an RSA key of 2048 to 4096 bits, or an EC key on the curve P-256 or P-384".into(),
        ),
        // `client_algorithm` names an algorithm of the other key type, such as RS256 for a key on P-256.
        ClientFileFault::AlgorithmMismatch { wanted } => (
            "config/client_algorithm",
            format!("{file} cannot sign with {wanted}"),
            format!("set client_algorithm = \"auto\", or set `client_key` to a key for {wanted}").into(),
        ),
        ClientFileFault::Expired { at } => (
            default_slug,
            format!("{file} expired at {at}"),
            "renew the certificate, and register the new one with the provider".into(),
        ),
        // A certificate that was made a moment ago is valid, so the clock is the likely cause.
        ClientFileFault::NotYetValid { from } => {
            (default_slug, format!("{file} is not valid before {from}"), "check this computer's clock".into())
        }
        // The provider finds the key by the certificate's thumbprint, so a wrong certificate looks like a wrong
        // signature there.
        ClientFileFault::KeyMismatch => (
            default_slug,
            format!("{file} does not belong to the private key in `client_key`"),
            "set `client_certificate` to the certificate of that key".into(),
        ),
    };
    Failure::new(Exit::Configuration, slug, what, hint)
}

/// The file as the profile names it, or nothing where the profile names none.
fn find_file_name(profile: &Profile, file: impl Fn(&ClientKey) -> Option<&PathBuf>) -> String {
    match profile.oidc().map(|oidc| &oidc.client_auth) {
        Some(ClientAuth::PrivateKey(key)) => file(key).map(|file| text::display_path(file)),
        Some(ClientAuth::None | ClientAuth::Secret) | None => None,
    }
    .unwrap_or_default()
}

/// The provider answered `invalid_client` (RFC 6749 §5.2) to a secret or an assertion. Entra's numbers say which
/// setting is wrong; other providers do not, so the hint lists what can be.
pub(super) fn describe_rejected_client(means: ClientAuthMethod, words: &str) -> Failure {
    let own = match means {
        ClientAuthMethod::Secret => Hint::from("check `client_id`, then run ")
            .command(NextCommand::LoginClientSecret)
            .text(" and enter the current client secret"),
        // An assertion has an audience and is valid for minutes, so `client_audience` and the clock count too.
        ClientAuthMethod::Key => Hint::from(
            "register the key's public half or certificate with the provider, and check `client_id`, \
             the other `client_…` keys and this computer's clock",
        ),
    };
    let what = format!("the provider rejected the application's client authentication: {words}");
    Failure::new(Exit::Refused, CLIENT_REFUSED, what, find_hint_by_number(words).unwrap_or(own))
}
