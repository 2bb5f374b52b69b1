//! `otel-headers`: who is signed in, as headers for a collector; from what is kept, at once, whatever happens.
//!
//! A host that gets no JSON, or waits, sends no telemetry at all. So whatever is wrong here is told by the log alone.

use std::panic::{self, AssertUnwindSafe};

use super::{Desk, desk::Work, print};
use crate::{
    cache::Session,
    cli::Global,
    config::{Caller, Telemetry},
    failure::Failure,
    log,
    oidc::VerifiedToken,
    session::{Purpose, is_due_for_renewal},
    telemetry::{Exposed, Headers, may_carry_a_token},
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
    let Telemetry { collectors, send_token, headers: _ } = &work.profile.telemetry;
    let Some(destination) = destination(&desk, collectors) else { return Ok(Headers::default()) };
    let mut headers = Headers::of(&token, &work.profile);
    let goes_along = *send_token && destination == Destination::Collector;
    if goes_along && !session.id_token_is_spent && token.expires() > work.now() {
        headers.authorize(token.raw());
    }
    renew(&work, &session, &token, goes_along);
    Ok(headers)
}

/// Where the headers go, as far as the configuration and the environment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    /// The profile's collectors and nobody else.
    Collector,
    /// Nothing says where; a token does not go there.
    Unknown,
}

/// Where collectors are configured, others are told nothing at all: a repository's variables may name them.
fn destination(desk: &Desk<'_>, collectors: &[SecureUrl]) -> Option<Destination> {
    if collectors.is_empty() {
        return Some(Destination::Unknown);
    }
    match may_carry_a_token(&desk.host.environment, collectors) {
        Ok(()) => Some(Destination::Collector),
        Err(exposed @ Exposed::Unknown) => {
            log::warn("telemetry", format_args!("the token stays here: {exposed}"));
            Some(Destination::Unknown)
        }
        Err(exposed @ (Exposed::Elsewhere { .. } | Exposed::Openly { .. })) => {
            log::warn("telemetry", format_args!("no headers: {exposed}"));
            None
        }
    }
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
