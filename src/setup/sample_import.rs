//! Facts from files that others wrote: the AWS guidance sample's `config.json` in both its shapes, its stacks' outputs.
//!
//! It translates that sample's words into our keys; whether they make a profile is for `config`.

use serde_json::{Map, Value};

use crate::{
    config::{ConfigKey, KeyValue, Provider, SampleIssuer, keys},
    hint::{Hint, NextCommand},
};

/// What a file said: the profile's name in it, its facts, and what a person has to do besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedProfile {
    pub name: Option<String>,
    pub values: Vec<KeyValue>,
    pub notes: Vec<Hint>,
}

/// Why a file tells nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    Missing,
    /// Neither JSON of a known shape nor a configuration of ours.
    UnknownFormat,
    /// Several profiles, and none was named.
    SeveralProfiles(Vec<String>),
    NoSuchProfile(String),
    /// The profile signs in without an OIDC provider.
    IdentityCenter,
}

/// Reads a JSON text; `wanted` is the profile that was asked for.
pub fn import_profile(text: &str, wanted: Option<&str>) -> Result<ImportedProfile, ImportError> {
    let value: Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| ImportError::UnknownFormat)?;
    if let Some(outputs) = parse_stack_outputs(&value) {
        return Ok(from_outputs(&outputs));
    }
    let top = value.as_object().ok_or(ImportError::UnknownFormat)?;
    let profiles = top.get("profiles").and_then(Value::as_object).unwrap_or(top);
    let profiles: Vec<_> = profiles.iter().filter_map(|(name, it)| Some((name, it.as_object()?))).collect();
    let (name, profile) = choose_profile(&profiles, wanted)?;
    if !profile.keys().any(|key| SAMPLE_KEYS.contains(&key.as_str())) {
        return Err(ImportError::UnknownFormat);
    }
    let sso = profile.get("sso_enabled").and_then(Value::as_bool);
    if sso == Some(false) || find_text(profile, "auth_type") == Some("idc") {
        return Err(ImportError::IdentityCenter);
    }
    Ok(ImportedProfile { name: Some(name.clone()), ..from_profile(profile) })
}

/// By one of these a profile of the sample is recognised.
const SAMPLE_KEYS: [&str; 5] = ["provider_domain", "okta_domain", "client_id", "okta_client_id", "sso_enabled"];

type SampleProfiles<'a> = [(&'a String, &'a Map<String, Value>)];

fn choose_profile<'a>(
    profiles: &SampleProfiles<'a>,
    wanted: Option<&str>,
) -> Result<(&'a String, &'a Map<String, Value>), ImportError> {
    match (wanted, profiles) {
        (Some(name), all) => {
            let found = all.iter().find(|(known, _)| *known == name);
            found.copied().ok_or_else(|| ImportError::NoSuchProfile(name.to_owned()))
        }
        (None, []) => Err(ImportError::UnknownFormat),
        (None, [only]) => Ok(*only),
        (None, all) => Err(ImportError::SeveralProfiles(all.iter().map(|(name, _)| (*name).clone()).collect())),
    }
}

fn find_text<'a>(profile: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    profile.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Collects facts under our names.
struct ProfileImporter<'a> {
    profile: &'a Map<String, Value>,
    imported: ImportedProfile,
}

impl<'a> ProfileImporter<'a> {
    fn add(&mut self, key: &'static ConfigKey, value: Option<impl Into<String>>) {
        self.imported.values.extend(value.map(|value| (key, value.into())));
    }

    fn read_text(&self, key: &str) -> Option<&'a str> {
        find_text(self.profile, key)
    }

    fn read_number(&self, key: &str) -> Option<u64> {
        self.profile.get(key)?.as_u64()
    }
}

fn from_profile(profile: &Map<String, Value>) -> ImportedProfile {
    let mut facts = ProfileImporter { profile, imported: ImportedProfile::default() };
    import_provider(&mut facts);
    facts.add(&keys::CLIENT_ID, facts.read_text("client_id").or_else(|| facts.read_text("okta_client_id")));
    import_federation(&mut facts);
    facts.add(&keys::REGION, Some(facts.read_text("aws_region").unwrap_or("us-east-1")));
    // The sample's redirect address is this one, and it is what is registered.
    facts.add(&keys::REDIRECT_HOST, Some("localhost"));
    facts.add(&keys::REDIRECT_PORTS, Some(format!("[{}]", facts.read_number("redirect_port").unwrap_or(8400))));
    import_quota(&mut facts);
    import_claude_code(&mut facts);
    facts.imported
}

fn import_provider(facts: &mut ProfileImporter<'_>) {
    let domain = facts.read_text("provider_domain").or_else(|| facts.read_text("okta_domain")).unwrap_or_default();
    let domain = domain.trim_start_matches("https://").trim_end_matches('/');
    let named = facts.read_text("provider_type").filter(|name| *name != "auto");
    let provider = match named {
        Some(name) => Provider::from_sample_name(name),
        None => Some(Provider::from_host(domain.split('/').next().unwrap_or_default())),
    };
    // The issuer behind a domain, which the sample leaves to be worked out.
    let sample = SampleIssuer {
        domain: Some(domain).filter(|domain| !domain.is_empty()),
        okta_auth_server: facts.read_text("okta_auth_server_id").or_else(|| facts.read_text("okta_auth_server")),
        cognito_user_pool_id: facts.read_text("cognito_user_pool_id"),
        issuer: facts.read_text("oidc_issuer_url"),
    };
    facts.add(&keys::ISSUER, (provider.unwrap_or_default().spec().sample_issuer)(&sample));
    // A name that the sample does not have is passed on, for the configuration to reject.
    facts.add(&keys::PROVIDER, named.map(|name| provider.map_or(name, |provider| provider.name())));
    let prompt = facts.read_text("oidc_prompt");
    facts.add(&keys::EXTRA_PARAMS, prompt.map(|prompt| format_table("prompt", prompt)));
    import_client_auth(facts);
}

