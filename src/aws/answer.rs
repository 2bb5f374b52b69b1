//! What STS handed out, checked before anything trusts it.
//!
//! It believes nothing that is incomplete, spent, or for another account.

use aws_sdk_sts::types;

use super::{Error, Flaw};
use crate::{config::RoleArn, credentials::Credentials, secret::Secret, text::Foreign, time::Moment};

pub(super) fn checked(
    given: Option<types::Credentials>,
    user: Option<types::AssumedRoleUser>,
    role: &RoleArn,
    now: Moment,
) -> Result<Credentials, Error> {
    let given = given.ok_or(Error::Flawed(Flaw::Incomplete))?;
    let user = user.ok_or(Error::Flawed(Flaw::Incomplete))?;
    let account = user.arn.split(':').nth(4).unwrap_or_default();
    if account != role.account() {
        return Err(Error::Flawed(Flaw::OtherAccount { answered: Foreign::new(account) }));
    }
    let credentials = complete(given).ok_or(Error::Flawed(Flaw::Incomplete))?;
    if credentials.expiration <= now {
        return Err(Error::Flawed(Flaw::Spent { expiration: credentials.expiration, now }));
    }
    Ok(credentials)
}

/// The SDK turns what is missing into an empty text and into 1970.
fn complete(given: types::Credentials) -> Option<Credentials> {
    let types::Credentials { access_key_id, secret_access_key, session_token, expiration, .. } = given;
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    Some(Credentials {
        access_key_id: filled(access_key_id)?,
        secret_access_key: Secret::new(filled(secret_access_key)?),
        session_token: Secret::new(filled(session_token)?),
        expiration: Some(Moment::from_unix(expiration.secs())).filter(|moment| moment.unix() > 0)?,
    })
}
