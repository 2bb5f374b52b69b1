//! What a provider can prove about a sign-in, and whether a profile's `require` and `extra_params` fit it.
//!
//! `specs` has the values for each provider. A requirement that a known provider cannot meet is an error before any
//! browser opens. Only the ID token of a generic provider shows what it can prove, so `oidc` decides there.

use std::collections::BTreeMap;

use super::Provider;
use crate::config::{
    Issuer, OidcSettings, Profile, SignInRequirements, error::ValueConflict, key::ConfigKey, keys,
    toml_value::quote_text,
};

/// What a provider can prove about a sign-in, and how a request asks for it.
#[derive(Debug)]
pub struct SignInProofSupport {
    pub acr: AcrSupport,
    /// Whether ID tokens of this issuer list the authentication methods (`amr`).
    pub(super) has_amr: fn(&Issuer) -> bool,
    pub max_age: MaxAgeSupport,
    pub email: EmailAuthority,
    /// Whether the provider's discovery document lists these claims. If not, only the vendor's documentation does.
    pub is_announced: bool,
    /// The parameter that preselects accounts of an e-mail domain.
    pub domain_parameter: Option<&'static str>,
}

/// How a provider states the authentication context, and how a request asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcrSupport {
    /// The provider has no authentication contexts.
    Unsupported,
    /// The claim `acr`, requested with the parameter `acr_values` (OIDC Core §3.1.2.1).
    AcrValues,
    /// The claim `acr`, requested as an essential claim if the provider reads the parameter `claims` (OIDC Core
    /// §5.5.1.1), and otherwise with `acr_values`. Never with both, for which the standard defines no meaning.
    EssentialClaim,
    /// Entra's claim `acrs`, a list, which only the parameter `claims` requests.
    AcrsClaim,
}

/// How a request makes the provider authenticate a user again whose session is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxAgeSupport {
    Unsupported,
    /// The parameter `max_age` (OIDC Core §3.1.2.1).
    Parameter,
    /// The provider documents no `max_age`, so each sign-in sends `prompt=login`.
    FreshPrompt,
}

/// When an e-mail address counts as the user's.
#[derive(Clone, Copy, Debug)]
pub enum EmailAuthority {
    /// The provider has verified it: `email_verified` is true.
    Verified,
    /// The provider has verified it, and the account belongs to an organization, which this claim names. Without the
    /// organization the address may have another owner since its verification.
    VerifiedInOrganization { claim: &'static str },
    /// The provider has verified it, or this claim names the issuer's own tenant: the tenant's administrators assign its
    /// e-mail addresses.
    OfTenant { claim: &'static str, find_tenant: fn(&Issuer) -> Option<&str> },
}

impl AcrSupport {
    /// The name of the claim.
    pub fn claim(self) -> &'static str {
        match self {
            Self::Unsupported | Self::AcrValues | Self::EssentialClaim => "acr",
            Self::AcrsClaim => "acrs",
        }
    }
}

/// The parts of a profile that `require` must fit.
#[derive(Debug)]
pub(in crate::config) struct RequireSettings<'a> {
    pub kind: Provider,
    pub issuer: &'a Issuer,
    pub require: &'a SignInRequirements,
    pub extra_params: &'a BTreeMap<String, String>,
}

/// Every requirement that the provider cannot meet, and every parameter that contradicts a requirement. The program
/// never replaces a parameter of `extra_params`, so a contradiction would weaken the request without a message.
pub(in crate::config) fn find_require_conflicts(
    settings: &RequireSettings<'_>,
) -> Vec<(&'static ConfigKey, ValueConflict)> {
    let unmet = find_unmet_fields(settings).into_iter().map(|conflict| (keys::REQUIRE.untyped(), conflict));
    let contradictions =
        find_contradictions(settings).into_iter().map(|conflict| (keys::EXTRA_PARAMS.untyped(), conflict));
    unmet.chain(contradictions).collect()
}