/// How the application proves itself. There, too, a certificate goes before a secret.
fn import_client_auth(facts: &mut ProfileImporter<'_>) {
    let mode = facts.read_text("azure_auth_mode");
    if mode == Some("certificate") {
        facts.add(&keys::CLIENT_AUTH, Some("private_key_jwt"));
        facts.add(&keys::CLIENT_KEY, facts.read_text("client_certificate_key_path"));
        facts.add(&keys::CLIENT_CERTIFICATE, facts.read_text("client_certificate_path"));
    } else if facts.read_text("client_secret").is_some() || mode == Some("secret") {
        facts.add(&keys::CLIENT_AUTH, Some("secret"));
        let note = Hint::from("the client secret is no configuration: store it with ");
        facts.imported.notes.push(note.command(NextCommand::LoginClientSecret));
    }
}

fn import_federation(facts: &mut ProfileImporter<'_>) {
    let pool = facts.read_text("identity_pool_id").or_else(|| facts.read_text("identity_pool_name"));
    let role = facts.read_text("federated_role_arn");
    let direct = facts.read_text("federation_type").map_or(role.is_some(), |kind| kind == "direct");
    if pool.is_some() && !direct {
        facts.add(&keys::FEDERATION, Some("identity-pool"));
        facts.add(&keys::IDENTITY_POOL_ID, pool);
    } else {
        facts.add(&keys::ROLE_ARN, role);
        let seconds = facts.read_number("max_session_duration");
        facts.add(&keys::SESSION_DURATION, seconds.map(|seconds| format!("{seconds}s")));
    }
}

fn import_quota(facts: &mut ProfileImporter<'_>) {
    let Some(endpoint) = facts.read_text("quota_api_endpoint") else { return };
    facts.add(&keys::QUOTA_ENDPOINT, Some(endpoint));
    let minutes = facts.read_number("quota_check_interval");
    facts.add(&keys::QUOTA_INTERVAL, minutes.map(|minutes| format!("{minutes}m")));
    let seconds = facts.read_number("quota_check_timeout");
    facts.add(&keys::QUOTA_TIMEOUT, seconds.map(|seconds| format!("{seconds}s")));
    let is_closed = facts.read_text("quota_fail_mode") == Some("closed");
    facts.add(&keys::QUOTA_ON_ERROR, is_closed.then_some("deny"));
}

fn import_claude_code(facts: &mut ProfileImporter<'_>) {
    let model = facts.read_text("selected_model");
    facts.add(&keys::CLAUDE_CODE_MODELS, model.map(|model| format_table("default", model)));
    let collector = facts.read_text("otel_collector_endpoint");
    facts.add(&keys::CLAUDE_CODE_ENV, collector.map(|it| format_table("OTEL_EXPORTER_OTLP_ENDPOINT", it)));
}

/// A table of one text, in TOML's syntax.
fn format_table(name: &str, text: &str) -> String {
    format!("{{ {name} = {} }}", Value::from(text))
}

/// `aws cloudformation describe-stacks`, or the list of outputs alone.
fn parse_stack_outputs(value: &Value) -> Option<Map<String, Value>> {
    let stacks = value.get("Stacks").and_then(Value::as_array);
    let lists: Vec<_> = match stacks {
        Some(stacks) => stacks.iter().filter_map(|stack| stack.get("Outputs")?.as_array()).collect(),
        None => value.as_array().into_iter().collect(),
    };
    let pair =
        |output: &Value| Some((output.get("OutputKey")?.as_str()?.to_owned(), output.get("OutputValue")?.clone()));
    let mut found: Map<String, Value> = lists.into_iter().flatten().filter_map(pair).collect();
    if found.is_empty() {
        return None;
    }
    let id = stacks.and_then(|stacks| stacks.first()?.get("StackId")?.as_str());
    if let Some(region) = id.and_then(|id| id.split(':').nth(3)) {
        found.entry("Region").or_insert_with(|| region.into());
    }
    Some(found)
}

fn from_outputs(outputs: &Map<String, Value>) -> ImportedProfile {
    let whole = find_text(outputs, "ConfigurationJson").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut told = match whole.as_ref().and_then(Value::as_object) {
        Some(profile) => from_profile(profile),
        None => ImportedProfile::default(),
    };
    let mut put = |key: &'static ConfigKey, value: Option<&str>| {
        if let Some(value) = value {
            told.values.retain(|(known, _)| *known != key);
            told.values.push((key, value.to_owned()));
        }
    };
    let role = ["FederatedRoleArn", "DirectSTSRoleArn"].into_iter().find_map(|key| find_text(outputs, key));
    put(&keys::ROLE_ARN, role);
    put(&keys::REGION, find_text(outputs, "Region"));
    if role.is_none() {
        put(&keys::IDENTITY_POOL_ID, find_text(outputs, "IdentityPoolId"));
        put(&keys::FEDERATION, find_text(outputs, "IdentityPoolId").map(|_| "identity-pool"));
    }
    told
}

#[cfg(test)]
mod tests;
