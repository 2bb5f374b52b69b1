//! The AWS identifiers in a profile: the ARN of a role and the ID of an identity pool.
//!
//! Both types check the syntax only. A value that exists has legal syntax, so callers can take it apart without errors.

use serde::{Deserialize, Serialize};

use super::partition::is_region;
use crate::trait_impls::impl_debug;

/// The ARN of a role, such as `arn:aws:iam::123456789012:role/path/Name`. It has always passed [`RoleArn::parse`], also
/// after deserialization.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RoleArn(String);

/// The ID of a Cognito identity pool, such as `eu-west-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427`.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityPoolId(String);

impl RoleArn {
    /// Parses the ARN of a role in any partition; `None` for every other text.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = *parts else { return None };
        let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
        let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
        let is_known = partition.strip_prefix("aws").is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        // IAM allows only visible ASCII characters in a path.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_known && is_account && is_role_name(name) && is_plain).then(|| Self(text.to_owned()))
    }

    /// The role of a session ARN such as `arn:aws:sts::123456789012:assumed-role/Name/session`. A session ARN does not
    /// contain the path of the role, so the result has none and can differ from the configured ARN.
    pub fn from_session_arn(arn: &str) -> Option<Self> {
        let (head, resource) = arn.split_once(":assumed-role/")?;
        let (partition, account) = head.strip_prefix("arn:")?.split_once(":sts::")?;
        let name = resource.split('/').next()?;
        Self::parse(&format!("arn:{partition}:iam::{account}:role/{name}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// The name of the role, without its path.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl From<RoleArn> for String {
    fn from(role: RoleArn) -> Self {
        role.0
    }
}

impl TryFrom<String> for RoleArn {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not the ARN of a role")
    }
}

/// IAM (`CreateRole`): `[\w+=,.@-]{1,64}`.
fn is_role_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

impl_debug!(RoleArn, RoleArn::as_str);

impl IdentityPoolId {
    /// Parses the ID of an identity pool (`[\w-]+:[0-9a-f-]+`, at most 55 characters); `None` for every other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (region, own) = text.split_once(':')?;
        let is_own = !own.is_empty() && own.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        (is_region(region) && is_own && text.len() <= 55).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region of the pool, whose Cognito endpoint serves it.
    pub fn region(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

impl_debug!(IdentityPoolId, IdentityPoolId::as_str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arn_has_partition_account_and_name() {
        let role = RoleArn::parse("arn:aws-us-gov:iam::123456789012:role/team/BedrockUser").expect("a legal ARN");
        assert_eq!((role.partition(), role.account(), role.name()), ("aws-us-gov", "123456789012", "BedrockUser"));
    }

    #[test]
    fn session_arn_leads_to_its_role() {
        let role =
            RoleArn::from_session_arn("arn:aws-cn:sts::123456789012:assumed-role/Name/CognitoIdentityCredentials");
        assert_eq!(role, RoleArn::parse("arn:aws-cn:iam::123456789012:role/Name"));
        for bad in ["arn:aws:iam::123456789012:user/jane", "arn:aws:sts::123456789012:assumed-role/", ""] {
            assert_eq!(RoleArn::from_session_arn(bad), None, "{bad}");
        }
    }

    #[test]
    fn text_that_is_not_a_role_arn_is_rejected() {
        for bad in [
            "",
            "BedrockUser",
            "arn:aws:iam::123:role/X",
            "arn:aws:iam::123456789012:user/X",
            "arn:aws:sts::123456789012:assumed-role/X/y",
            "arn:gcp:iam::123456789012:role/X",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/team one/X",
            "arn:aws:iam::123456789012:role/\x1b[31m/X",
            "arn:aws-\n:iam::123456789012:role/X",
        ] {
            assert!(RoleArn::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn identity_pool_id_contains_its_region() {
        let pool = IdentityPoolId::parse("us-gov-west-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427").unwrap();
        assert_eq!(pool.region(), "us-gov-west-1");
    }

    #[test]
    fn text_that_is_not_a_pool_id_is_rejected() {
        for bad in [
            "",
            "eu-west-1",
            "eu-west-1:",
            // The second one is the ID of a user pool.
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
