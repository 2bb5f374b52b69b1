//! The configuration: reads the files, variables and flags, merges them, and builds a [`Profile`] whose values are all
//! checked.
//!
//! The steps are: `source_file` reads a file, `config_file` interprets it, `layers` merges all sources, and
//! `profile_builder` checks the values against each other. Commands see only the result. This module never writes a
//! file, never uses the network and never prompts.
#![deny(clippy::wildcard_enum_match_arm)]

// Bottom up: each file imports from those above it.
mod choice;
mod syntax;
mod toml_value;
mod error;
mod partition;
mod arn;
mod claim_template;
mod client_auth;
mod services;
mod claude_code;
mod federation;
mod fingerprint;
mod sign_in_requirements;
mod oidc_settings;
mod sign_in_settings;
mod profile;
mod key;
mod parsers;
mod role_chain;
mod require_table;
mod telemetry_headers;
mod min_version;
mod kinds;
pub mod keys;
mod provider;
mod issuer_guess;
mod inputs;
mod source_file;
mod setting;
mod issuer;
mod config_file;
mod finding;
mod overrides;
mod enforced;
mod user_file;
mod layers;
mod profile_builder;
mod variables;
mod show;
mod schema;
mod profile_draft;
mod profile_set;
#[cfg(test)]
pub(crate) mod testing;

use std::path::{Path, PathBuf};

pub use arn::{IdentityPoolId, RoleArn};
pub use claim_template::{ClaimTemplate, TemplatePart, list_user_info_claims, strip_user_info_prefix};
pub use claude_code::{ClaudeCodeConfig, MODEL_VARIABLES};
pub use client_auth::{AssertionAudience, ClientAuth, ClientAuthChoice, ClientKey, KeyAlgorithm};
pub use error::{ConfigFault, ConfigProblem, Error, FileNaming, UnreadableReason, ValueLocation};
pub use federation::{ChainedRole, Federation, FederationChoice};
pub use finding::ConfigFinding;
pub use fingerprint::Fingerprint;
pub use inputs::{ConfigInputs, FlagOverride};
pub use issuer::{can_name_issuer, describe_issuer_alternatives};
pub use issuer_guess::guess_issuers;
pub use key::{ConfigKey, Disclosure, TypedKey};
pub use min_version::parse_version;
pub use oidc_settings::{Issuer, OidcSettings};
pub use overrides::INSIDE_OF_EXEC;
pub use partition::{Partition, is_region};
pub use profile::{
    CallerKind, LoginMode, Profile, ProfileFingerprints, RedirectHost, RedirectUri, SignInFlow, Storage,
};
pub use profile_draft::{
    KeyValue, check_profile_name, find_differing_keys, list_profile_names, merge_value, parse_role_flag,
    preview_administrator_file, preview_file, preview_redirect_uri, read_key_values, render_profile_table,
    require_known_key,
};
pub use profile_set::{ProfileDraft, add_profiles, find_default_profile, render_empty_file, set_default_profile};
pub use provider::{
    AcrSupport, EmailAuthority, EndpointPaths, MaxAgeSupport, OrganizationParameter, OriginRetry, Provider,
    ProviderSpec, REGISTERED_PORTS, SampleIssuer, SignInProofSupport, SignOutPage, build_pool_issuer,
};
pub use schema::render_schema;
pub use services::{
    AwsEndpoints, BedrockEndpoints, IdentityCenterEndpoints, LaptopRelay, QuotaErrorPolicy, QuotaSettings, RelayChoice,
    TelemetryEndpoints, TelemetryRelay, TelemetrySettings,
};
pub use show::{KeyReport, ProfileReport};
pub use sign_in_requirements::SignInRequirements;
pub use sign_in_settings::{IdentityCenterSettings, SignInSettings};
pub use source_file::display_path;
pub use variables::{VariableStatus, find_variable_key};

use crate::files;
use layers::{LayerTexts, Layers};
use source_file::{FileOwner, SourceFile};
use user_file::UserFile;

/// The path of a configuration file that the program looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLocation {
    pub file: PathBuf,
    pub is_there: bool,
}

/// Loads the profile that the call uses. Every request for credentials runs this function, so it does no work that the
/// caller does not need.
pub fn load_profile(inputs: &ConfigInputs<'_>) -> Result<Profile, Error> {
    LayerTexts::load_all(inputs)?.with_layers(|layers| layers.build_chosen_profile(inputs))
}

/// The name of a profile, with the profile or the error in it.
pub type NamedProfile = (String, Result<Profile, Error>);

/// Loads every profile of all files. Empty if no configuration exists. An error in one profile does not affect the
/// others.
pub fn load_all_profiles(inputs: &ConfigInputs<'_>) -> Result<Vec<NamedProfile>, Error> {
    let texts = match LayerTexts::load_all(inputs) {
        Err(Error::NoFile { .. }) => return Ok(Vec::new()),
        texts => texts?,
    };
    texts.with_layers(|layers| {
        let build = |name: String| {
            let profile = layers.build_profile(&name, inputs).map_err(Error::Invalid);
            (name, profile)
        };
        Ok(layers.all_profile_names(inputs).into_iter().map(build).collect())
    })
}

