//! What a person can do when the application itself cannot prove, or is not believed to be, what it is.

use crate::{
    config::Profile,
    failure::{Exit, Failure},
    oidc::{Means, Unproven},
    text::line,
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
                format!(
                    "run `bedrock-sso login --client-secret-stdin --profile {}` and give it the application's secret",
                    line(&profile.name)
                ),
            ),
        }
    }
}

/// Vendors' own codes, which tell a wrong secret from an expired one.
const VENDORS: [(&str, &str); 2] = [
    (
        "AADSTS7000222",
        "the secret has expired: have a new one made in Entra, then run `bedrock-sso login --client-secret-stdin`",
    ),
    ("AADSTS7000215", "store the secret's value, not its ID, by `bedrock-sso login --client-secret-stdin`"),
];

pub(super) fn unbelieved(means: Means, words: &str) -> Failure {
    let vendor = VENDORS.iter().find(|(mark, _)| words.contains(mark)).map(|(_, advice)| *advice);
    let own = match means {
        Means::Secret => {
            "run `bedrock-sso login --client-secret-stdin` with the application's present secret; check `client_id`"
        }
    };
    let what = format!("the provider did not believe the application: {words}");
    Failure::new(Exit::Refused, UNBELIEVED, what, vendor.unwrap_or(own))
}
