//! `exec`: a command with the credentials in its environment, in this program's place.
//!
//! From there on its output, its signals and its exit code are its own.

use super::{
    CommandContext, SignInScreen,
    env::{CONFLICTING_VARIABLES, list_sdk_variables},
};
use crate::{
    cli::ExecArgs,
    config::{CallerKind, INSIDE_OF_EXEC},
    failure::Failure,
    host,
};

pub(super) fn run_exec(ExecArgs { command }: &ExecArgs, context: &CommandContext<'_>) -> Result<(), Failure> {
    if let Some(profile) = context.host.environment.var_text(INSIDE_OF_EXEC) {
        return Err(Failure::from_nested_exec(&profile, INSIDE_OF_EXEC));
    }
    let work = context.load_profile(CallerKind::MayPrompt)?;
    let mut screen = SignInScreen::for_automatic(&context.host.environment);
    let ready = work.worker_client().long_lived_credentials(&mut |told, reply| screen.show_event(told, reply))?;
    // The terminal must be as it was before the command has it.
    drop(screen);
    let mut set = list_sdk_variables(&ready.credentials, &work.profile).to_vec();
    set.push((INSIDE_OF_EXEC, work.profile.name.clone()));
    let error = host::exec_command(command, &set, &CONFLICTING_VARIABLES);
    Err(Failure::from_start_error(command, &error))
}
