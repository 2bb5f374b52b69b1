//! Where the records of a profile lie, as its configuration has it.
//!
//! It chooses; whether anything lies there is for its callers.

use std::path::Path;

use super::Cache;
use crate::{
    config::{CallerKind, Profile, Storage},
    store::{self, UnlockPolicy},
};

impl Cache {
    /// The records of a profile in a folder, for this caller.
    pub fn for_profile(profile: &Profile, folder: &Path, caller: CallerKind) -> Self {
        let when_locked = match profile.login.allows_prompt(caller) {
            true => UnlockPolicy::PromptUser,
            false => UnlockPolicy::NoPrompt,
        };
        let store = match profile.storage {
            Storage::File => store::open_file_store(folder),
            Storage::None => store::open_null_store(folder),
            Storage::Keyring => store::open_keyring_store(folder, when_locked),
        };
        Self::new(store, folder.to_owned(), profile.fingerprint().short_hex())
    }
}
