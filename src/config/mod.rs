//! The configuration: the file as written, its layers, and the profile that cannot be wrong.
//!
//! It reads and judges; it changes no file and asks nobody.
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
mod profile;
mod key;
mod parsers;
mod role_chain;
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
pub use claim_template::{ClaimTemplate, TemplatePart};
pub use claude_code::{ClaudeCodeConfig, MODEL_VARIABLES};
pub use client_auth::{AssertionAudience, ClientAuth, ClientAuthChoice, ClientKey, KeyAlgorithm};
pub use error::{ConfigFault, ConfigProblem, Error, UnreadableReason, ValueLocation};
pub use federation::{ChainedRole, Federation, FederationChoice};
pub use finding::ConfigFinding;
pub use fingerprint::Fingerprint;
pub use inputs::{ConfigInputs, FlagOverride};
pub use issuer::{can_name_issuer, describe_issuer_alternatives};
pub use issuer_guess::guess_issuers;
pub use key::{ConfigKey, Disclosure, TypedKey};
pub use overrides::INSIDE_OF_EXEC;
pub use partition::{Partition, is_region};
pub use profile::{
    CallerKind, Issuer, LoginMode, Profile, ProfileFingerprints, RedirectHost, RedirectUri, SignInFlow, Storage,
};
pub use profile_draft::{
    KeyValue, check_profile_name, file_matches_values, list_profile_names, parse_role_flag, preview_administrator_file,
    preview_file, read_key_values, render_profile_table, require_known_key,
};
pub use profile_set::{ProfileDraft, add_profiles, find_default_profile, render_empty_file, set_default_profile};
pub use provider::{
    EndpointPaths, OrganizationParameter, OriginRetry, Provider, ProviderSpec, SampleIssuer, build_pool_issuer,
};
pub use schema::render_schema;
pub use services::{AwsEndpoints, BedrockEndpoints, QuotaErrorPolicy, QuotaSettings, TelemetrySettings};
pub use show::{KeyReport, ProfileReport};
pub use source_file::display_path;
pub use variables::VariableStatus;

use crate::files;
use layers::{LayerTexts, Layers};
use source_file::{FileOwner, SourceFile};
use user_file::UserFile;

/// A place where configuration may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLocation {
    pub file: PathBuf,
    pub is_there: bool,
}

/// The profile that holds. On the path of every request for credentials: it builds nothing that is not used.
pub fn load_profile(inputs: &ConfigInputs<'_>) -> Result<Profile, Error> {
    LayerTexts::load_all(inputs)?.with_layers(|layers| layers.build_chosen_profile(inputs))
}

/// A profile under its name, or what keeps it from being one.
pub type NamedProfile = (String, Result<Profile, Error>);

/// Every profile of all layers; none where nothing is configured.
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

/// The profile that holds, key by key, with the origin of each value.
pub fn report_profile(inputs: &ConfigInputs<'_>) -> Result<ProfileReport, Error> {
    LayerTexts::load_all(inputs)?.with_layers(|layers| {
        let profile = layers.build_chosen_profile(inputs)?;
        let settings = layers.merge_for_profile(&profile.name).map_err(Error::Invalid)?;
        Ok(ProfileReport::new(&profile, &settings, layers, inputs))
    })
}

/// Whether the administrator's file enforces where the key to the stored session is kept. A file that cannot be read
/// enforces nothing here: it stops every command by itself.
pub fn enforces_storage(inputs: &ConfigInputs<'_>) -> bool {
    let owner = FileOwner::Administrator;
    let file = SourceFile::read_for_owner(&inputs.paths.system_config, owner, inputs.environment).ok().flatten();
    file.is_some_and(|source| {
        LayerTexts::from_file(source)
            .survey_layers(|layers, _| layers.files.iter().any(|file| file.enforced_keys.contains(&&*keys::STORAGE)))
    })
}

/// Checks every profile of all layers together, and reports what each file holds.
pub fn check_all_files(inputs: &ConfigInputs<'_>) -> Result<Vec<ConfigFinding>, Error> {
    check_layers(&LayerTexts::load_all(inputs)?, inputs, overrides::warn_unknown_variables(inputs.environment))
}

