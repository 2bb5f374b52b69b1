//! Reads the session tags and the source identity from an ID token.
//!
//! AWS reads both from the token during the exchange. This program reads them only to show them to the user.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read_claim;
use crate::oidc::VerifiedToken;

/// The claim of the nested form, and the prefix of the claims of the flat form ("Pass session tags using
/// AssumeRoleWithWebIdentity" in the IAM User Guide).
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// The session tags of the token. A token can use the nested form, the flat form, or both.
///
/// The nested form is one claim, an object with `principal_tags`. The flat form is for providers that cannot issue
/// objects: one claim for each tag, whose name ends in `/principal_tags/Name`.
pub fn read_session_tags(token: &VerifiedToken) -> BTreeMap<String, String> {
    let prefix = format!("{TAGS_CLAIM}/principal_tags/");
    let flat = token.claims().iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)));
    let nested = token.claim(TAGS_CLAIM).and_then(|claim| claim.get("principal_tags")).and_then(Value::as_object);
    let nested = nested.into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    flat.chain(nested).filter_map(|(name, value)| Some((name.to_owned(), read_tag_value(value)?))).collect()
}

/// The value of a tag. The nested form writes it as a list with a single item.
fn read_tag_value(value: &Value) -> Option<String> {
    let one = value.as_array().map_or(Some(value), |values| values.first())?;
    one.as_str().map(str::to_owned)
}

/// The source identity. CloudTrail records it for this session and for all roles that are assumed from it.
pub fn read_source_identity(token: &VerifiedToken) -> Option<&str> {
    read_claim(token, SOURCE_IDENTITY)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::build_token_with, *};

    fn pairs(claims: &Value) -> Vec<(String, String)> {
        read_session_tags(&build_token_with(claims)).into_iter().collect()
    }

    #[test]
    fn nested_and_flat_tag_claims_are_equivalent() {
        let expected = [("Cost".to_owned(), "42".to_owned()), ("Team".to_owned(), "platform".to_owned())];
        for claims in [
            json!({ TAGS_CLAIM: { "principal_tags": { "Team": ["platform"], "Cost": ["42"] }, "transitive_tag_keys": ["Team"] } }),
            json!({ TAGS_CLAIM: { "principal_tags": { "Team": "platform", "Cost": "42" } } }),
            json!({
                "https://aws.amazon.com/tags/principal_tags/Team": "platform",
                "https://aws.amazon.com/tags/principal_tags/Cost": ["42"],
                "https://aws.amazon.com/tags/transitive_tag_keys": ["Team"],
            }),
        ] {
            assert_eq!(pairs(&claims), expected, "{claims}");
        }
    }

    #[test]
    fn claims_that_are_not_session_tags_are_ignored() {
        for claims in [
            json!({}),
            json!({ TAGS_CLAIM: "Team=platform" }),
            json!({ TAGS_CLAIM: { "principal_tags": ["Team"] } }),
            json!({ TAGS_CLAIM: { "principal_tags": { "Team": [], "Cost": 42 } } }),
            json!({ "https://aws.amazon.com/tags/other/Team": "platform" }),
        ] {
            assert!(pairs(&claims).is_empty(), "{claims}");
        }
    }
}
