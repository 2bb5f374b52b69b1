//! The command line: every command, flag and argument, parsed with clap.
//!
//! The doc comments of the commands and arguments are the help texts that users read with `--help`, and `man` prints
//! them too. This module only parses: the code that runs each command is in `commands`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand, error::ErrorKind};

use crate::shell::Shell;

/// Turn your corporate SSO sign-in into short-lived AWS credentials
///
/// bedrock-sso signs you in at your company's identity provider. It then gives short-lived AWS credentials to the AWS
/// CLI and SDKs, as the credential_process of an AWS profile, and to Claude Code on Amazon Bedrock.
#[derive(Debug, Parser)]
#[command(name = "bedrock-sso", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: CliCommand,
    #[command(flatten)]
    pub global: GlobalArgs,
}

impl Cli {
    /// Parses a command line, with the name of the program as its first word.
    ///
    /// `--all` and `--profile` conflict. This function checks that itself, because clap's `conflicts_with` does not see
    /// a global flag that stands before the command, as in `--profile work logout --all`.
    pub fn parse_args(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(words)?;
        if matches!(cli.command, CliCommand::Logout { all: true, role_only: false, browser: false })
            && cli.global.profile.is_some()
        {
            let what = "the argument '--all' cannot be used with '--profile <NAME>'";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, what));
        }
        Ok(cli)
    }
}

/// The flags that every command accepts, before or after its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct GlobalArgs {
    /// Profile to use [default: default_profile, else the only one] [env: BEDROCK_SSO_PROFILE]
    // Without an order of their own, these flags would stand among those of a command with many flags.
    #[arg(long, global = true, value_name = "NAME", display_order = 900)]
    pub profile: Option<String>,
    /// File to read instead of your configuration file [env: BEDROCK_SSO_CONFIG]
    #[arg(long, global = true, value_name = "FILE", display_order = 901)]
    pub config: Option<PathBuf>,
    /// Log decisions and their reasons on stderr; -vv logs every detail
    #[arg(long, short, global = true, action = clap::ArgAction::Count, display_order = 902)]
    pub verbose: u8,
}

