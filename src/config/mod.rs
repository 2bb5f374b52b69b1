//! The configuration: the file as written, its layers, and the profile that cannot be wrong.
//!
//! It reads and judges; it changes no file and asks nobody.

mod chain;
mod client;
mod draft;
mod endpoints;
mod enforced;
mod error;
mod federation;
mod fingerprint;
mod issuer;
mod guess;
mod headers;
mod key;
mod layers;
mod overrides;
mod partition;
mod profile;
mod provider;
mod quota;
mod raw;
mod read;
mod resolve;
mod schema;
mod setting;
mod show;
mod source;
mod telemetry;
mod template;
mod user_file;
#[cfg(test)]
pub(crate) mod testing;
mod value;
mod variables;
mod version;

use std::path::{Path, PathBuf};

pub use client::{Audience, ClientAuth, ClientKey, KeyAlgorithm};
pub use draft::{
    ClaudeCode, Fact, agrees, alone, check_name, draft, facts_of, load_with_claude_code, preview,
    profile_names,
};
pub use endpoints::{AwsEndpoints, BedrockEndpoints};
pub use error::{Error, Fault, Place, Problem, Unreadable};
pub use federation::{Federation, Link, PoolId};
pub use fingerprint::Fingerprint;
pub use guess::issuers;
pub use key::RANKS;
pub use overrides::INSIDE_OF_EXEC;
pub use partition::Partition;
pub use profile::*;
pub use provider::pool_issuer;
pub use quota::{OnError, Quota};
pub use schema::schema;
pub use show::{Entry, Shown};
pub use source::shown;
pub use telemetry::Telemetry;
pub use template::{Piece, Template};
pub use variables::Seen;

use crate::{
    files,
    host::{Environment, Paths},
};
use layers::{Layers, Parsed, Texts};
use source::{Rank, Source};
use user_file::UserFile;

/// Where the configuration comes from in this run.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    pub environment: &'a Environment,
    pub paths: &'a Paths,
    /// `--config`: takes the place of the user's file and must exist, like `BEDROCK_SSO_CONFIG`.
    pub file: Option<PathBuf>,
    /// `--profile`
    pub profile: Option<String>,
    pub flags: &'a [Flag],
    /// The layers of whoever runs this count; without them the administrator's file is all there is.
    pub personal: bool,
}

/// A key that a flag sets, for this run only, unless the administrator enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As in the table of keys, e.g. `login_timeout` or `quota.endpoint`.
    pub key: &'static str,
    /// Text as it is for keys that hold a string, TOML's syntax for the others.
    pub value: &'static str,
    /// As it was typed, e.g. `--region`.
    pub name: &'static str,
}

/// A place where configuration may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub file: PathBuf,
    pub is_there: bool,
}

/// The profile that holds. On the path of every request for credentials: it builds nothing that is not used.
pub fn load(inputs: &Inputs<'_>) -> Result<Profile, Error> {
    let texts = Texts::read(inputs)?;
    let parsed = texts.parse()?;
    let layers = parsed.survey()?;
    let name = layers.choose(inputs)?;
    build(&layers, &name, inputs).map_err(Error::Invalid)
}

/// The name of the profile that would be taken, whatever may be wrong with it.
pub fn chosen(inputs: &Inputs<'_>) -> Result<String, Error> {
    Texts::read(inputs)?.parse()?.survey()?.choose(inputs)
}

/// A profile under its name, or what keeps it from being one.
pub type Named = (String, Result<Profile, Error>);

/// Every profile of all layers; none where nothing is configured.
pub fn all(inputs: &Inputs<'_>) -> Result<Vec<Named>, Error> {
    let texts = match Texts::read(inputs) {
        Err(Error::NoFile { .. }) => return Ok(Vec::new()),
        texts => texts?,
    };
    let parsed = texts.parse()?;
    let layers = parsed.survey()?;
    let built = |name: String| {
        let profile = build(&layers, &name, inputs).map_err(Error::Invalid);
        (name, profile)
    };
    Ok(layers.every(inputs).into_iter().map(built).collect())
}

/// The profile that holds, key by key, with the origin of each value.
pub fn show(inputs: &Inputs<'_>) -> Result<Shown, Error> {
    let texts = Texts::read(inputs)?;
    let parsed = texts.parse()?;
    let layers = parsed.survey()?;
    let name = layers.choose(inputs)?;
    let profile = build(&layers, &name, inputs).map_err(Error::Invalid)?;
    let settings = layers.settle(&name).map_err(Error::Invalid)?;
    Ok(Shown::new(&profile, &settings, &layers, inputs))
}

/// Whether the administrator's file enforces where the key to the stored session is kept. A file that cannot be read
/// enforces nothing here: it stops every command by itself.
pub fn enforces_storage(inputs: &Inputs<'_>) -> bool {
    let file = Source::of_administrator(&inputs.paths.system_config, inputs.environment).ok().flatten();
    file.is_some_and(|source| {
        let storage = key::find_full("storage");
        let table = raw::parse(&source);
        table.is_ok_and(|table| {
            raw::survey(&source, table.get_ref()).0.enforce.iter().any(|key| Some(*key) == storage)
        })
    })
}

