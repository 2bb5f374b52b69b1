//! Merges the layers of the configuration: built-in defaults, the administrator's file, the user's file, environment
//! variables, flags. A later layer wins.
//!
//! The result is one value for each key, with its origin. Two rules limit the later layers: no layer changes a value
//! that the administrator enforces, and a variable must not set a key that decides where secrets go if a file defines
//! the profile. `profile_builder` checks what the values mean together.

use std::{collections::BTreeSet, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigFault, ConfigInputs, ConfigKey, ConfigProblem, Error, FileNaming, UnreadableReason, ValueLocation,
    config_file::{self, ConfigFile},
    enforced::{EnforcedKeys, has_same_value},
    issuer,
    key::KeyDefault,
    keys::{self, COUNT, KEYS},
    overrides::{PROFILE_VARIABLE, ValueOverride, collect_overrides},
    setting::{ConfigSetting, ConfigSettings, ValueOrigin},
    source_file::{FileOwner, SourceFile, display_path},
    syntax::{find_nearest_name, is_profile_name},
    user_file::UserFile,
};

/// The text of all layers. It owns the text that [`Layers`] borrows.
#[derive(Debug)]
pub(super) struct LayerTexts {
    files: Vec<SourceFile>,
    overrides: Vec<ValueOverride>,
    /// The display path of a file that exists in a default place.
    default_file: Option<String>,
    /// Whether a file in a default place trusts the environment, and a variable then named another user's file. That
    /// file is not in `files`, so its permission must be stored here.
    trusts_environment: bool,
}

/// The parsed layers, before they are merged for one profile.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    pub files: Vec<ConfigFile<'a>>,
    /// Whether every file is valid TOML. If not, `files` lacks the others.
    pub is_complete: bool,
    overrides: &'a [(&'a ValueOverride, DeValue<'a>)],
    defaults: &'a [Option<DeValue<'static>>; COUNT],
    /// The file that restricts environment variables to the harmless keys; `None` if variables may set every key.
    pub deciding_file: Option<&'a str>,
}

impl LayerTexts {
    /// Reads all layers. Fails if there is no configuration at all, or if a file that the call names does not exist.
    pub(super) fn load_all(inputs: &ConfigInputs<'_>) -> Result<Self, Error> {
        let environment = inputs.environment;
        let (texts, user) =
            Self::gather_layers(inputs, |path, rank| SourceFile::read_for_owner(path, rank, inputs.environment))?;
        if user.is_named && !texts.files.iter().any(|file| file.owner == FileOwner::User) {
            return Err(Error::Unreadable {
                file: display_path(&user.path, environment),
                why: UnreadableReason::Missing {
                    named_by: if inputs.file.is_some() { FileNaming::Flag } else { FileNaming::Variable },
                },
            });
        }
        if texts.files.is_empty() && !texts.overrides.iter().any(ValueOverride::is_variable) {
            let places = [&user.path, &inputs.paths.system_config];
            return Err(Error::NoFile { looked_for: places.map(|path| display_path(path, environment)).into() });
        }
        Ok(texts)
    }

    /// Reads all layers as if `file` had this text.
    pub(super) fn load_with_text(inputs: &ConfigInputs<'_>, file: &Path, text: &str) -> Result<Self, Error> {
        let environment = inputs.environment;
        let planned = |path: &Path, rank| match path == file {
            true => Ok(Some(SourceFile::from_text(path, rank, text, environment))),
            false => SourceFile::read_for_owner(path, rank, environment),
        };
        Self::gather_layers(inputs, planned).map(|(texts, _)| texts)
    }

