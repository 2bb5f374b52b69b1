//! `login`: signs the user in and prints who they are, their role, and when the credentials expire.
//!
//! Users run it in a terminal, and Claude Code runs it as `awsAuthRefresh` and shows its stdout line by line. The
//! sign-in address is therefore the first line, and no line ever contains a credential.

use super::{
    CommandContext, SignInScreen, client_secret, context::ProfileContext, screen::describe_user, setup,
    write_stderr_line, write_stdout,
};
use crate::{
    cli::LoginArgs,
    config::{CallerKind, FlagOverride, IdentityCenterSettings, SignInSettings, keys},
    failure::{Failure, describe_change, doctor},
    host::format_local_time,
    session::{DestinationChanged, LoginCondition, MethodPreference, accept_destinations, find_unaccepted_changes},
    time::format_duration,
    worker::ProgressHandler,
};

/// Stores a secret if a flag asks for it, signs in if needed, prints the result, and adds the AWS profile that the
/// configuration names.
///
/// Only this command lets the user accept new hosts for the stored sign-in. Other commands fail until that is done.
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
    let handler: ProgressHandler<'_> = &mut |event, reply| screen.show_event(event, reply);
    review_destinations(&work)?;
    let mode = if login.force { LoginCondition::Always } else { LoginCondition::IfNeeded };
    let ready = match work.worker_client().login(mode, login.method_preference(), handler) {
        // The worker has read the provider's metadata since the first review, and it may name a new host. Then the user
        // can accept that host, and one more attempt follows.
        Err(error) => match review_destinations(&work)? {
            ReviewOutcome::Accepted => work.worker_client().login(mode, login.method_preference(), handler)?,
            ReviewOutcome::NothingNew => return Err(error.into()),
        },
        ready => ready?,
    };
    // Removes the progress line before the result is printed.
    drop(screen);
    let (environment, until) = (&context.host.environment, ready.credentials.expiration);
    let role = match (ready.role(&work.profile), &work.profile.sign_in) {
        (Some(role), _) => format!("role {} in account {}", role.name(), role.account()),
        (None, SignInSettings::Oidc(_)) => "the identity pool's role".to_owned(),
        (None, SignInSettings::IdentityCenter(IdentityCenterSettings { account_id, permission_set, .. })) => {
            format!("permission set {permission_set} in account {account_id}")
        }
    };
    let result = format!(
        "Signed in{}: {role}, until {} ({} left)\n",
        describe_user(&ready.session_name),
        format_local_time(until, environment),
        format_duration(until.duration_since(work.now()))
    );
    write_stdout(result.as_bytes())?;
    if let Some(notice) = ready.notice.or_else(|| describe_almost_spent(&work)) {
        write_stdout(format!("{notice}\n").as_bytes())?;
    }
    if ready.is_named_by_subject {
        let advice = doctor::describe_opaque_session_name(&work.profile);
        write_stderr_line(&format!("{}\n  hint: {}", advice.what(), advice.hint(&context.invocation())));
    }
    setup::give_aws_profile(context, &work.profile)
}

/// The limits that are almost reached, by the latest answer of the quota service. Programs repeat this warning only once a
/// day, but a user who signs in sees it each time.
fn describe_almost_spent(work: &ProfileContext<'_>) -> Option<String> {
    work.profile.quota.as_ref()?;
    let usage = work.cache.load_credentials_notes().usage?;
    Some(format!("You have used {}.", usage.describe_almost_spent()?))
}

/// What the review of the hosts that receive the stored sign-in found.
enum ReviewOutcome {
    /// The sign-in goes only to hosts that the user has accepted before.
    NothingNew,
    /// There were new hosts, and the user has accepted them.
    Accepted,
}

/// Shows the hosts that would receive the stored sign-in for the first time, and stores them if the user accepts them.
///
/// A changed configuration or provider could send the refresh token to an attacker's host, so a user must decide. Fails
/// with exit code 4 if the user declines or cannot be prompted.
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
    write_stderr_line("Your stored sign-in would be sent to hosts that you have not accepted before:");
    changes.iter().for_each(|change| write_stderr_line(&format!("  {}", describe_change(change))));
    if !setup::prompt_yes_no("Accept these hosts?", false)? {
        return Err(DestinationChanged { changes }.into());
    }
    // Another process may have stored a new sign-in while the user was reading, so the record is read again.
    let locked = work.lock_sign_in()?;
    let mut sign_in = locked.load_sign_in()?;
    accept_destinations(&mut sign_in.destinations, profile, environment, known.as_ref());
    locked.store_sign_in(&sign_in)?;
    Ok(ReviewOutcome::Accepted)
}

/// `--device` is the same as `flow = "device"` in the profile.
static DEVICE: [FlagOverride; 1] = [FlagOverride { key: keys::FLOW.untyped(), value: "device", name: "--device" }];

/// The keys of the profile that a flag for the sign-in method overrides. An administrator can forbid that by enforcing
/// the key.
///
/// `--no-browser` overrides nothing, because the user opens the same address that the browser would have opened.
pub(super) fn list_overrides(method: MethodPreference) -> &'static [FlagOverride] {
    match method {
        MethodPreference::Device => &DEVICE,
        MethodPreference::Any | MethodPreference::NoBrowser => &[],
    }
}

impl LoginArgs {
    /// The method that the flags ask for. `--device` wins over `--no-browser`, since it opens no browser either.
    fn method_preference(&self) -> MethodPreference {
        match (self.device, self.no_browser) {
            (true, _) => MethodPreference::Device,
            (false, true) => MethodPreference::NoBrowser,
            (false, false) => MethodPreference::Any,
        }
    }
}