/// Judges every profile of all layers together; says what each file holds.
pub fn check(inputs: &Inputs<'_>) -> Result<Vec<String>, Error> {
    let texts = Texts::read(inputs)?;
    let (parsed, problems) = texts.parse_all();
    let layers = judge(&texts, &parsed, inputs, problems)?;
    let mut said: Vec<String> = layers.files.iter().map(count).collect();
    if said.is_empty() {
        load(inputs)?;
        said.push("ok: environment: 1 profile".to_owned());
    }
    said.extend(exposed(&layers));
    said.extend(overrides::strangers(inputs.environment));
    said.extend(layers.every(inputs).iter().flat_map(|name| warnings(&layers, name, inputs)));
    Ok(said)
}

/// Judges one file by itself, an administrator's or a user's: each of its profiles must be complete.
pub fn check_file(file: &Path, inputs: &Inputs<'_>) -> Result<Vec<String>, Error> {
    let source = Source::read(file, Rank::Administrator, inputs.environment)?.ok_or_else(|| {
        Error::Unreadable { file: shown(file, inputs.environment), why: Unreadable::Missing }
    })?;
    let texts = Texts::of_file(source);
    let (parsed, problems) = texts.parse_all();
    let layers = judge(&texts, &parsed, inputs, problems)?;
    let told = layers.files.iter().map(count).chain(exposed(&layers));
    let names = layers.names();
    Ok(told.chain(names.iter().flat_map(|name| warnings(&layers, name, inputs))).collect())
}

/// Files that any user of this machine could have written.
fn exposed<'a>(layers: &'a Layers<'_>) -> impl Iterator<Item = String> + 'a {
    let files = layers.files.iter().filter(|file| files::anyone_may_write(&file.source.path));
    files.map(|file| {
        let shown = &file.source.shown;
        format!("warning: {shown}: every user of this machine may change it: take that away with `chmod o-w` from the file and its folder")
    })
}

/// What of a good profile smells, with its place.
fn warnings(layers: &Layers<'_>, name: &str, inputs: &Inputs<'_>) -> Vec<String> {
    let (Ok(profile), Ok(settings)) = (build(layers, name, inputs), layers.settle(name)) else {
        return Vec::new();
    };
    let place = |key| match key::find_full(key).and_then(|index| *settings.get(index)?) {
        Some(setting) if !matches!(setting.origin, setting::Origin::Default) => setting.origin.place(),
        _ => layers.place(name),
    };
    let line = |(key, said)| format!("warning: {}: [profiles.{name}] {key}: {said}", place(key));
    provider::warnings(&profile).into_iter().chain(toothless_quota(&profile)).map(line).collect()
}

/// A quota that is enforced, and that anybody can silence.
fn toothless_quota(profile: &Profile) -> Option<(&'static str, String)> {
    let quota = profile.quota.as_ref().filter(|_| profile.is_enforced("quota.endpoint"))?;
    let said = "the quota is enforced, and whoever keeps its service from answering gets credentials all the same: \
                set on_error = \"deny\"";
    (quota.on_error == OnError::Allow).then(|| ("quota.on_error", said.to_owned()))
}

/// The layers without fault, or everything that is wrong with them, each problem once.
fn judge<'a>(
    texts: &Texts,
    parsed: &'a Parsed<'a>,
    inputs: &Inputs<'_>,
    mut problems: Vec<Problem>,
) -> Result<Layers<'a>, Error> {
    let (layers, more) = parsed.survey_all();
    problems.extend(more);
    let is_closed = |problem: &Problem| matches!(problem.fault, Fault::Newer { .. } | Fault::TooOld { .. });
    // What profiles lack can be told only when every file could be looked into.
    if !texts.has_more_than(parsed) && !problems.iter().any(is_closed) {
        let names = layers.names();
        let built = names.iter().flat_map(|name| build(&layers, name, inputs).err().unwrap_or_default());
        for problem in layers.lost_defaults().into_iter().chain(built) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(layers) } else { Err(Error::Invalid(problems)) }
}

fn count(file: &raw::Raw<'_>) -> String {
    match file.profiles.len() {
        1 => format!("ok: {}: 1 profile", file.source.shown),
        count => format!("ok: {}: {count} profiles", file.source.shown),
    }
}

/// The files that are read, the administrator's first.
pub fn locations(inputs: &Inputs<'_>) -> [Location; 2] {
    let read = |path: &Path, rank| Source::of_rank(path, rank, inputs.environment);
    let system = read(&inputs.paths.system_config, Rank::Administrator).ok().flatten();
    let user = UserFile::choose(inputs, system.as_ref(), read);
    let user = user.map_or_else(|_| inputs.paths.user_config.clone(), |user| user.path().to_owned());
    [inputs.paths.system_config.clone(), user].map(|file| Location { is_there: file.is_file(), file })
}

fn build(layers: &Layers<'_>, name: &str, inputs: &Inputs<'_>) -> Result<Profile, Vec<Problem>> {
    let settings = layers.settle(name)?;
    resolve::resolve(name, &settings, || layers.place(name), inputs.environment, layers.decided_by)
}

#[cfg(test)]
mod tests;
