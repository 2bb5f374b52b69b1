//! The wizard of `setup`: it prompts for the values of a profile, checks each answer before the next question, and
//! offers a first sign-in at the end.
//!
//! It runs only in a terminal, and only if no configuration exists. Scripts pass flags or a file instead. Until the
//! user confirms the changes, the wizard writes nothing, so the user can end it at any question without a trace.

use super::{
    SetupContext,
    prompts::{InputEnded, prompt_until_valid, prompt_yes_no, read_yes_no},
    write_stderr,
};
use crate::{
    aws::{Aws, CredentialStatus},
    cli::GlobalArgs,
    commands::{CommandContext, SignInScreen},
    config::{self, CallerKind, ConfigKey, Issuer, KeyValue, RedirectUri, RoleArn, keys},
    failure::Failure,
    hint::{Hint, NextCommand},
    http::{self, Client, HttpSettings},
    oidc::{self, ClientProbe, ProviderMetadata},
    session::{LoginCondition, MethodPreference},
    store,
    text::sanitize_line,
};

/// The redirect ports that the guides in `docs/providers` register, offered as the default answer.
const EXAMPLE_PORTS: &str = "8400, 8401";

/// What the user answered.
pub(super) struct WizardAnswers {
    /// The values for the configuration, without those that were already on the command line.
    pub values: Vec<KeyValue>,
    /// Whether a first sign-in can work. Without a keyring it cannot, unless the key is stored in a file.
    pub can_sign_in: bool,
}

/// Whether the wizard prompts for this key. If the command line sets such a key, the wizard does not run at all, and
/// the other values must be on the command line too.
pub(super) fn prompts_for(key: &ConfigKey) -> bool {
    config::can_name_issuer(key) || [&*keys::CLIENT_ID, &keys::ROLE_ARN, &keys::REGION].contains(&key)
}

/// Prompts for the values of a profile and returns them as configuration keys. `given` are the values of the command
/// line, for which it does not prompt.
///
/// It asks for the issuer first, because the provider's metadata lets the later answers be checked. There is no
/// configuration yet, so its connections follow the environment alone, such as `HTTPS_PROXY`.
pub(super) fn prompt_for_values(place: &SetupContext<'_>, given: &[KeyValue]) -> Result<WizardAnswers, Failure> {
    write_stderr(
        "No configuration exists yet. Answer a few questions to create one, then sign in.\n\
         Nothing is written before you confirm the changes. To cancel, press Ctrl-C.\n\n",
    );
    let client = Client::new(HttpSettings::from_environment(&place.context.host.environment))?;
    let question = "Identity provider (a domain such as acme.okta.com, a tenant ID, a user pool ID, or the issuer URL)";
    let (issuer, metadata) = prompt_until_valid(question, None, |answer| discover_issuer(&client, answer))?;
    write_stderr(&format!(
        "  ✓ found the issuer {}, with its token endpoint at {}\n",
        sanitize_line(issuer.as_str()),
        metadata.token_endpoint.authority()
    ));
    let is_given = |key: &ConfigKey| given.iter().any(|(known, _)| *known == key);
    let mut values: Vec<KeyValue> = vec![(&keys::ISSUER, issuer.as_str().to_owned())];
    let ports = if is_given(&keys::REDIRECT_PORTS) { None } else { prompt_for_ports()? };
    let known = [&values, ports.as_slice(), given].concat();
    let redirect = config::preview_redirect_uri(&place.preview_inputs(None), &place.config_path(), &known)?;
    values.push((&keys::CLIENT_ID, prompt_for_client_id(&client, &metadata, &redirect)?));
    let roles = prompt_for_roles()?;
    let region = prompt_until_valid("AWS region", Some("us-east-1"), |answer| {
        let problem = || "enter the name of an AWS region, such as us-east-1".to_owned();
        config::is_region(answer).then(|| answer.to_owned()).ok_or_else(problem)
    })?;
    values.extend(roles.iter().map(|role| (&*keys::ROLE_ARN, role.as_str().to_owned())));
    values.push((&keys::REGION, region));
    values.extend(ports);
    // With `--system`, the keyring of the administrator says nothing about the keyrings of the users.
    let asks_storage = !place.arguments.system && !is_given(&keys::STORAGE);
    let has_key_store = !asks_storage || prompt_for_storage(&mut values)?;
    Ok(WizardAnswers { values, can_sign_in: has_key_store })
}

