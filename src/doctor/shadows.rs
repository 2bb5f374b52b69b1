//! What would be used in place of a sign-in, whoever set it: variables, here and in Claude Code's settings.
//!
//! Which of them outrank a sign-in is a table of `setup`.

use super::{Finding, Patient, aws_files};
use crate::{
    config::INSIDE_OF_EXEC,
    failure::doctor::Neighbour,
    setup::{
        claude::SHADOWS,
        settings::{self, Key},
    },
    text::line,
};

pub(super) fn look(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    for path in [&patient.neighbours.claude_managed, &patient.neighbours.claude_settings] {
        let text = patient.text_of(path).ok().flatten().unwrap_or_default();
        let is_set = |name: &&str| settings::value_of(&text, &Key::Env((*name).to_owned())).is_some();
        let names: Vec<String> = SHADOWS.iter().copied().filter(is_set).map(str::to_owned).collect();
        if !names.is_empty() {
            return Finding::Bad(Neighbour::Shadows { names, file: Some(patient.shown(path)) }.into());
        }
    }
    let environment = &patient.host.environment;
    if environment.os(INSIDE_OF_EXEC).is_some() {
        return Finding::Fine("inside of `exec`, whose credentials are ours".to_owned());
    }
    let names: Vec<String> =
        SHADOWS.iter().copied().filter(|name| environment.os(name).is_some()).map(str::to_owned).collect();
    if !names.is_empty() {
        return Finding::Warning(Neighbour::Shadows { names, file: None }.into());
    }
    let ours = aws_files::name(patient, &profile.name);
    match environment.text("AWS_PROFILE").filter(|named| *named != ours) {
        Some(named) => Finding::Warning(Neighbour::OtherAwsProfile { named: line(&named), ours }.into()),
        None => Finding::Fine("nothing stands before your sign-in".to_owned()),
    }
}
