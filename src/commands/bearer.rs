//! `bearer`: a short-term Amazon Bedrock API key, for programs that know no other way to prove themselves.
//!
//! It lives as long as the credentials that signed it, so those are the newest that can be had without asking anybody.

use serde::Serialize;

use super::{Desk, print};
use crate::{
    aws,
    cli::{Bearer, Global},
    config::Caller,
    credentials::Document,
    failure::Failure,
};

pub(super) fn run(Bearer { json }: &Bearer, global: &Global) -> Result<(), Failure> {
    /// What Claude Desktop reads.
    #[derive(Serialize)]
    struct Answer<'a> {
        token: &'a str,
        headers: serde_json::Map<String, serde_json::Value>,
    }
    let desk = Desk::new(global)?;
    let work = desk.work(Caller::Silent)?;
    let ready = work.errand().lasting(&mut |_, _| {})?;
    let key = aws::api_key(&ready.credentials, &work.profile.region, work.now());
    let document = match json {
        true => Document::of(&Answer { token: key.expose(), headers: serde_json::Map::new() }),
        false => Document::of_text(format!("{}\n", key.expose())),
    };
    print(document.expose())
}