    fn gather_layers(
        inputs: &ConfigInputs<'_>,
        read: impl Fn(&Path, FileOwner) -> Result<Option<SourceFile>, Error>,
    ) -> Result<(Self, UserFile), Error> {
        let system = read(&inputs.paths.system_config, FileOwner::Administrator)?;
        let user = UserFile::choose_file(inputs, system.as_ref(), &read)?;
        let source = if inputs.with_user_layers { read(&user.path, FileOwner::User)? } else { None };
        let is_named = user.is_named && user.path != inputs.paths.user_config;
        let source = source.map(|source| SourceFile { is_named, ..source });
        let overrides = collect_overrides(inputs).map_err(Error::Invalid)?;
        let files: Vec<SourceFile> = system.into_iter().chain(source).collect();
        let in_default_place = files.iter().rev().find(|file| !file.is_named);
        let default_file = match in_default_place {
            Some(file) => Some(file.display_path.clone()),
            // The program looks for this file only if the answer matters, so that most calls need no extra system call.
            None if user.is_named && overrides.iter().any(ValueOverride::needs_trust) => {
                let place = &inputs.paths.user_config;
                place.exists().then(|| display_path(place, inputs.environment))
            }
            None => None,
        };
        Ok((Self { files, overrides, default_file, trusts_environment: user.is_trusted }, user))
    }

    /// A single file, without variables and flags.
    pub(super) fn from_file(file: SourceFile) -> Self {
        Self { files: vec![file], overrides: Vec::new(), default_file: None, trusts_environment: false }
    }

    /// Parses all layers and calls `use_layers`. Fails if a layer has a fault. A caller that also wants to see the
    /// layers that are correct uses [`LayerTexts::survey_layers`].
    pub(super) fn with_layers<T>(&self, use_layers: impl FnOnce(&Layers<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.survey_layers(|layers, problems| match problems.into_iter().find(|problems| !problems.is_empty()) {
            Some(problems) => Err(Error::Invalid(problems)),
            None => use_layers(layers),
        })
    }

    /// Parses all layers as far as possible, and calls `use_layers` with the result and two lists of problems: those
    /// that prevent parsing, and the other problems inside the files.
    pub(super) fn survey_layers<T>(&self, use_layers: impl FnOnce(&Layers<'_>, [Vec<ConfigProblem>; 2]) -> T) -> T {
        let [mut unparsed, mut misunderstood] = [Vec::new(), Vec::new()];
        let mut tables = Vec::with_capacity(2);
        for source in &self.files {
            match config_file::parse_toml(source) {
                Ok(table) => tables.push((source, table)),
                Err(problems) => unparsed.extend(problems),
            }
        }
        let deciding_file = self.find_deciding_file(&tables);
        let mut overrides = Vec::new();
        for given in &self.overrides {
            match given.check_allowed(deciding_file).and_then(|()| given.parse_value()) {
                Ok(value) => overrides.push((given, value)),
                Err(fault) => unparsed.push(fault.at(given.location.clone())),
            }
        }
        let defaults = KEYS.map(ConfigKey::default_value);
        let mut files = Vec::with_capacity(2);
        for (source, table) in &tables {
            let (file, problems) = config_file::interpret_file(source, table.get_ref());
            files.push(file);
            misunderstood.extend(problems);
        }
        let (overrides, defaults) = (&overrides, &defaults);
        let is_complete = files.len() == self.files.len();
        use_layers(&Layers { files, is_complete, overrides, defaults, deciding_file }, [unparsed, misunderstood])
    }

    /// The file that restricts environment variables: a file in a default place, or a file that defines a profile.
    /// `None` if there is no such file, or if a file in a default place trusts the environment. A file that only the
    /// call names cannot lift the restriction, because an untrusted repository may contain it.
    fn find_deciding_file<'s>(&'s self, files: &[(&'s SourceFile, Spanned<DeTable<'s>>)]) -> Option<&'s str> {
        let trusts = |(source, table): &(&SourceFile, Spanned<DeTable<'_>>)| {
            !source.is_named && config_file::trusts_environment(table.get_ref())
        };
        if self.trusts_environment || files.iter().any(trusts) {
            return None;
        }
        let defining = files.iter().find(|(_, table)| config_file::has_profiles(table.get_ref()));
        self.default_file.as_deref().or_else(|| defining.map(|(source, _)| source.display_path.as_str()))
    }
}

