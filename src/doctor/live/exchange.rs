//! A real exchange: the kept ID token for AWS's credentials, which are not kept; and whose AWS says they are.
//!
//! The rungs of the ladder that need no lock, for nothing is written. A token is renewed as any silent caller would.

use super::{Finding, Patient};
use crate::{
    aws::{Aws, Granted, Question},
    config::{Caller, Profile, RoleArn, Storage},
    credentials::Credentials,
    errand::{Errand, LogWords},
    failure::{Astray, ExchangeError, Exit, Failure, NotCleared},
    identity,
    oidc::VerifiedToken,
    quota,
    text::line,
};

/// What there is to show to AWS.
pub(super) enum Proof {
    Token(Box<VerifiedToken>),
    /// The provider gave no new ID token, and the kept one has ended; what AWS gave for it still counts.
    Credentials(Box<Credentials>),
    None(Finding),
}

/// Without asking anybody. It waits for a process of its own, so no network call may be under way here.
pub(super) fn proof(patient: &Patient<'_>, profile: &Profile) -> Proof {
    if profile.storage == Storage::None {
        let why = "nothing is kept with storage = \"none\", so there is no sign-in to try AWS with";
        return Proof::None(Finding::Skipped(why.to_owned()));
    }
    let cache = patient.cache(profile);
    let config = patient.inputs.file.as_deref();
    let errand = Errand::new(patient.host, profile, &cache, Caller::Silent, config, LogWords::default());
    let token = errand.token().map(VerifiedToken::recalled_from_our_own_store);
    match token {
        Ok(Some(token)) => Proof::Token(Box::new(token)),
        Ok(None) => Proof::None(Finding::Skipped("the kept ID token cannot be read".to_owned())),
        Err(failure) => match errand.credentials(&mut |_, _| {}) {
            Ok(ready) if failure.exit == Exit::SignInNeeded => {
                Proof::Credentials(Box::new(ready.credentials))
            }
            _ if failure.exit == Exit::SignInNeeded => Proof::None(Finding::Skipped(format!(
                "nobody is signed in ({}): run `bedrock-sso login`, then this again",
                failure.what
            ))),
            _ => Proof::None(Finding::Bad(failure)),
        },
    }
}

/// What came of it, and with which credentials to go on.
pub(super) async fn exchanged(
    patient: &Patient<'_>,
    profile: &Profile,
    proof: Proof,
) -> (Finding, Option<Credentials>) {
    let token = match proof {
        Proof::Token(token) => token,
        Proof::Credentials(credentials) => {
            let why = "the kept ID token has ended and the provider renews none, so the kept credentials serve in what follows";
            return (Finding::Skipped(why.to_owned()), Some(*credentials));
        }
        Proof::None(finding) => return (finding, None),
    };
    match granted(patient, profile, &token).await {
        Ok(Granted { credentials, role, .. }) => {
            let role = role.as_ref().map_or("a role that AWS does not name", RoleArn::as_str);
            let until = credentials.expiration;
            let told = format!("AWS gives credentials of {} until {until}; these are not kept", line(role));
            (Finding::Fine(told), Some(credentials))
        }
        Err(failure) => (Finding::Bad(failure), None),
    }
}

async fn granted(
    patient: &Patient<'_>,
    profile: &Profile,
    token: &VerifiedToken,
) -> Result<Granted, Failure> {
    let host = patient.host;
    let client = patient.live_client(profile).map_err(Clone::clone)?;
    let session = patient.session(profile).map_err(Clone::clone)?;
    let cleared = quota::clear(client, profile.quota.as_ref(), token, (host.now)()).await;
    let clearance = cleared.map_err(|denied| NotCleared { denied, now: (host.now)() })?;
    let aws = aws(patient, profile)?;
    let name = identity::session_name(token, &profile.session_name);
    let question = Question {
        token,
        session_name: &name,
        longest: session.longest,
        identity: session.identity.as_deref(),
        clearance: &clearance,
    };
    let granted = aws.exchange(&question).await;
    granted.map_err(|failed| ExchangeError { failed, profile, token }.into())
}

/// GetCallerIdentity with the credentials, against what the profile wants; and the role, as people are told of it.
pub(super) async fn identity(
    patient: &Patient<'_>,
    profile: &Profile,
    credentials: &Credentials,
) -> (Finding, String) {
    let expected = profile.role().map(RoleArn::as_str).unwrap_or("the role").to_owned();
    let found = match caller(patient, profile, credentials).await {
        Ok(arn) => arn,
        Err(failure) => return (Finding::Bad(failure), expected),
    };
    let role = RoleArn::of_session(&found);
    let is_it = |wanted: &RoleArn| {
        role.as_ref().is_some_and(|role| role.account() == wanted.account() && role.name() == wanted.name())
    };
    match profile.role() {
        Some(wanted) if !is_it(wanted) => {
            let astray = Astray::OtherRole { expected: wanted.as_str(), found: &found };
            (Finding::Bad(astray.into()), expected)
        }
        Some(_) => (Finding::Fine(format!("AWS knows them as {}", line(&found))), expected),
        None => {
            let role = role.map_or(expected, |role| role.as_str().to_owned());
            (Finding::Fine(format!("AWS knows them as {}", line(&found))), role)
        }
    }
}

async fn caller(
    patient: &Patient<'_>,
    profile: &Profile,
    credentials: &Credentials,
) -> Result<String, Failure> {
    Ok(aws(patient, profile)?.session_arn(credentials).await?)
}

fn aws(patient: &Patient<'_>, profile: &Profile) -> Result<Aws, Failure> {
    let host = patient.host;
    let client = patient.live_client(profile).map_err(Clone::clone)?;
    Ok(Aws::new(client, profile, &host.environment, host.now)?)
}
