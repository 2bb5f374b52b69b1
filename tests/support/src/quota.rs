//! The organisation's quota service, in the protocol of the AWS guidance sample. It accepts only the provider's ID
//! tokens.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    knobs::Knob,
    ledger::Endpoint,
    sts,
    wire::{Reply, Request, Serve},
    world::Common,
};

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        world.note(Endpoint::Quota, request);
        Fault::around(world.knobs.fault(Knob::QuotaFault), &world.gate, || answer(&world, request))
    })
}

fn answer(world: &Common, request: &Request) -> Reply {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let document = match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/check") => Some(world.knobs.take(Knob::Quota).unwrap_or_else(within_limits)),
        ("GET", "/me") => world.knobs.take(Knob::QuotaOverview),
        _ => None,
    };
    let Some(document) = document else { return Reply::json(404, &json!({ "message": "Not Found" })) };
    match token.map(|token| sts::verify_token(world, token)) {
        Some(Ok(_)) => Reply::json(200, &document),
        _ => Reply::json(401, &json!({ "message": "Unauthorized" })),
    }
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
