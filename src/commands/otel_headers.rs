//! `otel-headers`: prints attributes of the user as HTTP headers, which Claude Code sends to an OpenTelemetry
//! collector.
//!
//! Claude Code sends no telemetry at all if this command fails, waits or prints no JSON. The command therefore reads
//! only the cache, prints a JSON object and ends with exit code 0. Problems appear only in the log.
//!
//! With a relay on this computer the same fact protects the user: if another program has the relay's port, the command
//! fails, so that Claude Code sends nothing to it.

use std::panic::{self, AssertUnwindSafe};

use super::{CommandContext, context::ProfileContext, write_secret};
use crate::{
    cache::SignInRecord,
    cli::GlobalArgs,
    config::{CallerKind, LaptopRelay, TelemetryRelay, TelemetrySettings},
    failure::Failure,
    log,
    oidc::VerifiedToken,
    relay::connect_relay,
    session::{LadderPurpose, TokenUse, is_due_for_refresh},
    telemetry::{CollectorRejected, TelemetryHeaders, check_token_collectors},
    url::SecureUrl,
};

/// Prints the headers, or `{}` if they cannot be built. Fails only if Claude Code must not send telemetry.
pub(super) fn run_otel_headers(global: &GlobalArgs) -> Result<(), Failure> {
    print_headers(&collect_or_empty(|| build_headers(global))?)
}

/// Prints `{}`, for a command line that could not be parsed.
pub(super) fn print_empty_headers() -> Result<(), Failure> {
    print_headers(&TelemetryHeaders::default())
}

fn print_headers(headers: &TelemetryHeaders) -> Result<(), Failure> {
    // Exit code 0 is required even if stdout is closed.
    let _ = write_secret(&headers.to_document());
    Ok(())
}

/// Why there are no headers.
enum MissingHeaders {
    /// Claude Code may send its telemetry without headers.
    Unavailable(Failure),
    /// Claude Code must send nothing: another program has the port of the relay.
    TelemetryOff(Failure),
}

impl<E: Into<Failure>> From<E> for MissingHeaders {
    fn from(error: E) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Runs `work`, and returns no headers if it fails or panics. The error is one after which Claude Code must send no
/// telemetry.
fn collect_or_empty(
    work: impl FnOnce() -> Result<TelemetryHeaders, MissingHeaders>,
) -> Result<TelemetryHeaders, Failure> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(headers)) => Ok(headers),
        Ok(Err(MissingHeaders::TelemetryOff(failure))) => Err(failure),
        Ok(Err(MissingHeaders::Unavailable(failure))) => {
            log::warn("telemetry", format_args!("printing no headers: {} [{}]", failure.what(), failure.slug()));
            Ok(TelemetryHeaders::default())
        }
        Err(_) => Ok(TelemetryHeaders::default()),
    }
}

/// Builds the headers from the claims of the stored ID token.
///
/// The token itself becomes a header only if the profile asks for that, the environment names no other destination than
/// the profile's collectors, and the token is still valid.
fn build_headers(global: &GlobalArgs) -> Result<TelemetryHeaders, MissingHeaders> {
    let context = CommandContext::new(global)?;
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let TelemetrySettings { collectors, send_token, headers: _, fixed: _, relay } = &work.profile.telemetry;
    if let TelemetryRelay::Laptop(relay) = relay {
        return build_laptop_headers(&work, relay);
    }
    let Some(destination) = classify_destination(&context, collectors) else {
        return Ok(TelemetryHeaders::default());
    };
    if work.profile.oidc().is_none() {
        return build_headers_from_name(&work);
    }
    let sign_in = work.cache.load_sign_in()?;
    let Some(token) = sign_in.recall_token() else {
        log::info("telemetry", format_args!("printing no headers: the user is not signed in"));
        return Ok(TelemetryHeaders::default());
    };
    let mut headers = TelemetryHeaders::from_claims(&token, &work.profile);
    add_helper_state(&mut headers, &work);
    let sends_token = *send_token && destination == HeaderDestination::Collector;
    if sends_token && let Some(token) = sign_in.find_valid_token(work.now()) {
        headers.set_bearer_token(token.raw());
    }
    renew_if_due(&work, &sign_in, &token, sends_token);
    Ok(headers)
}

