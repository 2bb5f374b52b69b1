//! Facts from files that others wrote: the AWS guidance sample's `config.json` in both its shapes, its stacks' outputs.
//!
//! It translates that sample's words into our keys; whether they make a profile is for `config`.

use serde_json::{Map, Value};

use crate::config::{Fact, Provider, pool_issuer};

/// What a file said: the profile's name in it, its facts, and what a person has to do besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub name: Option<String>,
    pub facts: Vec<Fact>,
    pub notes: Vec<String>,
}

/// Why a file tells nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    Missing,
    /// Neither JSON of a known shape nor a configuration of ours.
    Unknown,
    /// Several profiles, and none was named.
    Several(Vec<String>),
    NoSuchProfile(String),
    /// The profile signs in without an OIDC provider.
    IdentityCenter,
}

/// Reads a JSON text; `wanted` is the profile that was asked for.
pub fn read(text: &str, wanted: Option<&str>) -> Result<Told, Unusable> {
    let value: Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| Unusable::Unknown)?;
    if let Some(outputs) = outputs(&value) {
        return Ok(from_outputs(&outputs));
    }
    let top = value.as_object().ok_or(Unusable::Unknown)?;
    let profiles = top.get("profiles").and_then(Value::as_object).unwrap_or(top);
    let profiles: Vec<_> = profiles.iter().filter_map(|(name, it)| Some((name, it.as_object()?))).collect();
    let (name, profile) = chosen(&profiles, wanted)?;
    if !profile.keys().any(|key| KNOWN.contains(&key.as_str())) {
        return Err(Unusable::Unknown);
    }
    let sso = profile.get("sso_enabled").and_then(Value::as_bool);
    if sso == Some(false) || text_of(profile, "auth_type") == Some("idc") {
        return Err(Unusable::IdentityCenter);
    }
    Ok(Told { name: Some(name.clone()), ..from_profile(profile) })
}

/// By one of these a profile of the sample is recognised.
const KNOWN: [&str; 5] = ["provider_domain", "okta_domain", "client_id", "okta_client_id", "sso_enabled"];

type Profiles<'a> = [(&'a String, &'a Map<String, Value>)];

fn chosen<'a>(
    profiles: &Profiles<'a>,
    wanted: Option<&str>,
) -> Result<(&'a String, &'a Map<String, Value>), Unusable> {
    match (wanted, profiles) {
        (Some(name), all) => {
            let found = all.iter().find(|(known, _)| *known == name);
            found.copied().ok_or_else(|| Unusable::NoSuchProfile(name.to_owned()))
        }
        (None, []) => Err(Unusable::Unknown),
        (None, [only]) => Ok(*only),
        (None, all) => Err(Unusable::Several(all.iter().map(|(name, _)| (*name).clone()).collect())),
    }
}

fn text_of<'a>(profile: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    profile.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Collects facts under our names.
struct Facts<'a> {
    profile: &'a Map<String, Value>,
    told: Told,
}

impl Facts<'_> {
    fn put(&mut self, key: &str, value: impl Into<String>) {
        self.told.facts.push((key.to_owned(), value.into()));
    }

    fn text(&self, key: &str) -> Option<String> {
        text_of(self.profile, key).map(str::to_owned)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.profile.get(key)?.as_u64()
    }

    /// Copies a text under another name.
    fn copy(&mut self, from: &str, to: &str) {
        if let Some(text) = self.text(from) {
            self.put(to, text);
        }
    }
}

fn from_profile(profile: &Map<String, Value>) -> Told {
    let mut facts = Facts { profile, told: Told::default() };
    provider(&mut facts);
    let client = facts.text("client_id").or_else(|| facts.text("okta_client_id"));
    if let Some(client) = client {
        facts.put("client_id", client);
    }
    federation(&mut facts);
    facts.put("region", facts.text("aws_region").unwrap_or_else(|| "us-east-1".to_owned()));
    // The sample's redirect address is this one, and it is what is registered.
    facts.put("redirect_host", "localhost");
    facts.put("redirect_ports", format!("[{}]", facts.number("redirect_port").unwrap_or(8400)));
    quota(&mut facts);
    claude_code(&mut facts);
    facts.told
}

fn provider(facts: &mut Facts<'_>) {
    let domain = facts.text("provider_domain").or_else(|| facts.text("okta_domain")).unwrap_or_default();
    let domain = domain.trim_start_matches("https://").trim_end_matches('/');
    let named = facts.text("provider_type").filter(|kind| kind != "auto");
    let named = named.map(|kind| if kind == "azure" { "entra".to_owned() } else { kind });
    let known = Provider::of_host(domain.split('/').next().unwrap_or_default()).word();
    if let Some(issuer) = issuer(facts, named.as_deref().unwrap_or(known), domain) {
        facts.put("issuer", issuer);
    }
    if let Some(named) = named {
        facts.put("provider", named);
    }
    if let Some(prompt) = facts.text("oidc_prompt") {
        facts.put("extra_params", format!("{{ prompt = {} }}", Value::from(prompt)));
    }
    application(facts);
}

