//! What can be typed.
//!
//! It parses words; what they lead to is `commands`' business.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand, error::ErrorKind};

use crate::shell::Shell;

/// Corporate SSO to short-lived AWS credentials
///
/// Signs you in with your company's single sign-on and hands short-lived AWS credentials to whatever asks: as an AWS
/// profile's credential_process, and to Claude Code on Amazon Bedrock.
#[derive(Debug, Parser)]
#[command(name = "bedrock-sso", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: CliCommand,
    #[command(flatten)]
    pub global: GlobalArgs,
}

impl Cli {
    /// Reads a command line, and refuses what the parser lets pass: its own rule misses a flag that stands before the verb.
    pub fn parse_args(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let read = Self::try_parse_from(words)?;
        if matches!(read.command, CliCommand::Logout { all: true, role_only: false }) && read.global.profile.is_some() {
            let what = "the argument '--all' cannot be used with '--profile <NAME>'";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, what));
        }
        Ok(read)
    }
}

/// What every command takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct GlobalArgs {
    /// Profile of the configuration [env: BEDROCK_SSO_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Configuration file in place of the user's own [env: BEDROCK_SSO_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say on stderr what is decided and why; twice for every detail
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum CliCommand {
    /// Print AWS credentials as a credential_process, signing in if need be
    Credentials {
        /// Never ask the person: fail with exit code 4 where a sign-in is needed
        #[arg(long)]
        no_login: bool,
    },
    /// Sign in now, and say who you are and until when
    Login(LoginArgs),
    /// Say who is signed in, with which role and until when; asks no network
    Status {
        /// For scripts
        #[arg(long)]
        json: bool,
    },
    /// Forget what is kept of a sign-in, and have the provider revoke it
    Logout {
        /// Every profile, and whatever is kept of those that are no longer configured
        #[arg(long)]
        all: bool,
        /// Forget this profile's AWS credentials only, and stay signed in
        #[arg(long, conflicts_with = "all")]
        role_only: bool,
    },
    /// Run a command with AWS credentials in its environment
    Exec {
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Print AWS credentials as assignments for a shell
    Env {
        /// Whose assignments to print, sh's being bash's and zsh's too; by default those of $SHELL, and PowerShell's on Windows
        #[arg(long, value_enum, ignore_case = true, value_name = "SHELL")]
        shell: Option<Shell>,
    },
    /// Open the AWS console in a browser, signed in as the profile's role
    Console(ConsoleArgs),
    /// Print AWS credentials as Claude Code's awsCredentialExport reads them; never asks
    Export,
    /// Print headers that say who is signed in, for Claude Code's otelHeadersHelper
    OtelHeaders,
    /// Print the ID token as an Authorization header, for MCP servers; never asks
    Token {
        /// The token alone, without JSON around it
        #[arg(long)]
        raw: bool,
    },
    /// Print a short-term Amazon Bedrock API key made from the session; never asks
    Bearer {
        /// As Claude Desktop's credential helper prints it
        #[arg(long)]
        json: bool,
    },
    /// Set this laptop up: configuration, AWS profile, Claude Code; or take it all back
    Setup(SetupArgs),
    /// Find out what is wrong here, and how to mend it; changes nothing
    Doctor(DoctorArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what a shell needs to complete this program's words
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    #[command(hide = true)]
    Worker(WorkerArgs),
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct LoginArgs {
    /// Sign in anew although the present credentials are good
    #[arg(long)]
    pub force: bool,
    /// Show a code to enter in a browser anywhere, on any device
    #[arg(long)]
    pub device: bool,
    /// Print the address instead of opening a browser
    #[arg(long)]
    pub no_browser: bool,
    /// First store the application's secret, read from stdin; asked for, unseen, at a terminal
    #[arg(long)]
    pub client_secret_stdin: bool,
    /// First store the passphrase of the application's private key, likewise
    #[arg(long, conflicts_with = "client_secret_stdin")]
    pub client_key_passphrase_stdin: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ConsoleArgs {
    /// The service to open, as the addresses of the console name it: bedrock; by default the console's home
    #[arg(long, value_name = "SERVICE", value_parser = parse_console_service)]
    pub service: Option<String>,
    /// The region to open; by default the profile's
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Print the address instead of opening a browser: anyone who has it is signed in, so keep it secret
    #[arg(long)]
    pub no_browser: bool,
}

/// One part of a path, which cannot lead to another one.
fn parse_console_service(text: &str) -> Result<String, &'static str> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_service = (1..=64).contains(&text.len()) && text.bytes().all(is_legal);
    if is_service { Ok(text.to_owned()) } else { Err("use lowercase letters, digits and hyphens") }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct SetupArgs {
    /// Take the facts from a file: a configuration of ours, or what the AWS guidance sample and its stacks write
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The provider's issuer identifier
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// The identifier of the application registered with the provider
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// The role to assume; several times for several roles, each of which gets a profile
    #[arg(long, value_name = "ARN")]
    pub role_arn: Vec<String>,
    /// How the profiles of several roles are named [default: {account}-{role}]
    #[arg(long, value_name = "T", value_parser = parse_name_template)]
    pub profile_name_template: Option<String>,
    /// The AWS region
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Any other key of the configuration, as often as needed: okta_domain=acme.okta.com
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub set: Vec<(String, String)>,
    /// The AWS profile to write, when it shall be called otherwise than ours
    #[arg(long, value_name = "NAME", conflicts_with = "system")]
    pub aws_profile: Option<String>,
    /// For every user of this machine: the administrator's configuration and Claude Code's managed settings
    #[arg(long)]
    pub system: bool,
    /// Write into a new folder what a fleet's management distributes, and leave this machine as it is
    #[arg(long, value_name = "DIR", conflicts_with = "system")]
    pub fleet: Option<PathBuf>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Change without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Take back everything that setup wrote
    #[arg(long, conflicts_with_all = [
        "from", "issuer", "client_id", "role_arn", "profile_name_template", "region", "set", "aws_profile", "fleet",
    ])]
    pub remove: bool,
}

fn parse_key_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn parse_name_template(text: &str) -> Result<String, &'static str> {
    let rest = text.replace("{account}", "").replace("{role}", "");
    if text.is_empty() || rest.contains(['{', '}']) {
        return Err("write it with {account} and {role}, such as {account}-{role}");
    }
    Ok(text.to_owned())
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct DoctorArgs {
    /// For scripts
    #[arg(long)]
    pub json: bool,
    /// Have AWS and Amazon Bedrock answer as well, with the credentials that are kept
    #[arg(long)]
    pub live: bool,
    /// Write all of it, with configuration and surroundings and without secrets, into a file for your help desk
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Print the profile that holds, and where each value came from
    Show {
        /// For scripts
        #[arg(long)]
        json: bool,
    },
    /// Check every profile of every file, or of one file
    Check {
        /// This file by itself, wherever it lies, in place of those that are read
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Print which files are read
    Path,
}

/// Work of the program for itself, in a process of its own. Hidden: only this program calls it.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct WorkerArgs {
    /// The caller has a terminal at which the user can be prompted.
    #[arg(long)]
    pub terminal: bool,
    /// What to do, as JSON.
    pub purpose: String,
}

/// A call that somebody waits for at every turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FastPathCommand {
    Credentials(GlobalArgs),
    OtelHeaders(GlobalArgs),
}