/// The profile that the call uses, key by key, with the origin of each value (`config show`).
pub fn report_profile(inputs: &ConfigInputs<'_>) -> Result<ProfileReport, Error> {
    LayerTexts::load_all(inputs)?.with_layers(|layers| {
        let profile = layers.build_chosen_profile(inputs)?;
        let settings = layers.merge_for_profile(&profile.name).map_err(Error::Invalid)?;
        Ok(ProfileReport::new(&profile, &settings, layers, inputs))
    })
}

/// Whether the administrator's file enforces `storage`. A file that cannot be read counts as enforcing nothing here,
/// because it makes every command fail anyway.
pub fn enforces_storage(inputs: &ConfigInputs<'_>) -> bool {
    let owner = FileOwner::Administrator;
    let file = SourceFile::read_for_owner(&inputs.paths.system_config, owner, inputs.environment).ok().flatten();
    file.is_some_and(|source| {
        LayerTexts::from_file(source)
            .survey_layers(|layers, _| layers.files.iter().any(|file| file.enforced_keys.contains(&&*keys::STORAGE)))
    })
}

/// Checks all files together, with every profile in them (`config check`). Returns the findings, or all problems.
pub fn check_all_files(inputs: &ConfigInputs<'_>) -> Result<Vec<ConfigFinding>, Error> {
    check_layers(&LayerTexts::load_all(inputs)?, inputs, overrides::warn_unknown_variables(inputs.environment))
}

/// Checks a single file without the others (`config check FILE`), so each of its profiles must be complete. The file
/// may use the administrator's keys, because administrators check a file before they install it.
pub fn check_file(file: &Path, inputs: &ConfigInputs<'_>) -> Result<Vec<ConfigFinding>, Error> {
    let source = SourceFile::read_file(file, FileOwner::Administrator, inputs.environment)?.ok_or_else(|| {
        let why = UnreadableReason::Missing { named_by: FileNaming::Command };
        Error::Unreadable { file: display_path(file, inputs.environment), why }
    })?;
    check_layers(&LayerTexts::from_file(source), inputs, Vec::new())
}

/// The findings about the layers, or every problem in them. A problem that several profiles share is listed once.
fn check_layers(
    texts: &LayerTexts,
    inputs: &ConfigInputs<'_>,
    about_variables: Vec<ConfigFinding>,
) -> Result<Vec<ConfigFinding>, Error> {
    texts.survey_layers(|layers, problems| {
        let mut problems = problems.concat();
        problems.extend(find_profile_problems(layers, inputs, &problems));
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let mut findings: Vec<ConfigFinding> = layers.files.iter().map(count_profiles).collect();
        if findings.is_empty() {
            layers.build_chosen_profile(inputs)?;
            findings.push(ConfigFinding::Profiles { source: ValueLocation::Environment.to_string(), count: 1 });
        }
        findings.extend(find_unused_defaults(layers));
        findings.extend(find_writable_files(layers));
        findings.extend(about_variables);
        let names = layers.all_profile_names(inputs);
        for finding in names.iter().flat_map(|name| find_suspicious_values(layers, name, inputs)) {
            if !findings.iter().any(|known| known.is_same_value(&finding)) {
                findings.push(finding);
            }
        }
        Ok(findings)
    })
}

fn count_profiles(file: &config_file::ConfigFile<'_>) -> ConfigFinding {
    ConfigFinding::Profiles { source: file.source.display_path.clone(), count: file.profiles.len() }
}

/// A warning for each file whose `[defaults]` apply to no profile. A file with `enforce` gets no warning, because
/// enforced values also apply to profiles of other files.
fn find_unused_defaults<'a>(layers: &'a Layers<'_>) -> impl Iterator<Item = ConfigFinding> + 'a {
    let is_unused = |file: &&config_file::ConfigFile<'_>| {
        !file.defaults.is_empty() && file.profiles.is_empty() && file.enforced_keys.is_empty()
    };
    let files = layers.files.iter().filter(is_unused);
    files.map(|file| ConfigFinding::UnusedDefaults { file: file.source.display_path.clone() })
}

/// A warning for each file that every user of this computer can change.
fn find_writable_files<'a>(layers: &'a Layers<'_>) -> impl Iterator<Item = ConfigFinding> + 'a {
    let files = layers.files.iter().filter(|file| files::is_world_writable(&file.source.path));
    files.map(|file| ConfigFinding::WritableFile { file: file.source.display_path.clone() })
}

