//! What is kept of an application, for all profiles with its issuer and client: the secret that proves it.
//!
//! It outlives sign-ins: signing out leaves it, and only signing out of everything forgets it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Cache, is_fingerprint, parse_record, serialize_record};
use crate::{
    config::Fingerprint,
    files,
    lock::{self, ExclusiveLock},
    oidc::StoredClientCredentials,
    store,
    time::Timestamp,
};

/// What the file's name ends with.
const KIND: &str = "application";

/// The names of all applications of which something is kept in a folder.
pub fn list_applications(folder: &Path) -> Result<BTreeSet<String>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter_map(|name| parse_application_name(name)).map(str::to_owned).collect())
}

fn parse_application_name(file: &str) -> Option<&str> {
    let (name, kind) = file.strip_suffix(".new").unwrap_or(file).split_once('.')?;
    (is_fingerprint(name) && kind == KIND).then_some(name)
}

/// An application's credentials under their lock: the only form in which they can be written.
#[derive(Debug)]
pub struct LockedApplication<'c> {
    cache: &'c Cache,
    lock: ExclusiveLock,
    record: String,
}

impl Cache {
    pub fn load_client_credentials(&self, application: &Fingerprint) -> Result<StoredClientCredentials, store::Error> {
        let plain = self.store.read_record(&build_record_name(&application.short_hex()))?;
        Ok(plain.and_then(|plain| parse_record(&plain)).unwrap_or_default())
    }

    /// Takes the lock on an application's credentials as soon as it is free; `None` if another process still holds it
    /// after `limit`. It is not the profile's lock: several profiles share these credentials.
    pub fn lock_application_within(
        &self,
        name: &str,
        limit: Duration,
    ) -> Result<Option<LockedApplication<'_>>, files::Error> {
        let lock = lock::acquire_within(&self.application_lock_path(name), limit)?;
        Ok(lock.map(|lock| LockedApplication { cache: self, lock, record: build_record_name(name) }))
    }

    pub fn application_lock_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.lock"))
    }
}

impl LockedApplication<'_> {
    pub fn store_credentials(&self, credentials: &StoredClientCredentials) -> Result<(), store::Error> {
        let never = Timestamp::from_unix(0);
        self.cache.store.write_record(&self.lock, &self.record, never, &serialize_record(credentials))
    }

    pub fn remove_credentials(&self) -> Result<(), store::Error> {
        self.cache.store.remove_record(&self.lock, &self.record)
    }
}

fn build_record_name(name: &str) -> String {
    format!("{name}.{KIND}")
}
