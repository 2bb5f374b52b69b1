//! Messages and hints of `setup`.
//!
//! `setup` writes files that belong to other programs or to an administrator. It refuses a file that it cannot change
//! safely, and all of these failures arise before it writes anything. So each message says that the file was not
//! changed, and each hint names what the user can correct by hand. `setup` judges the files; this file words the
//! result.

use std::path::{Path, PathBuf};

use crate::{
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    setup::{Error, ImportError, aws, settings},
    text::{join_with_and, sanitize_line},
};

impl From<Error> for Failure {
    /// Exit code 3 for a file, and 2 for flags that contradict each other.
    fn from(error: Error) -> Self {
        let (slug, what, hint) = match error {
            Error::Files(error) => return error.into(),
            Error::NotText { path } => (
                "setup/not_text",
                format!("{} was not changed, because it is not UTF-8 text", path.display()),
                Hint::from("save it as UTF-8, then run ").command(NextCommand::Setup).text(" again"),
            ),
            Error::Aws { path, refusal } => describe_aws_config_error(&path, refusal),
            Error::Settings { path, refusal } => describe_settings_error(&path, refusal),
            // AWS SDKs and Claude Code split a command line in different ways, and no quoting suits them all.
            Error::UnquotableProgram(path) => (
                "setup/path",
                format!("the path {} has characters that other programs would misread", path.display()),
                "move bedrock-sso to a folder whose name has no quotes, $, `, % or !".into(),
            ),
            // Other users could not run that program, or its owner could replace it for all of them.
            Error::ProgramInHome { program } => (
                "setup/home",
                format!("settings for all users cannot use a program in one user's home: {}", program.display()),
                "install bedrock-sso for all users, then run that copy".into(),
            ),
            Error::Import { path, error: unusable } => describe_source_error(&path, unusable),
            Error::NoValues => (
                "setup/no_facts",
                "no configuration exists, and no values were given to create one".to_owned(),
                "pass --issuer, --client-id, --role-arn and --region, or --from FILE, or run this in a terminal".into(),
            ),
            Error::NoAssignment { missing, is_from_list } => {
                let missing = join_with_and(&missing.into_iter().map(str::to_owned).collect::<Vec<_>>());
                let what = format!("the profile for IAM Identity Center needs {missing}");
                let choice = if is_from_list { ", or run this in a terminal to choose from a list" } else { "" };
                ("setup/no_facts", what, format!("pass {missing}{choice}").into())
            }
            Error::NothingToDistribute { path } => (
                "setup/no_facts",
                format!("there is no configuration to distribute: {} does not exist", path.display()),
                "pass a file with --config or --from, or pass --issuer, --client-id, --role-arn and --region".into(),
            ),
            // A file is copied byte for byte, comments included, so a flag would have no effect.
            Error::FlagsBesideFile { path } => (
                "setup/whole",
                format!("{} is distributed unchanged, so flags cannot change its values", path.display()),
                "edit that file, or pass all values as flags and no file".into(),
            ),
            // The folder may hold files that an administrator edited. `setup --fleet` replaces only what it wrote
            // itself.
            Error::UnknownFile { path } => (
                "setup/strange",
                format!("{} was not written by an earlier run, or was changed since", path.display()),
                "choose a new or empty folder, or move that file away".into(),
            ),
            Error::RecordVersion { path, files } => describe_record_version(&path, &files),
            Error::ProfileDiffers { path, profile, keys } => {
                let keys = join_with_and(&keys.into_iter().map(str::to_owned).collect::<Vec<_>>());
                (
                    "setup/differs",
                    format!("{} already has a profile '{profile}' with a different {keys}", path.display()),
                    "edit that profile, remove it with `setup --remove`, or choose another name with --profile".into(),
                )
            }
            Error::ProfileNameCollision { name, roles: [first, second] } => {
                let what = format!(
                    "two roles would get the profile name '{name}': {} and {}",
                    sanitize_line(&first),
                    sanitize_line(&second)
                );
                let hint = "list each role once, and use {account} and {role} in --profile-name-template";
                return Self::new(Exit::Usage, "setup/profile_names", what, hint);
            }
            Error::OneAwsProfileForRoles => {
                let what = "--aws-profile names one AWS profile, but there are several roles";
                let hint = "omit --aws-profile: each AWS profile then has the name of its profile";
                return Self::new(Exit::Usage, "setup/aws_profile_name", what, hint);
            }
            Error::UnknownDefaultProfile { name, names } => {
                let what = format!("--profile names '{}', but no profile has this name", sanitize_line(&name));
                let hint = format!("pass one of these to --profile: {}", names.join(", "));
                return Self::new(Exit::Usage, "setup/default_profile", what, hint);
            }
        };
        Self::new(Exit::Configuration, slug, what, hint)
    }
}

/// The record lists what an earlier `setup` wrote. Without understanding it, this version could neither update nor
/// remove those entries. The hint names the files, so that the user can also clean up without the other version.
fn describe_record_version(path: &Path, files: &[PathBuf]) -> (&'static str, String, Hint) {
    let record = path.display();
    let named: Vec<String> = files.iter().map(|file| sanitize_line(&file.display().to_string())).collect();
    let places = match named.as_slice() {
        [] => "AWS's and Claude Code's files".to_owned(),
        named => named.join(", "),
    };
    let what = format!("another version of bedrock-sso wrote {record}, and only that version can undo what it lists");
    let hint = format!(
        "run `setup --remove` with that version, or remove bedrock-sso from {places} by hand and delete {record}"
    );
    ("setup/record", what, hint.into())
}

