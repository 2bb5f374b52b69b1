//! The questions that make a profile, each answer checked before the next is asked; and a first sign-in at the end.
//!
//! It runs where a person sits at a terminal; scripts give facts.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::write_stderr;
use crate::{
    aws::{Aws, CredentialStatus},
    cli::GlobalArgs,
    commands::{CommandContext, SignInScreen},
    config::{self, CallerKind, ConfigKey, Issuer, KeyValue, RoleArn, keys},
    failure::Failure,
    hint::{Hint, NextCommand},
    host::Host,
    http::{self, Client, HttpSettings},
    oidc::{self, ClientProbe, ProviderMetadata},
    session::{LoginCondition, MethodPreference},
    text::sanitize_line,
};

/// The ports that the guides have an administrator register.
const EXAMPLE_PORTS: &str = "8400, 8401";

/// Whether somebody can be asked.
pub(in crate::commands) fn can_prompt() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question; an empty answer is the default.
fn prompt_line(question: &str, default: Option<&str>) -> Result<String, Failure> {
    write_stderr(&match default {
        Some(default) if !default.is_empty() => format!("{question} [{default}]: "),
        _ => format!("{question}: "),
    });
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(0) | Err(_) => Err(Failure::from_interruption()),
        Ok(_) => match (answer.trim(), default) {
            ("", Some(default)) => Ok(default.to_owned()),
            (answer, _) => Ok(answer.to_owned()),
        },
    }
}

/// Asks until the answer can be made something of.
fn prompt_until_valid<T>(
    question: &str,
    default: Option<&str>,
    understood: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    loop {
        match understood(&prompt_line(question, default)?) {
            Ok(meant) => return Ok(meant),
            Err(why) => write_stderr(&format!("  ✗ {why}\n")),
        }
    }
}

/// A question that is answered by yes or no.
pub(in crate::commands) fn prompt_yes_no(question: &str, default: bool) -> Result<bool, Failure> {
    let answer = prompt_line(&format!("{question} {}", if default { "[Y/n]" } else { "[y/N]" }), Some(""))?;
    Ok(match answer.to_ascii_lowercase().as_str() {
        "" => default,
        answer => matches!(answer, "y" | "yes"),
    })
}

/// Whether a question is about the key: somebody who gives it on the command line is not asked.
pub(super) fn prompts_for(key: &ConfigKey) -> bool {
    config::can_name_issuer(key) || [&*keys::CLIENT_ID, &keys::ROLE_ARN, &keys::REGION].contains(&key)
}

/// The facts of a profile, from a person.
pub(super) fn prompt_for_facts(host: &Host) -> Result<Vec<KeyValue>, Failure> {
    write_stderr(
        "Nothing is configured yet. Some questions, then a first sign-in; Ctrl-C leaves everything as it is.\n\n",
    );
    let client = Client::new(HttpSettings::from_environment(&host.environment))?;
    let question = "Your company's sign-in (a domain such as acme.okta.com, a tenant, a pool, or the issuer)";
    let (issuer, metadata) = prompt_until_valid(question, None, |said| discover_issuer(&client, said))?;
    write_stderr(&format!(
        "  ✓ {} answers as {}\n",
        metadata.token_endpoint.authority(),
        sanitize_line(issuer.as_str())
    ));
    let ports = prompt_until_valid("Redirect ports that are registered, or \"any\"", Some(EXAMPLE_PORTS), parse_ports)?;
    let client_id = prompt_until_valid("Client identifier of the application", None, |said| {
        if said.is_empty() {
            return Err("it cannot be empty".to_owned());
        }
        Ok(said.to_owned())
    })?;
    report_client_probe(&client, &metadata, &client_id, &ports);
    let roles = prompt_for_roles()?;
    let region = prompt_line("AWS region", Some("us-east-1"))?;
    let mut facts: Vec<KeyValue> = vec![(&keys::ISSUER, issuer.as_str().to_owned()), (&keys::CLIENT_ID, client_id)];
    facts.extend(roles.iter().map(|role| (&*keys::ROLE_ARN, role.as_str().to_owned())));
    facts.push((&keys::REGION, region));
    if !ports.is_empty() {
        facts.push((&keys::REDIRECT_PORTS, format!("{ports:?}")));
    }
    Ok(facts)
}

/// One role at least, and as many more as the user has.
fn prompt_for_roles() -> Result<Vec<RoleArn>, Failure> {
    let parse =
        |said: &str| RoleArn::parse(said).ok_or_else(|| "write it as arn:aws:iam::123456789012:role/NAME".to_owned());
    let mut roles: Vec<RoleArn> = Vec::new();
    let mut next = Some(prompt_until_valid("Role to assume in AWS (its ARN)", None, parse)?);
    while let Some(role) = next {
        write_stderr(&format!("  ✓ role {} in account {}\n", sanitize_line(role.name()), role.account()));
        roles.push(role);
        let parse_next = |said: &str| match said {
            "" => Ok(None),
            said if roles.iter().any(|role| role.as_str() == said) => Err("this role is among them already".to_owned()),
            said => parse(said).map(Some),
        };
        next = prompt_until_valid("Another role (its ARN), or Enter for no more", None, parse_next)?;
    }
    Ok(roles)
}

