//! `exec`: a command with the credentials in its environment, in this program's place.
//!
//! From there on its output, its signals and its exit code are its own.

use std::ffi::OsString;

use super::{
    CommandContext,
    env::{CONFLICTING_VARIABLES, fetch_sdk_variables},
};
use crate::{config::INSIDE_OF_EXEC, failure::Failure, host};

pub(super) fn run_exec(command: &[OsString], context: &CommandContext<'_>) -> Result<(), Failure> {
    if let Some(profile) = context.host.environment.var_text(INSIDE_OF_EXEC) {
        return Err(Failure::from_nested_exec(&profile, INSIDE_OF_EXEC));
    }
    let (profile, variables) = fetch_sdk_variables(context)?;
    let set = [variables.as_slice(), &[(INSIDE_OF_EXEC, profile.name)]].concat();
    let error = host::exec_command(command, &set, &CONFLICTING_VARIABLES);
    Err(Failure::from_start_error(command, &error))
}
