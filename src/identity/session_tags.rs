//! What a token tells AWS besides who its bearer is: session tags and the source identity.
//!
//! AWS takes both from the token by itself; here they are read, to be shown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read_claim;
use crate::oidc::VerifiedToken;

/// The claim of the nested shape, and what the names of the flat shape begin with.
const TAGS_CLAIM: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// The session tags in the token, in the nested shape, the flat one, or both.
///
/// Nested: one claim with `principal_tags`. Flat, for providers that have no objects: a claim for each tag, whose name
/// goes on with `/principal_tags/Name`.
pub fn read_session_tags(token: &VerifiedToken) -> BTreeMap<String, String> {
    let prefix = format!("{TAGS_CLAIM}/principal_tags/");
    let flat = token.claims().iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)));
    let nested = token.claim(TAGS_CLAIM).and_then(|claim| claim.get("principal_tags")).and_then(Value::as_object);
    let nested = nested.into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    flat.chain(nested).filter_map(|(name, value)| Some((name.to_owned(), read_tag_value(value)?))).collect()
}

/// A tag has one value; the nested shape writes it as a list of one.
fn read_tag_value(value: &Value) -> Option<String> {
    let one = value.as_array().map_or(Some(value), |values| values.first())?;
    one.as_str().map(str::to_owned)
}

/// What CloudTrail shows of every role that the session goes on to.
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
    fn both_shapes_hold_the_same_tags() {
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
    fn what_is_no_tag_is_none() {
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
