//! The AWS credentials of one role, and what was learnt when AWS gave them.

use serde::{Deserialize, Serialize};

use super::{Cache, Destinations, parse_record};
use crate::{config::RoleArn, credentials::AwsCredentials, store, time::Timestamp};

/// What is sealed for the credentials of one role. Each part stands alone: credentials may be gone, and the rest still hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialsRecord {
    pub credentials: Option<AwsCredentials>,
    pub session_name: Option<String>,
    /// Whose credentials they are.
    pub role: Option<RoleArn>,
    /// Which of the sign-in's ID tokens they came from, as the sign-in counts them.
    pub token_count: u64,
    /// The longest duration in seconds that the role was seen to allow.
    pub longest: Option<u32>,
    /// When the quota service wants to be asked again.
    pub cleared_until: Option<Timestamp>,
    /// The user's id in the identity pool.
    pub identity: Option<String>,
    /// Which hosts the credentials are for. Empty in records of earlier versions.
    pub destinations: Destinations,
}

/// What the name of the record ends with.
pub(super) const CREDENTIALS: &str = "credentials";

impl Cache {
    /// The credentials; those of version 0.1 if this version has stored no record.
    pub fn load_credentials(&self) -> Result<CredentialsRecord, store::Error> {
        match self.folder.store.read_record(&self.credentials_name(CREDENTIALS))? {
            Some(sealed) => Ok(parse_record(&sealed).unwrap_or_default()),
            // Once there is a sign-in of this version, they may be another user's: see `move_former_session`.
            None if self.has_own_sign_in()? => Ok(CredentialsRecord::default()),
            None => Ok(self.load_former_session()?.credentials),
        }
    }
}
