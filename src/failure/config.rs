//! What a person can do about their configuration.
//!
//! What is wrong, and in which line, is for `config` to find and to word.

use crate::{
    config::{ConfigFault, ConfigProblem, Error, UnreadableReason, describe_issuer_alternatives, keys},
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    host::UntrustedWriter,
    shell::Shell,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (slug, hint) = suggest_fix(&error);
        Self::new(Exit::Configuration, slug, error.to_string(), hint)
    }
}

fn suggest_fix(error: &Error) -> (&'static str, Hint) {
    let (slug, hint) = match error {
        Error::NoFile { .. } => {
            let hint = Hint::run(NextCommand::Setup);
            let hint = hint.text(", which writes one, or ask your administrator for theirs");
            return ("config/no_file", hint);
        }
        Error::Unreadable { file, why: UnreadableReason::Untrusted { who } } => {
            return ("config/untrusted", suggest_ownership_fix(file, who).into());
        }
        Error::Unreadable { .. } => ("config/unreadable", "mend that file, or name another with --config"),
        Error::NoProfile { .. } => {
            ("config/no_profile", "add a [profiles.NAME] table with issuer, client_id, role_arn, region")
        }
        Error::Ambiguous { .. } => ("config/ambiguous", "name one with --profile, or set default_profile"),
        Error::NoSuchProfile { .. } => {
            let hint = Hint::default().command(NextCommand::ConfigPath).text(" lists the files that were read");
            return ("config/no_such_profile", hint);
        }
        Error::Invalid(problems) => {
            return problems.first().map_or_else(|| suggest_config_check("config/invalid"), suggest_problem_fix);
        }
    };
    (slug, hint.into())
}

/// Whoever could write it may have said anything in it.
fn suggest_ownership_fix(file: &str, who: &UntrustedWriter) -> String {
    if who.is_outside_container() {
        return format!(
            "copy it into the image, or have {file} belong to whoever starts the container, who is root in it"
        );
    }
    suggest_ownership_commands(Shell::native(), file)
}

fn suggest_ownership_commands(shell: Shell, file: &str) -> String {
    let file = shell.quote_shown_path(file);
    match shell {
        Shell::Powershell | Shell::Cmd => format!(
            "as administrator, look at what it says, then `icacls {file} /setowner *S-1-5-32-544` and \
             `icacls {file} /inheritance:r /grant *S-1-5-18:F *S-1-5-32-544:F *S-1-5-32-545:RX`"
        ),
        Shell::Sh | Shell::Fish => {
            format!("as root, look at what it says, then `chown root {file}` and `chmod go-w {file}`")
        }
    }
}

/// A variable that is not believed beside a file.
const VARIABLE_REFUSED: &str = "config/variable_refused";

fn suggest_problem_fix(ConfigProblem { location: _, fault }: &ConfigProblem) -> (&'static str, Hint) {
    let (slug, hint) = match fault {
        ConfigFault::Syntax { .. } => return suggest_config_check("config/syntax"),
        ConfigFault::UnknownKey { key, .. } if key == "client_secret" => {
            let hint = Hint::from("take it out, for a secret is no configuration: ");
            return ("config/unknown_key", hint.command(NextCommand::LoginClientSecret).text(" stores it"));
        }
        ConfigFault::NoVersion => ("config/no_version", "begin the file with `version = 1`"),
        ConfigFault::NewerVersion { .. } => ("config/newer", "update bedrock-sso"),
        ConfigFault::ProgramTooOld { .. } => ("config/too_old", "update bedrock-sso, or ask your administrator to"),
        ConfigFault::UnknownKey { .. } => {
            ("config/unknown_key", "correct or remove it; config.example.toml lists every key")
        }
        ConfigFault::Misplaced { .. } => {
            ("config/misplaced", "move it there; config.example.toml shows each key in its place")
        }
        ConfigFault::MissingKey { key, .. } if *key == keys::ISSUER.name => {
            let hint = format!("add `issuer`, or {}", describe_issuer_alternatives());
            return ("config/missing_key", hint.into());
        }
        ConfigFault::MissingKey { .. } => {
            ("config/missing_key", "add it; config.example.toml shows each key with a sentence")
        }
        ConfigFault::TwoIssuers { .. } => ("config/two_issuers", "keep the one that is meant, and take out the other"),
        ConfigFault::Conflict { remedy: instead, .. } => {
            return ("config/provider", crate::text::sanitize_line(instead).into());
        }
        ConfigFault::OtherPartition { .. } => (
            "config/partition",
            "AWS partitions share nothing: choose the region, the roles and the addresses of the same one",
        ),
        ConfigFault::NeedsStorage { .. } => {
            ("config/contradiction", "set storage = \"keyring\" (or \"file\" where there is no keyring)")
        }
        ConfigFault::NeedsKey { .. } => ("config/contradiction", "set both, or take the one away"),
        ConfigFault::Enforced { .. } => ("config/enforced", "remove your own value, or ask your administrator"),
        ConfigFault::AdministratorOnly { key } if *key == keys::AWS_PROFILE.name => {
            let hint = Hint::from("take it out; ").command(NextCommand::Setup);
            return ("config/administrators", hint.text(" writes the AWS profile here and now"));
        }
        ConfigFault::FileOnly { .. } => (VARIABLE_REFUSED, "set it in a file, and unset the variable"),
        ConfigFault::VariableNotAllowed { variable, key, file } => {
            let hint = format!("unset {variable}; if you trust its value, set `{key}` in {file}");
            return (VARIABLE_REFUSED, hint.into());
        }
        ConfigFault::ConfigFileNotAllowed { .. } => {
            (VARIABLE_REFUSED, "unset BEDROCK_SSO_CONFIG; name another file with --config if you trust it")
        }
        ConfigFault::RelativePath => ("config/illegal", "name the file from the root on, or unset the variable"),
        ConfigFault::DefaultLocationOnly { .. } => {
            let hint = Hint::from("take it out; ").command(NextCommand::ConfigPath);
            return ("config/default_place", hint.text(" names the default places"));
        }
        ConfigFault::EnforcedWithoutValue { .. } | ConfigFault::AdministratorOnly { .. } => {
            ("config/enforce", "set it in the administrator's file, together with the values it fixes")
        }
        ConfigFault::WrongType { .. } | ConfigFault::IllegalValue { .. } | ConfigFault::NotUnicode { .. } => {
            return suggest_config_check("config/illegal");
        }
    };
    (slug, hint.into())
}

fn suggest_config_check(slug: &'static str) -> (&'static str, Hint) {
    (slug, Hint::from("correct it; ").command(NextCommand::ConfigCheck).text(" lists every problem"))
}
