//! `errand`: the cold work, called by this program alone.
//!
//! What is done, and how it is told to the caller, is for `errand` itself.

use super::CommandContext;
use crate::{
    cli::{CredentialsArgs, WorkerArgs, WorkerCommand as Words},
    errand::run_worker_process,
    failure::Failure,
    secret,
    session::LadderPurpose,
};

pub(super) fn run_worker(
    WorkerArgs { terminal, purpose }: &WorkerArgs,
    context: &CommandContext<'_>,
) -> Result<(), Failure> {
    let flags = match purpose {
        Words::Login(login) => login.flags(),
        _ => &[],
    };
    let purpose = convert_purpose(purpose);
    let on = context.load_profile_with_flags(purpose.caller(), flags)?;
    let done =
        run_worker_process(&context.host, &on.profile, &on.cache, purpose, *terminal, &context.invocation());
    secret::wipe_stack::<{ secret::COLD_STACK_BYTES }>();
    done
}

fn convert_purpose(words: &Words) -> LadderPurpose {
    match words {
        Words::Credentials(CredentialsArgs { no_login }) => {
            LadderPurpose::Credentials { may_prompt: !no_login }
        }
        Words::Login(login) => LadderPurpose::Login { force: login.force, method: login.method_preference() },
        Words::Renewal => LadderPurpose::Renewal,
        Words::Token { ahead } => LadderPurpose::Token { ahead: *ahead },
    }
}
