//! What a person can do about their configuration.
//!
//! What is wrong, and in which line, is for `config` to find and to word.

use crate::{
    config::{Error, Fault, Problem, Unreadable},
    failure::{Exit, Failure},
    host::{NATIVE_SHELL, Stranger},
    shell::word,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (slug, hint) = remedy(&error);
        Self::new(Exit::Configuration, slug, error.to_string(), hint)
    }
}

fn remedy(error: &Error) -> (&'static str, String) {
    let (slug, hint) = match error {
        Error::NoFile { .. } => (
            "config/no_file",
            "run `bedrock-sso setup`, which writes one, or ask your administrator for theirs",
        ),
        Error::Unreadable { file, why: Unreadable::Untrusted { who } } => {
            return ("config/untrusted", how_to_take_over(file, who));
        }
        Error::Unreadable { .. } => ("config/unreadable", "mend that file, or name another with --config"),
        Error::NoProfile { .. } => {
            ("config/no_profile", "add a [profiles.NAME] table with issuer, client_id, role_arn, region")
        }
        Error::Ambiguous { .. } => ("config/ambiguous", "name one with --profile, or set default_profile"),
        Error::NoSuchProfile { .. } => {
            ("config/no_such_profile", "`bedrock-sso config path` lists the files that were read")
        }
        Error::Invalid(problems) => {
            return problems.first().map_or_else(|| of_file("config/invalid"), of_problem);
        }
    };
    (slug, hint.to_owned())
}

/// Whoever could write it may have said anything in it.
fn how_to_take_over(file: &str, who: &Stranger) -> String {
    if who.is_outside() {
        return format!(
            "copy it into the image, or have {file} belong to whoever starts the container, who is root in it"
        );
    }
    match NATIVE_SHELL {
        "powershell" => format!(
            "as administrator, look at what it says, then `icacls \"{file}\" /setowner *S-1-5-32-544` and \
             `icacls \"{file}\" /inheritance:r /grant *S-1-5-18:F *S-1-5-32-544:F *S-1-5-32-545:RX`"
        ),
        _ => {
            let file = word(file);
            format!("as root, look at what it says, then `chown root {file}` and `chmod go-w {file}`")
        }
    }
}

/// A variable that is not believed beside a file.
const REFUSED: &str = "config/variable_refused";

fn of_problem(Problem { place: _, fault }: &Problem) -> (&'static str, String) {
    let (slug, hint) = match fault {
        Fault::Syntax { .. } => return of_file("config/syntax"),
        Fault::UnknownKey { key, .. } if key == "client_secret" => (
            "config/unknown_key",
            "take it out, for a secret is no configuration: `bedrock-sso login --client-secret-stdin` stores it",
        ),
        Fault::NoVersion => ("config/no_version", "begin the file with `version = 1`"),
        Fault::Newer { .. } => ("config/newer", "update bedrock-sso"),
        Fault::TooOld { .. } => ("config/too_old", "update bedrock-sso, or ask your administrator to"),
        Fault::UnknownKey { .. } => {
            ("config/unknown_key", "correct or remove it; config.example.toml lists every key")
        }
        Fault::Misplaced { .. } => {
            ("config/misplaced", "move it there; config.example.toml shows each key in its place")
        }
        Fault::Lacks { key: "issuer", .. } => (
            "config/missing_key",
            "add `issuer`, or okta_domain, entra_tenant, auth0_domain, cognito_user_pool_id, or provider = \"google\"",
        ),
        Fault::Lacks { .. } => {
            ("config/missing_key", "add it; config.example.toml shows each key with a sentence")
        }
        Fault::TwoIssuers { .. } => {
            ("config/two_issuers", "keep the one that is meant, and take out the other")
        }
        Fault::Contradiction { instead, .. } => return ("config/provider", crate::text::line(instead)),
        Fault::OtherPartition { .. } => (
            "config/partition",
            "AWS partitions share nothing: choose the region, the roles and the addresses of the same one",
        ),
        Fault::Unkept { .. } => {
            ("config/contradiction", "set storage = \"keyring\" (or \"file\" where there is no keyring)")
        }
        Fault::Needs { .. } => ("config/contradiction", "set both, or take the one away"),
        Fault::Enforced { .. } => ("config/enforced", "remove your own value, or ask your administrator"),
        Fault::ByUser { key: "aws_profile" } => {
            ("config/administrators", "take it out; `bedrock-sso setup` writes the AWS profile here and now")
        }
        Fault::ByVariable { .. } => (REFUSED, "set it in a file, and unset the variable"),
        Fault::VariableRefused { variable, key, file } => {
            let hint = format!("unset {variable}; if you trust its value, set `{key}` in {file}");
            return (REFUSED, hint);
        }
        Fault::FileRefused { .. } => {
            (REFUSED, "unset BEDROCK_SSO_CONFIG; name another file with --config if you trust it")
        }
        Fault::RelativePath => ("config/illegal", "name the file from the root on, or unset the variable"),
        Fault::ByNamedFile { .. } => {
            ("config/default_place", "take it out; `bedrock-sso config path` names the default places")
        }
        Fault::EnforcedUnset { .. } | Fault::ByUser { .. } => {
            ("config/enforce", "set it in the administrator's file, together with the values it fixes")
        }
        Fault::WrongType { .. } | Fault::Illegal { .. } | Fault::NotUnicode { .. } => {
            return of_file("config/illegal");
        }
    };
    (slug, hint.to_owned())
}

fn of_file(slug: &'static str) -> (&'static str, String) {
    (slug, "correct it; `bedrock-sso config check` lists every problem".to_owned())
}
