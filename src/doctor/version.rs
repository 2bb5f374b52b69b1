//! Which program this is, and whether a shell would start another.
//!
//! It asks no network whether there is a newer one.

use std::{env::consts, path::Path, time::Duration};

use super::{DoctorContext, Finding};
use crate::{failure::doctor::LocalFinding, host, text::sanitize_line};

/// Our name on `PATH`.
const NAME: &str = "bedrock-sso";

/// How long another copy may take to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) fn check_version(context: &DoctorContext<'_>) -> Finding {
    let own = concat!("bedrock-sso ", env!("CARGO_PKG_VERSION"));
    let itself = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let on_path = host::find_on_path(&context.host.environment, NAME);
    let is_itself = |path: &Path| itself.is_some() && path.canonicalize().ok() == itself;
    for (at, path) in on_path.iter().enumerate().filter(|(_, path)| !is_itself(path)) {
        let said = host::query_version(path, VERSION_TIMEOUT).unwrap_or_default();
        if said != own {
            let version =
                if said.is_empty() { "it does not say its version".to_owned() } else { sanitize_line(&said) };
            let comes_first = at == 0;
            return Finding::Warn(
                LocalFinding::OtherCopy { path: context.display_path(path), version, comes_first }.into(),
            );
        }
    }
    let place = itself.map_or_else(String::new, |path| format!(", {}", context.display_path(&path)));
    Finding::Ok(format!("{own} for {} {}{place}", consts::OS, consts::ARCH))
}
