//! What a person can do when the application itself cannot prove, or is not believed to be, what it is.
//!
//! Which proof it was, and whether it was doubted at all, is for `oidc`.

use std::path::PathBuf;

use super::advice::by_number;
use crate::{
    config::{ClientAuth, ClientKey, Profile},
    failure::{Exit, Failure},
    oidc::{BadFile, Flaw, Means, Unproven},
    shell::word,
    text::{self, line},
};

/// The slug of a proof that the provider did not take.
pub const UNBELIEVED: &str = "provider/client_refused";

/// Something that the profile demands of the application is not there.
#[derive(Debug)]
pub struct UnprovenError<'a> {
    pub unproven: Unproven,
    pub profile: &'a Profile,
}

impl From<UnprovenError<'_>> for Failure {
    fn from(UnprovenError { unproven, profile }: UnprovenError<'_>) -> Self {
        match unproven {
            Unproven::NoSecret => Self::new(
                Exit::Configuration,
                "config/no_client_secret",
                "the application proves itself by a secret, and none is kept on this machine",
                format!("{} and give it the application's secret", command("--client-secret-stdin", profile)),
            ),
            Unproven::BadFile(BadFile::Key(flaw)) => bad_key(&flaw, profile),
            Unproven::BadFile(BadFile::Certificate(flaw)) => bad_certificate(&flaw, profile),
        }
    }
}

fn command(flag: &str, profile: &Profile) -> String {
    format!("run `bedrock-sso login {flag} --profile {}`", word(&line(&profile.name)))
}

fn bad_key(flaw: &Flaw, profile: &Profile) -> Failure {
    let file = named(profile, |key| Some(&key.file));
    let told = |slug: &str, what: String, hint: String| {
        Failure::new(Exit::Configuration, format!("config/{slug}"), what, hint)
    };
    let by_passphrase = || command("--client-key-passphrase-stdin", profile);
    match flaw {
        Flaw::NoPassphrase => told(
            "no_client_key_passphrase",
            format!("the private key {file} is encrypted, and no passphrase of it is kept on this machine"),
            format!("{} and give it the passphrase", by_passphrase()),
        ),
        Flaw::WrongPassphrase => told(
            "client_key_passphrase",
            format!("the passphrase that is kept does not open the private key {file}"),
            format!("{} and give it the right one", by_passphrase()),
        ),
        Flaw::Exposed => told(
            "client_key_exposed",
            format!("every user of this machine may read the private key {file}"),
            format!(
                "run `chmod o-rwx {}`, and have the key replaced if somebody may have read it",
                word(&file)
            ),
        ),
        Flaw::OldEncryption | Flaw::UnknownEncryption => told(
            "client_key",
            format!("the private key {file} is encrypted in a way that is not understood"),
            format!("write it anew: `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.pem`", word(&file)),
        ),
        Flaw::OtherAlgorithm { wanted } => told(
            "client_algorithm",
            format!("the private key {file} cannot sign with {wanted}"),
            "set client_algorithm = \"auto\", or name the key that is meant".to_owned(),
        ),
        Flaw::Unsupported => told(
            "client_key",
            format!("the private key {file} is of a kind that is not supported"),
            "use an RSA key of 2048 to 4096 bits, or one on the curve P-256 or P-384".to_owned(),
        ),
        other => {
            told("client_key", format!("the private key {file} {}", of_file(other)), MEND_KEY.to_owned())
        }
    }
}

const MEND_KEY: &str =
    "check `client_key`: it names the application's private key in PEM form (\"BEGIN PRIVATE KEY\")";

fn bad_certificate(flaw: &Flaw, profile: &Profile) -> Failure {
    let file = named(profile, |key| key.certificate.as_ref());
    let (what, hint) = match flaw {
        Flaw::Expired { at } => (
            format!("expired at {at}"),
            "have the key and its certificate renewed, and the new certificate registered with the provider",
        ),
        Flaw::NotYetValid { from } => (format!("is valid from {from} only"), "check this computer's clock"),
        Flaw::OtherKey => (
            "belongs to another key than `client_key`".to_owned(),
            "name the certificate of that very key in `client_certificate`",
        ),
        other => (
            of_file(other),
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

fn of_file(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Missing => "is not there".to_owned(),
        Flaw::Unreadable(why) => format!("is of no use: {}", line(why)),
        _ => "is not what it should be".to_owned(),
    }
}

fn named(profile: &Profile, file: impl Fn(&ClientKey) -> Option<&PathBuf>) -> String {
    match &profile.client_auth {
        ClientAuth::PrivateKey(key) => file(key).map(|file| text::path(file)),
        ClientAuth::None | ClientAuth::Secret => None,
    }
    .unwrap_or_default()
}

pub(super) fn unbelieved(means: Means, words: &str) -> Failure {
    let own = match means {
        Means::Secret => {
            "run `bedrock-sso login --client-secret-stdin` with the application's present secret; check `client_id`"
        }
        Means::Key => {
            "register the key's public part (or certificate) with the provider; check `client_id`, `client_key_id`, `client_algorithm`, `client_audience` and this computer's clock"
        }
    };
    let what = format!("the provider did not believe the application: {words}");
    Failure::new(Exit::Refused, UNBELIEVED, what, by_number(words).unwrap_or(own))
}