/// The warnings about a correct profile. A profile with errors has no warnings here, because its errors are reported.
fn find_suspicious_values(layers: &Layers<'_>, name: &str, inputs: &ConfigInputs<'_>) -> Vec<ConfigFinding> {
    let (Ok(profile), Ok(settings)) = (layers.build_profile(name, inputs), layers.merge_for_profile(name)) else {
        return Vec::new();
    };
    let location = |key| match settings.get(key).filter(|setting| !setting.is_default()) {
        Some(setting) => setting.origin.location(),
        None => layers.profile_location(name),
    };
    let found = provider::collect_warnings(&profile).into_iter().chain(warn_bypassable_quota(&profile));
    let warnings = found.map(|(key, reason)| ConfigFinding::Suspicious {
        location: location(key),
        profile: name.to_owned(),
        key: key.name,
        reason,
    });
    let key = &keys::SESSION_NAME;
    let note = (!profile.user_info_claims().is_empty()).then(|| ConfigFinding::Note {
        location: location(key),
        profile: name.to_owned(),
        key: key.name,
        reason: UNPROVEN_NAME.to_owned(),
    });
    warnings.chain(note).collect()
}

/// AWS reads only the ID token, so it cannot compare a name from UserInfo with a claim.
const UNPROVEN_NAME: &str = "AWS does not see a claim of UserInfo, so a trust policy that compares sts:RoleSessionName \
                             with a claim refuses such a name";

/// Warns about an enforced quota that a user can bypass: with `on_error = "allow"` it is enough to block the service.
fn warn_bypassable_quota(profile: &Profile) -> Option<(&'static ConfigKey, String)> {
    let quota = profile.quota.as_ref().filter(|_| profile.is_enforced(&keys::QUOTA_ENDPOINT))?;
    let reason = "the quota is enforced, but a user who blocks the service bypasses it; \
                  set on_error = \"deny\"";
    (quota.on_error == QuotaErrorPolicy::Allow).then(|| (&*keys::QUOTA_ON_ERROR, reason.to_owned()))
}

/// The problems of the profiles that are not in `known` yet. Empty if a file could not be interpreted completely: keys
/// would then seem to be missing that this file sets.
fn find_profile_problems(
    layers: &Layers<'_>,
    inputs: &ConfigInputs<'_>,
    known: &[ConfigProblem],
) -> Vec<ConfigProblem> {
    let is_closed = |problem: &ConfigProblem| {
        matches!(problem.fault, ConfigFault::NewerVersion { .. } | ConfigFault::ProgramTooOld { .. })
    };
    let mut found = Vec::new();
    if layers.is_complete && !known.iter().any(is_closed) {
        let names = layers.profile_names();
        let built = names.iter().flat_map(|name| match layers.build_profile(name, inputs) {
            Ok(profile) => find_uncountable_quota(layers, &profile).into_iter().collect(),
            Err(problems) => problems,
        });
        for problem in layers.check_default_profiles().into_iter().chain(built) {
            if !known.contains(&problem) && !found.contains(&problem) {
                found.push(problem);
            }
        }
    }
    found
}

/// The problem of a quota whose service cannot distinguish the users: AWS gives all sessions of an identity pool one name,
/// and Bedrock logs nothing else about the user.
///
/// Only `config check` and `doctor` report it. The program itself goes on, because AWS's guidance sample counts what the
/// clients report about themselves, and its configurations stay valid.
fn find_uncountable_quota(layers: &Layers<'_>, profile: &Profile) -> Option<ConfigProblem> {
    let is_pool = profile.oidc().is_some_and(|oidc| oidc.federation.pool().is_some());
    if !is_pool || !profile.role_chain.is_empty() {
        return None;
    }
    let quota = profile.quota.as_ref()?;
    let settings = layers.merge_for_profile(&profile.name).ok()?;
    let setting = settings.get(&keys::QUOTA_ENDPOINT)?;
    let rule = "it cannot limit users of an identity pool, whose sessions are all called CognitoIdentityCredentials; \
                use federation = \"sts\", or add a role_chain";
    let value = Some(quota.endpoint.as_str().to_owned());
    Some(ConfigFault::illegal_value(keys::QUOTA_ENDPOINT.name, value, rule).at(setting.origin.location()))
}

/// The files that the call reads, the administrator's first (`config path`). They are listed even if they do not exist.
pub fn list_file_locations(inputs: &ConfigInputs<'_>) -> [FileLocation; 2] {
    let read = |path: &Path, rank| SourceFile::read_for_owner(path, rank, inputs.environment);
    let system = read(&inputs.paths.system_config, FileOwner::Administrator).ok().flatten();
    let user = UserFile::choose_file(inputs, system.as_ref(), read);
    let user = user.map_or_else(|_| inputs.paths.user_config.clone(), |user| user.path);
    [inputs.paths.system_config.clone(), user].map(|file| FileLocation { is_there: file.is_file(), file })
}

#[cfg(test)]
mod tests;
