//! Who a user is, as OpenTelemetry resource attributes. A relay adds them to telemetry in place of what the sender says.
//!
//! They have the names of AWS's guidance sample and of CloudWatch's dashboards for coding agents, and come from a
//! verified token.

use std::collections::{BTreeMap, BTreeSet};

use super::{claim_text::read_first_claim, identity_table::IDENTITY_FIELDS};
use crate::{
    config::{Profile, Provider},
    oidc::VerifiedToken,
    text::sanitize_line,
};

/// The attributes of one user, and the names of all attributes that the relay decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityAttributes {
    values: BTreeMap<String, String>,
    /// The sender may not set these, whether or not the token has a value for them.
    decided: BTreeSet<String>,
}

impl IdentityAttributes {
    /// The attributes of a verified token. `chosen` names claims for an attribute, which replace those of the table or
    /// add an attribute. A claim without a value adds nothing.
    pub fn from_claims(token: &VerifiedToken, provider: Provider, chosen: &BTreeMap<String, Vec<String>>) -> Self {
        let mut attributes = Self::with_table_names();
        for field in IDENTITY_FIELDS.iter().filter(|field| !chosen.contains_key(field.attribute)) {
            attributes.set(field.attribute, field.attribute_value(token, provider));
        }
        for (name, claims) in chosen {
            attributes.set(name, read_first_claim(token, claims));
        }
        attributes
    }

    /// The attributes of a verified token by a profile: `telemetry.headers` and `telemetry.static` decide them as they
    /// decide the headers.
    pub fn from_profile(token: &VerifiedToken, profile: &Profile) -> Self {
        let configured = &profile.telemetry.headers;
        let mut attributes = Self::with_table_names();
        if let Some(oidc) = profile.oidc().filter(|_| configured.is_empty()) {
            for field in &IDENTITY_FIELDS {
                attributes.set(field.attribute, field.attribute_value(token, oidc.provider));
            }
        }
        for (header, claims) in configured {
            attributes.set(&convert_header_name(header), read_first_claim(token, claims));
        }
        attributes.with_fixed_values(profile)
    }

    /// The attributes of a user of an Identity Center, of whom only the name is known. It is often an e-mail address.
    pub fn from_user_name(name: &str, profile: &Profile) -> Self {
        let mut attributes = Self::with_table_names();
        attributes.set("user.name", Some(name.to_owned()));
        attributes.set("user.email", Some(name.to_owned()).filter(|name| name.contains('@')));
        attributes.with_fixed_values(profile)
    }

    /// No attributes: the sender may set none, and nobody is named.
    pub fn nobody() -> Self {
        Self::with_table_names()
    }

    fn with_table_names() -> Self {
        let decided = IDENTITY_FIELDS.iter().map(|field| field.attribute.to_owned()).collect();
        Self { values: BTreeMap::new(), decided }
    }

    fn with_fixed_values(mut self, profile: &Profile) -> Self {
        for (header, value) in &profile.telemetry.fixed {
            self.set(&convert_header_name(header), Some(value.clone()));
        }
        self
    }

    /// Sets an attribute, unless the value is empty. A claim is untrusted text, so control and invisible characters are
    /// escaped, and the length is limited.
    fn set(&mut self, name: &str, value: Option<String>) {
        self.decided.insert(name.to_owned());
        let value = value.map(|value| sanitize_line(&value)).filter(|value| !value.is_empty());
        if let Some(value) = value {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// The value of an attribute, such as `user.email`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names of all attributes that the sender may not set.
    pub fn decided_names(&self) -> impl Iterator<Item = &str> {
        self.decided.iter().map(String::as_str)
    }
}

/// The attribute for a header. Another header than those of the table becomes its name without `x-`, with underscores:
/// `x-business-unit` is `business_unit`.
fn convert_header_name(header: &str) -> String {
    match IDENTITY_FIELDS.iter().find(|field| field.header == header) {
        Some(field) => field.attribute.to_owned(),
        None => header.strip_prefix("x-").unwrap_or(header).replace('-', "_"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{config::testing::profile, identity::testing::build_token_with};

    fn to_pairs(attributes: &IdentityAttributes) -> Vec<(&str, &str)> {
        attributes.iter().collect()
    }

    fn names(claims: &[&str]) -> Vec<String> {
        claims.iter().map(|&claim| claim.to_owned()).collect()
    }

    #[test]
    fn attributes_have_the_samples_names_and_no_invented_values() {
        let token = build_token_with(&json!({
            "email": "alice@example.com", "department": "R&D", "custom:team": "core", "costCenter": 4711,
        }));
        let expected = [
            ("cost_center", "4711"),
            ("department", "R&D"),
            ("organization", "okta"),
            ("team.id", "core"),
            ("user.email", "alice@example.com"),
            ("user.id", "a9491f4c-1bf7-b0cf-fbad-cba2db8f028e"),
            ("user.name", "alice"),
        ];
        let attributes = IdentityAttributes::from_claims(&token, Provider::Okta, &BTreeMap::new());
        assert_eq!(to_pairs(&attributes), expected);
        // The sender may set none of the eleven, also where the token has no value.
        assert_eq!(attributes.decided_names().count(), 11);
        assert!(attributes.decided_names().any(|name| name == "manager"));
    }

    #[test]
    fn chosen_claims_replace_a_row_of_the_table() {
        let token = build_token_with(&json!({ "email": "alice@example.com", "team": "core", "dept": ["a", "b"] }));
        let chosen = BTreeMap::from([
            ("team.id".to_owned(), names(&["squad"])),
            ("business_unit".to_owned(), names(&["none", "dept"])),
            ("user.id".to_owned(), names(&["sub"])),
        ]);
        let attributes = IdentityAttributes::from_claims(&token, Provider::Okta, &chosen);
        assert_eq!(attributes.get("team.id"), None);
        assert_eq!(attributes.get("business_unit"), Some("a,b"));
        assert_eq!(attributes.get("user.id"), Some("subject"));
        assert!(attributes.decided_names().any(|name| name == "business_unit"));
    }

    #[test]
    fn headers_of_a_profile_become_attributes() {
        let token = build_token_with(&json!({ "email": "alice@example.com", "unit": "x" }));
        let mut profile = profile();
        let by_default = IdentityAttributes::from_profile(&token, &profile);
        assert_eq!(by_default.get("user.email"), Some("alice@example.com"));
        profile.telemetry.headers = BTreeMap::from([
            ("x-business-unit".to_owned(), names(&["unit"])),
            ("x-cost-center".to_owned(), names(&["none"])),
        ]);
        profile.telemetry.fixed = BTreeMap::from([("x-organization".to_owned(), "acme".to_owned())]);
        let attributes = IdentityAttributes::from_profile(&token, &profile);
        assert_eq!(to_pairs(&attributes), [("business_unit", "x"), ("organization", "acme")]);
        let named = IdentityAttributes::from_user_name("alice@example.com", &profile);
        let expected =
            [("organization", "acme"), ("user.email", "alice@example.com"), ("user.name", "alice@example.com")];
        assert_eq!(to_pairs(&named), expected);
    }

    #[test]
    fn values_are_one_safe_line() {
        let token = build_token_with(&json!({ "email": "a\u{202e}b\r\nc", "department": " \u{0}", "team": "" }));
        let attributes = IdentityAttributes::from_claims(&token, Provider::Generic, &BTreeMap::new());
        assert_eq!(attributes.get("user.email"), Some("a\\u{202e}b c"));
        assert_eq!(attributes.get("team.id"), None);
    }
}
