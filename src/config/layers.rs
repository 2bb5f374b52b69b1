//! The layers laid over each other: defaults, the administrator's file, the user's, environment, flags.
//!
//! It says which value holds and where it came from; what the values mean is for `resolve`.

use std::{collections::BTreeSet, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Inputs,
    enforced::{Enforced, is_same},
    error::{Error, Fault, Place, Problem, Unreadable},
    issuer,
    key::{self, COUNT, Default, KEYS, Key},
    overrides::{Override, overrides},
    raw::{self, Raw, RawProfile, is_profile_name},
    setting::{Origin, Setting, Settings},
    source::{Rank, Source, shown},
    user_file::UserFile,
    value::written,
};

/// Everything that was read, unparsed.
#[derive(Debug)]
pub(super) struct Texts {
    files: Vec<Source>,
    overrides: Vec<Override>,
    /// A file that exists in a default place.
    default_file: Option<String>,
    /// The user's file in its default place trusts the environment, which then named another file in its stead.
    is_trusting: bool,
}

/// Everything that was read, parsed but not judged.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    files: Vec<(&'a Source, Spanned<DeTable<'a>>)>,
    overrides: Vec<(&'a Override, DeValue<'a>)>,
    defaults: Vec<Option<DeValue<'static>>>,
    decided_by: Option<String>,
}

/// Everything that was read, each layer without fault in itself.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    pub files: Vec<Raw<'a>>,
    overrides: &'a [(&'a Override, DeValue<'a>)],
    defaults: &'a [Option<DeValue<'static>>],
    /// The file because of which only variables that choose are believed; `None`: all variables are.
    pub decided_by: Option<&'a str>,
}

impl Texts {
    pub(super) fn read(inputs: &Inputs<'_>) -> Result<Self, Error> {
        let environment = inputs.environment;
        let (texts, user) =
            Self::gather(inputs, |path, rank| Source::of_rank(path, rank, inputs.environment))?;
        if user.is_named() && !texts.files.iter().any(|file| file.rank == Rank::User) {
            return Err(Error::Unreadable {
                file: shown(user.path(), environment),
                why: Unreadable::Missing,
            });
        }
        let by_variables = texts.overrides.iter().any(|one| matches!(one.place, Place::Variable(_)));
        if texts.files.is_empty() && !by_variables {
            let places = [user.path(), &inputs.paths.system_config];
            return Err(Error::NoFile { looked_for: places.map(|path| shown(path, environment)).into() });
        }
        Ok(texts)
    }

    /// As it would be were this the text of `file`.
    pub(super) fn with(inputs: &Inputs<'_>, file: &Path, text: &str) -> Result<Self, Error> {
        let environment = inputs.environment;
        let planned = |path: &Path, rank| match path == file {
            true => Ok(Some(Source::of_text(path, rank, text, environment))),
            false => Source::of_rank(path, rank, environment),
        };
        Self::gather(inputs, planned).map(|(texts, _)| texts)
    }

    fn gather(
        inputs: &Inputs<'_>,
        read: impl Fn(&Path, Rank) -> Result<Option<Source>, Error>,
    ) -> Result<(Self, UserFile), Error> {
        let system = read(&inputs.paths.system_config, Rank::Administrator)?;
        let user = UserFile::choose(inputs, system.as_ref(), &read)?;
        let source = if inputs.personal { read(user.path(), Rank::User)? } else { None };
        let is_named = user.is_named() && user.path() != inputs.paths.user_config;
        let source = source.map(|source| Source { is_named, ..source });
        let overrides = overrides(inputs).map_err(Error::Invalid)?;
        let files: Vec<Source> = system.into_iter().chain(source).collect();
        let in_default_place = files.iter().rev().find(|file| !file.is_named);
        let default_file = match in_default_place {
            Some(file) => Some(file.shown.clone()),
            // Looked for only where it matters, so that the common call does not pay for it.
            None if user.is_named() && overrides.iter().any(Override::needs_trust) => {
                let place = &inputs.paths.user_config;
                place.exists().then(|| shown(place, inputs.environment))
            }
            None => None,
        };
        let is_trusting = matches!(user, UserFile::Trusted(_));
        Ok((Self { files, overrides, default_file, is_trusting }, user))
    }

