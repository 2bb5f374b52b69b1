//! What a sign-in proved about the user and their authentication, and whether that meets the profile's `require`.
//!
//! The same check judges a new ID token and the claims that were stored at the sign-in. A claim that is missing, has a
//! wrong type or names something else proves nothing, so a doubt never meets a requirement.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    claims::{LEEWAY, read_numeric_date},
    rejection::UnmetRequirement,
};
use crate::{
    config::{AcrSupport, EmailAuthority, OidcSettings, SignInProofSupport, SignInRequirements},
    text::UntrustedText,
    time::Timestamp,
};

/// The claims that a requirement of some provider can be about.
const PROOF_CLAIMS: [&str; 8] = ["acr", "acrs", "amr", "auth_time", "email", "email_verified", "hd", "tid"];

/// The provider's statement that it has verified `email` (OIDC Core §5.1).
const VERIFIED_CLAIM: &str = "email_verified";

/// The claims that vouch for an e-mail address.
const EMAIL_PROOF: [&str; 3] = [VERIFIED_CLAIM, "hd", "tid"];

/// The claims of a sign-in that `require` can be about, as the provider signed them. Empty if the sign-in proved
/// nothing, and in records of versions that did not store it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignInProof(Map<String, Value>);

/// The requirements of a profile, and how its provider meets them.
#[derive(Clone, Copy, Debug)]
pub struct ProofRules<'a> {
    require: &'a SignInRequirements,
    support: &'static SignInProofSupport,
    /// The tenant that vouches for e-mail addresses, if the provider has tenants.
    tenant: Option<&'a str>,
}

impl SignInProof {
    /// The proof of a new sign-in, from the claims of its verified token.
    pub fn from_claims(claims: &Map<String, Value>) -> Self {
        let stated = |name: &str| Some((name.to_owned(), claims.get(name)?.clone()));
        Self(PROOF_CLAIMS.into_iter().filter_map(stated).collect())
    }

    /// Takes over the claims that a refreshed token states. A refresh authenticates nobody, and a token may omit these
    /// claims (OIDC Core §12.2): the values of the sign-in stay, and the time of the authentication never becomes later.
    pub fn update_after_refresh(&mut self, claims: &Map<String, Value>) {
        let has_new_address = claims.get("email").is_some_and(|email| Some(email) != self.0.get("email"));
        if has_new_address {
            // What vouched for the former address says nothing about this one.
            EMAIL_PROOF.iter().for_each(|name| drop(self.0.remove(*name)));
        }
        for name in PROOF_CLAIMS {
            let Some(stated) = claims.get(name) else { continue };
            let is_later = || read_numeric_date(stated) >= self.0.get(name).and_then(read_numeric_date);
            if name != "auth_time" || !is_later() {
                self.0.insert(name.to_owned(), stated.clone());
            }
        }
    }

    /// When the authentication becomes older than `max_age`; `None` if the profile has none or the time is not proved.
    pub fn find_end(&self, rules: &ProofRules<'_>) -> Option<Timestamp> {
        let at = self.0.get("auth_time").and_then(read_numeric_date)?;
        Some(at.saturating_add(rules.require.max_age?))
    }

    /// The first requirement that the sign-in does not meet now; `None` if it meets all.
    pub fn find_unmet(&self, rules: &ProofRules<'_>, now: Timestamp) -> Option<UnmetRequirement> {
        check_claims(&self.0, rules, now).err()
    }
}

/// The requirements that sign-ins of this profile must meet; `None` if it requires nothing.
pub fn find_proof_rules(settings: &OidcSettings) -> Option<ProofRules<'_>> {
    if settings.require.is_empty() {
        return None;
    }
    let support = &settings.provider.spec().proof;
    let tenant = match support.email {
        EmailAuthority::OfTenant { claim: _, find_tenant } => find_tenant(&settings.issuer),
        EmailAuthority::Verified | EmailAuthority::VerifiedInOrganization { .. } => None,
    };
    Some(ProofRules { require: &settings.require, support, tenant })
}

