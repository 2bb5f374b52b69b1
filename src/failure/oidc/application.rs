//! What a person can do when the application itself cannot prove, or is not believed to be, what it is.
//!
//! Which proof it was, and whether it was doubted at all, is for `oidc`.

use std::path::PathBuf;

use super::advice::find_hint_by_number;
use crate::{
    config::{ClientAuth, ClientKey, Profile},
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    oidc::{ClientAuthMethod, ClientCredentialError, ClientFileError, ClientFileFault},
    shell::quote_word,
    text::{self, sanitize_line},
};

/// The slug of a proof that the provider did not take.
const CLIENT_REFUSED: &str = "provider/client_refused";

/// Something that the profile demands of the application is not there.
#[derive(Debug)]
pub struct ClientAuthError<'a> {
    pub unproven: ClientCredentialError,
    pub profile: &'a Profile,
}

impl From<ClientAuthError<'_>> for Failure {
    fn from(ClientAuthError { unproven, profile }: ClientAuthError<'_>) -> Self {
        match unproven {
            ClientCredentialError::MissingSecret => Self::new(
                Exit::Configuration,
                "config/no_client_secret",
                "the application proves itself by a secret, and none is kept on this machine",
                Hint::run(NextCommand::LoginClientSecret).text(" and give it the application's secret"),
            ),
            ClientCredentialError::UnusableFile(ClientFileError::Key(flaw)) => {
                describe_key_flaw(&flaw, profile)
            }
            ClientCredentialError::UnusableFile(ClientFileError::Certificate(flaw)) => {
                describe_certificate_flaw(&flaw, profile)
            }
        }
    }
}

fn describe_key_flaw(flaw: &ClientFileFault, profile: &Profile) -> Failure {
    let file = find_file_name(profile, |key| Some(&key.file));
    let told = |slug: &str, what: String, hint: Hint| {
        Failure::new(Exit::Configuration, format!("config/{slug}"), what, hint)
    };
    let store_passphrase = || Hint::run(NextCommand::LoginKeyPassphrase);
    match flaw {
        ClientFileFault::NoPassphrase => told(
            "no_client_key_passphrase",
            format!("the private key {file} is encrypted, and no passphrase of it is kept on this machine"),
            store_passphrase().text(" and give it the passphrase"),
        ),
        ClientFileFault::WrongPassphrase => told(
            "client_key_passphrase",
            format!("the passphrase that is kept does not open the private key {file}"),
            store_passphrase().text(" and give it the right one"),
        ),
        ClientFileFault::Exposed => told(
            "client_key_exposed",
            format!("every user of this machine may read the private key {file}"),
            format!(
                "run `chmod o-rwx {}`, and have the key replaced if somebody may have read it",
                quote_word(&file)
            )
            .into(),
        ),
        ClientFileFault::LegacyEncryption | ClientFileFault::UnknownEncryption => told(
            "client_key",
            format!("the private key {file} is encrypted in a way that is not understood"),
            format!(
                "write it anew: `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.pem`",
                quote_word(&file)
            )
            .into(),
        ),
        ClientFileFault::AlgorithmMismatch { wanted } => told(
            "client_algorithm",
            format!("the private key {file} cannot sign with {wanted}"),
            "set client_algorithm = \"auto\", or name the key that is meant".into(),
        ),
        ClientFileFault::Unsupported => told(
            "client_key",
            format!("the private key {file} is of a kind that is not supported"),
            "use an RSA key of 2048 to 4096 bits, or one on the curve P-256 or P-384".into(),
        ),
        other => told(
            "client_key",
            format!("the private key {file} {}", describe_file_flaw(other)),
            FIX_KEY.into(),
        ),
    }
}

const FIX_KEY: &str =
    "check `client_key`: it names the application's private key in PEM form (\"BEGIN PRIVATE KEY\")";

fn describe_certificate_flaw(flaw: &ClientFileFault, profile: &Profile) -> Failure {
    let file = find_file_name(profile, |key| key.certificate.as_ref());
    let (what, hint) = match flaw {
        ClientFileFault::Expired { at } => (
            format!("expired at {at}"),
            "have the key and its certificate renewed, and the new certificate registered with the provider",
        ),
        ClientFileFault::NotYetValid { from } => {
            (format!("is valid from {from} only"), "check this computer's clock")
        }
        ClientFileFault::KeyMismatch => (
            "belongs to another key than `client_key`".to_owned(),
            "name the certificate of that very key in `client_certificate`",
        ),
        other => (
            describe_file_flaw(other),
            "check `client_certificate`: it names a certificate in PEM form (\"BEGIN CERTIFICATE\")",
        ),
    };
    Failure::new(
        Exit::Configuration,
        "config/client_certificate",
        format!("the certificate {file} {what}"),
        hint,
    )
}

fn describe_file_flaw(flaw: &ClientFileFault) -> String {
    match flaw {
        ClientFileFault::Missing => "is not there".to_owned(),
        ClientFileFault::Unreadable(why) => format!("is of no use: {}", sanitize_line(why)),
        _ => "is not what it should be".to_owned(),
    }
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
        ClientAuthMethod::Secret => Hint::run(NextCommand::LoginClientSecret)
            .text(" with the application's present secret; check `client_id`"),
        ClientAuthMethod::Key => Hint::from(
            "register the key's public part (or certificate) with the provider; check `client_id`, `client_key_id`, `client_algorithm`, `client_audience` and this computer's clock",
        ),
    };
    let what = format!("the provider did not believe the application: {words}");
    Failure::new(Exit::Refused, CLIENT_REFUSED, what, find_hint_by_number(words).map_or(own, Hint::from))
}
