//! A Cognito identity pool: GetId and GetCredentialsForIdentity, as strict as the real service and with its messages.
//!
//! It verifies tokens as STS does, and returns credentials that STS issues.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    keys,
    knobs::Knob,
    ledger::Endpoint,
    sigv4, sts,
    wire::{Ending, Reply, Request, Serve},
    world::{Common, POOL_ID, POOL_ROLE_ARN},
};

/// The pool's identities, by the subject of their tokens.
#[derive(Default)]
pub(crate) struct Pool(Mutex<HashMap<String, String>>);

struct Refused(&'static str, String);

fn reject(code: &'static str, message: impl Into<String>) -> Refused {
    Refused(code, message.into())
}

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        let endpoint = match request.header("x-amz-target") {
            Some("AWSCognitoIdentityService.GetId") => Endpoint::PoolIdentity,
            Some("AWSCognitoIdentityService.GetCredentialsForIdentity") => Endpoint::PoolCredentials,
            _ => Endpoint::Unknown,
        };
        world.note(endpoint, request);
        match Fault::around(world.knobs.fault(Knob::PoolFault), &world.gate, || answer(&world, endpoint, request)) {
            Ending::Answer(reply) => Ending::Answer(
                reply.with("Date", &world.http_date(world.now())).with("x-amzn-RequestId", &keys::unguessable(12)),
            ),
            ending => ending,
        }
    })
}

fn answer(world: &Common, endpoint: Endpoint, request: &Request) -> Reply {
    let result = parse_request(request).and_then(|question| match endpoint {
        Endpoint::PoolIdentity => identify(world, &question),
        Endpoint::PoolCredentials => credentials(world, &question),
        _ => Err(reject("UnknownOperationException", "")),
    });
    let (status, value) = match result {
        Ok(value) => (200, value),
        Err(Refused(code, message)) => (400, json!({ "__type": code, "message": message })),
    };
    Reply::new(status, "application/x-amz-json-1.1", &value.to_string())
}

/// Parses a request. These calls are unsigned: a signed one has taken credentials from somewhere.
fn parse_request(request: &Request) -> Result<Value, Refused> {
    if request.header("authorization").is_some() {
        return Err(reject("UnrecognizedClientException", "The security token included in the request is invalid."));
    }
    let is_json = request.header("content-type") == Some("application/x-amz-json-1.1");
    let body = serde_json::from_slice(&request.body).ok().filter(|_| is_json && request.method == "POST");
    body.ok_or_else(|| reject("SerializationException", ""))
}

fn identify(world: &Common, question: &Value) -> Result<Value, Refused> {
    let pool = question["IdentityPoolId"].as_str().unwrap_or_default();
    if pool != POOL_ID {
        return Err(reject("ResourceNotFoundException", format!("IdentityPool '{pool}' not found.")));
    }
    let subject = subject(&login(world, question)?);
    let mut identities = world.pool.0.lock().unwrap();
    let fresh = || {
        let digits = sigv4::sha256(keys::unguessable(16).as_bytes());
        let [a, b, c, d, e] = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32]];
        format!("us-east-1:{a}-{b}-{c}-{d}-{e}")
    };
    let identity = identities.entry(subject).or_insert_with(fresh).clone();
    Ok(json!({ "IdentityId": identity }))
}

fn credentials(world: &Common, question: &Value) -> Result<Value, Refused> {
    let claims = login(world, question)?;
    let identity = question["IdentityId"].as_str().unwrap_or_default();
    let identities = world.pool.0.lock().unwrap();
    if !identities.values().any(|known| known == identity) {
        return Err(reject("ResourceNotFoundException", format!("Identity '{identity}' not found.")));
    }
    if identities.get(&subject(&claims)).is_none_or(|own| own != identity) {
        return Err(reject("NotAuthorizedException", format!("Access to Identity '{identity}' is forbidden.")));
    }
    let role = match question["CustomRoleArn"].as_str() {
        Some(role) if claims["cognito:roles"].as_array().is_some_and(|roles| roles.iter().any(|it| it == role)) => role,
        Some(_) => return Err(reject("NotAuthorizedException", "Access to the requested role is forbidden.")),
        None if world.knobs.flag(Knob::PoolWithoutRole) => {
            let message = "Invalid identity pool configuration. Check assigned IAM roles for this pool.";
            return Err(reject("InvalidIdentityPoolConfigurationException", message));
        }
        None => POOL_ROLE_ARN,
    };
    let lifetime = world.knobs.take(Knob::CredentialLifetime).and_then(|value| value.as_i64()).unwrap_or(3600);
    let issued = world.sts.issue(world, role, "CognitoIdentityCredentials", lifetime, None);
    Ok(json!({
        "IdentityId": identity,
        "Credentials": {
            "AccessKeyId": issued.access_key,
            "SecretKey": issued.secret_key,
            "SessionToken": issued.session_token,
            "Expiration": f64::from(u32::try_from(issued.expires).expect("a time before 2106")),
        },
    }))
}

fn subject(claims: &Value) -> String {
    claims["sub"].as_str().unwrap_or_default().to_owned()
}

/// The claims of the token, which must have the name under which the pool knows its issuer.
fn login(world: &Common, question: &Value) -> Result<Value, Refused> {
    let logins = question["Logins"].as_object().filter(|logins| logins.len() == 1);
    let Some((name, Value::String(token))) = logins.and_then(|logins| logins.iter().next()) else {
        return Err(reject(
            "NotAuthorizedException",
            "Unauthenticated access is not supported for this identity pool.",
        ));
    };
    let issuer = world.issuer();
    let usual = issuer.split_once("://").map_or(issuer.as_str(), |(_, rest)| rest).trim_end_matches('/');
    let known = world.knobs.peek(Knob::PoolLogin).and_then(|name| name.as_str().map(str::to_owned));
    if *name != known.unwrap_or_else(|| usual.to_owned()) {
        return Err(reject("NotAuthorizedException", "Token is not from a supported provider of this identity pool."));
    }
    sts::verify_token(world, token)
        .map_err(|refused| reject("NotAuthorizedException", format!("Invalid login token. {}", refused.message)))
}

impl Pool {
    /// Deletes the pool's identities.
    pub(crate) fn forget_all(&self) {
        self.0.lock().unwrap().clear();
    }
}
