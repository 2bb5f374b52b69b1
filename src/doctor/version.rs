//! Which program this is, and whether a shell would start another.
//!
//! It asks no network whether there is a newer one.

use std::{env::consts, path::Path, time::Duration};

use super::{Finding, Patient};
use crate::{failure::doctor::Machine, host, text::line};

/// Our name on `PATH`.
const NAME: &str = "bedrock-sso";

/// How long another copy may take to say its version.
const MOMENT: Duration = Duration::from_secs(1);

pub(super) fn look(patient: &Patient<'_>) -> Finding {
    let own = concat!("bedrock-sso ", env!("CARGO_PKG_VERSION"));
    let itself = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let on_path = host::named_on_path(&patient.host.environment, NAME);
    let is_itself = |path: &Path| itself.is_some() && path.canonicalize().ok() == itself;
    for (at, path) in on_path.iter().enumerate().filter(|(_, path)| !is_itself(path)) {
        let said = host::version_of(path, MOMENT).unwrap_or_default();
        if said != own {
            let version =
                if said.is_empty() { "it does not say its version".to_owned() } else { line(&said) };
            let comes_first = at == 0;
            return Finding::Warning(
                Machine::OtherCopy { path: patient.shown(path), version, comes_first }.into(),
            );
        }
    }
    let place = itself.map_or_else(String::new, |path| format!(", {}", patient.shown(&path)));
    Finding::Fine(format!("{own} for {} {}{place}", consts::OS, consts::ARCH))
}
