//! Device authorization (RFC 8628): it issues codes, shows the user's page, and answers polls. It requires PKCE, as
//! Keycloak does of clients that must use it.
//!
//! A client that polls too often gets `slow_down`, as from careful providers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    keys,
    knobs::{Knob, merge},
    page,
    provider::{Grant, State},
    tokens::{self, Refused},
    vendor_rules,
    wire::{Fields, Reply, Request, field},
    world::Common,
};

pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8628 §3.5: `slow_down` adds five seconds to the interval.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The two sides may measure an interval slightly differently.
const TOLERANCE: Duration = Duration::from_millis(100);

/// One sign-in with a device code.
pub(crate) struct Device {
    user_code: String,
    challenge: String,
    offline: bool,
    expires: i64,
    interval: Duration,
    last_poll: Instant,
    /// The user's choice, once there is one.
    approval: Option<bool>,
}

/// Issues a code. The interval is a second, so that tests do not wait the standard's five.
pub(crate) fn begin(world: &Common, form: &Fields) -> Result<Value, Refused> {
    let scope = field(form, "scope").unwrap_or_default();
    if !vendor_rules::are_known(world, scope) {
        return Err(("invalid_scope", "openid is needed, and every scope must be a known one"));
    }
    if field(form, "code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "Missing parameter: code_challenge_method"));
    }
    let challenge = field(form, "code_challenge").ok_or(("invalid_request", "Missing parameter: code_challenge"))?;
    let device_code = world.ledger.record_secret("device code", keys::unguessable(32));
    let user_code = user_code();
    let page = format!("{}/device", world.provider_origin());
    let mut given = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": 600,
        "interval": 1,
    });
    merge(&mut given, world.knobs.peek(Knob::DeviceCodes));
    let number = |name: &str, otherwise| given[name].as_u64().unwrap_or(otherwise);
    let device = Device {
        user_code,
        challenge: challenge.to_owned(),
        offline: vendor_rules::is_offline(world, form),
        expires: world.now() + number("expires_in", 600).cast_signed(),
        interval: Duration::from_secs(number("interval", 5)),
        last_poll: Instant::now(),
        approval: None,
    };
    world.provider.0.lock().unwrap().devices.insert(device_code, device);
    Ok(given)
}

/// Two groups of letters that are hard to confuse with others.
pub(crate) fn user_code() -> String {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    let random = keys::unguessable(8);
    let letters: String =
        random.bytes().take(8).map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect();
    format!("{}-{}", &letters[..4], &letters[4..])
}

/// The page on which the user enters the code.
pub(crate) fn answer_page(world: &Common, request: &Request) -> Reply {
    if request.method == "GET" {
        let query = request.query();
        let code = field(&query, "user_code").unwrap_or_default();
        let typed: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        return Reply::new(200, "text/html; charset=utf-8", &page::enter_code(&typed));
    }
    let form = request.form().unwrap_or_default();
    let typed = field(&form, "user_code").unwrap_or_default();
    let mut state = world.provider.0.lock().unwrap();
    let now = world.now();
    let known = state.devices.values_mut().find(|device| device.user_code == typed && now < device.expires);
    match known {
        Some(device) => {
            device.approval = Some(field(&form, "choice") == Some("sign-in"));
            Reply::new(200, "text/html; charset=utf-8", &page::code_taken())
        }
        None => Reply::new(400, "text/html; charset=utf-8", &page::refusal("No such code.")),
    }
}

pub(crate) fn poll(world: &Common, form: &Fields) -> Result<Value, Refused> {
    let code = field(form, "device_code").unwrap_or_default();
    let verifier = field(form, "code_verifier").unwrap_or_default();
    world.ledger.record_secret("PKCE verifier", verifier.to_owned());
    let grant = {
        let mut state = world.provider.0.lock().unwrap();
        let State { devices, grants, .. } = &mut *state;
        let device = devices.get_mut(code).ok_or(("invalid_grant", "no such device code"))?;
        if keys::sha256(verifier) != device.challenge {
            return Err(("invalid_grant", "code_verifier does not match the challenge"));
        }
        let pause = device.last_poll.elapsed() + TOLERANCE;
        device.last_poll = Instant::now();
        if device.expires <= world.now() {
            return Err(("expired_token", "the device code has expired"));
        }
        if pause < device.interval {
            device.interval += SLOW_DOWN;
            return Err(("slow_down", "polled too soon"));
        }
        match device.approval {
            None => return Err(("authorization_pending", "the user has not answered yet")),
            Some(false) => return Err(("access_denied", "the user denied the request")),
            Some(true) => {}
        }
        grants.push(Grant::new(device.offline));
        devices.remove(code);
        grants.len() - 1
    };
    Ok(tokens::first_tokens(world, grant, None))
}
