//! A value that holds for a profile, with where it came from.
//!
//! Which of several values holds is for `layers`.

use toml::de::DeValue;

use super::{
    ConfigFault, ConfigKey, ConfigProblem, ValueLocation,
    keys::{COUNT, KEYS},
    source_file::{FileOwner, SourceFile},
};

/// The values that hold for a profile: one for each key, or none where the key is not set and has no default.
#[derive(Clone, Debug)]
pub(super) struct ConfigSettings<'a>([Option<ConfigSetting<'a>>; COUNT]);

#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigSetting<'a> {
    pub value: &'a DeValue<'a>,
    pub origin: ValueOrigin<'a>,
    /// The administrator enforces it, be it the default.
    pub is_enforced: bool,
}

/// Where a value came from, cheap to carry: the line is counted only when somebody asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueOrigin<'a> {
    Default,
    File(&'a SourceFile, usize),
    /// The table `[defaults]` of a file.
    FileDefaults(&'a SourceFile, usize),
    Override(&'a ValueLocation),
}

impl<'a> ConfigSettings<'a> {
    /// The defaults, one for each of `KEYS`.
    pub(super) fn from_defaults(defaults: &'a [Option<DeValue<'static>>; COUNT]) -> Self {
        Self(defaults.each_ref().map(|default| {
            let value = default.as_ref()?;
            Some(ConfigSetting { value, origin: ValueOrigin::Default, is_enforced: false })
        }))
    }

    pub(super) fn get(&self, key: &ConfigKey) -> Option<ConfigSetting<'a>> {
        self.0.get(key.index).copied().flatten()
    }

    pub(super) fn set(&mut self, key: &ConfigKey, setting: ConfigSetting<'a>) {
        if let Some(slot) = self.0.get_mut(key.index) {
            *slot = Some(setting);
        }
    }

    /// Each key that has a value, in the order of `KEYS`.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static ConfigKey, ConfigSetting<'a>)> {
        KEYS.into_iter().zip(self.0).filter_map(|(key, setting)| Some((key, setting?)))
    }
}

impl ConfigSetting<'_> {
    pub(super) fn is_default(self) -> bool {
        match self.origin {
            ValueOrigin::Default => true,
            ValueOrigin::File(..) | ValueOrigin::FileDefaults(..) | ValueOrigin::Override(_) => false,
        }
    }

    /// Whether the value stands in the administrator's file.
    pub(super) fn is_from_administrator(self) -> bool {
        self.origin.file().is_some_and(|source| source.owner == FileOwner::Administrator)
    }

    /// Whether the value stands in a file that the call did not name.
    pub(super) fn is_from_default_location(self) -> bool {
        self.origin.file().is_some_and(|source| !source.is_named)
    }

    /// Reports a fault at the place of this value.
    pub(super) fn problem(self, fault: ConfigFault) -> ConfigProblem {
        fault.at(self.origin.location())
    }
}

impl<'a> ValueOrigin<'a> {
    fn file(self) -> Option<&'a SourceFile> {
        match self {
            Self::File(source, _) | Self::FileDefaults(source, _) => Some(source),
            Self::Default | Self::Override(_) => None,
        }
    }

    pub(super) fn location(self) -> ValueLocation {
        match self {
            Self::Default => ValueLocation::Default,
            Self::File(source, at) => source.location_at(at),
            Self::FileDefaults(source, at) => {
                ValueLocation::FileDefaults { file: source.display_path.clone(), line: source.line_number(at) }
            }
            Self::Override(location) => location.clone(),
        }
    }
}