/// Checks the claims of a token or of a stored proof, and returns the first requirement that they do not meet.
pub(super) fn check_claims(
    claims: &Map<String, Value>,
    rules: &ProofRules<'_>,
    now: Timestamp,
) -> Result<(), UnmetRequirement> {
    check_context(claims, rules)?;
    check_methods(claims, rules)?;
    check_age(claims, rules, now)?;
    check_email(claims, rules)
}

/// `acr` must be one of the accepted contexts. Entra's `acrs` lists all contexts that the sign-in satisfies.
fn check_context(claims: &Map<String, Value>, rules: &ProofRules<'_>) -> Result<(), UnmetRequirement> {
    let accepted = &rules.require.acr;
    if accepted.is_empty() {
        return Ok(());
    }
    let claim = rules.support.acr.claim();
    let stated = claims.get(claim);
    let actual = match rules.support.acr {
        AcrSupport::AcrsClaim => stated.and_then(read_texts).unwrap_or_default(),
        AcrSupport::Unsupported | AcrSupport::AcrValues | AcrSupport::EssentialClaim => {
            stated.and_then(Value::as_str).into_iter().collect()
        }
    };
    if actual.iter().any(|context| accepted.iter().any(|one| one == context)) {
        return Ok(());
    }
    Err(UnmetRequirement::Context { claim, accepted: accepted.clone(), actual: quote_all(&actual) })
}

/// `amr` must list every required method. With "one of them" a list such as `["mfa", "hwk"]` would accept a sign-in
/// without the hardware key; read as "all", a wrong list fails where everybody sees it.
fn check_methods(claims: &Map<String, Value>, rules: &ProofRules<'_>) -> Result<(), UnmetRequirement> {
    let actual = claims.get("amr").and_then(read_texts).unwrap_or_default();
    let missing = rules.require.amr.iter().filter(|method| !actual.contains(&method.as_str()));
    let missing: Vec<String> = missing.cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(UnmetRequirement::Methods { missing, actual: quote_all(&actual) })
}

/// `auth_time` must lie within `max_age` (OIDC Core §3.1.3.7 item 13). A time in the future is no proof: it would extend
/// the sign-in by as much as the clocks differ.
fn check_age(claims: &Map<String, Value>, rules: &ProofRules<'_>, now: Timestamp) -> Result<(), UnmetRequirement> {
    let Some(limit) = rules.require.max_age else { return Ok(()) };
    let Some(at) = claims.get("auth_time").and_then(read_numeric_date) else {
        return Err(UnmetRequirement::NoAuthTime { limit });
    };
    if at > now.saturating_add(LEEWAY) {
        return Err(UnmetRequirement::AuthTimeInFuture { at, now });
    }
    let age = now.duration_since(at);
    if age > limit.saturating_add(LEEWAY) { Err(UnmetRequirement::TooOld { age, limit }) } else { Ok(()) }
}

/// The domain of `email` must be an accepted one, and the provider must vouch for the address.
fn check_email(claims: &Map<String, Value>, rules: &ProofRules<'_>) -> Result<(), UnmetRequirement> {
    let accepted = &rules.require.email_domain;
    if accepted.is_empty() {
        return Ok(());
    }
    let address = claims.get("email").and_then(Value::as_str);
    let domain = address.and_then(find_domain);
    if !domain.is_some_and(|domain| accepted.iter().any(|one| one.eq_ignore_ascii_case(domain))) {
        let actual = address.map(UntrustedText::new);
        return Err(UnmetRequirement::EmailDomain { accepted: accepted.clone(), actual });
    }
    match find_missing_email_proof(claims, rules) {
        None => Ok(()),
        Some(claim) => {
            let address = UntrustedText::new(address.unwrap_or_default());
            Err(UnmetRequirement::EmailNotVouched { address, claim })
        }
    }
}

