//! Rules that differ between providers: which scopes they know, when they issue a refresh token, and which `Origin`
//! header they accept. Without a knob they are the standard's.

use serde_json::Value;

use crate::{
    knobs::Knob,
    tokens::Refused,
    wire::{Fields, Request, field},
    world::Common,
};

const SCOPES: [&str; 7] = ["openid", "email", "profile", "groups", "phone", "address", "offline_access"];

pub(crate) fn scopes(world: &Common) -> Vec<String> {
    match world.knobs.peek(Knob::Scopes) {
        Some(Value::Array(known)) => known.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect(),
        _ => SCOPES.map(str::to_owned).to_vec(),
    }
}

/// RFC 6749 §3.3, and OIDC Core §3.1.2.1 for `openid`.
pub(crate) fn are_known(world: &Common, scope: &str) -> bool {
    let known = scopes(world);
    scope.split(' ').any(|word| word == "openid") && scope.split(' ').all(|word| known.iter().any(|one| one == word))
}

/// Whether this request is entitled to a refresh token.
pub(crate) fn is_offline(world: &Common, asked: &Fields) -> bool {
    let has = |name, word| field(asked, name).unwrap_or_default().split(' ').any(|one| one == word);
    match world.knobs.peek(Knob::Offline).as_ref().and_then(Value::as_str) {
        Some("always") => true,
        Some("consent") => has("scope", "offline_access") && has("prompt", "consent"),
        Some("access-type") => has("access_type", "offline") && has("prompt", "consent"),
        _ => has("scope", "offline_access"),
    }
}

/// Entra's rules for the `Origin` header, with Entra's errors.
pub(crate) fn origin(world: &Common, request: &Request) -> Result<(), Refused> {
    let wanted = world.knobs.peek(Knob::Origin);
    match (wanted.as_ref().and_then(Value::as_str), request.header("origin")) {
        (Some("required"), None) => Err((
            "invalid_request",
            "AADSTS9002327: Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
        )),
        (Some("refused"), Some(_)) => Err((
            "invalid_request",
            "AADSTS9002326: Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type.",
        )),
        _ => Ok(()),
    }
}
