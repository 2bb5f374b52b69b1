//! What a person can do about files of AWS's tools and of Claude Code that do not lead here, or lead past us.
//!
//! What was found, and how grave it is, is for `doctor`.

use super::join_with_and;
use crate::{
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    shell::Shell,
};

/// Paths and texts are safe to print already.
#[derive(Debug)]
pub enum ToolConfigFinding {
    /// No AWS profile runs this program for the profile.
    NoAwsProfile { file: String, profile: String },
    /// A line that should run this program does not.
    WrongCall { place: String, fault: CallFault },
    /// Fixed keys, which every AWS tool takes first.
    FixedKeys { file: String, profile: String },
    /// Variables that are used in place of a sign-in; where they are set, `None` for this environment.
    ConflictingVariables { names: Vec<String>, file: Option<String> },
    /// `AWS_PROFILE` leads AWS's tools elsewhere.
    OtherAwsProfile { named: String, ours: String },
    /// A setting of Claude Code says something else than the profile; how many more do.
    SettingDiffers { file: String, key: String, actual: Option<String>, expected: String, more: usize },
    /// Claude Code is here, and nothing leads it to us.
    NoSettings { file: String },
    /// A repository's settings set what decides on a sign-in; the file of managed settings that could pin it.
    RepositorySettings { files: Vec<RepositorySettings>, managed: String },
    /// A repository's settings that cannot be read, though Claude Code may be able to.
    UnreadableSettings { file: String },
    /// What AWS's guidance sample left; whether refresh tokens lie open in it.
    SampleLeftovers { paths: Vec<String>, tokens: bool },
}

/// Names that a file of a repository sets, by whether managed settings pin them; how many more there are.
#[derive(Debug)]
pub struct RepositorySettings {
    pub file: String,
    pub not_pinned: Vec<String>,
    pub pinned: Vec<String>,
    pub more: usize,
}

/// Why a line does not run this program as it should.
#[derive(Debug)]
pub enum CallFault {
    /// Its caller looks for it in whatever folder it stands in.
    NotAbsolute {
        program: String,
    },
    Missing {
        program: String,
    },
    /// It exists, and is another program.
    OtherProgram {
        program: String,
    },
    /// AWS's guidance sample, whether it is still there or not.
    GuidanceSample {
        program: String,
    },
    /// Another copy of this program.
    OtherCopy {
        program: String,
    },
    OtherCommand {
        /// `None`: the line names no command at all.
        command: Option<String>,
        expected: &'static str,
    },
    /// It names a configuration file that is not among those in use.
    OtherConfiguration {
        file: String,
    },
    OtherProfile {
        actual: String,
        expected: String,
    },
}

fn suggest_setup() -> Hint {
    Hint::run(NextCommand::Setup).text(", which shows what it changes before it does")
}

impl From<ToolConfigFinding> for Failure {
    fn from(found: ToolConfigFinding) -> Self {
        let (slug, what, hint) = match found {
            ToolConfigFinding::NoAwsProfile { file, profile } => (
                "doctor/no_aws_profile",
                format!("no profile in {file} asks this program for credentials of '{profile}'"),
                suggest_setup(),
            ),
            ToolConfigFinding::WrongCall { place, fault } => {
                ("doctor/call", format!("{place} {}", describe_call_fault(fault)), suggest_setup())
            }
            ToolConfigFinding::FixedKeys { file, profile } => (
                "doctor/fixed_keys",
                format!("{file} holds fixed keys for [{profile}], and every AWS tool takes them first"),
                format!("remove the section [{profile}] from that file, and have its keys revoked").into(),
            ),
            ToolConfigFinding::ConflictingVariables { names, file } => describe_conflicting_env(&names, file),
            ToolConfigFinding::OtherAwsProfile { named, ours } => (
                "doctor/other_aws_profile",
                format!("AWS_PROFILE is '{named}' in this environment, and this program serves '{ours}'"),
                format!("set AWS_PROFILE={ours} where your shell's start-up files set it, or unset it").into(),
            ),
            ToolConfigFinding::SettingDiffers { file, key, actual: says, expected: wanted, more } => {
                let says = says.map_or_else(|| "does not say".to_owned(), |says| format!("says \"{says}\" for"));
                let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
                (
                    "doctor/claude_settings",
                    format!("{file} {says} {key}, and the profile wants \"{wanted}\"{more}"),
                    suggest_setup(),
                )
            }
            ToolConfigFinding::NoSettings { file } => (
                "doctor/claude_settings",
                format!("Claude Code is installed, and {file} does not lead it to this program"),
                suggest_setup(),
            ),
            ToolConfigFinding::RepositorySettings { files: planted, managed } => {
                describe_repository(&planted, &managed)
            }
            ToolConfigFinding::UnreadableSettings { file } => (
                "doctor/repository_settings",
                format!("{file} cannot be read, so it is not known what it sets"),
                "look into that file before you run `claude` here".into(),
            ),
            ToolConfigFinding::SampleLeftovers { paths, tokens } => describe_leftovers(&paths, tokens),
        };
        Self::new(Exit::Configuration, slug, what, hint)
    }
}

