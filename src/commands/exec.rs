//! `exec`: runs a command with AWS credentials in its environment.
//!
//! On Unix the command replaces this process, so it receives signals and the terminal directly. On Windows it is a
//! child process. In both cases its output and exit code are those of `exec`.

use std::ffi::OsString;

use super::{
    CommandContext,
    env::{CONFLICTING_VARIABLES, fetch_sdk_variables},
};
use crate::{config::INSIDE_OF_EXEC, failure::Failure, host};

/// Fetches credentials and starts `command`. Returns only if that fails.
pub(super) fn run_exec(command: &[OsString], context: &CommandContext<'_>) -> Result<(), Failure> {
    // An `exec` inside of another one would silently replace its credentials, perhaps with those of another profile.
    if let Some(profile) = context.host.environment.var_text(INSIDE_OF_EXEC) {
        return Err(Failure::from_nested_exec(&profile, INSIDE_OF_EXEC));
    }
    let (profile, variables) = fetch_sdk_variables(context)?;
    let set = [variables.as_slice(), &[(INSIDE_OF_EXEC, profile.name)]].concat();
    let error = host::exec_command(command, &set, &CONFLICTING_VARIABLES);
    Err(Failure::from_start_error(command, &error))
}
