//! A policy does not allow a call of Bedrock.
//!
//! AWS names the action, the resource and the kind of policy, and for an explicit deny often the policy. It never names
//! the condition that refused. So the hint names the condition where the resource shows it, and otherwise everything that
//! is known of the call, beside which an administrator reads the policy.

use std::{collections::BTreeMap, net::IpAddr};

use super::{format_request_id, make_aws_failure, trust_policy::list_tags};
use crate::{
    aws::{AwsErrorDetails, Guardrail, IamDenial, PolicyKind, is_inference_profile},
    failure::Failure,
    text::sanitize_line,
    url::SecureUrl,
};

/// A call of Bedrock, with everything that a policy can have a condition on.
#[derive(Clone, Copy, Debug)]
pub struct BedrockCall<'c> {
    pub region: &'c str,
    /// The role whose credentials signed the request, as far as it is known.
    pub role: &'c str,
    /// The model that was called, which begins the message. `None` for requests that list models or inference profiles.
    pub model: Option<&'c str>,
    pub guardrail: Option<&'c Guardrail>,
    /// The session tags of the credentials; `None` if they are not known.
    pub tags: Option<&'c BTreeMap<String, String>>,
    /// The address of the service.
    pub endpoint: &'c SecureUrl,
    /// Host and port of the proxy, if the request went through one.
    pub proxy: Option<&'c str>,
}

/// An IAM denial ("User: … is not authorized to perform: …"). AWS's own sentence is long and names the assumed-role
/// session, but an administrator searches for the role. So the message consists of the facts: role, action, resource
/// and policy.
pub(super) fn describe_denial(
    denial: &IamDenial,
    call: &BedrockCall<'_>,
    peer: Option<IpAddr>,
    details: &AwsErrorDetails,
) -> Failure {
    let denied = DeniedCall { denial, call, action: denial.action.to_safe_line() };
    let (article, policy) = name_policy(denial.policy);
    let why = match (&denial.policy_arn, denial.is_explicit) {
        (Some(arn), true) => format!("the {policy} {} denies it", arn.to_safe_line()),
        (None, true) => format!("{article} {policy} denies it"),
        (_, false) => format!("no {policy} allows it"),
    };
    // Claude Code streams every response and does not show this refusal, so the message names the symptom.
    let is_streaming = denied.action.ends_with("InvokeModelWithResponseStream");
    let symptom = if is_streaming { ", so Claude Code hangs" } else { "" };
    let what = format!(
        "AWS does not allow {} to call {}: {why}{symptom}{}",
        denied.role(),
        denied.describe_action(),
        format_request_id(details)
    );
    make_aws_failure(if is_streaming { "streaming_denied" } else { "bedrock_denied" }, what, denied.suggest_fix(peer))
}

/// The article and the name of the kind of policy, as AWS's documentation spells it.
fn name_policy(policy: PolicyKind) -> (&'static str, &'static str) {
    match policy {
        PolicyKind::Identity => ("an", "identity-based policy"),
        PolicyKind::Boundary => ("a", "permissions boundary"),
        PolicyKind::Session => ("a", "session policy"),
        PolicyKind::ServiceControl => ("a", "service control policy"),
        PolicyKind::ResourceControl => ("a", "resource control policy"),
        PolicyKind::Endpoint => ("a", "VPC endpoint policy"),
        PolicyKind::Resource => ("a", "resource-based policy"),
        PolicyKind::Unknown => ("a", "policy"),
    }
}

/// A denial beside the call that it denies.
struct DeniedCall<'d> {
    denial: &'d IamDenial,
    call: &'d BedrockCall<'d>,
    action: String,
}

