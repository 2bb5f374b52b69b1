//! Whether a line of another program's file runs this program, and with the right words.
//!
//! It judges the line; where such lines stand is known elsewhere.

use std::path::Path;

use super::{Finding, Patient};
use crate::{
    failure::doctor::{Miscall, Neighbour},
    host,
    setup::Called,
};

/// What runs the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// AWS's tools, some of which know no shell.
    Aws,
    Shell,
}

/// What the line should be for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'w> {
    pub(super) verb: &'static str,
    pub(super) profile: &'w str,
    pub(super) caller: Caller,
}

/// The programs of AWS's guidance sample.
const SAMPLE: [&str; 2] = ["credential-process", "otel-helper"];

/// Whether the line is meant for this program, right or wrong.
pub(super) fn is_ours(called: &Called) -> bool {
    called.name() == "bedrock-sso"
}

/// What is wrong with it, said of `place`; nothing when all is well.
pub(super) fn judge(
    patient: &Patient<'_>,
    called: &Called,
    wanted: Wanted<'_>,
    place: String,
) -> Option<Finding> {
    let fault = fault(patient, called, wanted)?;
    let works = matches!(fault, Miscall::NotAbsolute { .. } | Miscall::OtherCopy { .. });
    let failure = Neighbour::Call { place, fault }.into();
    Some(if works { Finding::Warning(failure) } else { Finding::Bad(failure) })
}

fn fault(patient: &Patient<'_>, called: &Called, wanted: Wanted<'_>) -> Option<Miscall> {
    let written = match wanted.caller {
        Caller::Aws => called.program.clone(),
        Caller::Shell => called.below_home(&patient.home),
    };
    let program = patient.shown(&written);
    if SAMPLE.contains(&called.name()) {
        return Some(Miscall::Sample { program });
    }
    let is_bare = written.parent().is_some_and(|folder| folder.as_os_str().is_empty());
    let on_path = || host::named_on_path(&patient.host.environment, &written.to_string_lossy());
    let found =
        if is_bare { on_path().into_iter().next() } else { written.exists().then(|| written.clone()) };
    let Some(found) = found else { return Some(Miscall::Gone { program }) };
    if !is_ours(called) {
        return Some(Miscall::Foreign { program });
    }
    if let Some(verb) = called.verb.clone().filter(|verb| verb != wanted.verb) {
        return Some(Miscall::OtherVerb { verb: crate::text::line(&verb), wanted: wanted.verb });
    }
    if let Some(named) = called.profile.as_ref().filter(|named| *named != wanted.profile) {
        let (named, ours) = (crate::text::line(named), wanted.profile.to_owned());
        return Some(Miscall::OtherProfile { named, ours });
    }
    if !written.is_absolute() && wanted.caller == Caller::Aws {
        return Some(Miscall::NotAbsolute { program });
    }
    (!is_this_program(&found)).then_some(Miscall::OtherCopy { program })
}

/// By whatever links and names it is reached.
fn is_this_program(path: &Path) -> bool {
    let itself = std::env::current_exe().and_then(|itself| itself.canonicalize());
    itself.is_ok_and(|itself| path.canonicalize().is_ok_and(|path| path == itself))
}
