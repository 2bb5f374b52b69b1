//! What a person can do when the application itself cannot prove, or is not believed to be, what it is.
//!
//! Which proof it was, and whether it was doubted at all, is for `oidc`.

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

/// The slug of a proof that the provider did not take.
const CLIENT_REFUSED: &str = "provider/client_refused";

impl Failure {
    /// Something that the profile demands of the application is not there.
    pub fn from_client_error(error: &ClientCredentialError, profile: &Profile) -> Self {
        describe_credential_error(error, profile)
    }
}

fn describe_credential_error(error: &ClientCredentialError, profile: &Profile) -> Failure {
    let (fault, name, path, default_slug, default_hint) = match error {
        ClientCredentialError::MissingSecret => {
            let what = "the application proves itself by a secret, and none is kept on this machine";
            let hint = Hint::run(NextCommand::LoginClientSecret).text(" and give it the application's secret");
            return Failure::new(Exit::Configuration, "config/no_client_secret", what, hint);
        }
        ClientCredentialError::Key(fault) => (
            fault,
            "the private key",
            find_file_name(profile, |key| Some(&key.file)),
            "config/client_key",
            "check `client_key`: it names the application's private key in PEM form (\"BEGIN PRIVATE KEY\")",
        ),
        ClientCredentialError::Certificate(fault) => (
            fault,
            "the certificate",
            find_file_name(profile, |key| key.certificate.as_ref()),
            "config/client_certificate",
            "check `client_certificate`: it names a certificate in PEM form (\"BEGIN CERTIFICATE\")",
        ),
    };
    let file = format!("{name} {path}");
    let store_passphrase = || Hint::run(NextCommand::LoginKeyPassphrase);
    let (slug, what, hint) = match fault {
        ClientFileFault::Missing => (default_slug, format!("{file} is not there"), default_hint.into()),
        ClientFileFault::Unreadable(why) => {
            (default_slug, format!("{file} is of no use: {}", sanitize_line(why)), default_hint.into())
        }
        ClientFileFault::NotPem => (default_slug, format!("{file} is not what it should be"), default_hint.into()),
        ClientFileFault::Exposed => (
            "config/client_key_exposed",
            format!("every user of this machine may read {file}"),
            format!("run `chmod o-rwx {}`, and have the key replaced if somebody may have read it", quote_word(&path))
                .into(),
        ),
        ClientFileFault::LegacyEncryption | ClientFileFault::UnknownEncryption => (
            default_slug,
            format!("{file} is encrypted in a way that is not understood"),
            format!("write it anew: `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.pem`", quote_word(&path))
                .into(),
        ),
        ClientFileFault::NoPassphrase => (
            "config/no_client_key_passphrase",
            format!("{file} is encrypted, and no passphrase of it is kept on this machine"),
            store_passphrase().text(" and give it the passphrase"),
        ),
        ClientFileFault::WrongPassphrase => (
            "config/client_key_passphrase",
            format!("the passphrase that is kept does not open {file}"),
            store_passphrase().text(" and give it the right one"),
        ),
        ClientFileFault::Unsupported => (
            default_slug,
            format!("{file} is of a kind that is not supported"),
            "use an RSA key of 2048 to 4096 bits, or one on the curve P-256 or P-384".into(),
        ),
        ClientFileFault::AlgorithmMismatch { wanted } => (
            "config/client_algorithm",
            format!("{file} cannot sign with {wanted}"),
            "set client_algorithm = \"auto\", or name the key that is meant".into(),
        ),
        ClientFileFault::Expired { at } => (
            default_slug,
            format!("{file} expired at {at}"),
            "have the key and its certificate renewed, and the new certificate registered with the provider".into(),
        ),
        ClientFileFault::NotYetValid { from } => {
            (default_slug, format!("{file} is valid from {from} only"), "check this computer's clock".into())
        }
        ClientFileFault::KeyMismatch => (
            default_slug,
            format!("{file} belongs to another key than `client_key`"),
            "name the certificate of that very key in `client_certificate`".into(),
        ),
    };
    Failure::new(Exit::Configuration, slug, what, hint)
}

fn find_file_name(profile: &Profile, file: impl Fn(&ClientKey) -> Option<&PathBuf>) -> String {
    match &profile.client_auth {
        ClientAuth::PrivateKey(key) => file(key).map(|file| text::display_path(file)),
        ClientAuth::None | ClientAuth::Secret => None,
    }
    .unwrap_or_default()
}

pub(super) fn describe_rejected_client(means: ClientAuthMethod, words: &str) -> Failure {
    let own = match means {
        ClientAuthMethod::Secret => {
            Hint::run(NextCommand::LoginClientSecret).text(" with the application's present secret; check `client_id`")
        }
        ClientAuthMethod::Key => Hint::from(
            "register the key's public part (or certificate) with the provider; check `client_id`, `client_key_id`, `client_algorithm`, `client_audience` and this computer's clock",
        ),
    };
    let what = format!("the provider did not believe the application: {words}");
    Failure::new(Exit::Refused, CLIENT_REFUSED, what, find_hint_by_number(words).unwrap_or(own))
}
