//! The questions that make a profile, each answer checked before the next is asked; and a first sign-in at the end.
//!
//! It runs where a person sits at a terminal; scripts give facts.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::say;
use crate::{
    aws::{Aws, Standing},
    cli::Global,
    commands::{Desk, Screen},
    config::{self, Caller, Fact, Issuer, RoleArn},
    failure::{Denied, Failure, Interrupted},
    host::Host,
    http::{self, Client, Settings},
    oidc::{self, Metadata},
    session::Wish,
    text::line,
};

/// The ports that the guides have an administrator register.
const PORTS: &str = "8400, 8401";

/// Whether somebody can be asked.
pub(in crate::commands) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question; an empty answer is the default.
fn ask(question: &str, default: Option<&str>) -> Result<String, Failure> {
    say(&match default {
        Some(default) if !default.is_empty() => format!("{question} [{default}]: "),
        _ => format!("{question}: "),
    });
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(0) | Err(_) => Err(Interrupted.into()),
        Ok(_) => match (answer.trim(), default) {
            ("", Some(default)) => Ok(default.to_owned()),
            (answer, _) => Ok(answer.to_owned()),
        },
    }
}

/// Asks until the answer can be made something of.
fn ask_until<T>(
    question: &str,
    default: Option<&str>,
    understood: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    loop {
        match understood(&ask(question, default)?) {
            Ok(meant) => return Ok(meant),
            Err(why) => say(&format!("  ✗ {why}\n")),
        }
    }
}

/// A question that is answered by yes or no.
pub(in crate::commands) fn agreed(question: &str, default: bool) -> Result<bool, Failure> {
    let answer = ask(&format!("{question} {}", if default { "[Y/n]" } else { "[y/N]" }), Some(""))?;
    Ok(match answer.to_ascii_lowercase().as_str() {
        "" => default,
        answer => matches!(answer, "y" | "yes"),
    })
}

/// The keys that the questions are about; whoever gives one of them on the command line is not asked.
pub(super) const ASKED: [&str; 9] = [
    "issuer",
    "okta_domain",
    "entra_tenant",
    "auth0_domain",
    "cognito_user_pool_id",
    "provider",
    "client_id",
    "role_arn",
    "region",
];

/// The facts of a profile, from a person.
pub(super) fn facts(host: &Host) -> Result<Vec<Fact>, Failure> {
    say(
        "Nothing is configured yet. Four questions, then a first sign-in; Ctrl-C leaves everything as it is.\n\n",
    );
    let client = Client::new(Settings::without_profile(&host.environment))?;
    let question = "Your company's sign-in (a domain such as acme.okta.com, a tenant, a pool, or the issuer)";
    let (issuer, metadata) = ask_until(question, None, |said| described(&client, said))?;
    say(&format!("  ✓ {} answers as {}\n", metadata.token_endpoint.authority(), line(issuer.as_str())));
    let ports = ask_until("Redirect ports that are registered, or \"any\"", Some(PORTS), ports)?;
    let client_id = ask_until("Client identifier of the application", None, |said| {
        if said.is_empty() {
            return Err("it cannot be empty".to_owned());
        }
        Ok(said.to_owned())
    })?;
    tell_about_client(&client, &metadata, &client_id, &ports);
    let role = ask_until("Role to assume in AWS (its ARN)", None, |said| {
        RoleArn::parse(said).ok_or_else(|| "write it as arn:aws:iam::123456789012:role/NAME".to_owned())
    })?;
    say(&format!("  ✓ role {} in account {}\n", line(role.name()), role.account()));
    let region = ask("AWS region", Some("us-east-1"))?;
    let mut facts = vec![("issuer", issuer.as_str().to_owned()), ("client_id", client_id)];
    facts.extend([("role_arn", role.as_str().to_owned()), ("region", region)]);
    facts.extend((!ports.is_empty()).then(|| ("redirect_ports", format!("{ports:?}"))));
    Ok(facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The issuer that is meant, with what it says of itself.
fn described(client: &Client, said: &str) -> Result<(Issuer, Metadata), String> {
    let mut why = "that is no domain and no address".to_owned();
    for guess in config::issuers(said) {
        let Ok(issuer) = Issuer::parse(&guess) else { continue };
        match http::block_on(oidc::describe(client, &issuer)) {
            Ok(Ok(metadata)) => return Ok((issuer, metadata)),
            Ok(Err(error)) => why = Failure::from(error).what,
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

fn ports(said: &str) -> Result<Vec<u16>, String> {
    if said.eq_ignore_ascii_case("any") {
        return Ok(Vec::new());
    }
    let port = |word: &str| word.trim().parse().ok().filter(|port| *port != 0);
    let ports: Option<Vec<u16>> = said.split(',').map(port).collect();
    ports.ok_or_else(|| "write numbers with commas between them, or \"any\"".to_owned())
}

/// A provider that does not know the client, or the address, shows an error page at once; one that does shows its
/// sign-in. Only a hint: some show the error on a page that looks like success.
fn tell_about_client(client: &Client, metadata: &Metadata, client_id: &str, ports: &[u16]) {
    let redirect = ports.first().map_or_else(
        || "http://127.0.0.1/callback".to_owned(),
        |port| format!("http://127.0.0.1:{port}/callback"),
    );
    match http::block_on(oidc::knock(client, metadata, client_id, &redirect)) {
        Ok(Ok(true)) => say(&format!("  ✓ the provider knows this client and {redirect}\n")),
        Ok(Ok(false)) => say(&format!(
            "  ! the provider answers this client with an error: check the identifier, and that {redirect} is registered\n"
        )),
        _ => {}
    }
}

/// Signs in for the first time, and has AWS say whose credentials these are.
pub(super) fn first_sign_in(global: &Global, profile: &str) -> Result<(), Failure> {
    if !agreed("Sign in now?", true)? {
        return Ok(());
    }
    let global = Global { profile: Some(profile.to_owned()), ..global.clone() };
    let desk = Desk::new(&global)?;
    let work = desk.work(Caller::SignIn)?;
    let mut screen = Screen::automatic(&desk.host.environment);
    let ready = work.errand().login(false, Wish::Any, &mut |told, reply| screen.tell(told, reply))?;
    drop(screen);
    say(&format!("  ✓ signed in as {}\n", line(&ready.session_name)));
    let client = Client::new(work.profile.network(&desk.host.environment))?;
    let aws = Aws::new(&client, &work.profile, &desk.host.environment, desk.host.now)?;
    let standing = http::block_on(aws.who_am_i(&ready.credentials)).map_err(Denied::Runtime)?;
    say(match standing {
        Standing::Refused => {
            "  ✗ AWS does not accept the credentials it has just given; run `bedrock-sso login --force`\n"
        }
        _ => {
            "  ✓ AWS accepts the credentials\n\
             Start Claude Code with `claude`. Whether your models answer tells `bedrock-sso doctor --live`.\n"
        }
    });
    Ok(())
}
