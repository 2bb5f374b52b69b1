//! `login`: signs in and says who, which role, until when; never a credential.
//!
//! Hosts show its output as it comes, so the address to open is its first line.

use super::{
    CommandContext, SignInScreen, client_secret, context::ProfileContext, setup, write_stderr_line, write_stdout,
};
use crate::{
    cli::LoginArgs,
    config::{CallerKind, FlagOverride, keys},
    failure::{Failure, describe_change},
    session::{DestinationChanged, LoginCondition, MethodPreference, accept_destinations, find_unaccepted_changes},
    text::sanitize_line,
    time::format_duration,
    worker::ProgressHandler,
};

pub(super) fn run_login(login: &LoginArgs, context: &CommandContext<'_>) -> Result<(), Failure> {
    let flags = list_overrides(login.method_preference());
    let work = context.load_profile_with_flags(CallerKind::SignIn, flags)?;
    if login.client_secret_stdin {
        client_secret::store_client_secret(&work)?;
    }
    if login.client_key_passphrase_stdin {
        client_secret::store_key_passphrase(&work)?;
    }
    let mut screen = SignInScreen::for_login(&context.host.environment, context.global);
    let tell: ProgressHandler<'_> = &mut |told, reply| screen.show_event(told, reply);
    review_destinations(&work)?;
    let mode = if login.force { LoginCondition::Always } else { LoginCondition::IfNeeded };
    let ready = match work.worker_client().login(mode, login.method_preference(), tell) {
        // The provider may have named a new host meanwhile.
        Err(error) => match review_destinations(&work)? {
            ReviewOutcome::Accepted => work.worker_client().login(mode, login.method_preference(), tell)?,
            ReviewOutcome::NothingNew => return Err(error.into()),
        },
        ready => ready?,
    };
    drop(screen);
    let until = ready.credentials.expiration;
    let role = match ready.role(&work.profile) {
        Some(role) => format!("role {} in account {}", role.name(), role.account()),
        None => "the identity pool's role".to_owned(),
    };
    let said = format!(
        "Signed in as {}: {role}, until {until} ({} left)\n",
        sanitize_line(&ready.session_name),
        format_duration(until.duration_since(work.now()))
    );
    write_stdout(said.as_bytes())?;
    ready.notice.map_or(Ok(()), |notice| write_stdout(format!("{notice}\n").as_bytes()))?;
    setup::give_aws_profile(context, &work.profile)
}

/// Whether the user was shown hosts that the stored sign-in was not made for.
enum ReviewOutcome {
    NothingNew,
    Accepted,
}

/// Shows the hosts that the stored sign-in would newly be sent to, and stores them once the user accepts them.
fn review_destinations(work: &ProfileContext<'_>) -> Result<ReviewOutcome, Failure> {
    let (cache, profile, environment) = (&work.cache, &work.profile, &work.host().environment);
    let (sign_in, known) = (cache.load_sign_in()?, cache.load_provider(work.now())?);
    let changes = find_unaccepted_changes(&sign_in.destinations, profile, environment, known.as_ref());
    if changes.is_empty() {
        return Ok(ReviewOutcome::NothingNew);
    }
    if !setup::can_prompt() {
        return Err(DestinationChanged { changes }.into());
    }
    write_stderr_line("Your sign-in would be sent to hosts that it was not made for:");
    changes.iter().for_each(|change| write_stderr_line(&format!("  {}", describe_change(change))));
    if !setup::prompt_yes_no("Accept them?", false)? {
        return Err(DestinationChanged { changes }.into());
    }
    let locked = work.lock_sign_in()?;
    let mut sign_in = locked.load_sign_in()?;
    accept_destinations(&mut sign_in.destinations, profile, environment, known.as_ref());
    locked.store_sign_in(&sign_in)?;
    Ok(ReviewOutcome::Accepted)
}

static DEVICE: [FlagOverride; 1] = [FlagOverride { key: keys::FLOW.untyped(), value: "device", name: "--device" }];

/// What a sign-in method that was asked for sets over the profile, which an administrator may forbid. `--no-browser` sets
/// nothing: it shows the same address that the browser would open.
pub(super) fn list_overrides(method: MethodPreference) -> &'static [FlagOverride] {
    match method {
        MethodPreference::Device => &DEVICE,
        MethodPreference::Any | MethodPreference::NoBrowser => &[],
    }
}

impl LoginArgs {
    fn method_preference(&self) -> MethodPreference {
        match (self.device, self.no_browser) {
            (true, _) => MethodPreference::Device,
            (false, true) => MethodPreference::NoBrowser,
            (false, false) => MethodPreference::Any,
        }
    }
}