/// Which of several profiles commands choose without a flag.
pub(super) fn prompt_for_default(names: &[String]) -> Result<String, Failure> {
    write_stderr(&format!("  ✓ profiles {}\n", names.join(", ")));
    let first = names.first().map(String::as_str);
    prompt_until_valid("Profile to use where none is named", first, |said| {
        let named = names.iter().find(|name| *name == said);
        named.cloned().ok_or_else(|| format!("it is one of {}", names.join(", ")))
    })
}

/// The issuer that is meant, with what it says of itself.
fn discover_issuer(client: &Client, said: &str) -> Result<(Issuer, ProviderMetadata), String> {
    let mut why = "that is no domain and no address".to_owned();
    for guess in config::guess_issuers(said) {
        let Ok(issuer) = Issuer::parse(&guess) else { continue };
        match http::block_on(oidc::discover_issuer(client, &issuer)) {
            Ok(Ok(metadata)) => return Ok((issuer, metadata)),
            Ok(Err(error)) => why = Failure::from(error).what().to_owned(),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

fn parse_ports(said: &str) -> Result<Vec<u16>, String> {
    if said.eq_ignore_ascii_case("any") {
        return Ok(Vec::new());
    }
    let port = |word: &str| word.trim().parse().ok().filter(|port| *port != 0);
    let ports: Option<Vec<u16>> = said.split(',').map(port).collect();
    ports.ok_or_else(|| "write numbers with commas between them, or \"any\"".to_owned())
}

/// A provider that does not know the client, or the address, shows an error page at once; one that does shows its
/// sign-in. Only a hint: some show the error on a page that looks like success.
fn report_client_probe(client: &Client, metadata: &ProviderMetadata, client_id: &str, ports: &[u16]) {
    let redirect = ports
        .first()
        .map_or_else(|| "http://127.0.0.1/callback".to_owned(), |port| format!("http://127.0.0.1:{port}/callback"));
    match http::block_on(oidc::probe_client(client, metadata, client_id, &redirect)) {
        Ok(Ok(ClientProbe::Accepted)) => {
            write_stderr(&format!("  ✓ the provider knows this client and {redirect}\n"));
        }
        Ok(Ok(ClientProbe::Rejected)) => write_stderr(&format!(
            "  ! the provider answers this client with an error: check the identifier, and that {redirect} is registered\n"
        )),
        Ok(Ok(ClientProbe::Inconclusive) | Err(_)) | Err(_) => {}
    }
}

/// Signs in for the first time, and has AWS say whose credentials these are.
pub(super) fn run_first_sign_in(context: &CommandContext<'_>, profile: &str) -> Result<(), Failure> {
    if !prompt_yes_no("Sign in now?", true)? {
        return Ok(());
    }
    let global = GlobalArgs { profile: Some(profile.to_owned()), ..context.global.clone() };
    let context = CommandContext::new(&global)?;
    let work = context.load_profile(CallerKind::SignIn)?;
    let mut screen = SignInScreen::for_automatic(&context.host.environment);
    let ready = work.worker_client().login(LoginCondition::IfNeeded, MethodPreference::Any, &mut |told, reply| {
        screen.show_event(told, reply);
    })?;
    drop(screen);
    write_stderr(&format!("  ✓ signed in as {}\n", sanitize_line(&ready.session_name)));
    let client = Client::new(work.profile.network_settings(&context.host.environment))?;
    let aws = Aws::new(&client, &work.profile, &context.host.environment, context.host.now)?;
    let status = http::block_on(aws.check_credentials(&ready.credentials)).map_err(Failure::from_runtime_error)?;
    write_stderr(&describe_credential_status(status).render(&context.invocation()));
    Ok(())
}

fn describe_credential_status(status: CredentialStatus) -> Hint {
    let verdict = match status {
        CredentialStatus::Refused => {
            return Hint::from("  ✗ AWS does not accept the credentials it has just given; run ")
                .command(NextCommand::LoginForce)
                .text("\n");
        }
        CredentialStatus::Accepted => "  ✓ AWS accepts the credentials",
        CredentialStatus::NoAnswer => "  ! AWS did not answer whether it accepts the credentials",
    };
    Hint::from(format!("{verdict}\nStart Claude Code with `claude`. Whether your models answer tells "))
        .command(NextCommand::DoctorLive)
        .text(".\n")
}
