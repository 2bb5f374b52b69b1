//! The sealed record of one role: its AWS credentials, and facts that AWS and the quota service returned with them.

use serde::{Deserialize, Serialize};

use super::{Cache, Destinations, parse_record};
use crate::{config::RoleArn, credentials::AwsCredentials, store, time::Timestamp};

/// The content of a credentials record. `credentials` may be absent while the other fields are still true. The field
/// names are part of the stored format.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialsRecord {
    pub credentials: Option<AwsCredentials>,
    pub session_name: Option<String>,
    /// The session is named after the user's subject, because the token has no claim that the profile wants.
    pub is_named_by_subject: bool,
    /// The role that AWS returned with the credentials.
    pub role: Option<RoleArn>,
    /// The number of the ID token that was exchanged for them, see [`SignInRecord::token_count`](super::SignInRecord).
    pub token_count: u64,
    /// The longest session in seconds that the role allowed, so that the next exchange does not ask for too much first.
    pub longest: Option<u32>,
    /// When the approval of the quota service ends. The credentials are not served after it.
    pub cleared_until: Option<Timestamp>,
    /// The user's identity ID in the Cognito identity pool.
    pub identity: Option<String>,
    /// The hosts that may receive the credentials. Empty in records of earlier versions.
    pub destinations: Destinations,
}

pub(super) const CREDENTIALS: &str = "credentials";

impl Cache {
    /// The credentials record; the one of version 0.1 if this version has stored nothing. Needs no lock.
    pub fn load_credentials(&self) -> Result<CredentialsRecord, store::Error> {
        match self.folder.store.read_record(&self.credentials_name(CREDENTIALS))? {
            Some(sealed) => Ok(parse_record(&sealed).unwrap_or_default()),
            // Once this version has stored a sign-in, the old credentials may belong to another user. Only
            // `move_former_session` compares the users, so the old credentials are not used here.
            None if self.has_own_sign_in()? => Ok(CredentialsRecord::default()),
            None => Ok(self.load_former_session()?.credentials),
        }
    }
}
