//! The versions of managed policies in IAM, by its Query protocol: a form is sent, and XML returns.

use std::{fmt, str::FromStr};

use axum::http::{HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use roxmltree::Document;

use super::{AwsCall, AwsCallError, AwsClient, CalledService, error::find_text};

/// The version of IAM's interface.
const API_VERSION: &str = "2010-05-08";

/// The ARN of a managed policy of an account, such as `arn:aws:iam::123456789012:policy/limits-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyArn(String);

/// The text is not the ARN of a managed policy that an account can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPolicyArn;

impl FromStr for PolicyArn {
    type Err = NotAPolicyArn;

    fn from_str(text: &str) -> Result<Self, NotAPolicyArn> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else { return Err(NotAPolicyArn) };
        let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&byte))
        };
        let is_policy = resource.strip_prefix("policy/").is_some_and(is_name);
        match partition.starts_with("aws") && is_account && is_policy && text.len() <= 2048 {
            true => Ok(Self(text.to_owned())),
            false => Err(NotAPolicyArn),
        }
    }
}

impl PolicyArn {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition of the account, such as `aws` or `aws-cn`.
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or("aws")
    }
}

impl fmt::Display for PolicyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version of a policy. IAM numbers them in the order in which they are created, and stores at most five.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyVersion {
    pub number: u64,
    /// Whether it is the one that decides.
    pub is_default: bool,
}

impl PolicyVersion {
    /// The name in IAM, such as `v3`.
    fn id(&self) -> String {
        format!("v{}", self.number)
    }
}

impl AwsClient {
    /// All versions of a policy, the oldest first.
    pub async fn list_policy_versions(&self, policy: &PolicyArn) -> Result<Vec<PolicyVersion>, AwsCallError> {
        let call = self.policy_call("ListPolicyVersions", policy, &[]);
        let answer = self.call(&call).await?;
        let unreadable = || AwsCallError::unreadable(&call, "the answer is not a list of versions");
        let text = String::from_utf8(answer).map_err(|_| unreadable())?;
        let document = Document::parse(&text).map_err(|_| unreadable())?;
        // A list that is cut would hide the version that decides. IAM never cuts five versions.
        if find_text(&document, "IsTruncated").as_deref() == Some("true") {
            return Err(unreadable());
        }
        let list = document.descendants().find(|node| node.tag_name().name() == "Versions").ok_or_else(unreadable)?;
        let mut versions = Vec::new();
        for member in list.children().filter(|node| node.is_element()) {
            let field =
                |name| member.children().find(|node| node.tag_name().name() == name).and_then(|node| node.text());
            let number = field("VersionId").and_then(|id| id.strip_prefix('v')?.parse().ok()).ok_or_else(unreadable)?;
            let is_default = match field("IsDefaultVersion") {
                Some("true") => true,
                Some("false") => false,
                _ => return Err(unreadable()),
            };
            versions.push(PolicyVersion { number, is_default });
        }
        versions.sort();
        Ok(versions)
    }

    /// The document of a version, as it was written.
    pub async fn get_policy_document(
        &self,
        policy: &PolicyArn,
        version: &PolicyVersion,
    ) -> Result<String, AwsCallError> {
        let call = self.policy_call("GetPolicyVersion", policy, &[("VersionId", &version.id())]);
        let answer = self.call(&call).await?;
        let unreadable = || AwsCallError::unreadable(&call, "the answer has no document");
        let text = String::from_utf8(answer).map_err(|_| unreadable())?;
        let document = Document::parse(&text).map_err(|_| unreadable())?;
        let encoded = find_text(&document, "Document").ok_or_else(unreadable)?;
        let decoded = percent_decode_str(&encoded).decode_utf8().map_err(|_| unreadable())?;
        Ok(decoded.into_owned())
    }

    /// Creates a version that decides from now on.
    pub async fn create_policy_version(&self, policy: &PolicyArn, document: &str) -> Result<(), AwsCallError> {
        let parameters = [("PolicyDocument", document), ("SetAsDefault", "true")];
        self.call(&self.policy_call("CreatePolicyVersion", policy, &parameters)).await.map(|_| ())
    }

    /// Deletes a version that does not decide.
    pub async fn delete_policy_version(&self, policy: &PolicyArn, version: &PolicyVersion) -> Result<(), AwsCallError> {
        let call = self.policy_call("DeletePolicyVersion", policy, &[("VersionId", &version.id())]);
        self.call(&call).await.map(|_| ())
    }

    fn policy_call(&self, operation: &'static str, policy: &PolicyArn, parameters: &[(&str, &str)]) -> AwsCall<'_> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", operation).append_pair("Version", API_VERSION);
        form.append_pair("PolicyArn", policy.as_str()).extend_pairs(parameters);
        AwsCall {
            service: CalledService::Iam,
            operation,
            method: Method::POST,
            region: &self.region,
            path: "/".to_owned(),
            headers: vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))],
            body: form.finish().into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_policies_of_an_account_are_accepted() {
        for legal in
            ["arn:aws:iam::123456789012:policy/limits-1", "arn:aws-cn:iam::123456789012:policy/team/a_b+c=d,e.f@g"]
        {
            assert_eq!(legal.parse::<PolicyArn>().unwrap().as_str(), legal);
        }
        for illegal in [
            "",
            "limits-1",
            "arn:aws:iam::aws:policy/AdministratorAccess",
            "arn:aws:iam::123456789012:role/limits",
            "arn:aws:iam::123456789012:policy/",
            "arn:aws:iam::123456789012:policy/*",
            "arn:aws:iam:us-east-1:123456789012:policy/limits",
            "arn:evil:iam::123456789012:policy/limits",
        ] {
            assert_eq!(illegal.parse::<PolicyArn>(), Err(NotAPolicyArn), "{illegal}");
        }
        assert_eq!("arn:aws-us-gov:iam::123456789012:policy/x".parse::<PolicyArn>().unwrap().partition(), "aws-us-gov");
    }
}