/// Checks one file by itself, an administrator's or a user's: each of its profiles must be complete.
pub fn check_file(file: &Path, inputs: &ConfigInputs<'_>) -> Result<Vec<ConfigFinding>, Error> {
    let source = SourceFile::read_file(file, FileOwner::Administrator, inputs.environment)?.ok_or_else(|| {
        Error::Unreadable { file: display_path(file, inputs.environment), why: UnreadableReason::Missing }
    })?;
    check_layers(&LayerTexts::from_file(source), inputs, Vec::new())
}

/// What the layers hold, or everything that is wrong with them, each problem once.
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

/// Files with `[defaults]` for no profile. What the administrator enforces binds profiles of other files too.
fn find_unused_defaults<'a>(layers: &'a Layers<'_>) -> impl Iterator<Item = ConfigFinding> + 'a {
    let is_unused = |file: &&config_file::ConfigFile<'_>| {
        !file.defaults.is_empty() && file.profiles.is_empty() && file.enforced_keys.is_empty()
    };
    let files = layers.files.iter().filter(is_unused);
    files.map(|file| ConfigFinding::UnusedDefaults { file: file.source.display_path.clone() })
}

/// Files that any user of this machine could have written.
fn find_writable_files<'a>(layers: &'a Layers<'_>) -> impl Iterator<Item = ConfigFinding> + 'a {
    let files = layers.files.iter().filter(|file| files::is_world_writable(&file.source.path));
    files.map(|file| ConfigFinding::WritableFile { file: file.source.display_path.clone() })
}

/// Values of a correct profile that are most likely a mistake.
fn find_suspicious_values(layers: &Layers<'_>, name: &str, inputs: &ConfigInputs<'_>) -> Vec<ConfigFinding> {
    let (Ok(profile), Ok(settings)) = (layers.build_profile(name, inputs), layers.merge_for_profile(name)) else {
        return Vec::new();
    };
    let location = |key| match settings.get(key).filter(|setting| !setting.is_default()) {
        Some(setting) => setting.origin.location(),
        None => layers.profile_location(name),
    };
    let found = provider::collect_warnings(&profile).into_iter().chain(warn_bypassable_quota(&profile));
    found
        .map(|(key, reason)| ConfigFinding::Suspicious {
            location: location(key),
            profile: name.to_owned(),
            key: key.name,
            reason,
        })
        .collect()
}

/// Warns of an enforced quota that anybody can bypass by blocking its service.
fn warn_bypassable_quota(profile: &Profile) -> Option<(&'static ConfigKey, String)> {
    let quota = profile.quota.as_ref().filter(|_| profile.is_enforced(&keys::QUOTA_ENDPOINT))?;
    let reason = "the quota is enforced, but blocking its service bypasses it: \
                  set on_error = \"deny\"";
    (quota.on_error == QuotaErrorPolicy::Allow).then(|| (&*keys::QUOTA_ON_ERROR, reason.to_owned()))
}

/// What is wrong with profiles besides the problems that are known already. It can be told only when every file could be
/// looked into.
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
        let built = names.iter().flat_map(|name| layers.build_profile(name, inputs).err().unwrap_or_default());
        for problem in layers.check_default_profiles().into_iter().chain(built) {
            if !known.contains(&problem) && !found.contains(&problem) {
                found.push(problem);
            }
        }
    }
    found
}

/// The files that are read, the administrator's first.
pub fn list_file_locations(inputs: &ConfigInputs<'_>) -> [FileLocation; 2] {
    let read = |path: &Path, rank| SourceFile::read_for_owner(path, rank, inputs.environment);
    let system = read(&inputs.paths.system_config, FileOwner::Administrator).ok().flatten();
    let user = UserFile::choose_file(inputs, system.as_ref(), read);
    let user = user.map_or_else(|_| inputs.paths.user_config.clone(), |user| user.path);
    [inputs.paths.system_config.clone(), user].map(|file| FileLocation { is_there: file.is_file(), file })
}

#[cfg(test)]
mod tests;
