//! Claude Code's settings, a person's and the organisation's: whether they are read, agree with the profile, and run
//! this program.
//!
//! What they should say is for `setup`, and what outranks a sign-in for `shadows`.

use std::path::Path;

use super::{
    Finding, Patient, aws_files,
    call::{self, Caller, Wanted},
};
use crate::{
    config::Profile,
    failure::{Failure, doctor::Neighbour},
    host,
    setup::{
        self, Call, Called,
        claude::{self, Source},
        settings::{self, Key, Setting},
    },
    text::line,
};

/// The hooks, each with the verb that it should run.
pub(super) const HOOKS: [(&str, &str); 3] =
    [("awsAuthRefresh", "login"), ("awsCredentialExport", "export"), ("otelHeadersHelper", "otel-headers")];

/// Without it nothing renews a session that has ended.
const REFRESH: Key = Key::Top("awsAuthRefresh");

/// Whether the organisation's settings bring credentials, so that no AWS profile is needed.
pub(super) fn brings_its_own_credentials(patient: &Patient<'_>) -> bool {
    let text = patient.text_of(&patient.neighbours.claude_managed).ok().flatten().unwrap_or_default();
    let hook = settings::value_of(&text, &Key::Top("awsCredentialExport"));
    hook.and_then(|hook| Called::read(&hook)).is_some_and(|called| call::is_ours(&called))
}

pub(super) fn of_person(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let path = &patient.neighbours.claude_settings;
    let text = match read(patient, path) {
        Ok(text) => text,
        Err(finding) => return finding,
    };
    let managed = brings_its_own_credentials(patient);
    let wanted = wanted(patient, &Source::AwsProfile(aws_files::name(patient, &profile.name)));
    let says = |setting: &Setting| settings::value_of(text.as_deref().unwrap_or_default(), &setting.key);
    if !wanted.iter().any(|setting| says(setting).is_some()) {
        return without(patient, managed, patient.shown(path));
    }
    disagreement(patient, path, text.as_deref().unwrap_or_default(), &wanted, managed)
        .unwrap_or_else(|| Finding::Fine(format!("{} agrees with the profile", patient.shown(path))))
}

/// Settings that say nothing of Bedrock.
fn without(patient: &Patient<'_>, managed: bool, file: String) -> Finding {
    if managed {
        return Finding::Skipped("none are needed beside the organisation's".to_owned());
    }
    match host::named_on_path(&patient.host.environment, "claude").is_empty() {
        true => Finding::Skipped("Claude Code is not on PATH, and nothing leads it here".to_owned()),
        false => Finding::Warning(Neighbour::NoSettings { file }.into()),
    }
}

pub(super) fn of_organisation(patient: &Patient<'_>) -> Finding {
    if patient.profile().is_err() {
        return Finding::no_profile();
    }
    let path = &patient.neighbours.claude_managed;
    match read(patient, path) {
        Err(finding) => finding,
        Ok(None) => Finding::Skipped("there are none on this machine".to_owned()),
        Ok(Some(text)) => disagreement(patient, path, &text, &wanted_of_organisation(patient), true)
            .unwrap_or_else(|| Finding::Fine(format!("{} agrees with the profile", patient.shown(path)))),
    }
}

pub(super) fn hooks(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let (mut faults, mut hooks) = (Vec::new(), Vec::new());
    let both = [&patient.neighbours.claude_settings, &patient.neighbours.claude_managed];
    for path in both {
        let Ok(Some(text)) = read(patient, path) else { continue };
        for (name, verb) in HOOKS {
            let Some(hook) = settings::value_of(&text, &Key::Top(name)) else { continue };
            hooks.push(name);
            let place = format!("{name} in {}", patient.shown(path));
            faults.extend(misdirected(patient, profile, &hook, verb, place));
        }
    }
    faults.sort_by_key(|fault| matches!(fault, Finding::Warning(_)));
    match (faults.into_iter().next(), hooks.is_empty()) {
        (Some(fault), _) => fault,
        (None, true) => Finding::Skipped("Claude Code has none".to_owned()),
        (None, false) if !hooks.contains(&"awsAuthRefresh") => no_refresh(patient),
        (None, false) => Finding::Fine(format!("lead here: {}", hooks.join(", "))),
    }
}

fn misdirected(
    patient: &Patient<'_>,
    profile: &Profile,
    hook: &str,
    verb: &'static str,
    place: String,
) -> Option<Finding> {
    let called = Called::read(hook)?;
    let wanted = Wanted { verb, profile: &profile.name, caller: Caller::Shell };
    // Somebody's own way of telling who sends telemetry is theirs.
    let is_own = verb == "otel-headers" && !call::is_ours(&called) && called.name() != "otel-helper";
    if is_own { None } else { call::judge(patient, &called, wanted, place) }
}

fn no_refresh(patient: &Patient<'_>) -> Finding {
    let wanted = wanted(patient, &Source::Export);
    let setting = wanted.into_iter().find(|setting| setting.key == REFRESH);
    let file = patient.shown(&patient.neighbours.claude_settings);
    let wanted = setting.map(|setting| setting.value).unwrap_or_default();
    Finding::Warning(
        Neighbour::Disagrees { file, key: REFRESH.to_string(), says: None, wanted, more: 0 }.into(),
    )
}

/// A file that Claude Code reads, if it can.
fn read(patient: &Patient<'_>, path: &Path) -> Result<Option<String>, Finding> {
    let text = patient.text_of(path).map_err(Finding::Bad)?;
    let judged = text.as_deref().map(|text| settings::with(text, &[]));
    match judged {
        Some(Err(refusal)) => {
            Err(Finding::Bad(Failure::from(setup::Error::Settings { path: path.to_owned(), refusal })))
        }
        _ => Ok(text),
    }
}

/// What `setup` would have the file say.
fn wanted(patient: &Patient<'_>, source: &Source) -> Vec<Setting> {
    let program = host::lasting_path(&patient.host.environment).ok();
    let call = program.and_then(|program| Call::new(&program, None).ok());
    match (patient.profile_and_claude(), call) {
        (Ok((profile, claude)), Some(call)) => claude::settings(profile, claude, source, &call),
        _ => Vec::new(),
    }
}

/// Without the pinned variables, whose values an administrator may choose.
fn wanted_of_organisation(patient: &Patient<'_>) -> Vec<Setting> {
    let mut wanted = wanted(patient, &Source::Export);
    wanted.retain(|setting| !matches!(&setting.key, Key::Env(name) if claude::is_pinned(name)));
    wanted
}

/// The first variable that says something else; what is not said counts only where nobody else says it.
fn disagreement(
    patient: &Patient<'_>,
    path: &Path,
    text: &str,
    wanted: &[Setting],
    may_be_silent: bool,
) -> Option<Finding> {
    let variables = wanted.iter().filter(|setting| matches!(setting.key, Key::Env(_)));
    let mut differing = variables.filter_map(|Setting { key, value }| {
        let says = settings::value_of(text, key);
        let differs = match &says {
            Some(says) => says != value,
            None => !may_be_silent,
        };
        differs.then_some((key, says, value))
    });
    let (key, says, wanted) = differing.next()?;
    let (file, more) = (patient.shown(path), differing.count());
    let (says, wanted) = (says.map(|says| line(&says)), line(wanted));
    Some(Finding::Warning(Neighbour::Disagrees { file, key: key.to_string(), says, wanted, more }.into()))
}
