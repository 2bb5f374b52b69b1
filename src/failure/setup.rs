//! What a person can do when a file that setup would change is better left alone.
//!
//! Which files those are is for `setup` to judge.

use std::path::{Path, PathBuf};

use crate::{
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    setup::{Error, aws, sample_import::ImportError, settings},
    text::sanitize_line,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (slug, what, hint) = match error {
            Error::Files(error) => return error.into(),
            Error::NotText { path } => (
                "setup/not_text",
                format!("{} is left alone: it is not UTF-8", path.display()),
                Hint::from("save it as UTF-8, then run ").command(NextCommand::Setup).text(" again"),
            ),
            Error::Aws { path, refusal } => describe_aws_config_error(&path, refusal),
            Error::Settings { path, refusal } => describe_settings_error(&path, refusal),
            Error::UnquotableProgram(path) => (
                "setup/path",
                format!("other programs could not call {}: a shell reads it differently", path.display()),
                "put bedrock-sso into a folder whose name has no quotes, $, `, % or !".into(),
            ),
            Error::ProgramInHome { program } => (
                "setup/home",
                format!(
                    "a policy for all users cannot name a program in one user's home: {}",
                    program.display()
                ),
                "install bedrock-sso for all users, then run that one".into(),
            ),
            Error::Import { path, error: unusable } => describe_source_error(&path, unusable),
            Error::NoValues => (
                "setup/no_facts",
                "there is no configuration yet, and nothing says what shall be in it".to_owned(),
                "give the facts, --issuer, --client-id, --role-arn and --region, or a file with --from; at a terminal you are asked"
                    .into(),
            ),
            Error::NothingToDistribute { path } => (
                "setup/no_facts",
                format!("there is nothing to distribute: {} is not there", path.display()),
                "name a configuration with --config or --from, or give the facts: --issuer, --client-id, --role-arn, --region"
                    .into(),
            ),
            Error::FlagsBesideFile { path } => (
                "setup/whole",
                format!("{} is distributed as it is, so nothing on the command line can change it", path.display()),
                "write it into the file, or give all facts on the command line and no file".into(),
            ),
            Error::UnknownFile { path } => (
                "setup/strange",
                format!("{} was not written by an earlier run, or was changed since", path.display()),
                "name a folder that is new or empty, or move it elsewhere".into(),
            ),
            Error::RecordVersion { path, files } => describe_record_version(&path, &files),
            Error::ProfileDiffers { path, profile } => (
                "setup/differs",
                format!("{} has a profile '{profile}' already, and it says something else", path.display()),
                "change it there, or name another with --profile".into(),
            ),
            Error::ProfileNameCollision { name, roles: [first, second] } => {
                let what = format!(
                    "two roles would have the profile '{name}': {} and {}",
                    sanitize_line(&first),
                    sanitize_line(&second)
                );
                let hint = "name each role once, and tell them apart by {account} and {role} in --profile-name-template";
                return Self::new(Exit::Usage, "setup/profile_names", what, hint);
            }
            Error::OneAwsProfileForRoles => {
                let what = "--aws-profile names one AWS profile, and there are several roles";
                let hint = "leave --aws-profile out: each AWS profile is named as its profile is";
                return Self::new(Exit::Usage, "setup/aws_profile_name", what, hint);
            }
            Error::UnknownDefaultProfile { name, names } => {
                let what = format!("no profile would have the name '{}' of --profile", sanitize_line(&name));
                let hint = format!("name the default profile: {}", names.join(", "));
                return Self::new(Exit::Usage, "setup/default_profile", what, hint);
            }
        };
        Self::new(Exit::Configuration, slug, what, hint)
    }
}

fn describe_record_version(path: &Path, files: &[PathBuf]) -> (&'static str, String, Hint) {
    let record = path.display();
    let named: Vec<String> = files.iter().map(|file| sanitize_line(&file.display().to_string())).collect();
    let places = match named.as_slice() {
        [] => "AWS's and Claude Code's files".to_owned(),
        named => named.join(", "),
    };
    let what =
        format!("{record} was written by another version of bedrock-sso, which alone can take back what it tells of");
    let hint = format!(
        "run `setup --remove` with that version; or take what names bedrock-sso out of {places} yourself, then delete {record}"
    );
    ("setup/record", what, hint.into())
}

fn describe_aws_config_error(path: &Path, refusal: aws::AwsEditRefused) -> (&'static str, String, Hint) {
    let file = path.display();
    match refusal {
        aws::AwsEditRefused::DuplicateProfile { profile, lines: [first, second] } => (
            "setup/aws_profile_twice",
            format!(
                "{file} is left alone: the profile '{}' begins in line {first} and again in line {second}",
                sanitize_line(&profile)
            ),
            "make one of the two; AWS's own tools refuse such a file".into(),
        ),
        aws::AwsEditRefused::DuplicateKey { key, lines: [first, second] } => (
            "setup/aws_profile_twice",
            format!("{file} is left alone: {key} stands in line {first} and again in line {second}"),
            "remove one of the two; AWS's own tools refuse such a file".into(),
        ),
        aws::AwsEditRefused::OtherCredentialSource { profile, key, line: number } => (
            "setup/aws_profile_taken",
            format!(
                "{file} is left alone: its profile '{}' signs in by {} (line {number}), which AWS's tools prefer",
                sanitize_line(&profile),
                sanitize_line(&key)
            ),
            "name another with --aws-profile, or remove that profile".into(),
        ),
    }
}

fn describe_settings_error(path: &Path, refusal: settings::SettingsEditRefused) -> (&'static str, String, Hint) {
    let file = path.display();
    let what = match refusal {
        settings::SettingsEditRefused::Syntax { line: number, message: what } => {
            format!("{file} is left alone: it is no JSON (line {number}: {})", sanitize_line(&what))
        }
        settings::SettingsEditRefused::NotAnObject { part: what } => {
            format!("{file} is left alone: {what} is no object")
        }
        settings::SettingsEditRefused::DuplicateKey { key } => {
            format!("{file} is left alone: '{}' stands in it twice", sanitize_line(&key))
        }
    };
    let hint = Hint::from("correct it, then run ").command(NextCommand::Setup).text(" again");
    ("setup/claude_settings", what, hint)
}

fn describe_source_error(path: &Path, unusable: ImportError) -> (&'static str, String, Hint) {
    let file = path.display();
    let (what, hint) = match unusable {
        ImportError::Missing => (format!("{file} is not there"), "check its name".to_owned()),
        ImportError::UnknownFormat => (
            format!("{file} holds nothing that setup knows"),
            "give it a config.toml, the guidance sample's config.json, or the outputs of its stacks".to_owned(),
        ),
        ImportError::SeveralProfiles(names) => (
            format!("{file} has several profiles: {}", sanitize_line(&names.join(", "))),
            "name one with --profile".to_owned(),
        ),
        ImportError::NoSuchProfile(name) => (
            format!("{file} has no profile '{}'", sanitize_line(&name)),
            "name one that it has with --profile".to_owned(),
        ),
        ImportError::IdentityCenter => (
            format!("the profile in {file} signs in with IAM Identity Center, not with a provider of its own"),
            "use `aws configure sso` for it, or name another profile".to_owned(),
        ),
    };
    ("setup/source", what, hint.into())
}

impl Failure {
    /// Nobody confirmed the changes, and nobody could be asked.
    pub fn from_missing_confirmation() -> Self {
        let what = "nothing was changed: there is no terminal to ask at";
        let hint = "add --yes to apply what is shown, or --dry-run to only look";
        Self::new(Exit::Usage, "setup/not_confirmed", what, hint)
    }
}