impl DeniedCall<'_> {
    fn role(&self) -> String {
        sanitize_line(self.call.role)
    }

    /// The action, and the resource if AWS names it.
    fn describe_action(&self) -> String {
        match &self.denial.resource {
            Some(resource) => format!("{} on {}", self.action, resource.to_safe_line()),
            None => self.action.clone(),
        }
    }

    /// The policy to change, and who can change it. Only identity-based policies and the boundary belong to the role
    /// itself; a Deny in another kind of policy outranks them, so changing the role would not help.
    fn suggest_fix(&self, peer: Option<IpAddr>) -> String {
        let (what, role) = (self.describe_action(), self.role());
        match (self.denial.policy, self.denial.is_explicit) {
            (PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Unknown, true) => {
                let (place, call) = (self.name_place(), self.describe_call(peer));
                format!("meet the conditions of the Deny in {place}, or remove it (this call went {call})")
            }
            (PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Unknown, false) => self.suggest_allow(),
            (PolicyKind::Session, _) => {
                format!("allow {what} in the session policy with which {role} is assumed")
            }
            (PolicyKind::ServiceControl | PolicyKind::ResourceControl, _) => format!(
                "ask the administrator of the AWS organization to allow {what}, or use an inference profile within its \
                 allowed regions"
            ),
            (PolicyKind::Endpoint, _) => {
                format!("allow {what} in the policy of the VPC endpoint that the request passes")
            }
            (PolicyKind::Resource, _) => {
                format!("allow {role} to call {} in the policy of the resource", self.action)
            }
        }
    }

    /// The policy that has to change: the one that AWS names, or those of the role.
    fn name_place(&self) -> String {
        if let Some(arn) = &self.denial.policy_arn {
            return arn.to_safe_line();
        }
        let is_boundary = self.denial.policy == PolicyKind::Boundary;
        format!("the {} of {}", if is_boundary { "permissions boundary" } else { "policies" }, self.role())
    }

    /// Nothing allows the call. The kind of resource shows which limit of the role it has met.
    fn suggest_allow(&self) -> String {
        let allow = format!("allow {} in {}", self.describe_action(), self.name_place());
        if !self.action.contains("InvokeModel") {
            return allow;
        }
        let uses_profile = self.call.model.is_some_and(is_inference_profile);
        match self.denial.resource_kind().as_deref() {
            // A role can allow only the profiles of the user's own team, which it recognises by a tag.
            Some("application-inference-profile") => self.suggest_team_check(&allow),
            // The list of allowed models and regions.
            Some("inference-profile") => {
                let region = sanitize_line(self.call.region);
                let models = format!("set a model in `models` that the role allows in {region}");
                format!("{models}, or {allow} and on the profile's model in each of its regions")
            }
            Some("foundation-model") if !uses_profile => {
                let profiles = "us.MODEL, eu.MODEL or global.MODEL";
                format!("set an inference profile instead of the model, such as {profiles}, or {allow}")
            }
            // An inference profile forwards the call to its model in other regions, and each of those needs the
            // permission.
            _ => format!("{allow} (for an inference profile: on the profile, and on its model in each of its regions)"),
        }
    }

    fn suggest_team_check(&self, allow: &str) -> String {
        let tags = match self.call.tags {
            Some(tags) if tags.is_empty() => " (it has none)".to_owned(),
            Some(tags) => format!(" ({})", list_tags(tags)),
            None => String::new(),
        };
        format!("compare the tags of that profile with those of your session{tags}, or {allow}")
    }

    /// Everything that a policy of `packaging/aws` can have a condition on. Plain http comes first, because it is what
    /// policies most often deny.
    fn describe_call(&self, peer: Option<IpAddr>) -> String {
        let BedrockCall { region, guardrail, tags, endpoint, proxy, .. } = *self.call;
        let way = if endpoint.is_https() { "over https" } else { "over plain http" };
        let through = match (proxy, peer) {
            (Some(proxy), _) => format!(" through the proxy {}", sanitize_line(proxy)),
            // Inside a VPC, the name of the service resolves to the addresses of a VPC endpoint.
            (None, Some(peer)) if is_private(peer) => format!(" at the private address {peer}"),
            (None, Some(peer)) => format!(" at the public address {peer}"),
            (None, None) => String::new(),
        };
        let guardrail = match guardrail {
            Some(guardrail) => format!("with guardrail {}", sanitize_line(&guardrail.identifier)),
            None => "without a guardrail".to_owned(),
        };
        let tags = match tags {
            Some(tags) if tags.is_empty() => ", without session tags".to_owned(),
            Some(tags) => format!(", with the session tags {}", list_tags(tags)),
            None => String::new(),
        };
        let (host, region) = (sanitize_line(endpoint.authority()), sanitize_line(region));
        format!("{way} to {host}{through}, region {region}, {guardrail}{tags}")
    }
}

/// Whether an address is one of a private network (RFC 1918, RFC 4193), or of this computer.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}
