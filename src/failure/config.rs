//! Slugs and hints for a configuration that cannot be used.
//!
//! Every one of these failures ends with exit code 3. `config` finds the problem and words the message, because `config
//! check` prints the same sentences without a hint. This file adds the slug and the one action that solves the problem.

use crate::{
    config::{
        ConfigFault, ConfigProblem, Error, FileNaming, UnreadableReason, ValueLocation, describe_issuer_alternatives,
        keys,
    },
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    host::UntrustedWriter,
    shell::Shell,
    text::sanitize_line,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (slug, hint) = suggest_fix(&error);
        Self::new(Exit::Configuration, slug, error.to_string(), hint)
    }
}

/// The slug and the hint. Only the first of several problems gets a hint, since a failure has one line for it. The
/// message counts the others, and `config check` lists them.
fn suggest_fix(error: &Error) -> (&'static str, Hint) {
    let (slug, hint) = match error {
        Error::NoFile { .. } => {
            let hint = Hint::run(NextCommand::Setup).text(" to create one, or ask your administrator for the file");
            return ("config/no_file", hint);
        }
        Error::Unreadable { file, why } => return suggest_readable_file(file, why),
        Error::NoProfile { .. } => {
            ("config/no_profile", "add a [profiles.NAME] table with issuer, client_id, role_arn and region")
        }
        Error::Ambiguous { .. } => {
            ("config/ambiguous", "choose one with --profile NAME, or set `default_profile = \"NAME\"` in the file")
        }
        Error::NoSuchProfile { .. } => {
            let hint = Hint::from("choose an existing profile; ").command(NextCommand::ConfigPath);
            return ("config/no_such_profile", hint.text(" shows which files define them"));
        }
        Error::Invalid(problems) => {
            return problems.first().map_or_else(|| suggest_config_check("config/invalid"), suggest_problem_fix);
        }
    };
    (slug, hint.into())
}

/// A file that exists, or that the user named, but whose text cannot be used. Every reason but an untrusted writer
/// shares one slug, because scripts treat them alike. The user needs a different action for each.
fn suggest_readable_file(file: &str, why: &UnreadableReason) -> (&'static str, Hint) {
    let hint = match why {
        UnreadableReason::Untrusted { who } => return ("config/untrusted", suggest_ownership_fix(file, who).into()),
        UnreadableReason::Missing { named_by: FileNaming::Flag } => {
            let hint = Hint::from("check the path, or run ").command(NextCommand::Setup);
            return ("config/unreadable", hint.text(" to create the file"));
        }
        // A repository could have set the variable, so no command repeats its value.
        UnreadableReason::Missing { named_by: FileNaming::Variable } => {
            "check the path in BEDROCK_SSO_CONFIG, or unset it"
        }
        UnreadableReason::Missing { named_by: FileNaming::Command } => "check the path",
        UnreadableReason::Directory | UnreadableReason::TooLarge { .. } | UnreadableReason::Other(_) => {
            "put a configuration file in its place, or name another one with --config FILE"
        }
        UnreadableReason::NotUtf8 { .. } | UnreadableReason::Utf16 => "save the file as UTF-8",
        UnreadableReason::Denied => "allow your user to read the file, or ask your administrator to allow it",
    };
    ("config/unreadable", hint.into())
}

/// The administrator's file decides where every user of the machine signs in, so it is refused when another user could
/// have written it. Its content comes first in the hint: a change of owner alone would make a planted file trusted.
fn suggest_ownership_fix(file: &str, who: &UntrustedWriter) -> String {
    if who.is_outside_container() {
        // The owner has no number inside the container, so `chown` in it cannot work. A rootless container maps root to
        // the user who starts it.
        return format!("copy {file} into the image, or make the user who starts the container its owner");
    }
    suggest_ownership_commands(Shell::native(), file)
}

fn suggest_ownership_commands(shell: Shell, file: &str) -> String {
    let file = shell.quote_shown_path(file);
    match shell {
        // Security identifiers, because the names of these accounts differ between languages of Windows.
        Shell::Powershell | Shell::Cmd => format!(
            "check its content, then run as administrator `icacls {file} /setowner *S-1-5-32-544` and \
             `icacls {file} /inheritance:r /grant *S-1-5-18:F *S-1-5-32-544:F *S-1-5-32-545:RX`"
        ),
        Shell::Sh | Shell::Fish => {
            format!("check its content, then run as root `chown root {file}` and `chmod go-w {file}`")
        }
    }
}

/// An environment variable that has no effect while a configuration file exists. An untrusted repository can set
/// variables, so they must not decide where secrets go. A hint names the variable and never repeats its value as
/// something to run.
const VARIABLE_REFUSED: &str = "config/variable_refused";

