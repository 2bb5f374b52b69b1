//! CloudWatch's two endpoints for OpenTelemetry: `/monitoring/v1/metrics` and `/logs/v1/logs`. Each accepts JSON that a
//! session of STS has signed for its service, and remembers it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    knobs::Knob,
    ledger::Endpoint,
    sts,
    wire::{Reply, Request, Serve},
    world::Common,
};

/// An export that CloudWatch has taken.
#[derive(Clone, Debug)]
pub struct TakenExport {
    /// `monitoring` or `logs`.
    pub service: String,
    pub body: Value,
    /// Log group and log stream; empty for metrics.
    pub log: String,
    /// The ARN of the session that has signed the request.
    pub caller: String,
}

#[derive(Default)]
pub(crate) struct CloudWatch(Mutex<Vec<TakenExport>>);

impl CloudWatch {
    pub(crate) fn taken(&self) -> Vec<TakenExport> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        world.note(Endpoint::Telemetry, request);
        Fault::around(world.knobs.fault(Knob::TelemetryFault), &world.gate, || answer(&world, request))
    })
}

fn answer(world: &Common, request: &Request) -> Reply {
    let service = match (request.method.as_str(), request.path()) {
        ("POST", "/monitoring/v1/metrics") => "monitoring",
        ("POST", "/logs/v1/logs") => "logs",
        _ => return Reply::json(404, &json!({ "message": "Not Found" })),
    };
    let Ok(caller) = sts::caller(world, request, service) else {
        return Reply::json(403, &json!({ "message": "Forbidden" }));
    };
    let is_json = request.header("content-type") == Some("application/json");
    let Some(body) = serde_json::from_slice(&request.body).ok().filter(|_| is_json) else {
        return Reply::json(400, &json!({ "message": "not JSON" }));
    };
    let log = match (request.header("x-aws-log-group"), request.header("x-aws-log-stream")) {
        (Some(group), Some(stream)) => format!("{group} {stream}"),
        _ if service == "logs" => return Reply::json(400, &json!({ "message": "no log group" })),
        _ => String::new(),
    };
    let export = TakenExport { service: service.to_owned(), body, log, caller: caller.arn };
    world.cloudwatch.0.lock().unwrap().push(export);
    Reply::json(200, &json!({}))
}