impl<'a> Layers<'a> {
    /// The names of the profiles in all files.
    pub(super) fn profile_names(&self) -> BTreeSet<&'a str> {
        self.files.iter().flat_map(|file| &file.profiles).map(|profile| profile.name).collect()
    }

    /// The names of all profiles. If no file defines one, the profile that the environment alone defines, if any.
    pub(super) fn all_profile_names(&self, inputs: &ConfigInputs<'_>) -> Vec<String> {
        let names = self.profile_names();
        if names.is_empty() {
            return self.choose_profile_name(inputs).into_iter().collect();
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// The name of the profile to use: the one that the call names, or `default_profile`, or the only profile.
    pub(super) fn choose_profile_name(&self, inputs: &ConfigInputs<'_>) -> Result<String, Error> {
        let names = self.profile_names();
        let wanted = self.find_requested_profile(inputs);
        // A variable can define a profile; a flag can only change one.
        if names.is_empty() && self.overrides.iter().any(|(given, _)| given.is_variable()) {
            // Containers often have no file at all, and are configured by their environment alone.
            let name = wanted.map_or_else(|| "default".to_owned(), |(name, _)| name);
            return if is_profile_name(&name) { Ok(name) } else { Err(self.no_profile_error()) };
        }
        match (wanted, names.first(), names.len()) {
            (_, None, _) => Err(self.no_profile_error()),
            (Some((name, _)), ..) if names.contains(name.as_str()) => Ok(name),
            (Some((name, named_by)), ..) => {
                let nearest = find_nearest_name(&name, names.iter().copied());
                let names = names.into_iter().map(str::to_owned).collect();
                Err(Error::NoSuchProfile { name, named_by, names, nearest })
            }
            (None, Some(only), 1) => Ok((*only).to_owned()),
            (None, ..) => Err(Error::Ambiguous { names: names.into_iter().map(str::to_owned).collect() }),
        }
    }

    /// Whether commands use this profile without `--profile`. Hints then omit the flag.
    pub(super) fn is_default_choice(&self, name: &str, inputs: &ConfigInputs<'_>) -> bool {
        let without_flag = ConfigInputs { profile: None, ..inputs.clone() };
        self.choose_profile_name(&without_flag).is_ok_and(|chosen| chosen == name)
    }

    /// The profile that the flag, the variable or `default_profile` names, and where. The user's file wins over the
    /// administrator's.
    fn find_requested_profile(&self, inputs: &ConfigInputs<'_>) -> Option<(String, ValueLocation)> {
        if let Some(name) = &inputs.profile {
            return Some((name.clone(), ValueLocation::Flag("--profile")));
        }
        if let Some(name) = inputs.environment.var_os(PROFILE_VARIABLE) {
            return Some((name.to_string_lossy().into_owned(), ValueLocation::Variable(PROFILE_VARIABLE.to_owned())));
        }
        let last = |file: &ConfigFile<'a>| file.default_profile.map(|(name, at)| (name, file.source.location_at(at)));
        self.files.iter().rev().find_map(last).map(|(name, place)| (name.to_owned(), place))
    }

    /// The profile that commands use without a flag and without a variable: `default_profile`, or the only profile.
    pub(super) fn find_default_profile(&self) -> Option<&'a str> {
        let names = self.profile_names();
        let only = || names.first().copied().filter(|_| names.len() == 1);
        let named = self.files.iter().rev().find_map(|file| file.default_profile);
        named.map_or_else(only, |(name, _)| names.get(name).copied())
    }

    /// A problem for each `default_profile` that names a profile that does not exist.
    pub(super) fn check_default_profiles(&self) -> Vec<ConfigProblem> {
        let names = self.profile_names();
        let lost = |file: &ConfigFile<'a>| {
            let (name, at) = file.default_profile.filter(|(name, _)| !names.contains(name))?;
            let (rule, known) = ("no profile has this name", names.iter().copied());
            let fault = ConfigFault::illegal_name("default_profile", name, rule, known);
            Some(fault.at(file.source.location_at(at)))
        };
        self.files.iter().filter_map(lost).collect()
    }

    fn no_profile_error(&self) -> Error {
        Error::NoProfile { files: self.files.iter().map(|file| file.source.display_path.clone()).collect() }
    }

    /// The line where the profile begins, as the place of keys that are missing in it.
    pub(super) fn profile_location(&self, name: &str) -> ValueLocation {
        let begun = |file: &ConfigFile<'a>| Some(file.source.location_at(file.find_profile(name)?.offset));
        self.files.iter().rev().find_map(begun).unwrap_or(ValueLocation::Environment)
    }

    /// Merges all layers for one profile. Returns every problem, not only the first.
    pub(super) fn merge_for_profile(&self, name: &str) -> Result<ConfigSettings<'a>, Vec<ConfigProblem>> {
        let mut settings = ConfigSettings::from_defaults(self.defaults);
        let mut problems = Vec::new();
        let enforced = self.collect_enforced(name);
        for file in &self.files {
            let profile = file.find_profile(name);
            for (key, setting) in profile.iter().flat_map(|profile| file.settings_of(profile)) {
                problems.extend(enforced.apply_setting(&mut settings, key, *setting));
            }
            if file.source.owner == FileOwner::Administrator {
                enforced.apply_to_settings(&mut settings);
                problems.extend(profile.map(|_| find_unset_enforced(&settings, name, file)).into_iter().flatten());
            }
        }
        for (given, value) in self.overrides {
            let over = ConfigSetting { value, origin: ValueOrigin::Override(&given.location), is_enforced: false };
            problems.extend(enforced.apply_setting(&mut settings, given.key, over));
        }
        problems.extend(enforced.check_defaults(&settings, || self.profile_location(name)));
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// The enforced keys for this profile, with their allowed values. If the administrator's file does not define the
    /// profile, each enforced key may have the value of any profile in that file; so a user cannot escape a rule by
    /// choosing another name. If that file defines no profile at all, its `[defaults]` contain the allowed values.
    fn collect_enforced(&self, name: &str) -> EnforcedKeys<'a> {
        let file = self.files.iter().find(|file| file.source.owner == FileOwner::Administrator);
        let Some(file) = file.filter(|file| !file.enforced_keys.is_empty()) else {
            return EnforcedKeys::default();
        };
        let models = file.find_profile(name).map_or(&*file.profiles, std::slice::from_ref);
        let laid: Vec<ConfigSettings<'a>> = match models {
            [] => vec![self.merge_settings(&file.defaults)],
            models => models.iter().map(|profile| self.merge_settings(file.settings_of(profile))).collect(),
        };
        let allowed = |key: &'static ConfigKey| {
            let mut values: Vec<ConfigSetting<'a>> = Vec::new();
            for setting in laid.iter().filter_map(|settings| settings.get(key)) {
                if !values.iter().any(|known| has_same_value(*known, setting)) {
                    values.push(setting);
                }
            }
            values
        };
        let has_issuer = laid.iter().any(issuer::has_issuer);
        let rules = file.enforced_keys.iter().map(|key| (*key, allowed(key)));
        // An enforced key without a value has no effect. An exception is the issuer, which another key may name: then
        // no value of `issuer` itself is allowed.
        let binds = |(key, allowed): &(&'static ConfigKey, Vec<ConfigSetting<'a>>)| {
            !allowed.is_empty() || has_issuer && **key == *keys::ISSUER
        };
        EnforcedKeys(rules.filter(binds).collect())
    }

    /// The settings of one file on top of the built-in defaults.
    fn merge_settings<'s>(
        &self,
        found: impl IntoIterator<Item = &'s (&'static ConfigKey, ConfigSetting<'a>)>,
    ) -> ConfigSettings<'a>
    where
        'a: 's,
    {
        let mut settings = ConfigSettings::from_defaults(self.defaults);
        found.into_iter().for_each(|(key, setting)| settings.set(key, *setting));
        settings
    }
}

/// A problem for each key that `enforce` names although the administrator's profile does not set it. The user would
/// have to set the key, and must not.
fn find_unset_enforced(settings: &ConfigSettings<'_>, profile: &str, file: &ConfigFile<'_>) -> Vec<ConfigProblem> {
    let is_unset = |key: &&&ConfigKey| {
        settings.get(key).is_none()
            && matches!(key.default, KeyDefault::Required)
            && !(***key == *keys::ISSUER && issuer::has_issuer(settings))
    };
    let problem = |key: &&'static ConfigKey| {
        let fault = ConfigFault::EnforcedWithoutValue { key: key.name, profile: profile.to_owned() };
        fault.at(file.source.location_at(file.enforce_offset))
    };
    file.enforced_keys.iter().filter(is_unset).map(problem).collect()
}