fn suggest_problem_fix(ConfigProblem { location, fault }: &ConfigProblem) -> (&'static str, Hint) {
    let (slug, hint) = match fault {
        ConfigFault::Syntax { .. } => return suggest_correction("config/syntax", location),
        ConfigFault::UnknownKey { key, .. } if key == "client_secret" => {
            // Many providers show a secret beside the client ID, so users write it into the file. Secrets are never
            // configuration.
            let hint = Hint::from("remove it, then run ").command(NextCommand::LoginClientSecret);
            return ("config/unknown_key", hint.text(" to store the secret"));
        }
        ConfigFault::NoVersion => ("config/no_version", "write `version = 1` as the first line of the file"),
        ConfigFault::NewerVersion { .. } => ("config/newer", "update bedrock-sso"),
        ConfigFault::ProgramTooOld { .. } => ("config/too_old", "update bedrock-sso, or ask your administrator to"),
        ConfigFault::UnknownKey { .. } => {
            ("config/unknown_key", "correct or remove the key; config.example.toml lists every key")
        }
        ConfigFault::Misplaced { .. } => {
            ("config/misplaced", "move the key there; config.example.toml shows where each key belongs")
        }
        ConfigFault::MissingKey { key, .. } if *key == keys::ISSUER.name => {
            // Most users know their domain or tenant and not the issuer, so the short forms are offered too.
            let hint = format!("add `issuer`, or {}", describe_issuer_alternatives());
            return ("config/missing_key", hint.into());
        }
        ConfigFault::MissingKey { .. } => ("config/missing_key", "add the key; config.example.toml explains every key"),
        ConfigFault::TwoIssuers { .. } => ("config/two_issuers", "remove one of these two keys"),
        // The remedy is the line to write. It depends on the provider, so `config` makes it.
        ConfigFault::Conflict { remedy, .. } => return ("config/provider", sanitize_line(remedy).into()),
        ConfigFault::OtherPartition { .. } => {
            ("config/partition", "use a region, roles and endpoints of one partition: AWS partitions share nothing")
        }
        ConfigFault::NeedsStorage { .. } => {
            ("config/contradiction", "set storage = \"keyring\", or storage = \"file\" on a machine without a keyring")
        }
        ConfigFault::NeedsKey { .. } => ("config/contradiction", "set both keys, or remove the one that is set"),
        ConfigFault::Enforced { .. } => {
            ("config/enforced", "remove your own value, or ask your administrator to change it")
        }
        ConfigFault::AdministratorOnly { key } if *key == keys::AWS_PROFILE.name => {
            let hint = Hint::from("remove it, then run ").command(NextCommand::Setup);
            return ("config/administrators", hint.text(" to create the AWS profile"));
        }
        ConfigFault::FileOnly { key } => {
            let hint = format!("unset {location}, and set `{key}` in a configuration file");
            return (VARIABLE_REFUSED, hint.into());
        }
        ConfigFault::VariableNotAllowed { variable, key, file } => {
            let hint = format!("unset {variable}; if you trust its value, set `{key}` in {file}");
            return (VARIABLE_REFUSED, hint.into());
        }
        ConfigFault::ConfigFileNotAllowed { .. } => {
            (VARIABLE_REFUSED, "unset BEDROCK_SSO_CONFIG, or pass the file that it names with --config if you trust it")
        }
        ConfigFault::RelativePath => ("config/illegal", "write the full path, or unset the variable"),
        ConfigFault::DefaultLocationOnly { .. } => {
            let hint = Hint::from("remove it; ").command(NextCommand::ConfigPath);
            return ("config/default_place", hint.text(" shows the default locations"));
        }
        ConfigFault::EnforcedWithoutValue { key, profile } => {
            let hint = format!("set `{key}` in [profiles.{}], or remove it from enforce", sanitize_line(profile));
            return ("config/enforce", hint.into());
        }
        ConfigFault::AdministratorOnly { .. } => ("config/enforce", "remove it, or ask your administrator to set it"),
        ConfigFault::WrongType { .. } | ConfigFault::IllegalValue { .. } | ConfigFault::NotUnicode { .. } => {
            return suggest_correction("config/illegal", location);
        }
    };
    (slug, hint.into())
}

/// The value is wrong. `config check` reads files and variables but not the flags of another command, so for a flag the
/// hint names the flag instead.
fn suggest_correction(slug: &'static str, location: &ValueLocation) -> (&'static str, Hint) {
    match location {
        ValueLocation::Flag(flag) => (slug, format!("correct the value of {flag}").into()),
        ValueLocation::Variable(name) => (slug, format!("correct or unset {}", sanitize_line(name)).into()),
        ValueLocation::Default
        | ValueLocation::Environment
        | ValueLocation::File { .. }
        | ValueLocation::FileDefaults { .. } => suggest_config_check(slug),
    }
}

fn suggest_config_check(slug: &'static str) -> (&'static str, Hint) {
    (slug, Hint::from("correct it, then run ").command(NextCommand::ConfigCheck).text(" to check the whole file"))
}