/// AWS's tools reject a file with a duplicate, and they prefer every other source of credentials to
/// `credential_process`. In both cases the new entry would have no effect, so the file stays unchanged.
fn describe_aws_config_error(path: &Path, refusal: aws::AwsEditRefused) -> (&'static str, String, Hint) {
    let file = path.display();
    match refusal {
        aws::AwsEditRefused::DuplicateProfile { profile, lines: [first, second] } => (
            "setup/aws_profile_twice",
            format!(
                "{file} was not changed: it defines the profile '{}' twice, in line {first} and in line {second}",
                sanitize_line(&profile)
            ),
            "merge the two into one: AWS tools reject a file like this".into(),
        ),
        aws::AwsEditRefused::DuplicateKey { key, lines: [first, second] } => (
            "setup/aws_profile_twice",
            format!("{file} was not changed: it sets {key} twice, in line {first} and in line {second}"),
            "remove one of the two: AWS tools reject a file like this".into(),
        ),
        aws::AwsEditRefused::OtherCredentialSource { profile, key, line: number } if key == "login_session" => (
            "setup/aws_profile_taken",
            format!(
                "{file} was not changed: its profile '{}' uses a session of `aws login` (line {number}), \
                 which AWS tools prefer",
                sanitize_line(&profile)
            ),
            "remove login_session from that profile, or choose another name with --aws-profile".into(),
        ),
        aws::AwsEditRefused::OtherCredentialSource { profile, key, line: number } => (
            "setup/aws_profile_taken",
            format!(
                "{file} was not changed: its profile '{}' uses {} (line {number}), which AWS tools prefer",
                sanitize_line(&profile),
                sanitize_line(&key)
            ),
            match key.starts_with("sso_") {
                true => "choose another name with --aws-profile, or replace these keys with --replace-sso-keys".into(),
                false => "choose another name with --aws-profile, or remove that profile".into(),
            },
        ),
    }
}

/// Claude Code's settings may hold comments and the user's own keys. A file that does not parse, or that readers would
/// understand in different ways, is not rewritten.
fn describe_settings_error(path: &Path, refusal: settings::SettingsEditRefused) -> (&'static str, String, Hint) {
    let file = path.display();
    let what = match refusal {
        settings::SettingsEditRefused::Syntax { line: number, message: what } => {
            format!("{file} was not changed: it is not valid JSON (line {number}: {})", sanitize_line(&what))
        }
        settings::SettingsEditRefused::NotAnObject { part: what } => {
            format!("{file} was not changed: {what} is not a JSON object")
        }
        settings::SettingsEditRefused::DuplicateKey { key } => {
            format!("{file} was not changed: it contains the key '{}' twice", sanitize_line(&key))
        }
    };
    let hint = Hint::from("correct the file, then run ").command(NextCommand::Setup).text(" again");
    ("setup/claude_settings", what, hint)
}

/// A file that `--from` names: a configuration of this program, outputs of stacks, or a file of AWS's guidance sample.
fn describe_source_error(path: &Path, unusable: ImportError) -> (&'static str, String, Hint) {
    let file = path.display();
    let (what, hint) = match unusable {
        ImportError::Missing => (format!("{file} does not exist"), "check the path".to_owned()),
        ImportError::UnknownFormat => (
            format!("{file} has no format that setup can read"),
            "pass a config.toml, the outputs of the stacks, an AWS configuration with sso_* keys, or a file of AWS's \
             guidance sample"
                .to_owned(),
        ),
        ImportError::SeveralProfiles(names) => (
            format!("{file} has several profiles: {}", sanitize_line(&names.join(", "))),
            "choose one with --profile NAME".to_owned(),
        ),
        ImportError::NoSuchProfile(name) => (
            format!("{file} has no profile '{}'", sanitize_line(&name)),
            "choose one of its profiles with --profile NAME".to_owned(),
        ),
        // The sample leaves this sign-in to the AWS CLI, and its file has no start URL.
        ImportError::IdentityCenter => (
            format!("the profile in {file} signs in with IAM Identity Center, not with an identity provider"),
            "pass the start URL of your Identity Center with --start-url instead, or choose another profile".to_owned(),
        ),
        // Such as the profiles of two teams: a person belongs to one of them.
        ImportError::OutputsDiffer { key, outputs: [first, second] } => (
            format!(
                "two outputs in {file} set `{key}` to different values: {} and {}",
                sanitize_line(&first),
                sanitize_line(&second)
            ),
            "pass the outputs of one of the two stacks only".to_owned(),
        ),
    };
    ("setup/source", what, hint.into())
}

impl Failure {
    /// `setup` needs a confirmation, and there is no terminal to ask for one. Nothing was written.
    pub fn from_missing_confirmation() -> Self {
        let what = "nothing was changed: there is no terminal to confirm the changes";
        let hint = "add --yes to apply these changes, or --dry-run to show them only";
        Self::new(Exit::Usage, "setup/not_confirmed", what, hint)
    }

    /// The user ended the input of a `setup` prompt, for example with Ctrl-D. `setup` writes nothing before its last
    /// prompt.
    pub fn from_cancelled_setup() -> Self {
        let what = "setup was cancelled, and nothing was written";
        let hint = Hint::from("to start again, run ").command(NextCommand::Setup);
        Self::new(Exit::Interrupted, "interrupted", what, hint)
    }

    /// The same at the prompt that confirms the changes. The command may have had any flags of `setup`, also `--remove`.
    pub fn from_cancelled_confirmation() -> Self {
        let what = "setup was cancelled, and nothing was changed";
        Self::new(Exit::Interrupted, "interrupted", what, "to apply the changes, run the same command again")
    }

    /// A sign-in of `setup` failed. No profile exists yet that `login` could use, so the hint names `setup`.
    #[must_use]
    pub fn during_setup(self) -> Self {
        Self { hint: self.hint.with_setup_for_login(), ..self }
    }
}
