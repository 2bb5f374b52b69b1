//! `token`: the ID token, for servers that know the provider.
//!
//! The refresh token may be used for it; a person is never asked.

use serde::Serialize;

use super::{Desk, print};
use crate::{
    cli::{Global, Token},
    config::Caller,
    credentials::Document,
    failure::Failure,
};

pub(super) fn run(Token { raw }: &Token, global: &Global) -> Result<(), Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Header {
        authorization: String,
    }
    let desk = Desk::new(global)?;
    let token = desk.work(Caller::Silent)?.errand().token()?;
    let document = match raw {
        true => Document::of_text(format!("{}\n", token.expose())),
        false => Document::of(&Header { authorization: format!("Bearer {}", token.expose()) }),
    };
    print(document.expose())
}
