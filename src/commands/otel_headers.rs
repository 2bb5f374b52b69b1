//! `otel-headers`: who is signed in, as headers for a collector; from what is kept, at once, whatever happens.
//!
//! A host that gets no JSON, or waits, sends no telemetry at all. So whatever is wrong here is told by the log alone.

use std::panic::{self, AssertUnwindSafe};

use super::{Desk, desk::Work, print};
use crate::{
    cache::Session,
    cli::Global,
    config::Caller,
    failure::Failure,
    log,
    oidc::VerifiedToken,
    session::{Purpose, is_due_for_renewal},
    telemetry::{Headers, may_carry_a_token},
    url::SecureUrl,
};

pub(super) fn run(global: &Global) -> Result<(), Failure> {
    answer(&whatever_happens(|| headers(global)))
}

/// For a command line that means nothing.
pub(super) fn nothing() -> Result<(), Failure> {
    answer(&Headers::default())
}

fn answer(headers: &Headers) -> Result<(), Failure> {
    // There is nobody else to tell.
    let _ = print(headers.document().expose());
    Ok(())
}

fn whatever_happens(work: impl FnOnce() -> Result<Headers, Failure>) -> Headers {
    let done = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Ok(Headers::default()));
    done.unwrap_or_else(|failure| {
        log::warn("telemetry", format_args!("no headers: {} [{}]", failure.what, failure.slug));
        Headers::default()
    })
}

fn headers(global: &Global) -> Result<Headers, Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work(Caller::Silent)?;
    let session = work.cache.session()?;
    let Some(token) = session.id_token.clone().and_then(VerifiedToken::recalled_from_our_own_store) else {
        log::info("telemetry", format_args!("no headers: nobody is signed in"));
        return Ok(Headers::default());
    };
    let mut headers = Headers::of(&token, &work.profile);
    let goes_along = may_go_along(&desk, &work.profile.telemetry.collectors);
    if goes_along && !session.id_token_is_spent && token.expires() > work.now() {
        headers.authorize(token.raw());
    }
    renew(&work, &session, &token, goes_along);
    Ok(headers)
}

fn may_go_along(desk: &Desk<'_>, collectors: &[SecureUrl]) -> bool {
    if collectors.is_empty() {
        return false;
    }
    may_carry_a_token(&desk.host.environment, collectors)
        .inspect_err(|exposed| log::warn("telemetry", format_args!("the token stays here: {exposed}")))
        .is_ok()
}

/// What a token says of a person gets old with it: a newer one is fetched for the next call.
fn renew(work: &Work<'_>, session: &Session, token: &VerifiedToken, goes_along: bool) {
    // The claims of an expired token still serve as headers; one that is sent has to be valid when it arrives.
    let is_due =
        if goes_along { is_due_for_renewal(token, work.now()) } else { token.expires() <= work.now() };
    if session.refresh_token.is_some() && is_due {
        work.errand().behind_the_scenes(Purpose::Token { ahead: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_our_own_is_an_empty_answer() {
        assert_eq!(whatever_happens(|| panic!("of a test")).document().expose(), b"{}\n");
    }
}
