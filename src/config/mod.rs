//! The configuration: the file as written, its layers, and the profile that cannot be wrong.
//!
//! It reads and judges; it changes no file and asks nobody.

mod role_chain;
mod client_auth;
mod profile_draft;
mod endpoints;
mod enforced;
mod error;
mod federation;
mod fingerprint;
mod issuer;
mod issuer_guess;
mod telemetry_headers;
mod keys;
mod layers;
mod overrides;
mod partition;
mod profile;
mod provider;
mod quota;
mod config_file;
mod parsers;
mod profile_builder;
mod schema;
mod setting;
mod show;
mod source_file;
mod telemetry;
mod claim_template;
mod user_file;
#[cfg(test)]
pub(crate) mod testing;
mod toml_value;
mod variables;
mod min_version;

use std::path::{Path, PathBuf};

pub use claim_template::{ClaimTemplate, TemplatePart};
pub use client_auth::{AssertionAudience, ClientAuth, ClientKey, KeyAlgorithm};
pub use endpoints::{AwsEndpoints, BedrockEndpoints};
pub use error::{ConfigFault, ConfigProblem, Error, UnreadableReason, ValueLocation};
pub use federation::{ChainedRole, Federation, IdentityPoolId};
pub use fingerprint::Fingerprint;
pub use issuer_guess::guess_issuers;
pub use keys::MODEL_RANKS;
pub use overrides::INSIDE_OF_EXEC;
pub use partition::Partition;
pub use profile::*;
pub use profile_draft::{
    ClaudeCodeConfig, KeyValue, check_profile_name, file_matches_values, list_profile_names,
    load_with_claude_code, preview_administrator_file, preview_file, read_key_values, render_profile_table,
};
pub use provider::build_pool_issuer;
pub use quota::{QuotaErrorPolicy, QuotaSettings};
pub use schema::render_schema;
pub use show::{KeyReport, ProfileReport};
pub use source_file::display_path;
pub use telemetry::TelemetrySettings;
pub use variables::VariableStatus;

use crate::{
    files,
    hint::Invocation,
    host::{Environment, HostPaths},
};
use layers::{LayerTexts, Layers, ParsedLayers};
use source_file::{FileOwner, SourceFile};
use user_file::UserFile;

/// Where the configuration comes from in this run.
#[derive(Clone, Debug)]
pub struct ConfigInputs<'a> {
    pub environment: &'a Environment,
    pub paths: &'a HostPaths,
    /// `--config`: takes the place of the user's file and must exist, like `BEDROCK_SSO_CONFIG`.
    pub file: Option<PathBuf>,
    /// `--profile`
    pub profile: Option<String>,
    pub flags: &'a [FlagOverride],
    /// The layers of whoever runs this count; without them the administrator's file is all there is.
    pub with_user_layers: bool,
}

impl ConfigInputs<'_> {
    /// How the user reaches what these inputs lead to, as far as the command line says it.
    pub fn invocation(&self) -> Invocation {
        Invocation::new(self.profile.as_deref(), self.file.as_deref())
    }
}

/// A key that a flag sets, for this run only, unless the administrator enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagOverride {
    /// As in the table of keys, e.g. `login_timeout` or `quota.endpoint`.
    pub key: &'static str,
    /// Text as it is for keys that hold a string, TOML's syntax for the others.
    pub value: &'static str,
    /// As it was typed, e.g. `--region`.
    pub name: &'static str,
}

/// A place where configuration may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLocation {
    pub file: PathBuf,
    pub is_there: bool,
}

/// The profile that holds. On the path of every request for credentials: it builds nothing that is not used.
pub fn load_profile(inputs: &ConfigInputs<'_>) -> Result<Profile, Error> {
    let texts = LayerTexts::load_all(inputs)?;
    let parsed = texts.parse()?;
    let layers = parsed.interpret()?;
    let name = layers.choose_profile_name(inputs)?;
    build_profile(&layers, &name, inputs).map_err(Error::Invalid)
}

/// The name of the profile that would be taken, whatever may be wrong with it.
pub fn choose_profile_name(inputs: &ConfigInputs<'_>) -> Result<String, Error> {
    LayerTexts::load_all(inputs)?.parse()?.interpret()?.choose_profile_name(inputs)
}

