//! Why `setup` cannot take its values from a file.

/// Why a file cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The file does not exist.
    Missing,
    /// The file is neither JSON in a known format nor a configuration of ours.
    UnknownFormat,
    /// The file has several profiles, and none was chosen. Contains their names.
    SeveralProfiles(Vec<String>),
    /// The file has no profile of the chosen name.
    NoSuchProfile(String),
    /// The profile signs in with IAM Identity Center, without an OIDC provider.
    IdentityCenter,
    /// Two stacks have an output with a configuration, and these give a key different values. `outputs` are the labels.
    OutputsDiffer { key: &'static str, outputs: [String; 2] },
}
