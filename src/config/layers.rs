//! The layers laid over each other: defaults, the administrator's file, the user's, environment, flags.
//!
//! It says which value holds and where it came from; what the values mean is for `profile_builder`.

use std::{collections::BTreeSet, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigFault, ConfigInputs, ConfigKey, ConfigProblem, Error, UnreadableReason, ValueLocation,
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

/// Everything that was read, unparsed.
#[derive(Debug)]
pub(super) struct LayerTexts {
    files: Vec<SourceFile>,
    overrides: Vec<ValueOverride>,
    /// A file that exists in a default place.
    default_file: Option<String>,
    /// The user's file in its default place trusts the environment, which then named another file in its stead.
    trusts_environment: bool,
}

/// Everything that was read, as far as it could be understood.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    pub files: Vec<ConfigFile<'a>>,
    /// Whether every file could be parsed.
    pub is_complete: bool,
    overrides: &'a [(&'a ValueOverride, DeValue<'a>)],
    defaults: &'a [Option<DeValue<'static>>; COUNT],
    /// The file because of which only variables that choose are believed; `None`: all variables are.
    pub deciding_file: Option<&'a str>,
}

impl LayerTexts {
    pub(super) fn load_all(inputs: &ConfigInputs<'_>) -> Result<Self, Error> {
        let environment = inputs.environment;
        let (texts, user) =
            Self::gather_layers(inputs, |path, rank| SourceFile::read_for_owner(path, rank, inputs.environment))?;
        if user.is_named && !texts.files.iter().any(|file| file.owner == FileOwner::User) {
            return Err(Error::Unreadable {
                file: display_path(&user.path, environment),
                why: UnreadableReason::Missing,
            });
        }
        if texts.files.is_empty() && !texts.overrides.iter().any(ValueOverride::is_variable) {
            let places = [&user.path, &inputs.paths.system_config];
            return Err(Error::NoFile { looked_for: places.map(|path| display_path(path, environment)).into() });
        }
        Ok(texts)
    }

    /// As it would be were this the text of `file`.
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
            // Looked for only where it matters, so that the common call does not pay for it.
            None if user.is_named && overrides.iter().any(ValueOverride::needs_trust) => {
                let place = &inputs.paths.user_config;
                place.exists().then(|| display_path(place, inputs.environment))
            }
            None => None,
        };
        Ok((Self { files, overrides, default_file, trusts_environment: user.is_trusted }, user))
    }

    /// One file and nothing else.
    pub(super) fn from_file(file: SourceFile) -> Self {
        Self { files: vec![file], overrides: Vec::new(), default_file: None, trusts_environment: false }
    }

    /// Parses and interprets all texts, and passes them on. Fails if there is a fault in a layer by itself.
    pub(super) fn with_layers<T>(&self, use_layers: impl FnOnce(&Layers<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.survey_layers(|layers, problems| match problems.into_iter().find(|problems| !problems.is_empty()) {
            Some(problems) => Err(Error::Invalid(problems)),
            None => use_layers(layers),
        })
    }

    /// Parses and interprets all texts as far as possible, and passes them on with what is wrong with each by itself: first
    /// what cannot be parsed, then what the files hold.
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

    /// The file because of which variables set no more than what they may always set: one in a default place, or one that
    /// defines a profile. A file that only the call named cannot lift that.
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
    pub(super) fn profile_names(&self) -> BTreeSet<&'a str> {
        self.files.iter().flat_map(|file| &file.profiles).map(|profile| profile.name).collect()
    }

    /// The names of all profiles; with no file that has one, the environment may make one by itself.
    pub(super) fn all_profile_names(&self, inputs: &ConfigInputs<'_>) -> Vec<String> {
        let names = self.profile_names();
        if names.is_empty() {
            return self.choose_profile_name(inputs).into_iter().collect();
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// The profile's name: asked for, or the default, or the only one.
    pub(super) fn choose_profile_name(&self, inputs: &ConfigInputs<'_>) -> Result<String, Error> {
        let names = self.profile_names();
        let wanted = self.find_requested_profile(inputs);
        // A flag changes a profile, and makes none.
        if names.is_empty() && self.overrides.iter().any(|(given, _)| given.is_variable()) {
            // Containers are configured by their environment alone.
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

    /// Whether commands choose this profile without `--profile`.
    pub(super) fn is_default_choice(&self, name: &str, inputs: &ConfigInputs<'_>) -> bool {
        let without_flag = ConfigInputs { profile: None, ..inputs.clone() };
        self.choose_profile_name(&without_flag).is_ok_and(|chosen| chosen == name)
    }

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

    /// The profile that commands choose without a flag and without a variable, if one is named or there is only one.
    pub(super) fn find_default_profile(&self) -> Option<&'a str> {
        let names = self.profile_names();
        let only = || names.first().copied().filter(|_| names.len() == 1);
        let named = self.files.iter().rev().find_map(|file| file.default_profile);
        named.map_or_else(only, |(name, _)| names.get(name).copied())
    }

    /// Each `default_profile` that names no profile.
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

    /// Where the profile is begun, for what is missing in it.
    pub(super) fn profile_location(&self, name: &str) -> ValueLocation {
        let begun = |file: &ConfigFile<'a>| Some(file.source.location_at(file.find_profile(name)?.offset));
        self.files.iter().rev().find_map(begun).unwrap_or(ValueLocation::Environment)
    }

    /// Lays the layers over each other for one profile.
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

    /// What the administrator's file enforces for this profile. One that the file does not name may hold, for each key, what
    /// any of the file's profiles holds: another name is no way around a rule. Where the file has no profile, its `[defaults]`
    /// say what holds.
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
        // A key that nobody gives a value binds nobody; an issuer may be told by another key.
        let binds = |(key, allowed): &(&'static ConfigKey, Vec<ConfigSetting<'a>>)| {
            !allowed.is_empty() || has_issuer && **key == *keys::ISSUER
        };
        EnforcedKeys(rules.filter(binds).collect())
    }

    /// Settings of one file over the built-in defaults.
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

/// Keys that the administrator enforces without giving a value.
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