/// A profile under its name, or what keeps it from being one.
pub type NamedProfile = (String, Result<Profile, Error>);

/// Every profile of all layers; none where nothing is configured.
pub fn load_all_profiles(inputs: &ConfigInputs<'_>) -> Result<Vec<NamedProfile>, Error> {
    let texts = match LayerTexts::load_all(inputs) {
        Err(Error::NoFile { .. }) => return Ok(Vec::new()),
        texts => texts?,
    };
    let parsed = texts.parse()?;
    let layers = parsed.interpret()?;
    let built = |name: String| {
        let profile = build_profile(&layers, &name, inputs).map_err(Error::Invalid);
        (name, profile)
    };
    Ok(layers.all_profile_names(inputs).into_iter().map(built).collect())
}

/// The profile that holds, key by key, with the origin of each value.
pub fn report_profile(inputs: &ConfigInputs<'_>) -> Result<ProfileReport, Error> {
    let texts = LayerTexts::load_all(inputs)?;
    let parsed = texts.parse()?;
    let layers = parsed.interpret()?;
    let name = layers.choose_profile_name(inputs)?;
    let profile = build_profile(&layers, &name, inputs).map_err(Error::Invalid)?;
    let settings = layers.merge_for_profile(&name).map_err(Error::Invalid)?;
    Ok(ProfileReport::new(&profile, &settings, &layers, inputs))
}

/// Whether the administrator's file enforces where the key to the stored session is kept. A file that cannot be read
/// enforces nothing here: it stops every command by itself.
pub fn enforces_storage(inputs: &ConfigInputs<'_>) -> bool {
    let file =
        SourceFile::read_administrator_file(&inputs.paths.system_config, inputs.environment).ok().flatten();
    file.is_some_and(|source| {
        let storage = keys::find_key("storage");
        let table = config_file::parse_toml(&source);
        table.is_ok_and(|table| {
            config_file::interpret_file(&source, table.get_ref())
                .0
                .enforced_keys
                .iter()
                .any(|key| Some(*key) == storage)
        })
    })
}

/// Judges every profile of all layers together; says what each file holds.
pub fn check_all_files(inputs: &ConfigInputs<'_>) -> Result<Vec<String>, Error> {
    let texts = LayerTexts::load_all(inputs)?;
    let (parsed, problems) = texts.parse_with_problems();
    let layers = validate_layers(&texts, &parsed, inputs, problems)?;
    let mut said: Vec<String> = layers.files.iter().map(describe_profile_count).collect();
    if said.is_empty() {
        load_profile(inputs)?;
        said.push("ok: environment: 1 profile".to_owned());
    }
    said.extend(warn_writable_files(&layers));
    said.extend(overrides::warn_unknown_variables(inputs.environment));
    said.extend(
        layers
            .all_profile_names(inputs)
            .iter()
            .flat_map(|name| collect_profile_warnings(&layers, name, inputs)),
    );
    Ok(said)
}

/// Judges one file by itself, an administrator's or a user's: each of its profiles must be complete.
pub fn check_file(file: &Path, inputs: &ConfigInputs<'_>) -> Result<Vec<String>, Error> {
    let source =
        SourceFile::read_file(file, FileOwner::Administrator, inputs.environment)?.ok_or_else(|| {
            Error::Unreadable { file: display_path(file, inputs.environment), why: UnreadableReason::Missing }
        })?;
    let texts = LayerTexts::from_file(source);
    let (parsed, problems) = texts.parse_with_problems();
    let layers = validate_layers(&texts, &parsed, inputs, problems)?;
    let told = layers.files.iter().map(describe_profile_count).chain(warn_writable_files(&layers));
    let names = layers.profile_names();
    Ok(told.chain(names.iter().flat_map(|name| collect_profile_warnings(&layers, name, inputs))).collect())
}

/// Files that any user of this machine could have written.
fn warn_writable_files<'a>(layers: &'a Layers<'_>) -> impl Iterator<Item = String> + 'a {
    let files = layers.files.iter().filter(|file| files::is_world_writable(&file.source.path));
    files.map(|file| {
        let shown = &file.source.display_path;
        format!("warning: {shown}: every user of this machine may change it: take that away with `chmod o-w` from the file and its folder")
    })
}

