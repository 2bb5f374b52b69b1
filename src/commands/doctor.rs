//! `doctor`: what is wrong here and how to mend it, a line a check.
//!
//! What is looked at, and what is thought of it, is `doctor`'s own business; here it is shown.

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

/// The exit code is that of the first check that is bad: the one that a command which fails of it would end with.
pub(super) fn run_doctor(
    cli::DoctorArgs { json, live, bundle }: &cli::DoctorArgs,
    context: &CommandContext<'_>,
) -> Result<ExitCode, Failure> {
    bundle.as_deref().map(check_bundle_target).transpose()?;
    let patient = DoctorContext::new(&context.host, context.inputs())?;
    let checks = doctor::run_checks(&patient, *live)?;
    if let Some(path) = bundle {
        files::write_atomically(path, support_bundle::render_bundle(&patient, &checks).as_bytes())?;
    }
    let text = match json {
        true => to_json_line(&DoctorReport { version: 1, checks: &checks }),
        false => ReportLayout::for_stdout(&context.host.environment).format_report(&checks, bundle.as_deref()),
    };
    write_stdout(text.as_bytes())?;
    let worst = checks.iter().find(|check| check.result == CheckResult::Bad);
    Ok(worst.and_then(|check| check.exit).map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// A bundle takes the place of an earlier one, and of nothing else.
fn check_bundle_target(path: &Path) -> Result<(), Failure> {
    let found = files::read_if_exists(path)?;
    let is_ours = found.is_none_or(|bytes| bytes.starts_with(support_bundle::FIRST_LINE.as_bytes()));
    if is_ours { Ok(()) } else { Err(Failure::from_foreign_bundle(path)) }
}

/// The contract of `doctor --json`; additions keep `version`.
#[derive(Serialize)]
struct DoctorReport<'c> {
    version: u32,
    checks: &'c [CheckReport],
}

/// Where people read it.
#[derive(Clone, Copy)]
struct ReportLayout {
    /// `None`, for a file or a pipe: a line is as long as it is.
    columns: Option<usize>,
    palette: Palette,
}

/// Where the message of a check begins.
const MESSAGE_COLUMN: usize = 9 + 18;
const HINT: &str = "hint: ";

/// What is said of a bundle.
const BUNDLE_NOTICE: &str = "has all this, the configuration with the origin of each value, the names of variables, and what calls \
                     this program. There is no secret in it, but your name, paths and addresses of your company are: \
                     look at it before you pass it on.";

impl ReportLayout {
    fn for_stdout(environment: &Environment) -> Self {
        let columns = Terminal::stdout_size().map(|(columns, _)| columns);
        Self { columns, palette: Palette::for_stdout(environment) }
    }

    fn format_report(self, checks: &[CheckReport], bundle: Option<&Path>) -> String {
        let mut text: String = checks.iter().map(|check| self.format_check(check)).collect();
        text.push_str(&format!("\n{}\n", summarize_checks(checks)));
        if let Some(path) = bundle {
            let told = format!("{} {BUNDLE_NOTICE}", text::display_path(path));
            text.push_str(&format!("\n{}\n", self.indent_text(&told, 0)));
        }
        text
    }

    fn format_check(self, CheckReport { name, result, message, remedy, .. }: &CheckReport) -> String {
        let message = self.indent_text(message, MESSAGE_COLUMN);
        let mut text = format!("{}  {name:<16}  {message}\n", self.format_result(*result));
        if let Some(remedy) = remedy {
            let remedy = self.indent_text(remedy, MESSAGE_COLUMN + HINT.len());
            text.push_str(&format!("{:MESSAGE_COLUMN$}{}{remedy}\n", "", self.palette.paint(Tone::Dimmed, HINT)));
        }
        text
    }

    fn format_result(self, result: CheckResult) -> String {
        let tone = match result {
            CheckResult::Ok => Tone::Good,
            CheckResult::Warn => Tone::Warning,
            CheckResult::Bad => Tone::Bad,
            CheckResult::Skipped => Tone::Dimmed,
        };
        self.palette.paint(tone, &format!("{:<7}", result.as_str()))
    }

    /// The text from this column on, its later lines indented to it.
    fn indent_text(self, text: &str, indent: usize) -> String {
        wrap_text(text, compute_width(self.columns, indent)).join(&format!("\n{:indent$}", ""))
    }
}

/// `28 checks: 1 bad, 2 to look at, 22 ok, 3 skipped`
fn summarize_checks(checks: &[CheckReport]) -> String {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    let told = [
        (CheckResult::Bad, "bad"),
        (CheckResult::Warn, "to look at"),
        (CheckResult::Ok, "ok"),
        (CheckResult::Skipped, "skipped"),
    ];
    let counted = told.into_iter().map(|(result, words)| (count(result), words));
    let told: Vec<String> =
        counted.filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    format!("{} checks: {}", checks.len(), told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(result: CheckResult, message: &str, remedy: Option<&str>) -> CheckReport {
        let (message, remedy) = (message.to_owned(), remedy.map(str::to_owned));
        CheckReport { name: "clock", result, message, remedy, exit: None, slug: None }
    }

    #[test]
    fn a_line_wraps_at_the_terminals_edge_below_where_it_began() {
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
    fn the_verdict_is_painted_and_the_message_is_not() {
        let page = ReportLayout { columns: None, palette: Palette::COLOURS };
        let told = page.format_check(&checked(CheckResult::Bad, "m", Some("r")));
        assert_eq!(
            told,
            "\x1b[31mbad    \x1b[0m  clock             m\n                           \x1b[2mhint: \x1b[0mr\n"
        );
    }

    #[test]
    fn the_worst_is_counted_first() {
        let all =
            [CheckResult::Ok, CheckResult::Bad, CheckResult::Ok, CheckResult::Warn].map(|it| checked(it, "", None));
        assert_eq!(summarize_checks(&all), "4 checks: 1 bad, 1 to look at, 2 ok");
    }
}
