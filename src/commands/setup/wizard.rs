//! The wizard of `setup`: it prompts for the values of a profile, checks each answer before the next question, and
//! offers a first sign-in at the end.
//!
//! It runs only in a terminal, and only if no configuration exists. Scripts pass flags or a file instead. Until the
//! user confirms the changes, the wizard writes nothing, so the user can end it at any question without a trace.

use std::path::PathBuf;

use super::{
    SetupContext,
    ca_bundle::prompt_for_ca_bundle,
    prompts::{InputEnded, prompt_for_region, prompt_until_valid, prompt_yes_no, read_yes_no},
    values::list_start_url_values,
    write_stderr,
};
use crate::{
    aws::{Aws, CredentialStatus},
    cli::GlobalArgs,
    commands::{CommandContext, SignInScreen, screen::describe_user},
    config::{self, CallerKind, ConfigKey, Issuer, KeyValue, REGISTERED_PORTS, RedirectUri, RoleArn, keys},
    failure::Failure,
    hint::{Hint, Invocation, NextCommand},
    host::VariableUse,
    http::{self, Client, HttpSettings},
    oidc::{self, ClientProbe, ProviderMetadata},
    session::{LoginCondition, MethodPreference},
    setup::{expand_home, parse_start_url},
    store,
    text::sanitize_line,
};

/// A port that no guide registers. A provider that accepts it accepts any port.
const UNREGISTERED_PORT: u16 = 58_431;

/// What the user answered.
pub(super) struct WizardAnswers {
    /// The values for the configuration, without those that were already on the command line.
    pub values: Vec<KeyValue>,
    /// Whether to offer a first sign-in. It cannot work without a place for its key.
    pub can_sign_in: bool,
}

/// Whether the wizard prompts for this key. If the command line sets such a key, the wizard does not run at all, and
/// the other values must be on the command line too.
pub(super) fn prompts_for(key: &ConfigKey) -> bool {
    let others = [&*keys::CLIENT_ID, &keys::ROLE_ARN, &keys::REGION, &keys::IDENTITY_CENTER_START_URL];
    config::can_name_issuer(key) || others.contains(&key)
}

/// Prompts for the values of a profile and returns them as configuration keys. `given` are the values of the command
/// line, for which it does not prompt.
///
/// It asks for the issuer early, because the provider's metadata lets the later answers be checked. Its connections
/// trust what those of the new profile will trust. Its proxy is that of the environment.
pub(super) fn prompt_for_values(place: &SetupContext<'_>, given: &[KeyValue]) -> Result<WizardAnswers, Failure> {
    write_stderr(
        "No configuration exists yet. Answer a few questions to create one, then sign in.\n\
         Nothing is written before you confirm the changes. To cancel, press Ctrl-C.\n\n",
    );
    let given_value = |key: &ConfigKey| given.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone());
    let is_given = |key: &ConfigKey| given_value(key).is_some();
    let environment = &place.context.host.environment;
    let new_bundle = if is_given(&keys::CA_BUNDLE) { None } else { prompt_for_ca_bundle(environment)? };
    let bundle = new_bundle.clone().or_else(|| given_value(&keys::CA_BUNDLE)).map(PathBuf::from);
    let client = Client::new(HttpSettings {
        ca_bundle: bundle.map(|path| expand_home(&path, &place.home)).as_deref(),
        authority_variables: VariableUse::Ignored,
        ..HttpSettings::from_environment(environment)
    })?;
    let question =
        "Identity provider (a domain such as acme.okta.com, a tenant ID, a user pool ID, or an issuer or start URL)";
    let service = prompt_until_valid(question, None, |answer| match parse_start_url(answer) {
        Some(start_url) => Ok(SignInServiceAnswer::IdentityCenter(start_url)),
        None => {
            let found = discover_issuer(&client, answer, &place.context.invocation())?;
            Ok(SignInServiceAnswer::Provider(Box::new(found)))
        }
    })?;
    let (issuer, metadata) = match service {
        SignInServiceAnswer::Provider(found) => *found,
        SignInServiceAnswer::IdentityCenter(start_url) => {
            write_stderr(&format!("  ✓ IAM Identity Center with the start URL {}\n", sanitize_line(&start_url)));
            let mut values = list_start_url_values(&start_url);
            values.extend(new_bundle.map(|path| (&*keys::CA_BUNDLE, path)));
            return Ok(WizardAnswers { values, can_sign_in: false });
        }
    };
    write_stderr(&format!(
        "  ✓ found the issuer {}, with its token endpoint at {}\n",
        sanitize_line(issuer.as_str()),
        metadata.token_endpoint.authority()
    ));
    let mut values: Vec<KeyValue> = vec![(&keys::ISSUER, issuer.as_str().to_owned())];
    let known = [&values, given].concat();
    let redirect = config::preview_redirect_uri(&place.preview_inputs(None), &place.config_path(), &known)?;
    let provider = ProviderQuestions { client: &client, metadata: &metadata, redirect };
    let (client_id, redirect) = provider.prompt_for_client(!is_given(&keys::REDIRECT_PORTS))?;
    values.push((&keys::CLIENT_ID, client_id));
    let roles = prompt_for_roles()?;
    let region = prompt_for_region("AWS region", "us-east-1")?;
    values.extend(roles.iter().map(|role| (&*keys::ROLE_ARN, role.as_str().to_owned())));
    values.push((&keys::REGION, region));
    // Ports that the profile has without a value stay out of the file.
    let has_other_ports = redirect != provider.redirect;
    values.extend(has_other_ports.then(|| (&*keys::REDIRECT_PORTS, format!("{:?}", redirect.ports))));
    values.extend(new_bundle.map(|path| (&*keys::CA_BUNDLE, path)));
    // With `--system`, the keyring of the administrator says nothing about the keyrings of the users.
    let asks_storage = !place.arguments.system && !is_given(&keys::STORAGE);
    let has_key_store = !asks_storage || prompt_for_storage(&mut values, &place.context.invocation())?;
    // The administrator who sets up a computer for all users does not sign in as root.
    Ok(WizardAnswers { values, can_sign_in: has_key_store && !place.arguments.system })
}

