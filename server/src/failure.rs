//! Every error in the form in which an administrator sees it: a message, a hint, a stable slug and an exit code, as in
//! the client.

use std::fmt;

use bedrock_sso::{failure::Exit, text::escape_controls};

use crate::store::StoreError;

/// A failure of a command. All of its texts are safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// A stable name to search for, such as `store/unavailable`.
    pub slug: &'static str,
    what: String,
    hint: String,
}

impl Failure {
    pub fn new(exit: Exit, slug: &'static str, what: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self { exit, slug, what: escape_controls(what.as_ref()), hint: escape_controls(hint.as_ref()) }
    }

    /// An error in the configuration, which names its place.
    pub fn configuration(what: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self::new(Exit::Configuration, "config/invalid", what, hint)
    }

    /// An argument that no command can use.
    pub fn usage(what: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self::new(Exit::Usage, "usage/argument", what, hint)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::new(
                Exit::Storage,
                "store/unavailable",
                format!("the store does not answer: {cause}"),
                "see whether the store's file or table can be reached, and try again; a part may be done already",
            ),
            StoreError::InUse(file) => Self::new(
                Exit::Storage,
                "store/in_use",
                format!("another process has opened the store {file}"),
                "stop that process, or use a store of your own",
            ),
            StoreError::LaterVersion(cause) => Self::new(
                Exit::Storage,
                "store/later_version",
                format!("a later version of bedrock-sso-server has written the store: {cause}"),
                "use that version",
            ),
            StoreError::Damaged(cause) => Self::new(
                Exit::Storage,
                "store/damaged",
                format!("the store is damaged: {cause}"),
                "restore it from a backup; a new store would forget all usage and limits",
            ),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bedrock-sso-server: {} [{}]\n  hint: {}", self.what, self.slug, self.hint)
    }
}
