//! Parses IAM's sentence about a denied request: the action, the resource, and the policy that denied it.
//!
//! All AWS services use the same sentence. A part that it omits stays unknown. Since 2026 the sentence names the policy of
//! an explicit deny, if it belongs to the caller's account or organization.

use crate::text::UntrustedText;

/// A denial, with the facts that an administrator needs to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamDenial {
    /// The name of the role session that was refused.
    pub session_name: Option<UntrustedText>,
    pub action: UntrustedText,
    pub resource: Option<UntrustedText>,
    pub policy: PolicyKind,
    /// The ARN of the policy that denies the action explicitly.
    pub policy_arn: Option<UntrustedText>,
    /// True if a policy denies the action explicitly; false if no policy allows it.
    pub is_explicit: bool,
    /// What that policy means, if its name says that it blocks users.
    pub block: Option<BlockKind>,
}

/// Why a policy blocks users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// An administrator has blocked this user.
    User,
    /// The user has reached a limit, and the limits service has blocked them until it resets.
    LimitReached,
    /// The budget of the account is spent, so all users are blocked.
    BudgetSpent,
}

/// The parts of names that mark policies which block users. The templates in `packaging/aws` give them these names,
/// because AWS shows the name to the blocked user.
const BLOCK_MARK: &str = "you-are-blocked";
const BUDGET_MARK: &str = "budget-spent";
const LIMIT_MARK: &str = "limit-reached";

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

    /// Returns the kind of resource and its name, such as `foundation-model` and the identifier of a model. `None` if the
    /// message names no resource, or one of another form.
    pub fn resource_kind(&self) -> Option<String> {
        let arn = self.resource.as_ref()?.to_safe_line();
        Some(arn.splitn(6, ':').nth(5)?.split_once('/')?.0.to_owned())
    }

    /// Returns `None` if the message is not IAM's sentence.
    pub(super) fn parse(message: &str) -> Option<Self> {
        let (user, rest) = message.split_once("is not authorized to perform: ")?;
        let mut words = rest.split_whitespace();
        let action = words.next()?;
        let resource = rest.split_once("on resource: ").and_then(|(_, rest)| rest.split_whitespace().next());
        let lower = rest.to_ascii_lowercase();
        let policy = POLICIES.iter().find(|(name, _)| lower.contains(name)).map(|(_, policy)| *policy);
        let policy_arn = find_policy_arn(rest);
        Some(Self {
            session_name: find_session_name(user).map(UntrustedText::new),
            action: UntrustedText::new(action),
            resource: resource.map(UntrustedText::new),
            policy: policy.unwrap_or(PolicyKind::Unknown),
            policy_arn: policy_arn.map(UntrustedText::new),
            is_explicit: lower.contains("explicit deny"),
            block: policy_arn.and_then(find_block_kind),
        })
    }
}

/// The name of the session in `User: arn:aws:sts::123456789012:assumed-role/BedrockUser/jane@example.com`.
fn find_session_name(user: &str) -> Option<&str> {
    let (_, session) = user.split_once(":assumed-role/")?;
    session.split_whitespace().next()?.split_once('/').map(|(_, name)| name)
}

/// The ARN at the end of "with an explicit deny in an identity-based policy: arn:aws:iam::123456789012:policy/Name". Some
/// services add a full stop and further sentences.
fn find_policy_arn(rest: &str) -> Option<&str> {
    let (_, policy) = rest.rsplit_once("with an explicit deny in ")?;
    let (_, arn) = policy.split_once(": ")?;
    let arn = arn.split_whitespace().next()?.trim_end_matches(['.', ',', ';', ')', '"']);
    arn.starts_with("arn:").then_some(arn)
}

/// Only the policy's own name counts: a user chooses the name of a session, and sometimes that of a resource.
fn find_block_kind(arn: &str) -> Option<BlockKind> {
    let (_, name) = arn.split_once(":policy/").filter(|(_, name)| name.contains(BLOCK_MARK))?;
    Some(match name {
        _ if name.contains(BUDGET_MARK) => BlockKind::BudgetSpent,
        _ if name.contains(LIMIT_MARK) => BlockKind::LimitReached,
        _ => BlockKind::User,
    })
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
            let expected = IamDenial {
                session_name: Some(UntrustedText::new("jane@example.com")),
                action: UntrustedText::new(action),
                resource: Some(UntrustedText::new(MODEL)),
                policy,
                policy_arn: end.split_once(": ").map(|(_, arn)| UntrustedText::new(arn)),
                is_explicit,
                block: None,
            };
            assert_eq!(found, expected, "{end}");
            assert_eq!(found.resource_kind().as_deref(), Some("foundation-model"));
        }
    }

    #[test]
    fn block_is_recognised_by_the_name_of_the_policy_only() {
        let policy = "arn:aws:iam::123456789012:policy/acme-federation-you-are-blocked-ask-your-administrator";
        let denied = |who: &str, end: &str| {
            let user = format!("User: arn:aws:sts::123456789012:assumed-role/BedrockUser/{who}");
            let on =
                "is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:::x/you-are-blocked";
            IamDenial::parse(&format!("{user} {on} {end}")).unwrap()
        };
        for end in ["", ".", " (alias)", ". Encoded authorization failure message: x"] {
            let found = denied("jane", &format!("with an explicit deny in an identity-based policy: {policy}{end}"));
            let expected = (Some(BlockKind::User), Some(UntrustedText::new(policy)));
            assert_eq!((found.block, found.policy_arn), expected, "{end}");
            assert_eq!(found.session_name, Some(UntrustedText::new("jane")));
        }
        for end in [
            "with an explicit deny in an identity-based policy",
            "with an explicit deny in an identity-based policy: arn:aws:iam::123456789012:policy/Other",
            "with an explicit deny in an identity-based policy: you-are-blocked",
            "because no identity-based policy allows the you-are-blocked action",
        ] {
            assert_eq!(denied("you-are-blocked", end).block, None, "{end}");
        }
        let budget =
            "arn:aws:iam::123456789012:policy/acme-guardrails-budget-spent-you-are-blocked-ask-your-administrator";
        let end = format!("with an explicit deny in an identity-based policy: {budget}");
        assert_eq!(denied("jane", &end).block, Some(BlockKind::BudgetSpent));
        for number in 1..=4 {
            let limit =
                "arn:aws:iam::123456789012:policy/acme-federation-you-are-blocked-limit-reached-run-bedrock-sso-quota";
            let end = format!("with an explicit deny in an identity-based policy: {limit}-{number}");
            assert_eq!(denied("budget-spent", &end).block, Some(BlockKind::LimitReached));
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
