//! The provider's token and revocation endpoints: they redeem codes, refresh grants and revoke them.
//!
//! RFC 6749 §4.1.3 and §6, RFC 7636, RFC 7009, and the token rotation of RFC 9700 §4.14. `claims` fills the ID token.

use serde_json::{Value, json};

use crate::{
    claims, client_auth, devices, keys,
    knobs::Knob,
    ledger::Endpoint,
    provider::{Grant, State},
    vendor_rules,
    wire::{Fields, Reply, Request, field},
    world::Common,
};

pub(crate) type Refused = (&'static str, &'static str);

pub(crate) fn answer(world: &Common, endpoint: Endpoint, request: &Request) -> Reply {
    let form = match client_auth::form(world, request) {
        Ok(form) => form,
        Err(error) => return error.answer(request),
    };
    let result = vendor_rules::origin(world, request).and_then(|()| match endpoint {
        Endpoint::Refresh => refresh(world, &form),
        Endpoint::Revoke => Ok(revoke(world, &form)),
        Endpoint::DeviceCode => devices::begin(world, &form),
        Endpoint::Poll => devices::poll(world, &form),
        _ => redeem(world, &form),
    });
    let status = u16::try_from(world.knobs.number(Knob::RefusalStatus, 400)).expect("a status");
    match result {
        Ok(value) => Reply::json(200, &value),
        Err((error, why)) => Reply::json(status, &json!({ "error": error, "error_description": why })),
    }
}

fn redeem(world: &Common, form: &Fields) -> Result<Value, Refused> {
    if field(form, "grant_type") != Some("authorization_code") {
        return Err(("unsupported_grant_type", "authorization_code or refresh_token"));
    }
    let verifier = field(form, "code_verifier").ok_or(("invalid_request", "code_verifier is missing"))?;
    world.ledger.record_secret("PKCE verifier", verifier.to_owned());
    let (grant, authorization) = {
        let mut state = world.provider.0.lock().unwrap();
        let State { codes, grants, .. } = &mut *state;
        let code = codes.get_mut(field(form, "code").unwrap_or_default());
        let code = code.ok_or(("invalid_grant", "no such code"))?;
        if let Some(grant) = code.grant {
            // RFC 6749 §4.1.2: a code that is presented twice may have been stolen, so its tokens are revoked.
            grants[grant].revoked = true;
            return Err(("invalid_grant", "the code was used before"));
        }
        if code.expires < world.now() {
            return Err(("invalid_grant", "the code has expired"));
        }
        if field(form, "redirect_uri") != Some(&code.authorization.redirect_uri) {
            return Err(("invalid_grant", "redirect_uri differs from the authorization request's"));
        }
        if keys::sha256(verifier) != code.authorization.challenge || !(43..=128).contains(&verifier.len()) {
            return Err(("invalid_grant", "code_verifier does not match the challenge"));
        }
        grants.push(Grant::new(code.authorization.offline));
        code.grant = Some(grants.len() - 1);
        (grants.len() - 1, code.authorization.clone())
    };
    Ok(first_tokens(world, grant, authorization.nonce.as_deref()))
}

/// The token response of a new grant.
pub(crate) fn first_tokens(world: &Common, grant: usize, nonce: Option<&str>) -> Value {
    let mut tokens = tokens(world, nonce, true);
    if world.provider.is_offline(grant) && !world.knobs.flag(Knob::WithoutRefreshToken) {
        tokens["refresh_token"] = json!(world.provider.new_refresh_token(world, grant));
    }
    tokens
}

fn refresh(world: &Common, form: &Fields) -> Result<Value, Refused> {
    let stays = world.knobs.flag(Knob::WithoutRotation);
    let grant = {
        let mut state = world.provider.0.lock().unwrap();
        let State { refresh_tokens, grants, .. } = &mut *state;
        let token = refresh_tokens.get_mut(field(form, "refresh_token").unwrap_or_default());
        let token = token.ok_or(("invalid_grant", "no such refresh token"))?;
        if token.spent {
            grants[token.grant].revoked = true;
            return Err(("invalid_grant", "the refresh token was used before; its grant is revoked"));
        }
        if grants[token.grant].revoked {
            return Err(("invalid_grant", "the grant is revoked"));
        }
        token.spent = !stays;
        token.grant
    };
    let mut tokens = tokens(world, None, !world.knobs.flag(Knob::RefreshWithoutIdToken));
    if !stays && !world.knobs.flag(Knob::WithoutRefreshToken) {
        tokens["refresh_token"] = json!(world.provider.new_refresh_token(world, grant));
    }
    Ok(tokens)
}

fn tokens(world: &Common, nonce: Option<&str>, with_id_token: bool) -> Value {
    let access = world.ledger.record_secret("access token", keys::unguessable(32));
    let mut tokens = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 3600 });
    if with_id_token {
        tokens["id_token"] = json!(claims::id_token(world, nonce, &access));
    }
    tokens
}

/// RFC 7009 §2.2: revoking an unknown token succeeds.
fn revoke(world: &Common, form: &Fields) -> Value {
    let mut state = world.provider.0.lock().unwrap();
    let known = state.refresh_tokens.get(field(form, "token").unwrap_or_default()).map(|token| token.grant);
    if let Some(grant) = known {
        state.grants[grant].revoked = true;
    }
    json!({})
}
