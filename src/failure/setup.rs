//! What a person can do when a file that setup would change is better left alone.
//!
//! Which files those are is for `setup` to judge.

use std::path::{Path, PathBuf};

use crate::{
    failure::{Exit, Failure},
    setup::{Error, aws, settings, source::Unusable},
    text::line,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (slug, what, hint) = match error {
            Error::Files(error) => return error.into(),
            Error::NotText { path } => (
                "setup/not_text",
                format!("{} is left alone: it is not UTF-8", path.display()),
                "save it as UTF-8, then run `bedrock-sso setup` again".to_owned(),
            ),
            Error::Aws { path, refusal } => of_aws(&path, refusal),
            Error::Settings { path, refusal } => of_settings(&path, refusal),
            Error::Program(unquotable) => (
                "setup/path",
                format!(
                    "other programs could not call {}: a shell reads it differently",
                    unquotable.0.display()
                ),
                "put bedrock-sso into a folder whose name has no quotes, $, `, % or !".to_owned(),
            ),
            Error::Home { program } => (
                "setup/home",
                format!(
                    "a policy for all users cannot name a program in one user's home: {}",
                    program.display()
                ),
                "install bedrock-sso for all users, then run that one".to_owned(),
            ),
            Error::Source { path, unusable } => of_source(&path, unusable),
            Error::NoFacts => (
                "setup/no_facts",
                "there is no configuration yet, and nothing says what shall be in it".to_owned(),
                "give the facts, --issuer, --client-id, --role-arn and --region, or a file with --from; at a terminal you are asked"
                    .to_owned(),
            ),
            Error::NothingToDistribute { path } => (
                "setup/no_facts",
                format!("there is nothing to distribute: {} is not there", path.display()),
                "name a configuration with --config or --from, or give the facts: --issuer, --client-id, --role-arn, --region"
                    .to_owned(),
            ),
            Error::Whole { path } => (
                "setup/whole",
                format!("{} is distributed as it is, so nothing on the command line can change it", path.display()),
                "write it into the file, or give all facts on the command line and no file".to_owned(),
            ),
            Error::Strange { path } => (
                "setup/strange",
                format!("{} was not written by an earlier run, or was changed since", path.display()),
                "name a folder that is new or empty, or move it elsewhere".to_owned(),
            ),
            Error::Record { path, files } => of_record(&path, &files),
            Error::Differs { path, profile } => (
                "setup/differs",
                format!("{} has a profile '{profile}' already, and it says something else", path.display()),
                "change it there, or name another with --profile".to_owned(),
            ),
        };
        Self::new(Exit::Configuration, slug, what, hint)
    }
}

fn of_record(path: &Path, files: &[PathBuf]) -> (&'static str, String, String) {
    let record = path.display();
    let named: Vec<String> = files.iter().map(|file| line(&file.display().to_string())).collect();
    let places = match named.as_slice() {
        [] => "AWS's and Claude Code's files".to_owned(),
        named => named.join(", "),
    };
    let what = format!(
        "{record} was written by another version of bedrock-sso, which alone can take back what it tells of"
    );
    let hint = format!(
        "run `setup --remove` with that version; or take what names bedrock-sso out of {places} yourself, then delete {record}"
    );
    ("setup/record", what, hint)
}

fn of_aws(path: &Path, refusal: aws::Refusal) -> (&'static str, String, String) {
    let file = path.display();
    match refusal {
        aws::Refusal::Twice { profile, lines: [first, second] } => (
            "setup/aws_profile_twice",
            format!(
                "{file} is left alone: the profile '{}' begins in line {first} and again in line {second}",
                line(&profile)
            ),
            "make one of the two; AWS's own tools refuse such a file".to_owned(),
        ),
        aws::Refusal::KeyTwice { key, lines: [first, second] } => (
            "setup/aws_profile_twice",
            format!("{file} is left alone: {key} stands in line {first} and again in line {second}"),
            "remove one of the two; AWS's own tools refuse such a file".to_owned(),
        ),
        aws::Refusal::OtherWay { profile, key, line: number } => (
            "setup/aws_profile_taken",
            format!(
                "{file} is left alone: its profile '{}' signs in by {} (line {number}), which AWS's tools prefer",
                line(&profile),
                line(&key)
            ),
            "name another with --aws-profile, or remove that profile".to_owned(),
        ),
    }
}

fn of_settings(path: &Path, refusal: settings::Refusal) -> (&'static str, String, String) {
    let file = path.display();
    let what = match refusal {
        settings::Refusal::Syntax { line: number, what } => {
            format!("{file} is left alone: it is no JSON (line {number}: {})", line(&what))
        }
        settings::Refusal::NoObject { what } => format!("{file} is left alone: {what} is no object"),
        settings::Refusal::Twice { key } => {
            format!("{file} is left alone: '{}' stands in it twice", line(&key))
        }
    };
    ("setup/claude_settings", what, "correct it, then run `bedrock-sso setup` again".to_owned())
}

fn of_source(path: &Path, unusable: Unusable) -> (&'static str, String, String) {
    let file = path.display();
    let (what, hint) = match unusable {
        Unusable::Missing => (format!("{file} is not there"), "check its name".to_owned()),
        Unusable::Unknown => (
            format!("{file} holds nothing that setup knows"),
            "give it a config.toml, the guidance sample's config.json, or the outputs of its stacks"
                .to_owned(),
        ),
        Unusable::Several(names) => (
            format!("{file} has several profiles: {}", line(&names.join(", "))),
            "name one with --profile".to_owned(),
        ),
        Unusable::NoSuchProfile(name) => (
            format!("{file} has no profile '{}'", line(&name)),
            "name one that it has with --profile".to_owned(),
        ),
        Unusable::IdentityCenter => (
            format!(
                "the profile in {file} signs in with IAM Identity Center, not with a provider of its own"
            ),
            "use `aws configure sso` for it, or name another profile".to_owned(),
        ),
    };
    ("setup/source", what, hint)
}

/// Nobody said yes, and nobody could be asked.
#[derive(Debug)]
pub struct NotConfirmed;

impl From<NotConfirmed> for Failure {
    fn from(NotConfirmed: NotConfirmed) -> Self {
        let what = "nothing was changed: there is no terminal to ask at";
        Self::new(
            Exit::Usage,
            "setup/not_confirmed",
            what,
            "add --yes to apply what is shown, or --dry-run to only look",
        )
    }
}