/// The verb that answers whatever happens.
pub const OTEL_HEADERS: &str = "otel-headers";

/// The calls that are recognised without the parser: such a verb, with a profile or a configuration file and nothing else.
/// `None` says only that the parser must look.
pub fn parse_fast_path(words: &[OsString]) -> Option<FastPathCommand> {
    let (verb, rest) = words.split_first()?;
    match verb.to_str()? {
        "credentials" => parse_global_args(rest).map(FastPathCommand::Credentials),
        OTEL_HEADERS => parse_global_args(rest).map(FastPathCommand::OtelHeaders),
        _ => None,
    }
}

fn parse_global_args(rest: &[OsString]) -> Option<GlobalArgs> {
    if !rest.len().is_multiple_of(2) {
        return None;
    }
    let mut global = GlobalArgs::default();
    for pair in rest.chunks_exact(2) {
        let [flag, value] = pair else { return None };
        if value.is_empty() || value.as_encoded_bytes().starts_with(b"-") {
            return None;
        }
        match flag.to_str()? {
            "--profile" if global.profile.is_none() => global.profile = Some(value.to_str()?.to_owned()),
            "--config" if global.config.is_none() => global.config = Some(value.into()),
            _ => return None,
        }
    }
    Some(global)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn the_parser_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn template_with_another_placeholder_is_refused() {
        for template in ["", "{acount}", "{", "a}", "{role}{}"] {
            assert!(parse_name_template(template).is_err(), "{template}");
        }
        assert!(parse_name_template("{role}.{account}").is_ok());
    }

    #[test]
    fn the_common_call_means_what_the_parser_says() {
        for line in ["credentials", "credentials --profile work", "credentials --config /a --profile b"] {
            let parsed = Cli::try_parse_from(std::iter::once("x".into()).chain(words(line))).unwrap();
            assert_eq!(parse_fast_path(&words(line)), Some(FastPathCommand::Credentials(parsed.global)), "{line}");
            assert_eq!(parsed.command, CliCommand::Credentials { no_login: false });
        }
    }

    #[test]
    fn the_other_common_call_means_what_the_parser_says() {
        for line in ["otel-headers", "otel-headers --profile work"] {
            let parsed = Cli::try_parse_from(std::iter::once("x".into()).chain(words(line))).unwrap();
            assert_eq!(parse_fast_path(&words(line)), Some(FastPathCommand::OtelHeaders(parsed.global)), "{line}");
            assert_eq!(parsed.command, CliCommand::OtelHeaders);
        }
    }

    #[test]
    fn everything_else_is_left_to_the_parser() {
        for line in [
            "",
            "login",
            "credentials --no-login",
            "credentials --profile",
            "credentials -v",
            "credentials --help x",
            "credentials --profile a --profile b",
            "credentials --profile --config",
        ] {
            assert_eq!(parse_fast_path(&words(line)), None, "{line}");
        }
    }
}