/// Where the user signs in.
enum SignInServiceAnswer {
    Provider(Box<(Issuer, ProviderMetadata)>),
    /// The start URL. The other values are chosen after a sign-in, see `assignments`.
    IdentityCenter(String),
}

/// The questions whose answers the provider can check: the client ID and the redirect ports.
struct ProviderQuestions<'a> {
    client: &'a Client,
    metadata: &'a ProviderMetadata,
    /// The redirect URI of a profile without an answer to the question about ports.
    redirect: RedirectUri,
}

impl ProviderQuestions<'_> {
    /// Prompts for the client ID and, if the provider compares ports, for the registered ports. Checks the answers with
    /// the provider.
    ///
    /// If the provider rejects the answers, the questions are repeated with these answers as defaults. The check can be
    /// wrong, so the user can continue with the same answers.
    fn prompt_for_client(&self, asks_ports: bool) -> Result<(String, RedirectUri), InputEnded> {
        let client_id = prompt_until_valid("Client ID of the application", None, parse_client_id)?;
        let redirect = self.choose_redirect(&client_id, &self.redirect, asks_ports)?;
        let mut answers = (client_id, redirect);
        while matches!(self.report_probe(&answers.0, &answers.1), ClientProbe::Rejected(_)) {
            let question = "Another client ID, or Enter to continue with this one";
            let client_id = prompt_until_valid(question, Some(&answers.0), parse_client_id)?;
            let redirect = self.choose_redirect(&client_id, &answers.1, asks_ports)?;
            let repeated = (client_id, redirect);
            if repeated == answers {
                break;
            }
            answers = repeated;
        }
        Ok(answers)
    }

    /// The redirect URI for this client: `suggested`, or with other ports if the user has to register them.
    fn choose_redirect(
        &self,
        client_id: &str,
        suggested: &RedirectUri,
        asks_ports: bool,
    ) -> Result<RedirectUri, InputEnded> {
        let needs_ports = || !suggested.ports.is_empty() || self.compares_ports(client_id);
        if asks_ports && needs_ports() { prompt_for_ports(suggested) } else { Ok(suggested.clone()) }
    }

    /// Whether a provider for which the table of providers allows any port accepts registered ports only.
    ///
    /// Many providers compare the port, although RFC 8252 §7.3 forbids it. They accept a port that the guides register,
    /// and reject another one.
    fn compares_ports(&self, client_id: &str) -> bool {
        let probe = |port| {
            let uri = self.redirect.uri_for_port(port);
            http::block_on(oidc::probe_client(self.client, self.metadata, client_id, &uri))
        };
        matches!(probe(UNREGISTERED_PORT), Ok(Ok(ClientProbe::Rejected(_))))
            && REGISTERED_PORTS.iter().any(|port| matches!(probe(*port), Ok(Ok(ClientProbe::Accepted))))
    }

    /// Sends an authorization request without a user for each redirect URI, and reports how the provider answers.
    ///
    /// A provider that does not know the client ID or the redirect URI shows an error page instead of its sign-in page.
    /// The result is only a warning and stops nothing, because some providers send the error page with a status of
    /// success.
    fn report_probe(&self, client_id: &str, redirect: &RedirectUri) -> ClientProbe {
        let uris = redirect.uris_to_probe();
        for uri in &uris {
            match http::block_on(oidc::probe_client(self.client, self.metadata, client_id, uri)) {
                Ok(Ok(ClientProbe::Accepted)) => {}
                Ok(Ok(rejected @ ClientProbe::Rejected(_))) => {
                    write_stderr(&format!(
                        "  ! the provider answered with an error: \
                         check the client ID, and that the redirect URI {uri} is registered\n"
                    ));
                    return rejected;
                }
                Ok(Ok(ClientProbe::Inconclusive) | Err(_)) | Err(_) => return ClientProbe::Inconclusive,
            }
        }
        let plural = if uris.len() == 1 { "" } else { "s" };
        let uris = uris.join(" and ");
        write_stderr(&format!("  ✓ the provider accepts this client ID with the redirect URI{plural} {uris}\n"));
        ClientProbe::Accepted
    }
}

