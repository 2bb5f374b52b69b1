//! The claims of an ID token: true by default, and changed where a knob says so. `keys` signs them.

use serde_json::{Value, json};

use crate::{
    keys::{Algorithm, Forgery},
    knobs::{Knob, merge},
    wire::{Reply, Request},
    world::{CLIENT_ID, Common},
};

pub(crate) fn id_token(world: &Common, nonce: Option<&str>, access_token: &str) -> String {
    let named = world.knobs.text(Knob::Algorithm);
    let algorithm = named.map_or(Algorithm::RS256, |name| Algorithm::named(&name).expect("a known algorithm"));
    let forgery =
        world.knobs.take(Knob::Forgery).map(|value| serde_json::from_value::<Forgery>(value).expect("a known forgery"));
    let now = world.provider_now();
    let lifetime = world.knobs.take(Knob::IdTokenLifetime).and_then(|value| value.as_i64()).unwrap_or(3600);
    let mut claims = json!({
        "iss": world.issuer(),
        "aud": CLIENT_ID,
        "iat": now,
        "auth_time": now,
        "exp": now + lifetime,
        "at_hash": algorithm.half_hash(access_token),
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    merge(&mut claims, Some(user_claims()));
    merge(&mut claims, world.knobs.take(Knob::Claims));
    if let Some(Value::Object(times)) = world.knobs.take(Knob::IdTokenTimes) {
        for (claim, seconds) in times {
            claims[claim] = json!(now + seconds.as_i64().expect("seconds from now"));
        }
    }
    merge(&mut claims, world.knobs.take(Knob::IdTokenClaims));
    let token = world.keys.read().unwrap().sign(algorithm, forgery, &claims);
    world.ledger.record_secret("ID token", token)
}

fn user_claims() -> Value {
    json!({
        "sub": "00u-demo-1",
        "email": "demo@example.com",
        "email_verified": true,
        "preferred_username": "demo",
        "name": "Demo Person",
    })
}

/// UserInfo for an access token that the provider has issued (OIDC Core §5.3.1).
pub(crate) fn user_info(world: &Common, request: &Request) -> Reply {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| world.ledger.issued("access token", token)) {
        return Reply::json(401, &json!({ "error": "invalid_token" }));
    }
    let mut answer = user_claims();
    merge(&mut answer, world.knobs.peek(Knob::UserInfo));
    Reply::json(200, &answer)
}