/// What of a good profile smells, with its place.
fn collect_profile_warnings(layers: &Layers<'_>, name: &str, inputs: &ConfigInputs<'_>) -> Vec<String> {
    let (Ok(profile), Ok(settings)) = (build_profile(layers, name, inputs), layers.merge_for_profile(name))
    else {
        return Vec::new();
    };
    let place = |key| match keys::find_key(key).and_then(|index| *settings.get(index)?) {
        Some(setting) if !matches!(setting.origin, setting::ValueOrigin::Default) => {
            setting.origin.location()
        }
        _ => layers.profile_location(name),
    };
    let line = |(key, said)| format!("warning: {}: [profiles.{name}] {key}: {said}", place(key));
    provider::collect_warnings(&profile)
        .into_iter()
        .chain(warn_bypassable_quota(&profile))
        .map(line)
        .collect()
}

/// A quota that is enforced, and that anybody can silence.
fn warn_bypassable_quota(profile: &Profile) -> Option<(&'static str, String)> {
    let quota = profile.quota.as_ref().filter(|_| profile.is_enforced("quota.endpoint"))?;
    let said = "the quota is enforced, and whoever keeps its service from answering gets credentials all the same: \
                set on_error = \"deny\"";
    (quota.on_error == QuotaErrorPolicy::Allow).then(|| ("quota.on_error", said.to_owned()))
}

/// The layers without fault, or everything that is wrong with them, each problem once.
fn validate_layers<'a>(
    texts: &LayerTexts,
    parsed: &'a ParsedLayers<'a>,
    inputs: &ConfigInputs<'_>,
    mut problems: Vec<ConfigProblem>,
) -> Result<Layers<'a>, Error> {
    let (layers, more) = parsed.interpret_with_problems();
    problems.extend(more);
    let is_closed = |problem: &ConfigProblem| {
        matches!(problem.fault, ConfigFault::NewerVersion { .. } | ConfigFault::ProgramTooOld { .. })
    };
    // What profiles lack can be told only when every file could be looked into.
    if !texts.has_unparsed_files(parsed) && !problems.iter().any(is_closed) {
        let names = layers.profile_names();
        let built =
            names.iter().flat_map(|name| build_profile(&layers, name, inputs).err().unwrap_or_default());
        for problem in layers.check_default_profiles().into_iter().chain(built) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(layers) } else { Err(Error::Invalid(problems)) }
}

fn describe_profile_count(file: &config_file::ConfigFile<'_>) -> String {
    match file.profiles.len() {
        1 => format!("ok: {}: 1 profile", file.source.display_path),
        count => format!("ok: {}: {count} profiles", file.source.display_path),
    }
}

/// The files that are read, the administrator's first.
pub fn list_file_locations(inputs: &ConfigInputs<'_>) -> [FileLocation; 2] {
    let read = |path: &Path, rank| SourceFile::read_for_owner(path, rank, inputs.environment);
    let system = read(&inputs.paths.system_config, FileOwner::Administrator).ok().flatten();
    let user = UserFile::choose_file(inputs, system.as_ref(), read);
    let user = user.map_or_else(|_| inputs.paths.user_config.clone(), |user| user.path().to_owned());
    [inputs.paths.system_config.clone(), user].map(|file| FileLocation { is_there: file.is_file(), file })
}

fn build_profile(
    layers: &Layers<'_>,
    name: &str,
    inputs: &ConfigInputs<'_>,
) -> Result<Profile, Vec<ConfigProblem>> {
    let settings = layers.merge_for_profile(name)?;
    let profile = profile_builder::resolve_profile(
        name,
        &settings,
        || layers.profile_location(name),
        inputs.environment,
        layers.deciding_file,
    )?;
    let without_flag = ConfigInputs { profile: None, ..inputs.clone() };
    let is_default_choice = layers.choose_profile_name(&without_flag).is_ok_and(|chosen| chosen == name);
    Ok(Profile { is_default_choice, ..profile })
}

#[cfg(test)]
mod tests;
