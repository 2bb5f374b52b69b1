//! Imports settings of AWS's guidance sample: its `config.json`, in both formats, and the outputs of its CloudFormation
//! stacks.
//!
//! The sample is `guidance-for-claude-code-with-amazon-bedrock`. This module translates its keys into ours. Whether the
//! values make a valid profile is checked later by `config`. Secrets are never imported.

use serde_json::{Map, Value};

use super::{ImportError, StackOutputs};
use crate::{
    config::{ConfigKey, KeyValue, Provider, SampleIssuer, keys},
    hint::{Hint, NextCommand},
};

/// A profile that was imported from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedProfile {
    /// Its name in the file. The outputs of a stack have none.
    pub name: Option<String>,
    /// Its values under our keys, each key at most once.
    pub values: Vec<KeyValue>,
    /// What the user has to do about settings that were not imported.
    pub notes: Vec<Hint>,
}

/// Imports one profile from a JSON text. `wanted` is the name of the profile, which is needed only if the file has
/// several.
pub fn import_profile(text: &str, wanted: Option<&str>) -> Result<ImportedProfile, ImportError> {
    if let Some(outputs) = StackOutputs::parse(text).filter(|outputs| !outputs.values.is_empty()) {
        return Ok(from_outputs(&outputs.values));
    }
    let value: Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| ImportError::UnknownFormat)?;
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

/// A profile of the sample has at least one of these keys. Other JSON objects are rejected.
const SAMPLE_KEYS: [&str; 5] = ["provider_domain", "okta_domain", "client_id", "okta_client_id", "sso_enabled"];

/// The profiles of a file with their names.
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

/// A text of the profile. The sample writes empty texts for unset values, so those count as missing.
fn find_text<'a>(profile: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    profile.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Collects the values of one profile under our keys.
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
    let mut importer = ProfileImporter { profile, imported: ImportedProfile::default() };
    import_provider(&mut importer);
    importer.add(&keys::CLIENT_ID, importer.read_text("client_id").or_else(|| importer.read_text("okta_client_id")));
    import_federation(&mut importer);
    importer.add(&keys::REGION, Some(importer.read_text("aws_region").unwrap_or("us-east-1")));
    // The sample registers http://localhost:8400/callback, and providers compare the host exactly.
    importer.add(&keys::REDIRECT_HOST, Some("localhost"));
    importer.add(&keys::REDIRECT_PORTS, Some(format!("[{}]", importer.read_number("redirect_port").unwrap_or(8400))));
    import_quota(&mut importer);
    import_claude_code(&mut importer);
    importer.imported
}

/// Imports the provider and derives the issuer, which the sample stores only as a domain and a type of provider.
fn import_provider(importer: &mut ProfileImporter<'_>) {
    let domain =
        importer.read_text("provider_domain").or_else(|| importer.read_text("okta_domain")).unwrap_or_default();
    let domain = domain.trim_start_matches("https://").trim_end_matches('/');
    let named = importer.read_text("provider_type").filter(|name| *name != "auto");
    let provider = match named {
        Some(name) => Provider::from_sample_name(name),
        None => Some(Provider::from_host(domain.split('/').next().unwrap_or_default())),
    };
    // Each provider builds its issuer from a different part of these.
    let sample = SampleIssuer {
        domain: Some(domain).filter(|domain| !domain.is_empty()),
        okta_auth_server: importer.read_text("okta_auth_server_id").or_else(|| importer.read_text("okta_auth_server")),
        cognito_user_pool_id: importer.read_text("cognito_user_pool_id"),
        issuer: importer.read_text("oidc_issuer_url"),
    };
    importer.add(&keys::ISSUER, (provider.unwrap_or_default().spec().sample_issuer)(&sample));
    // An unknown name is passed on unchanged, so that the configuration rejects it with a message that names it.
    importer.add(&keys::PROVIDER, named.map(|name| provider.map_or(name, |provider| provider.name())));
    let prompt = importer.read_text("oidc_prompt");
    importer.add(&keys::EXTRA_PARAMS, prompt.map(|prompt| format_table("prompt", prompt)));
    import_client_auth(importer);
}

