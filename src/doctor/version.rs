//! Which program this is, and whether a shell would start another.
//!
//! It asks no network whether there is a newer one.

use std::{env::consts, time::Duration};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{failure::doctor, host, text::sanitize_line};

/// Our name on `PATH`.
const NAME: &str = "bedrock-sso";

/// How long another copy may take to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) fn check_version(context: &DoctorContext<'_>) -> CheckOutcome {
    let own = concat!("bedrock-sso ", env!("CARGO_PKG_VERSION"));
    let on_path = host::find_on_path(&context.host.environment, NAME);
    for (at, path) in on_path.iter().enumerate().filter(|(_, path)| !host::is_this_program(path)) {
        let said = host::query_version(path, VERSION_TIMEOUT).unwrap_or_default();
        if said != own {
            let version = if said.is_empty() { "it does not say its version".to_owned() } else { sanitize_line(&said) };
            return Ok(Finding::Warn(doctor::describe_other_copy(at, &context.display_path(path), &version)));
        }
    }
    let running = std::env::current_exe().and_then(|path| path.canonicalize());
    let place = running.map_or_else(|_| String::new(), |path| format!(", {}", context.display_path(&path)));
    Ok(Finding::Ok(format!("{own} for {} {}{place}", consts::OS, consts::ARCH)))
}
