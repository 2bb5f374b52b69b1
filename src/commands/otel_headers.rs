//! `otel-headers`: who is signed in, as headers for a collector; from what is kept, at once, whatever happens.
//!
//! A host that gets no JSON, or waits, sends no telemetry at all. So whatever is wrong here is told by the log alone.

use std::panic::{self, AssertUnwindSafe};

use super::{CommandContext, context::ProfileContext, write_stdout};
use crate::{
    cache::SignInRecord,
    cli::GlobalArgs,
    config::{CallerKind, TelemetrySettings},
    failure::Failure,
    log,
    oidc::VerifiedToken,
    session::{LadderPurpose, TokenUse, is_due_for_refresh},
    telemetry::{CollectorRejected, TelemetryHeaders, check_token_collectors},
    url::SecureUrl,
};

pub(super) fn run_otel_headers(global: &GlobalArgs) -> Result<(), Failure> {
    print_headers(&collect_or_empty(|| build_headers(global)))
}

/// For a command line that means nothing.
pub(super) fn print_empty_headers() -> Result<(), Failure> {
    print_headers(&TelemetryHeaders::default())
}

fn print_headers(headers: &TelemetryHeaders) -> Result<(), Failure> {
    // There is nobody else to tell.
    let _ = write_stdout(headers.to_document().expose());
    Ok(())
}

fn collect_or_empty(work: impl FnOnce() -> Result<TelemetryHeaders, Failure>) -> TelemetryHeaders {
    let done = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Ok(TelemetryHeaders::default()));
    done.unwrap_or_else(|failure| {
        log::warn("telemetry", format_args!("no headers: {} [{}]", failure.what(), failure.slug()));
        TelemetryHeaders::default()
    })
}

fn build_headers(global: &GlobalArgs) -> Result<TelemetryHeaders, Failure> {
    let context = CommandContext::new(global)?;
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let sign_in = work.cache.load_sign_in()?;
    let Some(token) = sign_in.recall_token() else {
        log::info("telemetry", format_args!("no headers: nobody is signed in"));
        return Ok(TelemetryHeaders::default());
    };
    let TelemetrySettings { collectors, send_token, headers: _ } = &work.profile.telemetry;
    let Some(destination) = classify_destination(&context, collectors) else {
        return Ok(TelemetryHeaders::default());
    };
    let mut headers = TelemetryHeaders::from_claims(&token, &work.profile);
    let goes_along = *send_token && destination == HeaderDestination::Collector;
    if goes_along && let Some(token) = sign_in.find_valid_token(work.now()) {
        headers.set_bearer_token(token.raw());
    }
    renew_if_due(&work, &sign_in, &token, goes_along);
    Ok(headers)
}

/// Where the headers go, as far as the configuration and the environment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderDestination {
    /// The profile's collectors and nobody else.
    Collector,
    /// Nothing says where; a token does not go there.
    Unknown,
}

/// Where collectors are configured, others are told nothing at all: a repository's variables may name them.
fn classify_destination(context: &CommandContext<'_>, collectors: &[SecureUrl]) -> Option<HeaderDestination> {
    if collectors.is_empty() {
        return Some(HeaderDestination::Unknown);
    }
    match check_token_collectors(&context.host.environment, collectors) {
        Ok(()) => Some(HeaderDestination::Collector),
        Err(exposed @ CollectorRejected::NoAddress) => {
            log::warn("telemetry", format_args!("the token stays here: {exposed}"));
            Some(HeaderDestination::Unknown)
        }
        Err(exposed @ (CollectorRejected::NotListed { .. } | CollectorRejected::Insecure { .. })) => {
            log::warn("telemetry", format_args!("no headers: {exposed}"));
            None
        }
    }
}

/// What a token says of a person gets old with it: a newer one is fetched for the next call.
fn renew_if_due(work: &ProfileContext<'_>, sign_in: &SignInRecord, token: &VerifiedToken, goes_along: bool) {
    // The claims of an expired token still serve as headers; one that is sent has to be valid when it arrives.
    let is_due = if goes_along { is_due_for_refresh(token, work.now()) } else { token.expires_at() <= work.now() };
    if sign_in.refresh_token.is_some() && is_due {
        work.worker_client().refresh_in_background(LadderPurpose::IdToken(TokenUse::NextCall));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_our_own_is_an_empty_answer() {
        assert_eq!(collect_or_empty(|| panic!("of a test")).to_document().expose(), b"{}\n");
    }
}
