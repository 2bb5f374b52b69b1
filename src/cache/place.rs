//! Where the records of a profile lie, as its configuration has it.
//!
//! It chooses; whether anything lies there is for its callers.

use std::path::Path;

use super::Cache;
use crate::{
    config::{Caller, Profile, Storage},
    store::{self, WhenLocked},
};

impl Cache {
    /// The records of a profile in a folder, for this caller.
    pub fn of(profile: &Profile, folder: &Path, caller: Caller) -> Self {
        let when_locked = match profile.login.lets_ask(caller) {
            true => WhenLocked::AskThePerson,
            false => WhenLocked::LeaveIt,
        };
        let store: Box<dyn store::Store> = match profile.storage {
            Storage::File => Box::new(store::sealed_files(folder)),
            Storage::None => Box::new(store::Nothing),
            Storage::Keyring => Box::new(store::sealed_by_keyring(folder, when_locked)),
        };
        Self::new(store, folder.to_owned(), profile.fingerprint().name())
    }
}
