//! How the program exchanges an ID token for AWS credentials: the first exchange, and the roles that it assumes after
//! it.
//!
//! These are the checked settings; `aws` makes the requests.

use std::{collections::BTreeMap, time::Duration};

use super::{ClaimTemplate, IdentityPoolId, RoleArn, choice::NamedChoice};

/// The longest session of a chained role: AWS limits it to one hour, whatever the maximum of the role ("Role chaining"
/// in the IAM User Guide).
pub(super) const CHAINED_SESSION_LIMIT: Duration = Duration::from_secs(3600);

/// The values of the key `federation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FederationChoice {
    Sts,
    IdentityPool,
    /// No exchange of a token: the credentials come from IAM Identity Center.
    IdentityCenter,
}

/// The first exchange, with what it requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Federation {
    /// STS `AssumeRoleWithWebIdentity`.
    Sts { role: RoleArn },
    /// A Cognito identity pool. Without a role, the rules of the pool choose one.
    IdentityPool { id: IdentityPoolId, role: Option<RoleArn> },
}

/// A role that the program assumes with the credentials of the role before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedRole {
    pub role: RoleArn,
    /// The external ID that the trust policy of the role requires.
    pub external_id: Option<String>,
    pub duration: Duration,
    /// `None` for the session name of the first exchange.
    pub session_name: Option<ClaimTemplate>,
    /// Session tags by name.
    pub tags: BTreeMap<String, ClaimTemplate>,
    /// The names of those tags that AWS passes on to the roles after this one.
    pub transitive: Vec<String>,
    pub source_identity: Option<ClaimTemplate>,
}

impl Federation {
    /// The role of the first exchange; `None` if an identity pool chooses it.
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
    const CHOICES: &'static [(&'static str, Self)] =
        &[("sts", Self::Sts), ("identity-pool", Self::IdentityPool), ("identity-center", Self::IdentityCenter)];
}

impl ChainedRole {
    /// A role without any of the optional settings.
    pub(super) fn new(role: RoleArn, duration: Duration) -> Self {
        let (tags, transitive) = (BTreeMap::new(), Vec::new());
        Self { role, external_id: None, duration, session_name: None, tags, transitive, source_identity: None }
    }
}
