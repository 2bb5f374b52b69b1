//! Values that a person chooses by their names in the file, such as `storage = "keyring"`.
//!
//! The names stand beside each type; which key takes which type is declared in `keys`.

/// A type whose values have names in the file.
pub(super) trait NamedChoice: Copy + PartialEq + 'static {
    /// Each value with its name, in the order in which messages and the schema list them.
    const CHOICES: &'static [(&'static str, Self)];

    /// The name of this value in the file.
    fn choice_name(self) -> &'static str {
        let row = Self::CHOICES.iter().find(|(_, value)| *value == self);
        row.expect("CHOICES has a row for each value").0
    }

    /// The value of this name.
    fn from_choice_name(name: &str) -> Option<Self> {
        Self::CHOICES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}
