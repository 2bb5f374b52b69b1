//! The files of AWS's tools: whether a profile there leads here, and whether anything stands before it.
//!
//! They are read as AWS's tools read them; what they should say is for `setup`.

use super::{
    Finding, Patient,
    call::{self, Caller, Wanted},
    claude,
};
use crate::{
    failure::{Failure, doctor::Neighbour},
    setup::{self, Called, aws},
};

/// The AWS profile that asks this program for credentials of ours, with its line.
pub(super) fn leading(text: &str, ours: &str) -> Option<(String, Called)> {
    let read = |(name, line): (String, String)| Some((name, Called::read(&line)?));
    let lines: Vec<_> = aws::processes(text).into_iter().filter_map(read).collect();
    let asks = |called: &Called| call::is_ours(called) && called.profile.as_deref() == Some(ours);
    let found = lines.iter().find(|(_, called)| asks(called));
    // One of the same name was meant to, whatever it runs.
    found.or_else(|| lines.iter().find(|(name, _)| name == ours)).cloned()
}

/// Its name; ours, where there is none.
pub(super) fn name(patient: &Patient<'_>, ours: &str) -> String {
    let text = patient.text_of(&patient.neighbours.aws_config).ok().flatten().unwrap_or_default();
    leading(&text, ours).map_or_else(|| ours.to_owned(), |(name, _)| name)
}

pub(super) fn profile(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let path = &patient.neighbours.aws_config;
    let text = match patient.text_of(path) {
        Ok(text) => text.unwrap_or_default(),
        Err(failure) => return Finding::Bad(failure),
    };
    let file = patient.shown(path);
    let found = leading(&text, &profile.name);
    let name = found.as_ref().map_or(profile.name.as_str(), |(name, _)| name);
    if let Some(refusal) = aws::refusal(&text, name) {
        return Finding::Bad(Failure::from(setup::Error::Aws { path: path.clone(), refusal }));
    }
    let Some((name, called)) = &found else {
        if claude::brings_its_own_credentials(patient) {
            return Finding::Skipped(
                "none is needed: the managed settings of Claude Code bring credentials".to_owned(),
            );
        }
        return Finding::Bad(Neighbour::NoAwsProfile { file, profile: profile.name.clone() }.into());
    };
    let wanted = Wanted { verb: "credentials", profile: &profile.name, caller: Caller::Aws };
    let place = format!("[profile {name}] in {file}");
    call::judge(patient, called, wanted, place.clone())
        .unwrap_or_else(|| Finding::Fine(format!("{place} leads here")))
}

pub(super) fn fixed_keys(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let path = &patient.neighbours.aws_credentials;
    let text = match patient.text_of(path) {
        Ok(text) => text.unwrap_or_default(),
        Err(failure) => return Finding::Bad(failure),
    };
    let (name, file) = (name(patient, &profile.name), patient.shown(path));
    match aws::has_fixed_keys(&text, &name) {
        true => Finding::Bad(Neighbour::FixedKeys { file, profile: name }.into()),
        false => Finding::Fine(format!("{file} holds none for [{name}]")),
    }
}
