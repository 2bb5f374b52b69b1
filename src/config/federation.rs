//! How a token becomes AWS credentials: the first exchange, and the roles assumed after it.
//!
//! It holds what was decided; how AWS is asked is for `aws`.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{ClaimTemplate, Profile, RoleArn};

/// AWS ends the session of a role that was assumed with another role's credentials after an hour, and so does an
/// identity pool with its credentials, whatever the role's own maximum.
pub(super) const CHAINED_SESSION_LIMIT: Duration = Duration::from_secs(3600);

/// The first exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Federation {
    /// AssumeRoleWithWebIdentity.
    Sts { role: RoleArn },
    /// A Cognito identity pool; where no role is named, the pool's rules choose it.
    IdentityPool { id: IdentityPoolId, role: Option<RoleArn> },
}

/// `eu-west-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427`
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityPoolId(String);

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

impl IdentityPoolId {
    /// `None` when the text is no identity pool's id (`[\w-]+:[0-9a-f-]+`, at most 55 characters).
    pub fn parse(text: &str) -> Option<Self> {
        let (region, own) = text.split_once(':')?;
        let is_own = !own.is_empty() && own.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        (super::partition::is_region(region) && is_own && text.len() <= 55).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn region(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

impl fmt::Debug for IdentityPoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Federation {
    /// The role of the first exchange, where the profile names it.
    pub fn role(&self) -> Option<&RoleArn> {
        match self {
            Self::Sts { role } => Some(role),
            Self::IdentityPool { id: _, role } => role.as_ref(),
        }
    }
}

impl Profile {
    /// The role whose credentials are handed out, where the profile names it: the last of the chain.
    pub fn final_role(&self) -> Option<&RoleArn> {
        self.role_chain.last().map(|link| &link.role).or_else(|| self.federation.role())
    }

    /// Why sessions of this profile end after an hour, if they do.
    pub fn hour_limit_reason(&self) -> Option<&'static str> {
        match &self.federation {
            _ if !self.role_chain.is_empty() => Some("AWS ends the session of a chained role after 1h"),
            Federation::IdentityPool { .. } => Some("an identity pool's credentials last 1h"),
            Federation::Sts { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_id_names_its_region() {
        let pool = IdentityPoolId::parse("us-gov-west-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427").unwrap();
        assert_eq!(pool.region(), "us-gov-west-1");
    }

    #[test]
    fn what_is_no_identity_pool_is_refused() {
        for bad in [
            "",
            "eu-west-1",
            "eu-west-1:",
            // A user pool, which is another thing.
            "eu-west-1_AbCdEf",
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
            "eu-west-1:1B4E",
            "evil.example/:1b4e",
            "eu-west-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427-0016d3cca427",
        ] {
            assert_eq!(IdentityPoolId::parse(bad), None, "{bad}");
        }
    }
}
