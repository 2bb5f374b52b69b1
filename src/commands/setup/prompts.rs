//! The prompts of `setup`: a question on stderr, and the line that the user types.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::write_stderr;
use crate::{config, failure::Failure};

/// The input ended before an answer came: the user pressed Ctrl-D, or the terminal was closed.
///
/// This is not Ctrl-C, whose signal ends the process. By default the whole of `setup` counts as cancelled. A caller
/// that has already written something must convert this value itself, because the default message says the opposite.
pub(super) struct InputEnded;

impl From<InputEnded> for Failure {
    fn from(_: InputEnded) -> Self {
        Self::from_cancelled_setup()
    }
}

/// Whether the user can answer a prompt. The questions go to stderr, so both stdin and stderr must be terminals.
pub(in crate::commands) fn can_prompt() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows a question and reads one line, without the white space around it. An empty answer means the default, if there
/// is one. An unreadable line, such as one that is not UTF-8, counts as the end of the input: a loop that repeated the
/// question could otherwise run forever.
fn prompt_line(question: &str, default: Option<&str>) -> Result<String, InputEnded> {
    write_stderr(&match default {
        Some(default) if !default.is_empty() => format!("{question} [{default}]: "),
        _ => format!("{question}: "),
    });
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(0) | Err(_) => {
            // The terminal shows no new line for Ctrl-D, so the message would follow the question.
            write_stderr("\n");
            Err(InputEnded)
        }
        Ok(_) => match (answer.trim(), default) {
            ("", Some(default)) => Ok(default.to_owned()),
            (answer, _) => Ok(answer.to_owned()),
        },
    }
}

/// Repeats a question until `parse` accepts the answer. After each rejected answer it shows why.
pub(super) fn prompt_until_valid<T>(
    question: &str,
    default: Option<&str>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, InputEnded> {
    loop {
        match parse(&prompt_line(question, default)?) {
            Ok(value) => return Ok(value),
            Err(problem) => write_stderr(&format!("  ✗ {problem}\n")),
        }
    }
}

/// Prompts for the name of a region.
pub(super) fn prompt_for_region(question: &str, default: &str) -> Result<String, InputEnded> {
    prompt_until_valid(question, Some(default), |answer| {
        let problem = || "enter the name of an AWS region, such as us-east-1".to_owned();
        config::is_region(answer).then(|| answer.to_owned()).ok_or_else(problem)
    })
}

/// Prompts for yes or no during a sign-in. The end of the input is reported as an interrupted sign-in.
pub(in crate::commands) fn prompt_yes_no(question: &str, default: bool) -> Result<bool, Failure> {
    read_yes_no(question, default).map_err(|InputEnded| Failure::from_interruption())
}

/// Prompts for the consent to write the planned changes. The default is no, because the changes affect files of other
/// programs.
pub(super) fn prompt_to_apply() -> Result<bool, Failure> {
    read_yes_no("Apply these changes?", false).map_err(|InputEnded| Failure::from_cancelled_confirmation())
}

/// Prompts for yes or no. Anything but `y` and `yes` is a no, so a typing mistake changes nothing.
pub(super) fn read_yes_no(question: &str, default: bool) -> Result<bool, InputEnded> {
    let answer = prompt_line(&format!("{question} {}", if default { "[Y/n]" } else { "[y/N]" }), Some(""))?;
    Ok(match answer.to_ascii_lowercase().as_str() {
        "" => default,
        answer => matches!(answer, "y" | "yes"),
    })
}
