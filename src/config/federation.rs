//! How a token becomes AWS credentials: the first exchange, and the roles assumed after it.
//!
//! It holds what was decided; how AWS is asked is for `aws`.

use std::{collections::BTreeMap, time::Duration};

use super::{ClaimTemplate, IdentityPoolId, RoleArn, choice::NamedChoice};

/// AWS ends the session of a role that was assumed with another role's credentials after an hour, and so does an
/// identity pool with its credentials, whatever the role's own maximum.
pub(super) const CHAINED_SESSION_LIMIT: Duration = Duration::from_secs(3600);

/// The first exchange, as `federation` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FederationChoice {
    Sts,
    IdentityPool,
}

/// The first exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Federation {
    /// AssumeRoleWithWebIdentity.
    Sts { role: RoleArn },
    /// A Cognito identity pool; where no role is named, the pool's rules choose it.
    IdentityPool { id: IdentityPoolId, role: Option<RoleArn> },
}

/// One more role, assumed with the credentials before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedRole {
    pub role: RoleArn,
    pub external_id: Option<String>,
    pub duration: Duration,
    /// `None`: the person's.
    pub session_name: Option<ClaimTemplate>,
    pub tags: BTreeMap<String, ClaimTemplate>,
    /// Tags that the roles after it keep.
    pub transitive: Vec<String>,
    pub source_identity: Option<ClaimTemplate>,
}

impl Federation {
    /// The role of the first exchange, where the profile names it.
    pub fn role(&self) -> Option<&RoleArn> {
        match self {
            Self::Sts { role } => Some(role),
            Self::IdentityPool { id: _, role } => role.as_ref(),
        }
    }

    pub fn pool(&self) -> Option<&IdentityPoolId> {
        match self {
            Self::Sts { .. } => None,
            Self::IdentityPool { id, role: _ } => Some(id),
        }
    }
}

impl NamedChoice for FederationChoice {
    const CHOICES: &'static [(&'static str, Self)] = &[("sts", Self::Sts), ("identity-pool", Self::IdentityPool)];
}

impl ChainedRole {
    pub(super) fn new(role: RoleArn, duration: Duration) -> Self {
        let (tags, transitive) = (BTreeMap::new(), Vec::new());
        Self { role, external_id: None, duration, session_name: None, tags, transitive, source_identity: None }
    }
}
