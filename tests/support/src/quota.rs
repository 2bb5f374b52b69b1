//! The organisation's quota service, in the protocol of the AWS guidance sample. It accepts only the provider's ID
//! tokens, and below `/signed`, as behind API Gateway's IAM authorizer, only requests that a session of an Identity Center
//! has signed.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    knobs::Knob,
    ledger::Endpoint,
    sigv4, sts,
    wire::{Reply, Request, Serve},
    world::Common,
};

/// The region of the usual profile. An address on loopback names none.
const REGION: &str = "us-east-1";

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        world.note(Endpoint::Quota, request);
        Fault::around(world.knobs.fault(Knob::QuotaFault), &world.gate, || answer(&world, request))
    })
}

fn answer(world: &Common, request: &Request) -> Reply {
    let (refusal, path) = match request.target.strip_prefix("/signed") {
        Some(path) => (check_signature(world, request).err(), path),
        None => (check_token(world, request).err(), request.target.as_str()),
    };
    let document = match (request.method.as_str(), path) {
        ("GET", "/check") => Some(world.knobs.take(Knob::Quota).unwrap_or_else(within_limits)),
        ("GET", "/me") => world.knobs.take(Knob::QuotaOverview),
        _ => None,
    };
    let Some(document) = document else { return Reply::json(404, &json!({ "message": "Not Found" })) };
    refusal.unwrap_or_else(|| Reply::json(200, &document))
}

fn check_token(world: &Common, request: &Request) -> Result<(), Reply> {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    match token.map(|token| sts::verify_token(world, token)) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Reply::json(401, &json!({ "message": "Unauthorized" }))),
    }
}

/// API Gateway answers every fault of a signature with 403, and so does the service if the role is not one of an
/// Identity Center.
fn check_signature(world: &Common, request: &Request) -> Result<(), Reply> {
    let forbidden = || Reply::json(403, &json!({ "message": "Forbidden" }));
    let is_scoped = sigv4::Signed::of(request).is_some_and(|signed| signed.region() == REGION);
    let caller = sts::caller(world, request, "execute-api").map_err(|_| forbidden())?;
    let is_assigned = caller.arn.contains(":assumed-role/AWSReservedSSO_");
    if is_scoped && is_assigned { Ok(()) } else { Err(forbidden()) }
}

fn within_limits() -> Value {
    json!({
        "allowed": true,
        "reason": "within_quota",
        "enforcement_mode": "block",
        "usage": { "monthly_tokens": 1000, "monthly_limit": 100_000, "monthly_percent": 1.0 },
        "policy": { "type": "default", "identifier": "default" },
        "unblock_status": null,
        "message": "Access granted - within quota limits",
    })
}
