//! Opens the cache of a profile with the storage back end that its configuration names.

use std::path::Path;

use super::{Cache, RecordFolder};
use crate::{
    config::{CallerKind, Profile, ProfileFingerprints, Storage},
    store::{self, UnlockPolicy},
};

impl Cache {
    /// The cache of a profile in a folder. The keyring may prompt the user to unlock it only if this caller may prompt.
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
        let ProfileFingerprints { sign_in, credentials } = profile.fingerprints();
        Self::new(
            RecordFolder::new(store, folder.to_owned()),
            &sign_in.short_hex(),
            &credentials.short_hex(),
            profile.former_fingerprint(),
        )
    }
}
