//! `doctor`: what is wrong here and how to mend it, a line a check.
//!
//! What is looked at, and what is thought of it, is `doctor`'s own business; here it is shown.

use std::process::ExitCode;

use serde::Serialize;

use super::{Desk, print};
use crate::{
    cli::{self, Global},
    doctor::{self, Checked, Patient, Verdict},
    failure::Failure,
};

/// The exit code is that of the first check that is bad.
pub(super) fn run(cli::Doctor { json, live }: &cli::Doctor, global: &Global) -> Result<ExitCode, Failure> {
    let desk = Desk::new(global)?;
    let checks = doctor::examine(&Patient::new(&desk.host, desk.inputs()), *live)?;
    let text = if *json { document(&checks) } else { for_people(&checks) };
    print(text.as_bytes())?;
    let worst = checks.iter().find(|check| check.result == Verdict::Bad);
    Ok(worst.and_then(|check| check.exit).map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// The contract of `doctor --json`; additions keep `version`.
#[derive(Serialize)]
struct Report<'c> {
    version: u32,
    checks: &'c [Checked],
}

fn document(checks: &[Checked]) -> String {
    let mut text =
        serde_json::to_string(&Report { version: 1, checks }).expect("a report holds texts and numbers");
    text.push('\n');
    text
}

fn for_people(checks: &[Checked]) -> String {
    let mut text = String::new();
    for Checked { name, result, message, remedy, exit: _ } in checks {
        text.push_str(&format!("{:<7}  {name:<16}  {message}\n", word(*result)));
        text.extend(remedy.iter().map(|remedy| format!("{:27}hint: {remedy}\n", "")));
    }
    text
}

fn word(result: Verdict) -> &'static str {
    match result {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Bad => "bad",
        Verdict::Skipped => "skipped",
    }
}
