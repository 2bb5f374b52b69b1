//! Checks which version runs, and whether `PATH` has another version of this program.
//!
//! It does not look for newer versions: that would take a request to a server that no profile names.

use std::{env::consts, time::Duration};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{failure::doctor, host, text::sanitize_line};

/// The name of this program on `PATH`.
const NAME: &str = "bedrock-sso";

/// How long another program of this name may take to print its version. It is unknown, so it may hang.
const VERSION_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs `--version` of each other program of this name on `PATH`, because a hook or a shell might start that one. A
/// copy with the same version is fine.
pub(super) fn check_version(context: &DoctorContext<'_>) -> CheckOutcome {
    let own = concat!("bedrock-sso ", env!("CARGO_PKG_VERSION"));
    let on_path = host::find_on_path(&context.host.environment, NAME);
    for (position, path) in on_path.iter().enumerate().filter(|(_, path)| !host::is_this_program(path)) {
        let printed = host::query_version(path, VERSION_TIMEOUT).unwrap_or_default();
        if printed != own {
            let version = if printed.is_empty() { "unknown version".to_owned() } else { sanitize_line(&printed) };
            return Ok(Finding::Warn(doctor::describe_other_copy(position, &context.display_path(path), &version)));
        }
    }
    let running = std::env::current_exe().and_then(|path| path.canonicalize());
    let place = running.map_or_else(|_| String::new(), |path| format!(", {}", context.display_path(&path)));
    Ok(Finding::Ok(format!("{own} for {} {}{place}", consts::OS, consts::ARCH)))
}
