//! `doctor`: what is wrong here and how to mend it, a line a check.
//!
//! What is looked at, and what is thought of it, is `doctor`'s own business; here it is shown.

use std::{path::Path, process::ExitCode};

use serde::Serialize;

use super::{
    Desk, document,
    fold::{folded, room},
    paint::Paint,
    print, spelt,
};
use crate::{
    cli::{self, Global},
    doctor::{self, Checked, Patient, Verdict, bundle},
    failure::{Failure, Unfit},
    files,
    host::{Environment, Terminal},
    text,
};

/// The exit code is that of the first check that is bad: the one that a command which fails of it would end with.
pub(super) fn run(
    cli::Doctor { json, live, bundle }: &cli::Doctor,
    global: &Global,
) -> Result<ExitCode, Failure> {
    let desk = Desk::new(global)?;
    bundle.as_deref().map(may_be_replaced).transpose()?;
    let patient = Patient::new(&desk.host, desk.inputs())?;
    let mut checks = doctor::examine(&patient, *live)?;
    for remedy in checks.iter_mut().filter_map(|check| check.remedy.as_mut()) {
        *remedy = spelt(remedy, global);
    }
    if let Some(path) = bundle {
        files::replace(path, bundle::text(&patient, &checks).as_bytes())?;
    }
    let text = match json {
        true => document(&Report { version: 1, checks: &checks }),
        false => Page::of_stdout(&desk.host.environment).text(&checks, bundle.as_deref()),
    };
    print(text.as_bytes())?;
    let worst = checks.iter().find(|check| check.result == Verdict::Bad);
    Ok(worst.and_then(|check| check.exit).map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// A bundle takes the place of an earlier one, and of nothing else.
fn may_be_replaced(path: &Path) -> Result<(), Failure> {
    let found = files::read(path)?;
    let is_ours = found.is_none_or(|bytes| bytes.starts_with(bundle::FIRST_LINE.as_bytes()));
    if is_ours { Ok(()) } else { Err(Unfit::NoBundle { path: path.to_owned() }.into()) }
}

/// The contract of `doctor --json`; additions keep `version`.
#[derive(Serialize)]
struct Report<'c> {
    version: u32,
    checks: &'c [Checked],
}

/// Where people read it.
#[derive(Clone, Copy)]
struct Page {
    /// `None`, for a file or a pipe: a line is as long as it is.
    columns: Option<usize>,
    paint: Paint,
}

/// Where the message of a check begins.
const MESSAGE: usize = 9 + 18;
const HINT: &str = "hint: ";

/// What is said of a bundle.
const IN_IT: &str = "has all this, the configuration with the origin of each value, the names of variables, and what calls \
                     this program. There is no secret in it, but your name, paths and addresses of your company are: \
                     look at it before you pass it on.";

impl Page {
    fn of_stdout(environment: &Environment) -> Self {
        let columns = Terminal::size_of_stdout().map(|(columns, _)| columns);
        Self { columns, paint: Paint::of_stdout(environment) }
    }

    fn text(self, checks: &[Checked], bundle: Option<&Path>) -> String {
        let mut text: String = checks.iter().map(|check| self.check(check)).collect();
        text.push_str(&format!("\n{}\n", summary(checks)));
        if let Some(path) = bundle {
            let told = format!("{} {IN_IT}", text::path(path));
            text.push_str(&format!("\n{}\n", self.indented(&told, 0)));
        }
        text
    }

    fn check(self, Checked { name, result, message, remedy, .. }: &Checked) -> String {
        let message = self.indented(message, MESSAGE);
        let mut text = format!("{}  {name:<16}  {message}\n", self.word(*result));
        if let Some(remedy) = remedy {
            let remedy = self.indented(remedy, MESSAGE + HINT.len());
            text.push_str(&format!("{:MESSAGE$}{}{remedy}\n", "", self.paint.faint(HINT)));
        }
        text
    }

    fn word(self, result: Verdict) -> String {
        let word = format!("{:<7}", result.word());
        match result {
            Verdict::Ok => self.paint.good(&word),
            Verdict::Warn => self.paint.doubtful(&word),
            Verdict::Bad => self.paint.bad(&word),
            Verdict::Skipped => self.paint.faint(&word),
        }
    }

    /// The text from this column on, its later lines indented to it.
    fn indented(self, text: &str, indent: usize) -> String {
        folded(text, room(self.columns, indent)).join(&format!("\n{:indent$}", ""))
    }
}

/// `28 checks: 1 bad, 2 to look at, 22 ok, 3 skipped`
fn summary(checks: &[Checked]) -> String {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    let told = [
        (Verdict::Bad, "bad"),
        (Verdict::Warn, "to look at"),
        (Verdict::Ok, "ok"),
        (Verdict::Skipped, "skipped"),
    ];
    let counted = told.into_iter().map(|(result, words)| (count(result), words));
    let told: Vec<String> =
        counted.filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    format!("{} checks: {}", checks.len(), told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(result: Verdict, message: &str, remedy: Option<&str>) -> Checked {
        let (message, remedy) = (message.to_owned(), remedy.map(str::to_owned));
        Checked { name: "clock", result, message, remedy, exit: None, slug: None }
    }

    #[test]
    fn a_line_wraps_at_the_terminals_edge_below_where_it_began() {
        let bad = checked(Verdict::Bad, "one two three four five", Some("six seven eight nine ten"));
        let narrow = Page { columns: Some(MESSAGE + 21), paint: Paint::NONE };
        assert_eq!(
            narrow.check(&bad),
            "bad      clock             one two three four\n                           five\n                           hint: six seven eight nine\n                                 ten\n"
        );
        let wide = Page { columns: None, paint: Paint::NONE };
        assert_eq!(
            wide.check(&bad),
            "bad      clock             one two three four five\n                           hint: six seven eight nine ten\n"
        );
    }

    #[test]
    fn the_verdict_is_painted_and_the_message_is_not() {
        let page = Page { columns: None, paint: Paint::COLOURS };
        let told = page.check(&checked(Verdict::Bad, "m", Some("r")));
        assert_eq!(
            told,
            "\x1b[31mbad    \x1b[0m  clock             m\n                           \x1b[2mhint: \x1b[0mr\n"
        );
    }

    #[test]
    fn the_worst_is_counted_first() {
        let all = [Verdict::Ok, Verdict::Bad, Verdict::Ok, Verdict::Warn].map(|it| checked(it, "", None));
        assert_eq!(summary(&all), "4 checks: 1 bad, 1 to look at, 2 ok");
    }
}