    /// One file and nothing else.
    pub(super) fn of_file(file: Source) -> Self {
        Self { files: vec![file], overrides: Vec::new(), default_file: None, is_trusting: false }
    }

    pub(super) fn parse(&self) -> Result<Parsed<'_>, Error> {
        sound(self.parse_all())
    }

    /// What can be parsed, and what cannot.
    pub(super) fn parse_all(&self) -> (Parsed<'_>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut files = Vec::with_capacity(2);
        for source in &self.files {
            match raw::parse(source) {
                Ok(table) => files.push((source, table)),
                Err(more) => problems.extend(more),
            }
        }
        let decided_by = self.decided_by(&files);
        let mut overrides = Vec::new();
        for given in &self.overrides {
            match given.admitted(decided_by).and_then(|()| given.parse()) {
                Ok(value) => overrides.push((given, value)),
                Err(fault) => problems.push(Problem { place: given.place.clone(), fault }),
            }
        }
        let defaults = KEYS.iter().map(Key::default_value).collect();
        (Parsed { files, overrides, defaults, decided_by: decided_by.map(str::to_owned) }, problems)
    }

    /// The file because of which variables set no more than what they may always set: one in a default place, or one that
    /// defines a profile. A file that only the call named cannot lift that.
    fn decided_by<'s>(&'s self, files: &[(&'s Source, Spanned<DeTable<'s>>)]) -> Option<&'s str> {
        let trusts = |(source, table): &(&Source, Spanned<DeTable<'_>>)| {
            !source.is_named && raw::trusts_environment(table.get_ref())
        };
        if self.is_trusting || files.iter().any(trusts) {
            return None;
        }
        let defining = files.iter().find(|(_, table)| raw::has_profiles(table.get_ref()));
        self.default_file.as_deref().or_else(|| defining.map(|(source, _)| source.shown.as_str()))
    }

    /// Whether a file of these could not be parsed.
    pub(super) fn has_more_than(&self, parsed: &Parsed<'_>) -> bool {
        parsed.files.len() < self.files.len()
    }
}

impl<'a> Parsed<'a> {
    pub(super) fn survey(&'a self) -> Result<Layers<'a>, Error> {
        sound(self.survey_all())
    }

    /// What the layers say as far as they can be understood, and what is wrong with each by itself.
    pub(super) fn survey_all(&'a self) -> (Layers<'a>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut files = Vec::with_capacity(2);
        for (source, table) in &self.files {
            let (raw, more) = raw::survey(source, table.get_ref());
            files.push(raw);
            problems.extend(more);
        }
        let (overrides, defaults) = (&self.overrides, &self.defaults);
        (Layers { files, overrides, defaults, decided_by: self.decided_by.as_deref() }, problems)
    }
}

fn sound<T>((result, problems): (T, Vec<Problem>)) -> Result<T, Error> {
    if problems.is_empty() { Ok(result) } else { Err(Error::Invalid(problems)) }
}

impl<'a> Layers<'a> {
    pub(super) fn names(&self) -> BTreeSet<&'a str> {
        self.files.iter().flat_map(|file| &file.profiles).map(|profile| profile.name).collect()
    }

