//! The control address: it gives scripts access to the world's knobs and ledger, as JSON.
//!
//! - `GET /`: how often each endpoint was called; `GET /requests`, `GET /secrets`: every request, every issued secret
//! - `PATCH /knobs`: sets knobs; `POST /knobs`: sets one for the next uses; `DELETE /knobs`: resets all
//! - `POST /rotate-keys`, `/revoke-credentials`, `/revoke-grants`, `/end-portal-sessions`, `/forget-registrations`
//! - `POST /session`: the session of an access key, or null, as AWS's other services request it from STS
//! - `POST /provider/stop`, `/provider/start`; the same of `sts` and `identity-center`

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    knobs::Knob,
    ledger::Endpoint,
    wire::{Ending, Reply, Request, Serve},
    world::{Common, Servers},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    knob: Knob,
    value: Value,
    times: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lookup {
    session: String,
}

pub(crate) fn serve(world: Arc<Common>, servers: Arc<Servers>) -> Serve {
    Arc::new(move |request| {
        Ending::Answer(match answer(&world, &servers, request) {
            Ok(Some(value)) => Reply::json(200, &value),
            Ok(None) => Reply::new(404, "text/plain", "no such control"),
            Err(why) => Reply::new(400, "text/plain", &why.to_string()),
        })
    })
}

fn answer(world: &Common, servers: &Servers, request: &Request) -> Result<Option<Value>, serde_json::Error> {
    match (request.method.as_str(), request.path()) {
        ("GET", "/") => return Ok(Some(counts(world))),
        ("GET", "/requests") => return serde_json::to_value(world.ledger.requests()).map(Some),
        ("GET", "/secrets") => return serde_json::to_value(world.ledger.secrets()).map(Some),
        ("PATCH", "/knobs") => {
            for (name, value) in serde_json::from_slice::<Map<String, Value>>(&request.body)? {
                world.knobs.set(serde_json::from_value(name.into())?, value);
            }
        }
        ("POST", "/knobs") => {
            let turn: Turn = serde_json::from_slice(&request.body)?;
            if turn.knob.is_state() {
                return Err(serde::de::Error::custom("a state has no uses to count; use PATCH"));
            }
            world.knobs.next(turn.times, turn.knob, turn.value);
        }
        ("DELETE", "/knobs") => world.knobs.clear_all(),
        ("POST", "/session") => {
            return serde_json::from_slice(&request.body).map(|lookup| Some(session(world, &lookup)));
        }
        ("POST", "/rotate-keys") => world.keys.write().unwrap().rotate(),
        ("POST", "/revoke-credentials") => world.sts.revoke_all(),
        ("POST", "/revoke-grants") => world.provider.revoke_all(),
        ("POST", "/end-portal-sessions") => world.identity_center.end_sessions(),
        ("POST", "/forget-registrations") => world.identity_center.forget_clients(),
        ("POST", "/provider/stop") => servers.provider.stop(),
        ("POST", "/provider/start") => servers.provider.start_again(),
        ("POST", "/sts/stop") => servers.sts.stop(),
        ("POST", "/sts/start") => servers.sts.start_again(),
        ("POST", "/identity-center/stop") => servers.identity_center.stop(),
        ("POST", "/identity-center/start") => servers.identity_center.start_again(),
        _ => return Ok(None),
    }
    Ok(Some(json!({})))
}

/// What a service needs to verify a request that was signed with this access key.
fn session(world: &Common, Lookup { session: access_key }: &Lookup) -> Value {
    world.sts.find(access_key).map_or(Value::Null, |issued| {
        json!({
            "Arn": issued.arn,
            "SecretAccessKey": issued.secret_key,
            "SessionToken": issued.session_token,
            "Expiration": world.iso_date(issued.expires),
        })
    })
}

fn counts(world: &Common) -> Value {
    use Endpoint::{
        Assume, Authorize, Code, Discovery, Identity, Keys, Login, PortalAccounts, PortalAuthorize, PortalCode,
        PortalDeviceCode, PortalDevicePage, PortalLogin, PortalLogout, PortalPoll, PortalRefresh, PortalRoles, Refresh,
        RegisterClient, Revoke, RoleCredentials, Unknown,
    };
    let provider = [Discovery, Keys, Authorize, Login, Code, Refresh, Revoke, Assume, Identity, Unknown];
    let oidc = [
        RegisterClient, PortalAuthorize, PortalLogin, PortalCode, PortalRefresh, PortalDeviceCode, PortalPoll,
        PortalDevicePage,
    ];
    let portal = [RoleCredentials, PortalAccounts, PortalRoles, PortalLogout];
    let all = provider.into_iter().chain(oidc).chain(portal);
    let count = |endpoint| (name(endpoint), json!(world.ledger.count(endpoint)));
    Value::Object(all.map(count).collect())
}

fn name(endpoint: Endpoint) -> String {
    serde_json::to_value(endpoint).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
