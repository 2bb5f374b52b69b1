//! Verified tokens with arbitrary claims, for tests.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    oidc::{RecallProof, VerifiedToken},
    secret::Secret,
};

/// A token with these claims. Its `sub` is "subject" unless the claims contain another one.
pub(crate) fn build_token_with(claims: &Value) -> VerifiedToken {
    let mut all = json!({ "sub": "subject", "exp": 1_893_459_600 });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let raw = format!("{}.{}.c2ln", part(&json!({})), part(&all));
    VerifiedToken::from_sealed_store(Secret::new(raw), RecallProof::for_tests()).unwrap()
}
