//! The federation endpoint of the AWS console: it exchanges credentials for a sign-in token, which a browser can use
//! once.
//!
//! It accepts only credentials that this world has issued. The console itself is a single page.

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
    sts::escaped,
    wire::{Reply, Request, Serve, field},
    world::Common,
};

/// Sign-in tokens that were issued and not used, each with the ARN of its session.
#[derive(Default)]
pub(crate) struct Console(Mutex<HashMap<String, String>>);

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        let endpoint = match (request.path(), request.method.as_str()) {
            ("/federation", "POST") => Endpoint::SigninToken,
            ("/federation", "GET") => Endpoint::ConsoleLogin,
            _ => Endpoint::Unknown,
        };
        world.note(endpoint, request);
        let fault = (endpoint == Endpoint::SigninToken).then(|| world.knobs.fault(Knob::SigninFault)).flatten();
        Fault::around(fault, &world.gate, || match endpoint {
            Endpoint::SigninToken => give_token(&world, request).unwrap_or_else(bad_request),
            Endpoint::ConsoleLogin => open_console(&world, request).unwrap_or_else(bad_request),
            _ => Reply::new(404, "text/html", "<h1>Not Found</h1>"),
        })
    })
}

/// The real endpoint gives the same answer to every mistake.
fn bad_request() -> Reply {
    Reply::new(400, "text/html", "<html><body><h1>400 Bad Request</h1></body></html>")
}

fn give_token(world: &Common, request: &Request) -> Option<Reply> {
    let form = request.form()?;
    let session: Value = serde_json::from_str(field(&form, "Session")?).ok()?;
    let issued = world.sts.find(session["sessionId"].as_str()?)?;
    let is_session = field(&form, "Action") == Some("getSigninToken")
        && session["sessionKey"] == issued.secret_key
        && session["sessionToken"] == issued.session_token
        && issued.expires > world.now()
        && request.query().is_empty();
    if !is_session {
        return None;
    }
    let token = world.ledger.record_secret("sign-in token", keys::unguessable(200));
    world.console.0.lock().unwrap().insert(token.clone(), issued.arn);
    Some(Reply::json(200, &json!({ "SigninToken": token })))
}

fn open_console(world: &Common, request: &Request) -> Option<Reply> {
    let query = request.query();
    let destination = field(&query, "Destination").filter(|_| field(&query, "Action") == Some("login"))?;
    let session = world.console.0.lock().unwrap().remove(field(&query, "SigninToken")?)?;
    let page = format!("<title>AWS console</title><p>{}</p><p>{}</p>", escaped(&session), escaped(destination));
    Some(Reply::new(200, "text/html", &page))
}
