//! What IAM says when it denies: which action on what, and which kind of policy stands in the way.
//!
//! The sentence is the one that all of AWS's services have for it; whatever it leaves out stays unknown.

use crate::text::Foreign;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub action: Foreign,
    pub resource: Option<Foreign>,
    pub policy: Policy,
    /// Something forbids it; else nothing allows it.
    pub is_explicit: bool,
}

/// By whom policies of the kind are written, mostly: the account's administrators or the organization's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Identity,
    Boundary,
    Session,
    ServiceControl,
    ResourceControl,
    Endpoint,
    Resource,
    Unknown,
}

/// As AWS calls them. The service control policy has no other's name in its own.
const POLICIES: [(&str, Policy); 7] = [
    ("service control policy", Policy::ServiceControl),
    ("resource control policy", Policy::ResourceControl),
    ("vpc endpoint policy", Policy::Endpoint),
    ("permissions boundary", Policy::Boundary),
    ("session policy", Policy::Session),
    ("identity-based policy", Policy::Identity),
    ("resource-based policy", Policy::Resource),
];

impl Denial {
    /// Of the guardrail that a call goes through, not of the call.
    pub fn is_of_guardrail(&self) -> bool {
        self.action == Foreign::new("bedrock:ApplyGuardrail")
    }

    /// `None` where the sentence is another.
    pub(super) fn of(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("is not authorized to perform: ")?;
        let mut words = rest.split_whitespace();
        let action = words.next()?;
        let resource = rest.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
        let lower = rest.to_ascii_lowercase();
        let policy = POLICIES.iter().find(|(name, _)| lower.contains(name)).map(|(_, policy)| *policy);
        Some(Self {
            action: Foreign::new(action),
            resource: resource.map(Foreign::new),
            policy: policy.unwrap_or(Policy::Unknown),
            is_explicit: lower.contains("explicit deny"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str =
        "User: arn:aws:sts::123456789012:assumed-role/BedrockUser/jane@example.com is not authorized to";
    const MODEL: &str = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0";

    #[test]
    fn the_action_the_resource_and_the_policy_are_found_in_each_of_awss_sentences() {
        let action = "bedrock:InvokeModel";
        for (end, policy, is_explicit) in [
            (
                "because no identity-based policy allows the bedrock:InvokeModel action",
                Policy::Identity,
                false,
            ),
            ("with an explicit deny in an identity-based policy", Policy::Identity, true),
            (
                "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
                Policy::ServiceControl,
                true,
            ),
            ("with an explicit deny in a resource control policy", Policy::ResourceControl, true),
            ("because no session policy allows the bedrock:InvokeModel action", Policy::Session, false),
            (
                "because no permissions boundary allows the bedrock:InvokeModel action",
                Policy::Boundary,
                false,
            ),
            ("because no VPC endpoint policy allows the bedrock:InvokeModel action", Policy::Endpoint, false),
            ("with an explicit deny in a VPC endpoint policy", Policy::Endpoint, true),
            ("with an explicit deny", Policy::Unknown, true),
            ("", Policy::Unknown, false),
        ] {
            let message = format!("{WHO} perform: {action} on resource: {MODEL} {end}");
            let found = Denial::of(&message).unwrap();
            let (action, resource) = (Foreign::new(action), Some(Foreign::new(MODEL)));
            assert_eq!(found, Denial { action, resource, policy, is_explicit }, "{end}");
        }
    }

    #[test]
    fn an_action_without_a_resource_has_none() {
        let message = format!(
            "{WHO} perform: bedrock:ListFoundationModels because no identity-based policy allows the \
             bedrock:ListFoundationModels action"
        );
        let found = Denial::of(&message).unwrap();
        assert_eq!((found.action, found.resource), (Foreign::new("bedrock:ListFoundationModels"), None));
        assert_eq!(Denial::of("You don't have access to the model with the specified model ID."), None);
    }
}