/// The claim that would vouch for the address; `None` if the provider vouches for it.
fn find_missing_email_proof(claims: &Map<String, Value>, rules: &ProofRules<'_>) -> Option<&'static str> {
    let stated = |claim: &str| claims.get(claim).and_then(Value::as_str).filter(|value| !value.is_empty());
    let is_verified = claims.get(VERIFIED_CLAIM) == Some(&Value::Bool(true));
    match rules.support.email {
        EmailAuthority::Verified => (!is_verified).then_some(VERIFIED_CLAIM),
        EmailAuthority::VerifiedInOrganization { claim } => match (is_verified, stated(claim)) {
            (false, _) => Some(VERIFIED_CLAIM),
            (true, None) => Some(claim),
            (true, Some(_)) => None,
        },
        EmailAuthority::OfTenant { claim, find_tenant: _ } => {
            let is_own = |tenant: &str| stated(claim).is_some_and(|value| value.eq_ignore_ascii_case(tenant));
            match rules.tenant {
                _ if is_verified => None,
                Some(tenant) if is_own(tenant) => None,
                Some(_) => Some(claim),
                None => Some(VERIFIED_CLAIM),
            }
        }
    }
}

/// The domain of a plain address. `None` for an address that two readers could split differently: with several `@`, a
/// quoted local part (RFC 5321 §4.1.2), white space or control characters.
fn find_domain(address: &str) -> Option<&str> {
    let is_odd = |part: char| part.is_whitespace() || part.is_control() || "\"\\()<>,;:".contains(part);
    let (local, domain) = address.split_once('@')?;
    let is_plain = !local.is_empty() && !domain.contains('@') && !address.contains(is_odd);
    is_plain.then_some(domain)
}

/// The texts of a list; `None` if the value is not a list of texts only.
fn read_texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn quote_all(texts: &[&str]) -> Vec<UntrustedText> {
    texts.iter().map(|text| UntrustedText::new(*text)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        config::{Issuer, Provider},
        oidc::testing::test_settings,
    };

    const NOW: i64 = 1_800_000_000;
    const TENANT: &str = "11111111-2222-3333-4444-555555555555";

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    fn settings(provider: Provider, require: SignInRequirements) -> OidcSettings {
        let issuer = match provider {
            Provider::Entra => format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
            _ => "https://id.example".to_owned(),
        };
        OidcSettings { issuer: Issuer::parse(&issuer).unwrap(), require, ..test_settings(provider) }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the tests write the claims in place")]
    fn check(settings: &OidcSettings, claims: Value) -> Result<(), UnmetRequirement> {
        let rules = find_proof_rules(settings);
        rules.map_or(Ok(()), |rules| check_claims(claims.as_object().unwrap(), &rules, Timestamp::from_unix(NOW)))
    }

    fn contexts(provider: Provider, accepted: &[&str]) -> OidcSettings {
        settings(provider, SignInRequirements { acr: words(accepted), ..SignInRequirements::default() })
    }

    fn domains(provider: Provider, accepted: &[&str]) -> OidcSettings {
        settings(provider, SignInRequirements { email_domain: words(accepted), ..SignInRequirements::default() })
    }

    fn max_age(limit: u64) -> OidcSettings {
        let max_age = Some(Duration::from_secs(limit));
        settings(Provider::Generic, SignInRequirements { max_age, ..SignInRequirements::default() })
    }

    #[test]
    fn a_profile_without_requirements_accepts_every_token() {
        let settings = settings(Provider::Generic, SignInRequirements::default());
        assert_eq!(check(&settings, json!({ "acr": 1, "amr": "x", "auth_time": null, "email": [] })), Ok(()));
    }

    #[test]
    fn acr_must_be_one_of_the_accepted_texts() {
        let settings = contexts(Provider::Generic, &["2", "3"]);
        for good in ["2", "3"] {
            assert_eq!(check(&settings, json!({ "acr": good })), Ok(()));
        }
        for bad in [
            json!({}),
            json!({ "acr": "1" }),
            json!({ "acr": 2 }),
            json!({ "acr": ["2"] }),
            json!({ "acr": "2 3" }),
            json!({ "acrs": ["2"] }),
        ] {
            assert!(matches!(check(&settings, bad.clone()), Err(UnmetRequirement::Context { .. })), "{bad}");
        }
    }

    #[test]
    fn entra_contexts_are_read_from_the_list_acrs() {
        let settings = contexts(Provider::Entra, &["c1", "c2"]);
        assert_eq!(check(&settings, json!({ "acrs": ["p1", "c2"] })), Ok(()));
        for bad in
            [json!({ "acr": "c1" }), json!({ "acrs": "c1" }), json!({ "acrs": ["c3"] }), json!({ "acrs": ["c1", 2] })]
        {
            assert!(check(&settings, bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_required_method_must_be_listed() {
        let require = SignInRequirements { amr: words(&["mfa", "hwk"]), ..SignInRequirements::default() };
        let settings = settings(Provider::Generic, require);
        assert_eq!(check(&settings, json!({ "amr": ["pwd", "hwk", "mfa"] })), Ok(()));
        for bad in
            [json!({}), json!({ "amr": ["mfa"] }), json!({ "amr": "mfa hwk" }), json!({ "amr": ["mfa", "hwk", 1] })]
        {
            assert!(matches!(check(&settings, bad.clone()), Err(UnmetRequirement::Methods { .. })), "{bad}");
        }
        let Err(UnmetRequirement::Methods { missing, .. }) = check(&settings, json!({ "amr": ["mfa"] })) else {
            panic!()
        };
        assert_eq!(missing, ["hwk"]);
    }

    #[test]
    fn authentication_may_be_as_old_as_max_age_and_leeway() {
        let settings = max_age(3600);
        for good in [NOW, NOW - 3600, NOW - 3660, NOW + 60] {
            assert_eq!(check(&settings, json!({ "auth_time": good })), Ok(()), "{good}");
        }
        assert_eq!(check(&settings, json!({ "auth_time": NOW.to_string() })), Ok(()), "Entra v1 writes a text");
        let too_old = check(&settings, json!({ "auth_time": NOW - 3661 }));
        let limit = Duration::from_secs(3600);
        assert_eq!(too_old, Err(UnmetRequirement::TooOld { age: Duration::from_secs(3661), limit }));
        for missing in
            [json!({}), json!({ "auth_time": null }), json!({ "auth_time": true }), json!({ "auth_time": "now" })]
        {
            assert_eq!(check(&settings, missing), Err(UnmetRequirement::NoAuthTime { limit }));
        }
        let future = check(&settings, json!({ "auth_time": NOW + 61 }));
        assert!(matches!(future, Err(UnmetRequirement::AuthTimeInFuture { .. })));
    }

    #[test]
    fn email_domain_is_compared_as_a_whole() {
        let settings = domains(Provider::Generic, &["acme.com", "bücher.example"]);
        let with = |email: &str| check(&settings, json!({ "email": email, "email_verified": true }));
        for good in ["a@acme.com", "A.B+c@ACME.Com", "a@bücher.example"] {
            assert_eq!(with(good), Ok(()), "{good}");
        }
        for bad in [
            "a@evil-acme.com", "a@acme.com.evil", "a@sub.acme.com", "a@acme.com.", "a@acme.com ", " a@acme.com",
            "a@evil.com@acme.com", "\"a@evil.com\"@acme.com", "\"a\"@acme.com", "a@evil.com,b@acme.com", "<a@acme.com",
            "@acme.com", "acme.com", "a@", "", "a@acme.com\n", "a@evil.com\0@acme.com", "a@xn--bcher-kva.example",
            "a@\u{ff41}cme.com", "a@\u{430}cme.com",
        ] {
            assert!(matches!(with(bad), Err(UnmetRequirement::EmailDomain { .. })), "{bad:?}");
        }
    }

    #[test]
    fn an_unverified_address_meets_no_domain() {
        let settings = domains(Provider::Generic, &["acme.com"]);
        for verified in [json!(null), json!(false), json!("true"), json!(1)] {
            let claims = json!({ "email": "a@acme.com", "email_verified": verified, "hd": "acme.com", "tid": TENANT });
            assert!(matches!(check(&settings, claims), Err(UnmetRequirement::EmailNotVouched { .. })), "{verified}");
        }
        assert!(check(&settings, json!({ "email": "a@acme.com" })).is_err());
    }

    #[test]
    fn entra_tenant_vouches_for_an_address_and_no_other() {
        let entra = domains(Provider::Entra, &["acme.com"]);
        let of = |settings: &OidcSettings, tid: Value| check(settings, json!({ "email": "a@acme.com", "tid": tid }));
        assert_eq!(of(&entra, json!(TENANT)), Ok(()));
        assert!(matches!(of(&entra, json!(null)), Err(UnmetRequirement::EmailNotVouched { claim: "tid", .. })));
        for tid in [json!("99999999-2222-3333-4444-555555555555"), json!(""), json!(null), json!([TENANT])] {
            assert!(of(&entra, tid).is_err());
        }
        // Users of an external tenant register themselves.
        let issuer = Issuer::parse(&format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0")).unwrap();
        let external = of(&OidcSettings { issuer, ..entra }, json!(TENANT));
        assert!(matches!(external, Err(UnmetRequirement::EmailNotVouched { claim: VERIFIED_CLAIM, .. })));
    }

    #[test]
    fn google_address_needs_verification_and_organization() {
        let google = domains(Provider::Google, &["acme.com"]);
        let of = |verified: bool, hd: Value| {
            check(&google, json!({ "email": "a@acme.com", "email_verified": verified, "hd": hd }))
        };
        let not_vouched = |claim| {
            let address = UntrustedText::new("a@acme.com");
            Err(UnmetRequirement::EmailNotVouched { address, claim })
        };
        assert_eq!(of(true, json!("acme.com")), Ok(()));
        assert_eq!(of(false, json!("acme.com")), not_vouched(VERIFIED_CLAIM));
        // A personal account whose owner has left the company since the verification.
        assert_eq!([of(true, json!(null)), of(true, json!(""))], [not_vouched("hd"), not_vouched("hd")]);
    }

    fn proof(claims: &Value) -> SignInProof {
        SignInProof::from_claims(claims.as_object().unwrap())
    }

    #[expect(clippy::needless_pass_by_value, reason = "the tests write the claims in place")]
    fn refreshed(before: Value, stated: Value) -> Value {
        let mut proof = proof(&before);
        proof.update_after_refresh(stated.as_object().unwrap());
        serde_json::to_value(proof).unwrap()
    }

    #[test]
    fn proof_stores_only_the_claims_of_requirements() {
        let stored = proof(&json!({ "acr": "2", "amr": ["mfa"], "name": "Alice", "groups": ["x"] }));
        assert_eq!(serde_json::to_value(stored).unwrap(), json!({ "acr": "2", "amr": ["mfa"] }));
    }

    #[test]
    fn refresh_changes_stated_claims_but_never_the_time() {
        let before = json!({ "acr": "2", "amr": ["mfa"], "auth_time": 100 });
        assert_eq!(refreshed(before.clone(), json!({})), before);
        let lower = json!({ "acr": "1", "amr": ["pwd"], "auth_time": 50 });
        assert_eq!(refreshed(before.clone(), lower.clone()), lower);
        assert_eq!(refreshed(before.clone(), json!({ "auth_time": 200 })), before);
        assert_eq!(refreshed(json!({}), json!({ "auth_time": 200 })), json!({}), "the sign-in proved no time");
    }

    #[test]
    fn a_new_address_needs_a_new_verification() {
        let before = json!({ "email": "a@acme.com", "email_verified": true });
        assert_eq!(refreshed(before.clone(), json!({ "email": "a@acme.com" })), before);
        assert_eq!(refreshed(before, json!({ "email": "b@acme.com" })), json!({ "email": "b@acme.com" }));
    }
}
