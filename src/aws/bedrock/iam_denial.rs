//! Parses IAM's sentence about a denied request: the action, the resource, and the kind of policy that denied it.
//!
//! All AWS services use the same sentence. A part that it omits stays unknown.

use crate::text::UntrustedText;

/// A denial, with the facts that an administrator needs to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamDenial {
    pub action: UntrustedText,
    pub resource: Option<UntrustedText>,
    pub policy: PolicyKind,
    /// True if a policy denies the action explicitly; false if no policy allows it.
    pub is_explicit: bool,
}

/// The kind of policy. It shows who can change it: the administrators of the account or of the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    Identity,
    Boundary,
    Session,
    ServiceControl,
    ResourceControl,
    Endpoint,
    Resource,
    Unknown,
}

/// AWS's names of the kinds. The first match wins. The ARN after "service control policy" contains no other name.
const POLICIES: [(&str, PolicyKind); 7] = [
    ("service control policy", PolicyKind::ServiceControl),
    ("resource control policy", PolicyKind::ResourceControl),
    ("vpc endpoint policy", PolicyKind::Endpoint),
    ("permissions boundary", PolicyKind::Boundary),
    ("session policy", PolicyKind::Session),
    ("identity-based policy", PolicyKind::Identity),
    ("resource-based policy", PolicyKind::Resource),
];

impl IamDenial {
    /// Returns whether IAM denied the guardrail of a request, not the request itself.
    pub fn is_for_guardrail(&self) -> bool {
        self.action == UntrustedText::new("bedrock:ApplyGuardrail")
    }

    /// Returns `None` if the message is not IAM's sentence.
    pub(super) fn parse(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("is not authorized to perform: ")?;
        let mut words = rest.split_whitespace();
        let action = words.next()?;
        let resource = rest.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
        let lower = rest.to_ascii_lowercase();
        let policy = POLICIES.iter().find(|(name, _)| lower.contains(name)).map(|(_, policy)| *policy);
        Some(Self {
            action: UntrustedText::new(action),
            resource: resource.map(UntrustedText::new),
            policy: policy.unwrap_or(PolicyKind::Unknown),
            is_explicit: lower.contains("explicit deny"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str = "User: arn:aws:sts::123456789012:assumed-role/BedrockUser/jane@example.com is not authorized to";
    const MODEL: &str = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0";

    #[test]
    fn denial_sentence_yields_action_resource_and_policy() {
        let action = "bedrock:InvokeModel";
        for (end, policy, is_explicit) in [
            ("because no identity-based policy allows the bedrock:InvokeModel action", PolicyKind::Identity, false),
            ("with an explicit deny in an identity-based policy", PolicyKind::Identity, true),
            (
                "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
                PolicyKind::ServiceControl,
                true,
            ),
            ("with an explicit deny in a resource control policy", PolicyKind::ResourceControl, true),
            ("because no session policy allows the bedrock:InvokeModel action", PolicyKind::Session, false),
            ("because no permissions boundary allows the bedrock:InvokeModel action", PolicyKind::Boundary, false),
            ("because no VPC endpoint policy allows the bedrock:InvokeModel action", PolicyKind::Endpoint, false),
            ("with an explicit deny in a VPC endpoint policy", PolicyKind::Endpoint, true),
            ("with an explicit deny", PolicyKind::Unknown, true),
            ("", PolicyKind::Unknown, false),
        ] {
            let message = format!("{WHO} perform: {action} on resource: {MODEL} {end}");
            let found = IamDenial::parse(&message).unwrap();
            let (action, resource) = (UntrustedText::new(action), Some(UntrustedText::new(MODEL)));
            assert_eq!(found, IamDenial { action, resource, policy, is_explicit }, "{end}");
        }
    }

    #[test]
    fn denial_without_a_resource_has_none() {
        let message = format!(
            "{WHO} perform: bedrock:ListFoundationModels because no identity-based policy allows the \
             bedrock:ListFoundationModels action"
        );
        let found = IamDenial::parse(&message).unwrap();
        assert_eq!((found.action, found.resource), (UntrustedText::new("bedrock:ListFoundationModels"), None));
        assert_eq!(IamDenial::parse("You don't have access to the model with the specified model ID."), None);
    }
}
