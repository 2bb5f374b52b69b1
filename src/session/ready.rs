//! The top of the ladder: what a caller is given, and what a session already has to show of it.
//!
//! It reads what is kept; how it got there is the climb's business.

use crate::{
    cache::Session,
    config::{Profile, RoleArn},
    credentials::Credentials,
    secret::Secret,
    time::Moment,
};

/// The top of the ladder.
#[derive(Clone, Debug)]
pub struct Ready {
    pub credentials: Credentials,
    pub session_name: String,
    /// As AWS or the profile told it when they were given.
    pub role: Option<RoleArn>,
    /// What the person should be told besides.
    pub notice: Option<String>,
}

impl Ready {
    /// Whose credentials these are. Unknown where an identity pool chose and AWS did not tell.
    pub fn role<'r>(&'r self, profile: &'r Profile) -> Option<&'r RoleArn> {
        profile.role().or(self.role.as_ref())
    }
}

/// What an errand comes home with.
#[derive(Clone, Debug)]
pub enum Brought {
    Credentials(Ready),
    Token(Secret),
}

/// What a session already has to show.
pub fn ready(session: &Session, profile: &Profile) -> Option<Ready> {
    let mut credentials = session.credentials.clone()?;
    if profile.quota.is_some() {
        // They serve no longer than somebody is known to be allowed to spend.
        let cleared_until = session.cleared_until.unwrap_or(Moment::from_unix(0));
        credentials.expiration = credentials.expiration.min(cleared_until);
    }
    let session_name = session.session_name.clone().unwrap_or_default();
    Some(Ready { credentials, session_name, role: session.role.clone(), notice: None })
}