fn describe_call_fault(fault: CallFault) -> String {
    match fault {
        CallFault::NotAbsolute { program } => {
            format!("names {program} without its whole path, which AWS's tools look for where they stand")
        }
        CallFault::Missing { program } => format!("names {program}, which does not exist"),
        CallFault::OtherProgram { program } => format!("runs another program: {program}"),
        CallFault::GuidanceSample { program } => format!("still runs AWS's guidance sample: {program}"),
        CallFault::OtherCopy { program } => format!("runs another copy of this program: {program}"),
        CallFault::OtherCommand { command: Some(command), expected } => {
            format!("runs `{command}`, and not `{expected}`")
        }
        CallFault::OtherCommand { command: None, expected } => {
            format!("does not name the command `{expected}`")
        }
        CallFault::OtherConfiguration { file } => format!("uses another configuration file: {file}"),
        CallFault::OtherProfile { actual: named, expected: ours } => {
            format!("is for the profile '{named}', and not for '{ours}'")
        }
    }
}

fn describe_conflicting_env(names: &[String], file: Option<String>) -> (&'static str, String, Hint) {
    let (is, them) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    let list = join_with_and(names);
    let (place, hint) = match file {
        Some(file) => {
            let hint = format!("remove {them} from \"env\" in that file");
            (file, hint)
        }
        None => {
            let hint = format!("unset {them}, and where your shell's start-up files set {them}, remove that");
            ("this environment".to_owned(), hint)
        }
    };
    ("doctor/shadowed", format!("{list} {is} set in {place} and used in place of your sign-in"), hint.into())
}

fn describe_repository(planted: &[RepositorySettings], managed: &str) -> (&'static str, String, Hint) {
    let said = |RepositorySettings { file, not_pinned: open, pinned, more }: &RepositorySettings| {
        let named =
            |names: &[String], state| (!names.is_empty()).then(|| format!("{} ({state})", join_with_and(names)));
        let mut parts: Vec<_> = [named(open, "not pinned"), named(pinned, "pinned")].into_iter().flatten().collect();
        parts.extend((*more > 0).then(|| format!("{more} more")));
        format!("{file} sets {}", parts.join(", "))
    };
    let hint = if planted.iter().all(|planted| planted.not_pinned.is_empty()) {
        format!("nothing to do: {managed} outranks this repository; ask whoever wrote its settings why they set it")
    } else {
        "before you run `claude` here, find out why this repository sets them, or remove them".to_owned()
    };
    let said: Vec<_> = planted.iter().map(said).collect();
    ("doctor/repository_settings", said.join("; "), hint.into())
}

fn describe_leftovers(paths: &[String], tokens: bool) -> (&'static str, String, Hint) {
    let open = if tokens { ", with tokens that lie open" } else { "" };
    (
        "doctor/leftovers",
        format!("AWS's guidance sample is still here: {}{open}", join_with_and(paths)),
        format!("once nothing calls it any more, remove it: `{}`", format_removal_command(Shell::native(), paths))
            .into(),
    )
}

/// The command that removes these folders, whose paths may begin with `~/`.
fn format_removal_command(shell: Shell, paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| shell.quote_shown_path(path)).collect();
    match shell {
        Shell::Powershell | Shell::Cmd => format!("Remove-Item -Recurse {}", quoted.join(", ")),
        Shell::Sh | Shell::Fish => format!("rm -r {}", quoted.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Invocation;

    #[test]
    fn repository_settings_that_are_pinned_need_no_action() {
        let planted = |open: &[&str], pinned: &[&str], more| {
            let [open, pinned] = [open, pinned].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            vec![RepositorySettings { file: "f".to_owned(), not_pinned: open, pinned, more }]
        };
        let (_, what, hint) = describe_repository(&planted(&[], &["AWS_PROFILE"], 0), "m");
        let hint = hint.render(&Invocation::default());
        assert_eq!(what, "f sets AWS_PROFILE (pinned)");
        assert!(hint.starts_with("nothing to do: m outranks"), "{hint}");
        let (_, what, hint) = describe_repository(&planted(&["A"], &["B", "C"], 2), "m");
        let hint = hint.render(&Invocation::default());
        assert_eq!(what, "f sets A (not pinned), B and C (pinned), 2 more");
        assert!(hint.starts_with("before you run"), "{hint}");
    }

    #[test]
    fn leftovers_are_removed_by_a_command_that_quotes_every_path() {
        let paths = ["~/a".to_owned(), "/b c/$(d)".to_owned(), "/it\u{2019}s".to_owned()];
        assert_eq!(format_removal_command(Shell::Sh, &paths), "rm -r ~/a '/b c/$(d)' '/it\u{2019}s'");
        assert_eq!(
            format_removal_command(Shell::Powershell, &paths),
            "Remove-Item -Recurse '~/a', '/b c/$(d)', '/it\u{2019}\u{2019}s'"
        );
    }
}
