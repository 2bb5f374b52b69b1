//! The parameters that ask the provider for the proofs of `require`.
//!
//! They are a request only: a provider may ignore each of them, so `sign_in_proof` checks what the ID token states.

use serde_json::{Map, Value, json};

use super::ProviderMetadata;
use crate::config::{AcrSupport, MaxAgeSupport, OidcSettings};

/// The parameters of the authorization request or the device authorization request. A parameter that the profile sets in
/// `extra_params` is left out, because the configuration has checked that it does not contradict `require`.
pub(super) fn build_proof_parameters(
    settings: &OidcSettings,
    metadata: &ProviderMetadata,
) -> Vec<(&'static str, String)> {
    let (require, support) = (&settings.require, &settings.provider.spec().proof);
    let is_free = |name: &str| !settings.extra_params.contains_key(name);
    let mut parameters: Vec<(&'static str, String)> = Vec::new();
    let claims = if is_free("claims") { select_claims(settings, metadata) } else { Map::new() };
    // OIDC Core §5.5.1.1 leaves open what `acr_values` beside a request for `acr` in `claims` means.
    let asks_for_acr = claims.contains_key(support.acr.claim());
    match support.acr {
        AcrSupport::AcrValues | AcrSupport::EssentialClaim if !require.acr.is_empty() && !asks_for_acr => {
            parameters.push(("acr_values", require.acr.join(" ")));
        }
        AcrSupport::Unsupported | AcrSupport::AcrValues | AcrSupport::EssentialClaim | AcrSupport::AcrsClaim => {}
    }
    if !claims.is_empty() {
        parameters.push(("claims", json!({ "id_token": claims }).to_string()));
    }
    match (support.max_age, require.max_age) {
        (MaxAgeSupport::Parameter, Some(age)) => parameters.push(("max_age", age.as_secs().to_string())),
        (MaxAgeSupport::FreshPrompt, Some(_)) => parameters.push(("prompt", "login".to_owned())),
        (MaxAgeSupport::Unsupported, _) | (MaxAgeSupport::Parameter | MaxAgeSupport::FreshPrompt, None) => {}
    }
    if let Some(name) = support.domain_parameter {
        match require.email_domain.as_slice() {
            [] => {}
            [only] => parameters.push((name, only.clone())),
            // Any organization: the parameter cannot name several.
            [_, _, ..] => parameters.push((name, "*".to_owned())),
        }
    }
    parameters.retain(|(name, _)| is_free(name));
    parameters
}

/// The claims to request for the ID token (OIDC Core §5.5.1). Empty if the provider does not read the parameter
/// `claims`.
fn select_claims(settings: &OidcSettings, metadata: &ProviderMetadata) -> Map<String, Value> {
    let (require, support) = (&settings.require, &settings.provider.spec().proof);
    let mut claims = Map::new();
    match support.acr {
        AcrSupport::Unsupported | AcrSupport::AcrValues => return claims,
        AcrSupport::AcrsClaim => {
            // Entra documents a single value. A sign-in that satisfies another accepted context passes too.
            if let Some(context) = require.acr.first() {
                claims.insert("acrs".to_owned(), json!({ "essential": true, "value": context }));
            }
            return claims;
        }
        AcrSupport::EssentialClaim if !metadata.claims_parameter => return claims,
        AcrSupport::EssentialClaim => {}
    }
    // If the profile sends `acr_values` itself, the claim must not be requested a second time.
    if !require.acr.is_empty() && !settings.extra_params.contains_key("acr_values") {
        claims.insert("acr".to_owned(), json!({ "essential": true, "values": require.acr }));
    }
    let further = [
        (!require.amr.is_empty(), &["amr"][..]),
        (require.max_age.is_some(), &["auth_time"]),
        (!require.email_domain.is_empty(), &["email", "email_verified"]),
    ];
    let needed = further.into_iter().filter(|(is_needed, _)| *is_needed).flat_map(|(_, names)| names);
    claims.extend(needed.map(|name| ((*name).to_owned(), json!({ "essential": true }))));
    claims
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::{
        config::{Provider, SignInRequirements},
        oidc::testing::{test_metadata, test_settings},
    };

    fn all() -> SignInRequirements {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        SignInRequirements {
            acr: words(&["c1", "c2"]),
            amr: words(&["mfa"]),
            max_age: Some(Duration::from_secs(3600)),
            email_domain: words(&["acme.com"]),
        }
    }

    fn asked(settings: &OidcSettings, claims_parameter: bool) -> BTreeMap<&'static str, String> {
        let metadata = ProviderMetadata { claims_parameter, ..test_metadata("https://id.example") };
        build_proof_parameters(settings, &metadata).into_iter().collect()
    }

    fn requiring(provider: Provider, require: SignInRequirements) -> OidcSettings {
        OidcSettings { require, ..test_settings(provider) }
    }

    #[test]
    fn a_profile_without_requirements_asks_for_nothing() {
        for provider in [Provider::Generic, Provider::Entra, Provider::Google, Provider::Okta] {
            assert!(asked(&requiring(provider, SignInRequirements::default()), true).is_empty());
        }
    }

    #[test]
    fn essential_claims_replace_acr_values_if_supported() {
        let generic = requiring(Provider::Generic, all());
        let expected = json!({ "id_token": {
            "acr": { "essential": true, "values": ["c1", "c2"] },
            "amr": { "essential": true },
            "auth_time": { "essential": true },
            "email": { "essential": true },
            "email_verified": { "essential": true },
        } });
        let sent = asked(&generic, true);
        assert_eq!(serde_json::from_str::<Value>(&sent["claims"]).unwrap(), expected);
        assert_eq!((sent.get("acr_values"), sent["max_age"].as_str()), (None, "3600"));
        let sent = asked(&generic, false);
        assert_eq!((sent["acr_values"].as_str(), sent.get("claims")), ("c1 c2", None));
    }

    #[test]
    fn known_providers_get_their_documented_parameters() {
        for provider in [Provider::Okta, Provider::Auth0, Provider::Cognito] {
            let sent = asked(&requiring(provider, all()), true);
            let expected = [("acr_values", "c1 c2".to_owned()), ("max_age", "3600".to_owned())];
            assert_eq!(sent, expected.into(), "{provider:?}");
        }
        let sent = asked(&requiring(Provider::Entra, all()), false);
        let expected = [
            ("claims", r#"{"id_token":{"acrs":{"essential":true,"value":"c1"}}}"#.to_owned()),
            ("prompt", "login".to_owned()),
        ];
        assert_eq!(sent, expected.into());
    }

    #[test]
    fn google_gets_the_domain_or_any_organization() {
        let domains = |list: &[&str]| SignInRequirements {
            email_domain: list.iter().map(|word| (*word).to_owned()).collect(),
            ..SignInRequirements::default()
        };
        assert_eq!(asked(&requiring(Provider::Google, domains(&["acme.com"])), true)["hd"], "acme.com");
        assert_eq!(asked(&requiring(Provider::Google, domains(&["acme.com", "acme.de"])), true)["hd"], "*");
    }

    #[test]
    fn extra_params_are_never_replaced() {
        for (name, value) in [("max_age", "60"), ("acr_values", "c1"), ("claims", "{}")] {
            let mut settings = requiring(Provider::Generic, all());
            settings.extra_params.insert(name.to_owned(), value.to_owned());
            assert!(!asked(&settings, true).contains_key(name), "{name}");
        }
        let mut settings = requiring(Provider::Generic, all());
        settings.extra_params.insert("acr_values".to_owned(), "c1".to_owned());
        assert!(!asked(&settings, true)["claims"].contains("\"acr\""));
        settings.extra_params = [("claims".to_owned(), "{}".to_owned())].into();
        assert_eq!(asked(&settings, true)["acr_values"], "c1 c2");
    }
}
