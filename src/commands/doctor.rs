//! The command `doctor`: runs the checks and prints one line per check, with a remedy under each problem.
//!
//! This module only shows results, as text, as JSON or as a support bundle. The module `doctor` has the checks.

use std::{path::Path, process::ExitCode};

use serde::Serialize;

use super::{
    CommandContext,
    color::{Palette, Tone},
    to_json_line,
    wrap::{compute_width, wrap_text},
    write_stdout,
};
use crate::{
    cli,
    doctor::{self, CheckReport, CheckResult, DoctorContext, support_bundle},
    failure::Failure,
    files,
    host::{Environment, Terminal},
    text,
};

/// Runs the checks, writes the bundle if one is requested, and prints the report. The exit code is that of the first
/// bad check, which is the code of a command that fails for the same reason. Warnings do not change it.
pub(super) fn run_doctor(
    cli::DoctorArgs { json, live, bundle }: &cli::DoctorArgs,
    context: &CommandContext<'_>,
) -> Result<ExitCode, Failure> {
    // Before the checks, so that the user does not wait for them only to learn that the file cannot be written.
    bundle.as_deref().map(check_bundle_target).transpose()?;
    let examined = DoctorContext::new(&context.host, context.inputs())?;
    let checks = doctor::run_checks(&examined, *live)?;
    if let Some(path) = bundle {
        files::write_atomically(path, support_bundle::render_bundle(&examined, &checks).as_bytes())?;
    }
    let text = match json {
        true => to_json_line(&DoctorReport { version: 1, checks: &checks }),
        false => ReportLayout::for_stdout(&context.host.environment).format_report(&checks, bundle.as_deref()),
    };
    write_stdout(text.as_bytes())?;
    let worst = checks.iter().find(|check| check.result == CheckResult::Bad);
    Ok(worst.and_then(|check| check.exit).map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// Refuses to overwrite a file that is not an earlier bundle, so that a mistyped path destroys nothing.
fn check_bundle_target(path: &Path) -> Result<(), Failure> {
    let found = files::read_if_exists(path)?;
    let is_ours = found.is_none_or(|bytes| bytes.starts_with(support_bundle::FIRST_LINE.as_bytes()));
    if is_ours { Ok(()) } else { Err(Failure::from_foreign_bundle(path)) }
}

/// The document of `doctor --json`, which is part of the contract. A new field does not change `version`.
#[derive(Serialize)]
struct DoctorReport<'c> {
    version: u32,
    checks: &'c [CheckReport],
}

/// The layout of the text report.
#[derive(Clone, Copy)]
struct ReportLayout {
    /// The width of the terminal. `None` for a file or a pipe, where lines are not wrapped.
    columns: Option<usize>,
    palette: Palette,
}

/// The column in which the message of a check begins, after the result and the name.
const MESSAGE_COLUMN: usize = 9 + 18;
const HINT: &str = "hint: ";

/// The notice after the path of a bundle. The user must know what the file contains before sending it to others.
const BUNDLE_NOTICE: &str = "contains these results, the configuration with the origin of each value, the names of \
                             environment variables, and the commands that call this program. It contains no secret, \
                             but it contains your name, and paths and addresses of your company: read it before you \
                             send it to anyone.";

impl ReportLayout {
    fn for_stdout(environment: &Environment) -> Self {
        let columns = Terminal::stdout_size().map(|(columns, _)| columns);
        Self { columns, palette: Palette::for_stdout(environment) }
    }

    fn format_report(self, checks: &[CheckReport], bundle: Option<&Path>) -> String {
        let mut text: String = checks.iter().map(|check| self.format_check(check)).collect();
        text.push_str(&format!("\n{}\n", summarize_checks(checks)));
        if let Some(path) = bundle {
            let notice = format!("{} {BUNDLE_NOTICE}", text::display_path(path));
            text.push_str(&format!("\n{}\n", self.indent_text(&notice, 0)));
        }
        text
    }

    /// The line of a check, and its remedy below the message.
    fn format_check(self, CheckReport { name, result, message, remedy, .. }: &CheckReport) -> String {
        let message = self.indent_text(message, MESSAGE_COLUMN);
        let mut text = format!("{}  {name:<16}  {message}\n", self.format_result(*result));
        if let Some(remedy) = remedy {
            let remedy = self.indent_text(remedy, MESSAGE_COLUMN + HINT.len());
            text.push_str(&format!("{:MESSAGE_COLUMN$}{}{remedy}\n", "", self.palette.paint(Tone::Dimmed, HINT)));
        }
        text
    }

    /// The result in its column. Only this word has a colour, so that the messages stay readable on every background.
    fn format_result(self, result: CheckResult) -> String {
        let tone = match result {
            CheckResult::Ok => Tone::Good,
            CheckResult::Warn => Tone::Warning,
            CheckResult::Bad => Tone::Bad,
            CheckResult::Skipped => Tone::Dimmed,
        };
        self.palette.paint(tone, &format!("{:<7}", result.as_str()))
    }

    /// Wraps a text that begins at this column, and indents its further lines to the same column.
    fn indent_text(self, text: &str, indent: usize) -> String {
        wrap_text(text, compute_width(self.columns, indent)).join(&format!("\n{:indent$}", ""))
    }
}

/// The last line, with the words of the result column: `33 checks: 1 bad, 2 warn, 26 ok, 4 skipped`. The worst result
/// comes first.
fn summarize_checks(checks: &[CheckReport]) -> String {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    let results = [CheckResult::Bad, CheckResult::Warn, CheckResult::Ok, CheckResult::Skipped];
    let counted = results.into_iter().map(|result| (count(result), result.as_str()));
    let parts: Vec<String> =
        counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    format!("{} checks: {}", checks.len(), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(result: CheckResult, message: &str, remedy: Option<&str>) -> CheckReport {
        let (message, remedy) = (message.to_owned(), remedy.map(str::to_owned));
        CheckReport { name: "clock", result, message, remedy, exit: None, slug: None }
    }

    #[test]
    fn long_message_wraps_below_its_first_word() {
        let bad = checked(CheckResult::Bad, "one two three four five", Some("six seven eight nine ten"));
        let narrow = ReportLayout { columns: Some(MESSAGE_COLUMN + 21), palette: Palette::NONE };
        assert_eq!(
            narrow.format_check(&bad),
            "bad      clock             one two three four\n                           five\n                           hint: six seven eight nine\n                                 ten\n"
        );
        let wide = ReportLayout { columns: None, palette: Palette::NONE };
        assert_eq!(
            wide.format_check(&bad),
            "bad      clock             one two three four five\n                           hint: six seven eight nine ten\n"
        );
    }

    #[test]
    fn only_the_result_has_a_colour() {
        let page = ReportLayout { columns: None, palette: Palette::COLOURS };
        let line = page.format_check(&checked(CheckResult::Bad, "m", Some("r")));
        assert_eq!(
            line,
            "\x1b[31mbad    \x1b[0m  clock             m\n                           \x1b[2mhint: \x1b[0mr\n"
        );
    }

    #[test]
    fn summary_counts_the_worst_result_first() {
        let all =
            [CheckResult::Ok, CheckResult::Bad, CheckResult::Ok, CheckResult::Warn].map(|it| checked(it, "", None));
        assert_eq!(summarize_checks(&all), "4 checks: 1 bad, 1 warn, 2 ok");
    }
}