/// Prompts for the redirect ports. `None` means any free port, for which the configuration needs no value.
fn prompt_for_ports() -> Result<Option<KeyValue>, InputEnded> {
    let question = "Redirect ports that are registered with the provider, or \"any\"";
    let ports = prompt_until_valid(question, Some(EXAMPLE_PORTS), parse_ports)?;
    Ok((!ports.is_empty()).then(|| (&*keys::REDIRECT_PORTS, format!("{ports:?}"))))
}

/// Prompts for the client ID, and checks with the provider each ID that the user enters.
///
/// If the provider rejects an ID, the question is repeated with that ID as the default. The check can be wrong, so the
/// user can continue with the same ID.
fn prompt_for_client_id(
    client: &Client,
    metadata: &ProviderMetadata,
    redirect: &RedirectUri,
) -> Result<String, InputEnded> {
    let parse = |answer: &str| match answer {
        "" => Err("the client ID cannot be empty".to_owned()),
        answer => Ok(answer.to_owned()),
    };
    let mut client_id = prompt_until_valid("Client ID of the application", None, parse)?;
    while report_client_probe(client, metadata, &client_id, redirect) == ClientProbe::Rejected {
        let question = "Another client ID, or Enter to continue with this one";
        let answer = prompt_until_valid(question, Some(&client_id), parse)?;
        if answer == client_id {
            break;
        }
        client_id = answer;
    }
    Ok(client_id)
}

/// If there is no keyring, prompts for the consent to store the key in a private file, and adds the answer to the
/// values. Returns whether the profile has a place for its key.
///
/// The test of the keyring is that of `doctor`. A keyring that is locked or does not answer counts as available,
/// because the user can fix that without a change to the configuration.
fn prompt_for_storage(values: &mut Vec<KeyValue>) -> Result<bool, InputEnded> {
    let Some(absent) = store::test_keyring().err().filter(store::KeyringError::is_absent) else { return Ok(true) };
    let absent = Failure::from(absent);
    write_stderr(&format!("  ! {}, so the key of your session needs another place\n", absent.what()));
    let agrees = read_yes_no("Store the key in a private file (storage = \"file\")?", true)?;
    if agrees {
        values.push((&keys::STORAGE, "file".to_owned()));
    }
    Ok(agrees)
}

/// Prompts for at least one role, and for further roles until the user presses Enter. The result has no duplicates,
/// because each role gets a profile that is named after it.
fn prompt_for_roles() -> Result<Vec<RoleArn>, InputEnded> {
    let parse = |answer: &str| {
        let problem = || "enter the ARN of a role, such as arn:aws:iam::123456789012:role/BedrockUser".to_owned();
        RoleArn::parse(answer).ok_or_else(problem)
    };
    let mut roles: Vec<RoleArn> = Vec::new();
    let mut next = Some(prompt_until_valid("ARN of the AWS role to assume", None, parse)?);
    while let Some(role) = next {
        write_stderr(&format!("  ✓ role {} in account {}\n", sanitize_line(role.name()), role.account()));
        roles.push(role);
        let parse_next = |answer: &str| match answer {
            "" => Ok(None),
            arn if roles.iter().any(|role| role.as_str() == arn) => {
                Err("you have already entered this role".to_owned())
            }
            arn => parse(arn).map(Some),
        };
        next = prompt_until_valid("ARN of another role, or Enter to continue", None, parse_next)?;
    }
    Ok(roles)
}

/// Prompts for the default profile among several new ones: commands use it when no `--profile` is given.
pub(super) fn prompt_for_default(names: &[String]) -> Result<String, InputEnded> {
    write_stderr(&format!("  ✓ one profile for each role: {}\n", names.join(", ")));
    let first = names.first().map(String::as_str);
    prompt_until_valid("Default profile", first, |answer| {
        let known = names.iter().find(|name| *name == answer);
        known.cloned().ok_or_else(|| format!("enter one of {}", names.join(", ")))
    })
}