    /// The names of all profiles; with no file that has one, the environment may make one by itself.
    pub(super) fn every(&self, inputs: &Inputs<'_>) -> Vec<String> {
        let names = self.names();
        if names.is_empty() {
            return self.choose(inputs).into_iter().collect();
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// The profile's name: asked for, or the default, or the only one.
    pub(super) fn choose(&self, inputs: &Inputs<'_>) -> Result<String, Error> {
        let names = self.names();
        let wanted = self.wanted(inputs);
        if names.is_empty() && !self.overrides.is_empty() {
            // Containers are configured by their environment alone.
            let name = wanted.map_or_else(|| "default".to_owned(), |(name, _)| name);
            return if is_profile_name(&name) { Ok(name) } else { Err(self.no_profile()) };
        }
        match (wanted, names.first(), names.len()) {
            (_, None, _) => Err(self.no_profile()),
            (Some((name, _)), ..) if names.contains(name.as_str()) => Ok(name),
            (Some((name, named_by)), ..) => {
                let nearest = key::nearest(&name, names.iter().copied()).map(str::to_owned);
                let names = names.into_iter().map(str::to_owned).collect();
                Err(Error::NoSuchProfile { name, named_by, names, nearest })
            }
            (None, Some(only), 1) => Ok((*only).to_owned()),
            (None, ..) => Err(Error::Ambiguous { names: names.into_iter().map(str::to_owned).collect() }),
        }
    }

    fn wanted(&self, inputs: &Inputs<'_>) -> Option<(String, Place)> {
        const VARIABLE: &str = "BEDROCK_SSO_PROFILE";
        if let Some(name) = &inputs.profile {
            return Some((name.clone(), Place::Flag("--profile")));
        }
        if let Some(name) = inputs.environment.os(VARIABLE) {
            return Some((name.to_string_lossy().into_owned(), Place::Variable(VARIABLE.to_owned())));
        }
        let last = |file: &Raw<'a>| file.default_profile.map(|(name, at)| (name, file.source.place(at)));
        self.files.iter().rev().find_map(last).map(|(name, place)| (name.to_owned(), place))
    }

    /// Each `default_profile` that names no profile.
    pub(super) fn lost_defaults(&self) -> Vec<Problem> {
        let names = self.names();
        let lost = |file: &Raw<'a>| {
            let (name, at) = file.default_profile.filter(|(name, _)| !names.contains(name))?;
            let value = Some(written(&DeValue::String(name.into())));
            let nearest = key::nearest(name, names.iter().copied()).map(str::to_owned);
            let (key, rule) = ("default_profile".to_owned(), "no profile has this name".into());
            Some(Problem {
                place: file.source.place(at),
                fault: Fault::Illegal { key, value, rule, nearest },
            })
        };
        self.files.iter().filter_map(lost).collect()
    }

    fn no_profile(&self) -> Error {
        Error::NoProfile { files: self.files.iter().map(|file| file.source.shown.clone()).collect() }
    }

    /// Where the profile is begun, for what is missing in it.
    pub(super) fn place(&self, name: &str) -> Place {
        let begun =
            |file: &Raw<'a>| Some(file.source.place(file.profiles.iter().find(|it| it.name == name)?.at));
        self.files.iter().rev().find_map(begun).unwrap_or(Place::Environment)
    }

    /// Lays the layers over each other for one profile.
    pub(super) fn settle(&self, name: &str) -> Result<Settings<'a>, Vec<Problem>> {
        let mut settings = self.default_settings();
        let mut problems = Vec::new();
        let enforced = self.enforced(name);
        for file in &self.files {
            if let Some(profile) = file.profiles.iter().find(|profile| profile.name == name) {
                for setting in &profile.settings {
                    lay(&mut settings, setting.key, file.setting(setting), &enforced, &mut problems);
                }
            }
            if file.source.rank == Rank::Administrator {
                enforced.fix(&mut settings);
                let is_named = file.profiles.iter().any(|profile| profile.name == name);
                problems.extend(is_named.then(|| unset(&settings, name, file)).into_iter().flatten());
            }
        }
        for (given, value) in self.overrides {
            let over = Setting { value, origin: Origin::Override(&given.place), is_fixed: false };
            lay(&mut settings, given.key, over, &enforced, &mut problems);
        }
        problems.extend(enforced.left_open(&settings, || self.place(name)));
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    fn default_settings(&self) -> Settings<'a> {
        let mut settings: Settings<'a> = [None; COUNT];
        for (slot, default) in settings.iter_mut().zip(self.defaults) {
            *slot = default.as_ref().map(|value| Setting { value, origin: Origin::Default, is_fixed: false });
        }
        settings
    }