/// Explains what has to be registered, and prompts for the registered ports. The default answer is that of `suggested`.
fn prompt_for_ports(suggested: &RedirectUri) -> Result<RedirectUri, InputEnded> {
    let ports = if suggested.ports.is_empty() { REGISTERED_PORTS.to_vec() } else { suggested.ports.clone() };
    let default: Vec<String> = ports.iter().map(u16::to_string).collect();
    let suggested = RedirectUri { ports, ..suggested.clone() };
    let uris: String = suggested.uris_to_probe().iter().map(|uri| format!("      {uri}\n")).collect();
    write_stderr(&format!(
        "  This provider compares redirect URIs letter by letter, including the port. These must be registered:\n\
         {uris}  If the application has others, enter their ports. A sign-in uses the first port that is free.\n"
    ));
    let ports = prompt_until_valid("Registered redirect ports", Some(&default.join(", ")), parse_ports)?;
    Ok(RedirectUri { ports, ..suggested })
}

fn parse_client_id(answer: &str) -> Result<String, String> {
    match answer {
        "" => Err("the client ID cannot be empty".to_owned()),
        answer => Ok(answer.to_owned()),
    }
}

/// Parses a list of ports.
fn parse_ports(answer: &str) -> Result<Vec<u16>, String> {
    let port = |word: &str| word.trim().parse().ok().filter(|port| *port != 0);
    let ports: Option<Vec<u16>> = answer.split(',').map(port).collect();
    ports.ok_or_else(|| "enter port numbers that are separated by commas, such as 8400, 8401".to_owned())
}

/// If the keyring does not work here, prompts for the consent to store the key in a private file, and adds the answer
/// to the values. Returns whether the profile has a place for its key.
///
/// The test of the keyring is that of `doctor`: it writes, reads and removes an item, without a prompt. A keyring that
/// is only locked, on a desktop that can show its prompt, is no reason to ask: the first sign-in unlocks it.
pub(super) fn prompt_for_storage(values: &mut Vec<KeyValue>, invocation: &Invocation) -> Result<bool, InputEnded> {
    let error = match store::test_keyring() {
        Ok(()) => {
            write_stderr("  ✓ the keyring stores and returns an item: it will hold the key of your session\n");
            return Ok(true);
        }
        Err(error) if error.is_solved_by_prompt() => return Ok(true),
        Err(error) => error,
    };
    let suits_file = error.suggests_file();
    let failure = Failure::from(error);
    write_stderr(&format!(
        "  ! {}\n    The key that encrypts your stored sign-in needs another place. In a private file, every program\n    \
         that runs as you can read it, and so can a backup.\n",
        failure.what()
    ));
    let agrees = read_yes_no("Store the key in a private file (storage = \"file\")?", suits_file)?;
    if agrees {
        values.push((&keys::STORAGE, "file".to_owned()));
    } else {
        write_stderr(&format!("  ! before you sign in: {}\n", failure.hint(invocation)));
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
/// tries each URL in turn and, if all of them fail, returns the problem of the last one, with its hint.
fn discover_issuer(
    client: &Client,
    answer: &str,
    invocation: &Invocation,
) -> Result<(Issuer, ProviderMetadata), String> {
    let mut problem = "enter a domain, a tenant ID, a user pool ID or a URL".to_owned();
    for guess in config::guess_issuers(answer) {
        let Ok(issuer) = Issuer::parse(&guess) else { continue };
        match http::block_on(oidc::discover_issuer(client, &issuer)) {
            Ok(Ok(metadata)) => return Ok((issuer, metadata)),
            Ok(Err(error)) => {
                let failure = Failure::from(error);
                problem = format!("{}\n    hint: {}", failure.what(), failure.hint(invocation));
            }
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}

/// Offers a first sign-in to the new profile, and checks its credentials. Prints `later` for a user who declines.
///
/// It runs after the files were written, so a failure here is the failure of a sign-in. It loads the configuration from
/// the disk again, which proves that the new files work.
pub(super) fn run_first_sign_in(context: &CommandContext<'_>, profile: &str, later: &str) -> Result<(), Failure> {
    if !prompt_yes_no("Sign in now?", true)? {
        write_stderr(later);
        return Ok(());
    }
    check_first_credentials(context, profile)
}

/// Gets credentials for a new profile, signing in if needed, and checks them with `sts:GetCallerIdentity`.
pub(super) fn check_first_credentials(context: &CommandContext<'_>, profile: &str) -> Result<(), Failure> {
    let global = GlobalArgs { profile: Some(profile.to_owned()), ..context.global.clone() };
    let context = CommandContext::new(&global)?;
    let work = context.load_profile(CallerKind::SignIn)?;
    let mut screen = SignInScreen::for_automatic(&context.host.environment);
    let ready = work.worker_client().login(LoginCondition::IfNeeded, MethodPreference::Any, &mut |event, reply| {
        screen.show_event(event, reply);
    })?;
    // Removes the progress line, which would otherwise be mixed with the lines below.
    drop(screen);
    write_stderr(&format!("  ✓ signed in{}\n", describe_user(&ready.session_name)));
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