fn find_unmet_fields(settings: &RequireSettings<'_>) -> Vec<ValueConflict> {
    let RequireSettings { kind, issuer, require, extra_params: _ } = settings;
    let support = &kind.spec().proof;
    let unsupported = |field: &str, what: &str| {
        let rule = format!("{} cannot prove `{field}`: {what}", kind.name());
        ValueConflict::new(rule, format!("remove `{field}` from `require`, and restrict the sign-in at the provider"))
    };
    let mut found = Vec::new();
    if !require.acr.is_empty() {
        match support.acr {
            AcrSupport::Unsupported => found.push(unsupported("acr", "its ID tokens name no authentication context")),
            AcrSupport::AcrsClaim => {
                if let Some(wrong) = require.acr.iter().find(|value| !is_entra_context(value)) {
                    let rule = format!("{} is not an authentication context of {}", quote_text(wrong), kind.name());
                    found.push(ValueConflict::new(
                        rule,
                        "write the ID of one, from \"c1\" to \"c99\", as in acr = [\"c1\"]",
                    ));
                }
            }
            AcrSupport::AcrValues | AcrSupport::EssentialClaim => {}
        }
    }
    if !require.amr.is_empty() && !(support.has_amr)(issuer) {
        found.push(unsupported("amr", "its ID tokens do not list the authentication methods"));
    }
    if require.max_age.is_some() && support.max_age == MaxAgeSupport::Unsupported {
        found.push(unsupported("max_age", "no parameter asks it for a new authentication"));
    }
    found
}

/// Entra numbers its authentication contexts from c1 to c99 (Microsoft Graph, `authenticationContextValue`).
fn is_entra_context(value: &str) -> bool {
    let number = value.strip_prefix('c').filter(|number| !number.starts_with(['0', '+']));
    number.and_then(|number| number.parse::<u8>().ok()).is_some_and(|number| (1..=99).contains(&number))
}

fn find_contradictions(settings: &RequireSettings<'_>) -> Vec<ValueConflict> {
    let RequireSettings { kind, issuer: _, require, extra_params } = settings;
    let support = &kind.spec().proof;
    let parameter = |name: &str| extra_params.get(name).map(String::as_str);
    let contradiction = |name: &str, rule: String| {
        ValueConflict::new(rule, format!("remove `{name}` from `extra_params`: `require` sets it"))
    };
    let mut found = Vec::new();
    // An empty value leaves the parameter out of the request.
    let is_required = |value: &str| require.acr.iter().any(|one| one == value);
    if let Some(values) = parameter("acr_values").filter(|_| !require.acr.is_empty())
        && let Some(other) = values.split(' ').find(|value| !is_required(value))
    {
        let rule = format!("`acr_values` asks for {}, which `require` does not accept", quote_text(other));
        found.push(contradiction("acr_values", rule));
    }
    if parameter("claims").is_some() && support.acr == AcrSupport::AcrsClaim && !require.acr.is_empty() {
        found.push(contradiction("claims", "`claims` replaces the request for `acr` of `require`".to_owned()));
    }
    if let Some(age) = require.max_age {
        let is_older = |value: &str| value.parse::<u64>().map_or(true, |seconds| seconds > age.as_secs());
        if let Some(value) = parameter("max_age").filter(|value| is_older(value)) {
            let rule = format!("max_age = {} accepts an older sign-in than `require`", quote_text(value));
            found.push(contradiction("max_age", rule));
        }
        let reuses_session = |prompt: &&str| !prompt.split_whitespace().any(|word| word == "login");
        if support.max_age == MaxAgeSupport::FreshPrompt
            && let Some(prompt) = parameter("prompt").filter(reuses_session)
        {
            let rule =
                format!("with prompt = {} an old session is enough, but `require` has `max_age`", quote_text(prompt));
            found.push(contradiction("prompt", rule));
        }
    }
    if let Some(name) = support.domain_parameter
        && let Some(value) = parameter(name).filter(|value| *value != "*" && !require.email_domain.is_empty())
        && !require.email_domain.iter().any(|domain| domain.eq_ignore_ascii_case(value))
    {
        let rule = format!("{name} = {} is not one of the domains in `email_domain` of `require`", quote_text(value));
        found.push(contradiction(name, rule));
    }
    found
}

/// The warning about credentials that outlive `max_age`; `None` if they cannot.
pub(super) fn describe_late_renewal(profile: &Profile, oidc: &OidcSettings) -> Option<String> {
    let age = oidc.require.max_age?;
    (profile.session_duration > age).then(|| {
        "`session_duration` is longer than `max_age`, so AWS credentials outlive it: they last until they expire"
            .to_owned()
    })
}
