//! Caches for tests: in a folder of the test, under readable keys.

use std::path::Path;

use super::{Cache, RecordFolder};
use crate::{
    config::{self, Fingerprint, Profile},
    store::{self, SealedFiles},
};

pub(crate) fn file_cache(folder: &Path, key: &str) -> Cache {
    cache(store::open_file_store(folder), folder, key)
}

/// The key of the sign-in is `key`, the key of the credentials is `key-role`.
pub(crate) fn cache(store: SealedFiles, folder: &Path, key: &str) -> Cache {
    Cache::new(RecordFolder::new(store, folder.to_owned()), key, "role", former_fingerprint(key))
}

/// The key of version 0.1 for a profile of this name.
pub(crate) fn former_fingerprint(name: &str) -> Fingerprint {
    Profile { name: name.to_owned(), ..config::testing::profile() }.former_fingerprint()
}