/// Imports how the application authenticates itself. As in the sample, a certificate takes precedence over a secret.
/// The secret itself is not imported, because configuration files contain no secrets.
fn import_client_auth(importer: &mut ProfileImporter<'_>) {
    let mode = importer.read_text("azure_auth_mode");
    if mode == Some("certificate") {
        importer.add(&keys::CLIENT_AUTH, Some("private_key_jwt"));
        importer.add(&keys::CLIENT_KEY, importer.read_text("client_certificate_key_path"));
        importer.add(&keys::CLIENT_CERTIFICATE, importer.read_text("client_certificate_path"));
    } else if importer.read_text("client_secret").is_some() || mode == Some("secret") {
        importer.add(&keys::CLIENT_AUTH, Some("secret"));
        let note = Hint::from("the client secret was not imported; to store it, run ");
        importer.imported.notes.push(note.command(NextCommand::LoginClientSecret));
    }
}

/// Imports how the sign-in gets AWS credentials: through an identity pool, or directly from STS with a role.
fn import_federation(importer: &mut ProfileImporter<'_>) {
    let pool = importer.read_text("identity_pool_id").or_else(|| importer.read_text("identity_pool_name"));
    let role = importer.read_text("federated_role_arn");
    let direct = importer.read_text("federation_type").map_or(role.is_some(), |kind| kind == "direct");
    if pool.is_some() && !direct {
        importer.add(&keys::FEDERATION, Some("identity-pool"));
        importer.add(&keys::IDENTITY_POOL_ID, pool);
    } else {
        importer.add(&keys::ROLE_ARN, role);
        let seconds = importer.read_number("max_session_duration");
        importer.add(&keys::SESSION_DURATION, seconds.map(|seconds| format!("{seconds}s")));
    }
}

/// Imports the quota service, if the profile has one.
fn import_quota(importer: &mut ProfileImporter<'_>) {
    let Some(endpoint) = importer.read_text("quota_api_endpoint") else { return };
    importer.add(&keys::QUOTA_ENDPOINT, Some(endpoint));
    let minutes = importer.read_number("quota_check_interval");
    importer.add(&keys::QUOTA_INTERVAL, minutes.map(|minutes| format!("{minutes}m")));
    let seconds = importer.read_number("quota_check_timeout");
    importer.add(&keys::QUOTA_TIMEOUT, seconds.map(|seconds| format!("{seconds}s")));
    let is_closed = importer.read_text("quota_fail_mode") == Some("closed");
    importer.add(&keys::QUOTA_ON_ERROR, is_closed.then_some("deny"));
}

/// Imports the settings for Claude Code: its model and its telemetry collector.
fn import_claude_code(importer: &mut ProfileImporter<'_>) {
    let model = importer.read_text("selected_model");
    importer.add(&keys::CLAUDE_CODE_MODELS, model.map(|model| format_table("default", model)));
    let collector = importer.read_text("otel_collector_endpoint");
    importer.add(&keys::CLAUDE_CODE_ENV, collector.map(|it| format_table("OTEL_EXPORTER_OTLP_ENDPOINT", it)));
}

/// An inline TOML table with one string. JSON's syntax for strings is valid TOML.
fn format_table(name: &str, text: &str) -> String {
    format!("{{ {name} = {} }}", Value::from(text))
}

/// Imports the outputs of one or more stacks. One output can contain a whole `config.json`; the others take precedence
/// over it, because they describe what is deployed now. If a role is among them, an identity pool is ignored.
fn from_outputs(outputs: &Map<String, Value>) -> ImportedProfile {
    let whole = find_text(outputs, "ConfigurationJson").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut imported = match whole.as_ref().and_then(Value::as_object) {
        Some(profile) => from_profile(profile),
        None => ImportedProfile::default(),
    };
    let mut put = |key: &'static ConfigKey, value: Option<&str>| {
        if let Some(value) = value {
            imported.values.retain(|(known, _)| *known != key);
            imported.values.push((key, value.to_owned()));
        }
    };
    let role = ["FederatedRoleArn", "DirectSTSRoleArn"].into_iter().find_map(|key| find_text(outputs, key));
    put(&keys::ROLE_ARN, role);
    put(&keys::REGION, find_text(outputs, "Region"));
    if role.is_none() {
        put(&keys::IDENTITY_POOL_ID, find_text(outputs, "IdentityPoolId"));
        put(&keys::FEDERATION, find_text(outputs, "IdentityPoolId").map(|_| "identity-pool"));
    }
    imported
}

#[cfg(test)]
mod tests;
