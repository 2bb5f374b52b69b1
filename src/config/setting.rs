//! A value that holds for a profile, with where it came from.
//!
//! Which of several values holds is for `layers`.

use toml::de::DeValue;

use super::{
    error::Place,
    key::COUNT,
    source::{Rank, Source},
};

/// The values that hold for a profile, in the order of the table of keys.
pub(super) type Settings<'a> = [Option<Setting<'a>>; COUNT];

#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub value: &'a DeValue<'a>,
    pub origin: Origin<'a>,
    /// The administrator enforces it, be it the default.
    pub is_fixed: bool,
}

/// Where a value came from, cheap to carry: the line is counted only when somebody asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin<'a> {
    Default,
    File(&'a Source, usize),
    Override(&'a Place),
}

impl Setting<'_> {
    pub(super) fn is_default(self) -> bool {
        matches!(self.origin, Origin::Default)
    }
}

impl Origin<'_> {
    /// Whether the value stands in the administrator's file.
    pub(super) fn is_administrator(self) -> bool {
        match self {
            Self::File(source, _) => source.rank == Rank::Administrator,
            Self::Default | Self::Override(_) => false,
        }
    }

    pub(super) fn place(self) -> Place {
        match self {
            Self::Default => Place::Default,
            Self::File(source, at) => source.place(at),
            Self::Override(place) => place.clone(),
        }
    }
}
