//! The merged settings of a profile: for each key one value and its origin.
//!
//! `layers` decides which value wins. The origin leads to the file and the line that a message or `config show` prints.

use toml::de::DeValue;

use super::{
    ConfigFault, ConfigKey, ConfigProblem, ValueLocation,
    keys::{COUNT, KEYS},
    source_file::{FileOwner, SourceFile},
};

/// The settings of a profile, indexed by the position of the key. `None` for a key that is not set and has no default.
#[derive(Clone, Debug)]
pub(super) struct ConfigSettings<'a>([Option<ConfigSetting<'a>>; COUNT]);

/// A value with its origin. The value is not parsed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigSetting<'a> {
    pub value: &'a DeValue<'a>,
    pub origin: ValueOrigin<'a>,
    /// Whether the administrator enforces the key. An enforced key can also have its default.
    pub is_enforced: bool,
}

/// Where a value comes from. It stores a byte offset; the line number is counted only when a message needs it.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueOrigin<'a> {
    Default,
    File(&'a SourceFile, usize),
    /// The table `[defaults]` of a file.
    FileDefaults(&'a SourceFile, usize),
    /// A variable or a flag.
    Override(&'a ValueLocation),
}

impl<'a> ConfigSettings<'a> {
    /// The settings of a profile before any layer: the built-in defaults, in the order of `KEYS`.
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
    /// Whether no layer sets the key. A layer that repeats the default does set it.
    pub(super) fn is_default(self) -> bool {
        match self.origin {
            ValueOrigin::Default => true,
            ValueOrigin::File(..) | ValueOrigin::FileDefaults(..) | ValueOrigin::Override(_) => false,
        }
    }

    /// Whether the value comes from the administrator's file.
    pub(super) fn is_from_administrator(self) -> bool {
        self.origin.file().is_some_and(|source| source.owner == FileOwner::Administrator)
    }

    /// Whether the value comes from a file in a default place, and not from one that the call names.
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

    /// The place for messages.
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