#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum CliCommand {
    /// Print AWS credentials for a credential_process; sign in if needed
    Credentials {
        /// Do not prompt: exit with code 4 if you need to sign in
        #[arg(long)]
        no_login: bool,
    },
    /// Sign in and print your user name, AWS role and expiry time
    Login(LoginArgs),
    /// Show your sign-in, AWS role and expiry time; works offline
    Status {
        /// Print JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Sign out: delete the stored session and revoke it at the provider
    Logout {
        /// Sign out of every profile, and delete all other stored data, such as that of removed profiles
        #[arg(long)]
        all: bool,
        /// Delete only the AWS credentials of this profile, and stay signed in
        #[arg(long, conflicts_with = "all")]
        role_only: bool,
        /// Then open the provider's sign-out page in your browser, which ends your session there too
        #[arg(long, conflicts_with_all = ["all", "role_only"])]
        browser: bool,
    },
    /// Run a command with AWS credentials in its environment
    Exec {
        /// Command to run, with its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Print shell commands that set AWS credentials as variables
    Env {
        /// Shell syntax to print; sh also covers bash and zsh [default: from $SHELL, else sh, or powershell on Windows]
        #[arg(long, value_enum, ignore_case = true, value_name = "SHELL")]
        shell: Option<Shell>,
    },
    /// Open the AWS console in a browser, signed in as the profile's role
    Console(ConsoleArgs),
    /// Print credentials for Claude Code's awsCredentialExport (no prompts)
    Export,
    /// Print user attributes as headers for Claude Code's otelHeadersHelper
    OtelHeaders,
    /// Run the telemetry relay of this computer; otel-headers starts it when needed
    OtelRelay {
        /// `otel-headers` has started this process, and waits until it listens.
        #[arg(long, hide = true)]
        background: bool,
    },
    /// Show what you have used of your limits, and when they reset (no prompts)
    Quota(QuotaArgs),
    /// Print the ID token as an HTTP header, for MCP servers (no prompts)
    Token {
        /// Print only the token, without the JSON object
        #[arg(long)]
        raw: bool,
    },
    /// Print a short-term Amazon Bedrock API key (no prompts)
    Bearer {
        /// Print the JSON that Claude Desktop expects from its credential helper
        #[arg(long)]
        json: bool,
    },
    /// Configure this computer: bedrock-sso, an AWS profile and Claude Code
    Setup(Box<SetupArgs>),
    /// Diagnose problems and suggest fixes, without changing anything
    Doctor(DoctorArgs),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for your shell
    Completions {
        /// Shell that will read the script
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    #[command(hide = true)]
    Worker(WorkerArgs),
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct LoginArgs {
    /// Sign in again even if the current credentials are valid
    #[arg(long)]
    pub force: bool,
    /// Sign in with a code that you enter in a browser on any device
    #[arg(long)]
    pub device: bool,
    /// Print the sign-in address instead of opening a browser
    #[arg(long)]
    pub no_browser: bool,
    /// Before signing in, store the application's client secret, read from stdin or from a hidden prompt
    #[arg(long)]
    pub client_secret_stdin: bool,
    /// Before signing in, store the passphrase of the application's private key, read from stdin or from a hidden prompt
    #[arg(long, conflicts_with = "client_secret_stdin")]
    pub client_key_passphrase_stdin: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct QuotaArgs {
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
    /// Show the limits as a page in the browser; without a browser, print the path of a file with the page
    #[arg(long, conflicts_with = "json")]
    pub html: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ConsoleArgs {
    /// Service to open, by its name in console addresses, such as bedrock [default: the home page]
    #[arg(long, value_name = "SERVICE", value_parser = parse_console_service)]
    pub service: Option<String>,
    /// Region to open [default: the region of the profile]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Print the address instead of opening a browser; the address is secret, since it signs in anyone who opens it
    #[arg(long)]
    pub no_browser: bool,
}

/// Accepts one plain segment of a path. The service becomes part of the console's address, so a `/`, `.` or `?` could
/// lead the signed-in browser to another page.
fn parse_console_service(text: &str) -> Result<String, &'static str> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_service = (1..=64).contains(&text.len()) && text.bytes().all(is_legal);
    if is_service { Ok(text.to_owned()) } else { Err("use lowercase letters, digits and hyphens") }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct SetupArgs {
    /// Read the values from FILE: a bedrock-sso configuration, the outputs of your stacks in AWS, an AWS configuration
    /// with sso_* keys, or a file of AWS's guidance sample
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Issuer URL of the identity provider
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// Client ID of the application that is registered with the provider
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Role to assume; repeat the flag to configure several roles, with one profile each
    #[arg(long, value_name = "ARN")]
    pub role_arn: Vec<String>,
    /// Start URL of IAM Identity Center: the address of the AWS access portal
    #[arg(long, value_name = "URL", conflicts_with_all = ["issuer", "client_id", "role_arn"])]
    pub start_url: Option<String>,
    /// Region of IAM Identity Center [default: the region of the profile]
    #[arg(long, value_name = "REGION")]
    pub sso_region: Option<String>,
    /// AWS account that IAM Identity Center assigns to you
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Permission set in that account
    #[arg(long, value_name = "NAME")]
    pub permission_set: Option<String>,
    /// Configure a profile for every account and permission set that IAM Identity Center assigns to you
    #[arg(long, conflicts_with_all = ["issuer", "client_id", "role_arn", "system", "fleet"])]
    pub all_roles: bool,
    /// Profile names, where {role} is also the permission set [default for several roles: {account}-{role}]
    #[arg(long, value_name = "T", value_parser = parse_name_template)]
    pub profile_name_template: Option<String>,
    /// AWS region of the profile
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Any other configuration key, such as okta_domain=acme.okta.com; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub set: Vec<(String, String)>,
    /// Name of the AWS profile to write [default: the name of the bedrock-sso profile]
    #[arg(long, value_name = "NAME", conflicts_with = "system")]
    pub aws_profile: Option<String>,
    /// Replace the sso_* keys of AWS profiles that have the same name; setup --remove restores them
    #[arg(long, conflicts_with = "system")]
    pub replace_sso_keys: bool,
    /// Configure every user of this computer: the administrator's file and Claude Code's managed settings
    #[arg(long)]
    pub system: bool,
    /// Write files for your device management into a new folder, and change nothing else
    #[arg(long, value_name = "DIR", conflicts_with = "system")]
    pub fleet: Option<PathBuf>,
    /// Show the changes without applying them
    #[arg(long)]
    pub dry_run: bool,
    /// Apply the changes without a prompt
    #[arg(long, short)]
    pub yes: bool,
    /// Undo every change that setup made
    #[arg(long, conflicts_with_all = [
        "from", "issuer", "client_id", "role_arn", "start_url", "sso_region", "account", "permission_set",
        "all_roles", "profile_name_template", "region", "set", "aws_profile", "replace_sso_keys",
        "fleet",
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
        return Err("use the placeholders {account} and {role}, as in {account}-{role}");
    }
    Ok(text.to_owned())
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct DoctorArgs {
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
    /// Also call AWS and Amazon Bedrock with the stored sign-in; uses a few model tokens
    #[arg(long)]
    pub live: bool,
    /// Also write a report without secrets for your help desk to FILE
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Print the values of the profile and where each one comes from
    Show {
        /// Print JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Check every profile in the configuration files, or in one file
    Check {
        /// Check only this file, which may be in any folder [default: the files that `config path` prints]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Print the paths of the configuration files
    Path,
}

/// The command line of a worker process. The help does not list it, because only this program starts workers.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct WorkerArgs {
    /// The caller has a terminal in which it can prompt the user.
    #[arg(long)]
    pub terminal: bool,
    /// What the worker must do, as the JSON that `worker` writes and parses.
    pub purpose: String,
}

/// A command that a host runs so often that the time to build clap's parser would matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FastPathCommand {
    Credentials(GlobalArgs),
    OtelHeaders(GlobalArgs),
}

/// The command that must print its JSON even if its arguments are wrong, because a host that gets no JSON sends no
/// telemetry.
pub const OTEL_HEADERS: &str = "otel-headers";

/// Parses the most frequent calls without clap: one of two commands, with at most `--profile` and `--config`. `words`
/// does not contain the name of the program.
///
/// `None` does not mean that the command line is wrong: the caller must then parse it with [`Cli::parse_args`]. For
/// every line that this function accepts, clap gives the same result; the tests compare the two.
pub fn parse_fast_path(words: &[OsString]) -> Option<FastPathCommand> {
    let (command, rest) = words.split_first()?;
    match command.to_str()? {
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
        // clap decides about an empty value, and about a value with a hyphen, which may be the next flag.
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
    fn parser_definition_passes_claps_own_checks() {
        Cli::command().debug_assert();
    }

    #[test]
    fn name_template_with_unknown_placeholder_is_rejected() {
        for template in ["", "{acount}", "{", "a}", "{role}{}"] {
            assert!(parse_name_template(template).is_err(), "{template}");
        }
        assert!(parse_name_template("{role}.{account}").is_ok());
    }

    #[test]
    fn fast_path_parses_credentials_like_clap() {
        for line in ["credentials", "credentials --profile work", "credentials --config /a --profile b"] {
            let parsed = Cli::try_parse_from(std::iter::once("x".into()).chain(words(line))).unwrap();
            assert_eq!(parse_fast_path(&words(line)), Some(FastPathCommand::Credentials(parsed.global)), "{line}");
            assert_eq!(parsed.command, CliCommand::Credentials { no_login: false });
        }
    }

    #[test]
    fn fast_path_parses_otel_headers_like_clap() {
        for line in ["otel-headers", "otel-headers --profile work"] {
            let parsed = Cli::try_parse_from(std::iter::once("x".into()).chain(words(line))).unwrap();
            assert_eq!(parse_fast_path(&words(line)), Some(FastPathCommand::OtelHeaders(parsed.global)), "{line}");
            assert_eq!(parsed.command, CliCommand::OtelHeaders);
        }
    }

    #[test]
    fn fast_path_leaves_other_arguments_to_clap() {
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
