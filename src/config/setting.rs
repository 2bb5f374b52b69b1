//! A value that holds for a profile, with where it came from.
//!
//! Which of several values holds is for `layers`.

use toml::de::DeValue;

use super::{
    error::ValueLocation,
    keys::COUNT,
    source_file::{FileOwner, SourceFile},
};

/// The values that hold for a profile, in the order of the table of keys.
pub(super) type ConfigSettings<'a> = [Option<ConfigSetting<'a>>; COUNT];

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
    Override(&'a ValueLocation),
}

impl ConfigSetting<'_> {
    pub(super) fn is_default(self) -> bool {
        matches!(self.origin, ValueOrigin::Default)
    }
}

impl ValueOrigin<'_> {
    /// Whether the value stands in the administrator's file.
    pub(super) fn is_from_administrator(self) -> bool {
        match self {
            Self::File(source, _) => source.owner == FileOwner::Administrator,
            Self::Default | Self::Override(_) => false,
        }
    }

    pub(super) fn location(self) -> ValueLocation {
        match self {
            Self::Default => ValueLocation::Default,
            Self::File(source, at) => source.location_at(at),
            Self::Override(place) => place.clone(),
        }
    }
}
