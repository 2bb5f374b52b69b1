//! Enums whose values have names in the configuration, such as `storage = "keyring"`.
//!
//! The parser, the messages and the JSON Schema all use the one list of names beside each enum, so they cannot
//! disagree.

/// An enum whose values have names in the configuration.
pub(super) trait NamedChoice: Copy + PartialEq + 'static {
    /// Every value with its name, in the order in which messages and the schema list them. No value may be missing.
    const CHOICES: &'static [(&'static str, Self)];

    /// The name of this value.
    fn choice_name(self) -> &'static str {
        let row = Self::CHOICES.iter().find(|(_, value)| *value == self);
        row.expect("CHOICES has a row for each value").0
    }

    /// The value with this name; `None` if no value has it.
    fn from_choice_name(name: &str) -> Option<Self> {
        Self::CHOICES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}