/// Builds the headers for the relay on this computer: a token of the relay that has proved itself, and nothing about the
/// user. The relay reads the stored session itself, so it is started also if the user is not signed in.
fn build_laptop_headers(work: &ProfileContext<'_>, relay: &LaptopRelay) -> Result<TelemetryHeaders, MissingHeaders> {
    let host = work.host();
    let address = SecureUrl::parse(&relay.address()).expect("an address on loopback is secure");
    if let Err(reason) = check_token_collectors(&host.environment, &[address]) {
        log::warn("telemetry", format_args!("printing no headers: {reason}"));
        return Ok(TelemetryHeaders::default());
    }
    let token = connect_relay(host, &work.profile.name, relay.port);
    let token = token.map_err(|error| MissingHeaders::TelemetryOff(error.into()))?;
    let mut headers = TelemetryHeaders::for_laptop_relay(&token);
    add_helper_state(&mut headers, work);
    Ok(headers)
}

/// Builds the headers from the name of the AWS session, because an Identity Center issues no ID token.
fn build_headers_from_name(work: &ProfileContext<'_>) -> Result<TelemetryHeaders, MissingHeaders> {
    let Some(name) = work.cache.load_credentials()?.session_name else {
        log::info("telemetry", format_args!("printing no headers: the user is not signed in"));
        return Ok(TelemetryHeaders::default());
    };
    let mut headers = TelemetryHeaders::from_user_name(&name, &work.profile);
    add_helper_state(&mut headers, work);
    Ok(headers)
}

/// Adds the state of this program. It goes with the telemetry, so that `credentials` spends no time on it.
fn add_helper_state(headers: &mut TelemetryHeaders, work: &ProfileContext<'_>) {
    let failure = work.cache.load_last_failure();
    headers.set_helper_state(failure.as_ref().map(|failure| failure.report.slug.as_str()));
}

/// Where Claude Code will send the headers, as far as the configuration and its environment variables show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderDestination {
    /// Only to collectors of the profile.
    Collector,
    /// The destination is unknown. Attributes of the user may go there, but never the token.
    Unknown,
}

/// Compares the destination with the collectors of the profile. `None`: print no headers at all.
///
/// The variables that name the destination can come from an untrusted repository. A profile that lists its collectors
/// therefore sends nothing to any other host, not even the user's name.
fn classify_destination(context: &CommandContext<'_>, collectors: &[SecureUrl]) -> Option<HeaderDestination> {
    if collectors.is_empty() {
        return Some(HeaderDestination::Unknown);
    }
    match check_token_collectors(&context.host.environment, collectors) {
        Ok(()) => Some(HeaderDestination::Collector),
        Err(reason @ CollectorRejected::NoAddress) => {
            log::warn("telemetry", format_args!("printing no token: {reason}"));
            Some(HeaderDestination::Unknown)
        }
        Err(reason @ (CollectorRejected::NotListed { .. } | CollectorRejected::Insecure { .. })) => {
            log::warn("telemetry", format_args!("printing no headers: {reason}"));
            None
        }
    }
}

/// Starts a worker that refreshes the ID token for the next call, if it is due. This call does not wait for it.
///
/// `sends_token` says whether the token is one of the headers.
fn renew_if_due(work: &ProfileContext<'_>, sign_in: &SignInRecord, token: &VerifiedToken, sends_token: bool) {
    // A token that is sent must still be valid when the collector checks it, so it is refreshed ahead of time. The
    // claims of an expired token can still be used as headers until the refresh is done.
    let is_due = if sends_token { is_due_for_refresh(token, work.now()) } else { token.expires_at() <= work.now() };
    if sign_in.refresh_token.is_some() && is_due {
        work.worker_client().refresh_in_background(LadderPurpose::IdToken(TokenUse::NextCall));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_prints_an_empty_object() {
        assert_eq!(collect_or_empty(|| panic!("of a test")).unwrap().to_document().expose(), "{}\n");
    }
}