/// Finds the issuer that an answer means, and fetches the provider's metadata from it.
///
/// One answer can stand for several issuer URLs, because providers differ in paths and in the final slash. The function
/// tries each URL in turn and, if all of them fail, returns the problem of the last one.
fn discover_issuer(client: &Client, answer: &str) -> Result<(Issuer, ProviderMetadata), String> {
    let mut problem = "enter a domain, a tenant ID, a user pool ID or a URL".to_owned();
    for guess in config::guess_issuers(answer) {
        let Ok(issuer) = Issuer::parse(&guess) else { continue };
        match http::block_on(oidc::discover_issuer(client, &issuer)) {
            Ok(Ok(metadata)) => return Ok((issuer, metadata)),
            Ok(Err(error)) => problem = Failure::from(error).what().to_owned(),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}

/// Parses a list of ports. The empty list means any free port, which suits providers that ignore the port of a loopback
/// redirect URI, as RFC 8252 §7.3 demands.
fn parse_ports(answer: &str) -> Result<Vec<u16>, String> {
    if answer.eq_ignore_ascii_case("any") {
        return Ok(Vec::new());
    }
    let port = |word: &str| word.trim().parse().ok().filter(|port| *port != 0);
    let ports: Option<Vec<u16>> = answer.split(',').map(port).collect();
    ports.ok_or_else(|| "enter port numbers that are separated by commas, or \"any\"".to_owned())
}

/// Sends an authorization request without a user for each redirect URI, and reports how the provider answers.
///
/// A provider that does not know the client ID or the redirect URI shows an error page instead of its sign-in page. The
/// result is only a warning and stops nothing, because some providers send the error page with a status of success.
fn report_client_probe(
    client: &Client,
    metadata: &ProviderMetadata,
    client_id: &str,
    redirect: &RedirectUri,
) -> ClientProbe {
    let uris = redirect.uris_to_probe();
    for uri in &uris {
        match http::block_on(oidc::probe_client(client, metadata, client_id, uri)) {
            Ok(Ok(ClientProbe::Accepted)) => {}
            Ok(Ok(ClientProbe::Rejected)) => {
                write_stderr(&format!(
                    "  ! the provider answered with an error: \
                     check the client ID, and that the redirect URI {uri} is registered\n"
                ));
                return ClientProbe::Rejected;
            }
            Ok(Ok(ClientProbe::Inconclusive) | Err(_)) | Err(_) => return ClientProbe::Inconclusive,
        }
    }
    let plural = if uris.len() == 1 { "" } else { "s" };
    let uris = uris.join(" and ");
    write_stderr(&format!("  ✓ the provider accepts this client ID with the redirect URI{plural} {uris}\n"));
    ClientProbe::Accepted
}

/// Offers a first sign-in to the new profile, and checks the credentials with `sts:GetCallerIdentity`.
///
/// It runs after the files were written, so a failure here is the failure of a sign-in. It loads the configuration from
/// the disk again, which proves that the new files work.
pub(super) fn run_first_sign_in(context: &CommandContext<'_>, profile: &str) -> Result<(), Failure> {
    if !prompt_yes_no("Sign in now?", true)? {
        return Ok(());
    }
    let global = GlobalArgs { profile: Some(profile.to_owned()), ..context.global.clone() };
    let context = CommandContext::new(&global)?;
    let work = context.load_profile(CallerKind::SignIn)?;
    let mut screen = SignInScreen::for_automatic(&context.host.environment);
    let ready = work.worker_client().login(LoginCondition::IfNeeded, MethodPreference::Any, &mut |event, reply| {
        screen.show_event(event, reply);
    })?;
    // Removes the progress line, which would otherwise be mixed with the lines below.
    drop(screen);
    write_stderr(&format!("  ✓ signed in as {}\n", sanitize_line(&ready.session_name)));
    let client = Client::new(work.profile.network_settings(&context.host.environment))?;
    let aws = Aws::new(&client, &work.profile, &context.host.environment, context.host.now)?;
    let status = http::block_on(aws.check_credentials(&ready.credentials)).map_err(Failure::from_runtime_error)?;
    write_stderr(&describe_credential_status(status).render(&context.invocation()));
    Ok(())
}

/// What the user can do next. A call that AWS did not answer proves nothing, so it is neither a success nor a failure.
fn describe_credential_status(status: CredentialStatus) -> Hint {
    let verdict = match status {
        CredentialStatus::Refused => {
            return Hint::from("  ✗ AWS rejected the credentials that it has just issued. To sign in again, run ")
                .command(NextCommand::LoginForce)
                .text(".\n");
        }
        CredentialStatus::Accepted => "  ✓ AWS accepts the credentials",
        CredentialStatus::NoAnswer => "  ! could not check the credentials, because AWS did not answer",
    };
    Hint::from(format!("{verdict}\nStart Claude Code with `claude`. To check that your models answer, run "))
        .command(NextCommand::DoctorLive)
        .text(".\n")
}