    /// What the administrator's file enforces for this profile. One that the file does not name may hold, for each key, what
    /// any of the file's profiles holds: another name is no way around a rule.
    fn enforced(&self, name: &str) -> Enforced<'a> {
        let file = self.files.iter().find(|file| file.source.rank == Rank::Administrator);
        let Some(file) = file.filter(|file| !file.enforce.is_empty()) else { return Enforced::default() };
        let named: Vec<_> = file.profiles.iter().filter(|profile| profile.name == name).collect();
        let models = if named.is_empty() { file.profiles.iter().collect() } else { named };
        let laid: Vec<Settings<'a>> = models.iter().map(|profile| self.laid_by(file, profile)).collect();
        let allowed = |key: usize| {
            let mut values: Vec<Setting<'a>> = Vec::new();
            for setting in laid.iter().filter_map(|settings| *settings.get(key)?) {
                if !values.iter().any(|known| is_same(*known, setting)) {
                    values.push(setting);
                }
            }
            if laid.is_empty() {
                values.extend(self.default_settings().get(key).copied().flatten());
            }
            values
        };
        let is_told = laid.iter().any(issuer::is_told);
        let rules = file.enforce.iter().map(|key| (*key, allowed(*key)));
        // A key that nobody gives a value binds nobody; an issuer may be told by another key.
        let binds = |(key, allowed): &(usize, Vec<Setting<'a>>)| {
            !allowed.is_empty() || is_told && key::find_full("issuer") == Some(*key)
        };
        Enforced(rules.filter(binds).collect())
    }

    fn laid_by(&self, file: &Raw<'a>, profile: &RawProfile<'a>) -> Settings<'a> {
        let mut settings = self.default_settings();
        for setting in &profile.settings {
            if let Some(slot) = settings.get_mut(setting.key) {
                *slot = Some(file.setting(setting));
            }
        }
        settings
    }
}

fn lay<'a>(
    settings: &mut Settings<'a>,
    key: usize,
    over: Setting<'a>,
    enforced: &Enforced<'a>,
    problems: &mut Vec<Problem>,
) {
    if let Some(fault) = enforced.refusal(key, over).filter(|_| !over.origin.is_administrator()) {
        problems.push(Problem { place: over.origin.place(), fault });
    } else if let Some(slot) = settings.get_mut(key).filter(|slot| !is_kept(**slot, over)) {
        *slot = Some(Setting { is_fixed: enforced.binds(key), ..over });
    }
}

/// Whether a fixed value stays, with its origin, because the other is the same.
fn is_kept(kept: Option<Setting<'_>>, over: Setting<'_>) -> bool {
    kept.is_some_and(|kept| kept.is_fixed && is_same(kept, over))
}

/// Keys that the administrator enforces without saying as what.
fn unset(settings: &Settings<'_>, profile: &str, file: &Raw<'_>) -> Vec<Problem> {
    let is_unset = |key: &&usize| settings.get(**key).is_some_and(Option::is_none);
    let problem = |key: &usize| {
        let key = KEYS.get(*key).filter(|key| matches!(key.default, Default::Required))?.name;
        if key == "issuer" && issuer::is_told(settings) {
            return None;
        }
        let fault = Fault::EnforcedUnset { key, profile: profile.to_owned() };
        Some(Problem { place: file.source.place(file.enforce_at), fault })
    };
    file.enforce.iter().filter(is_unset).filter_map(problem).collect()
}