/// The issuer behind a domain, which the sample leaves to be worked out.
fn issuer(facts: &Facts<'_>, kind: &str, domain: &str) -> Option<String> {
    let below_domain = || Some(domain).filter(|domain| !domain.is_empty());
    match kind {
        "cognito" => facts.text("cognito_user_pool_id").as_deref().and_then(pool_issuer),
        "entra" => below_domain().map(entra_issuer),
        "auth0" => below_domain().map(|domain| format!("https://{domain}/")),
        "google" => Some("https://accounts.google.com".to_owned()),
        "okta" => {
            let server = facts.text("okta_auth_server_id").or_else(|| facts.text("okta_auth_server"));
            let path = server.map_or_else(String::new, |server| format!("/oauth2/{server}"));
            below_domain().map(|domain| format!("https://{domain}{path}"))
        }
        _ => {
            facts.text("oidc_issuer_url").or_else(|| below_domain().map(|domain| format!("https://{domain}")))
        }
    }
}

/// How the application proves itself. There, too, a certificate goes before a secret.
fn application(facts: &mut Facts<'_>) {
    let mode = facts.text("azure_auth_mode");
    if mode.as_deref() == Some("certificate") {
        facts.put("client_auth", "private_key_jwt");
        facts.copy("client_certificate_key_path", "client_key");
        facts.copy("client_certificate_path", "client_certificate");
    } else if facts.text("client_secret").is_some() || mode.as_deref() == Some("secret") {
        facts.put("client_auth", "secret");
        let note =
            "the client secret is no configuration: store it with `bedrock-sso login --client-secret-stdin`";
        facts.told.notes.push(note.to_owned());
    }
}

/// The tenant's second version, however the domain was written.
fn entra_issuer(domain: &str) -> String {
    let domain = domain.trim_end_matches("/v2.0");
    match domain.contains('/') {
        true => format!("https://{domain}/v2.0"),
        false if domain.contains('.') => format!("https://{domain}"),
        false => format!("https://login.microsoftonline.com/{domain}/v2.0"),
    }
}

fn federation(facts: &mut Facts<'_>) {
    let pool = facts.text("identity_pool_id").or_else(|| facts.text("identity_pool_name"));
    let role = facts.text("federated_role_arn");
    let direct = facts.text("federation_type").map_or(role.is_some(), |kind| kind == "direct");
    match (direct, pool) {
        (false, Some(pool)) => {
            facts.put("federation", "identity-pool");
            facts.put("identity_pool_id", pool);
        }
        _ => {
            if let Some(role) = role {
                facts.put("role_arn", role);
            }
            if let Some(seconds) = facts.number("max_session_duration") {
                facts.put("session_duration", format!("{seconds}s"));
            }
        }
    }
}

fn quota(facts: &mut Facts<'_>) {
    if facts.text("quota_api_endpoint").is_none() {
        return;
    }
    facts.copy("quota_api_endpoint", "quota.endpoint");
    if let Some(minutes) = facts.number("quota_check_interval") {
        facts.put("quota.interval", format!("{minutes}m"));
    }
    if let Some(seconds) = facts.number("quota_check_timeout") {
        facts.put("quota.timeout", format!("{seconds}s"));
    }
    if facts.text("quota_fail_mode").as_deref() == Some("closed") {
        facts.put("quota.on_error", "deny");
    }
}

fn claude_code(facts: &mut Facts<'_>) {
    if let Some(model) = facts.text("selected_model") {
        facts.put("claude_code.models", format!("{{ default = {} }}", Value::from(model)));
    }
    if let Some(collector) = facts.text("otel_collector_endpoint") {
        let table = format!("{{ OTEL_EXPORTER_OTLP_ENDPOINT = {} }}", Value::from(collector));
        facts.put("claude_code.env", table);
    }
}

/// `aws cloudformation describe-stacks`, or the list of outputs alone.
fn outputs(value: &Value) -> Option<Map<String, Value>> {
    let stacks = value.get("Stacks").and_then(Value::as_array);
    let lists: Vec<_> = match stacks {
        Some(stacks) => stacks.iter().filter_map(|stack| stack.get("Outputs")?.as_array()).collect(),
        None => value.as_array().into_iter().collect(),
    };
    let pair = |output: &Value| {
        Some((output.get("OutputKey")?.as_str()?.to_owned(), output.get("OutputValue")?.clone()))
    };
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

fn from_outputs(outputs: &Map<String, Value>) -> Told {
    let whole =
        text_of(outputs, "ConfigurationJson").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut told = match whole.as_ref().and_then(Value::as_object) {
        Some(profile) => from_profile(profile),
        None => Told::default(),
    };
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            told.facts.retain(|(known, _)| known != key);
            told.facts.push((key.to_owned(), value.to_owned()));
        }
    };
    let role = ["FederatedRoleArn", "DirectSTSRoleArn"].into_iter().find_map(|key| text_of(outputs, key));
    put("role_arn", role);
    put("region", text_of(outputs, "Region"));
    if role.is_none() {
        put("identity_pool_id", text_of(outputs, "IdentityPoolId"));
        put("federation", text_of(outputs, "IdentityPoolId").map(|_| "identity-pool"));
    }
    told
}

#[cfg(test)]
mod tests;
