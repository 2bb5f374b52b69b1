//! What is kept of an application, for all profiles with its issuer and client: the secret that proves it.
//!
//! It outlives sign-ins: signing out leaves it, and only signing out of everything forgets it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{Cache, is_fingerprint, parse_record, serialize_record};
use crate::{
    config::Fingerprint, files, lock::ExclusiveLock, oidc::StoredClientCredentials, store, time::Timestamp,
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

impl Cache {
    /// A lock of its own, since several profiles share what it guards.
    pub fn application_lock_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.lock"))
    }

    pub fn load_client_credentials(
        &self,
        application: &Fingerprint,
    ) -> Result<StoredClientCredentials, store::Error> {
        let plain = self.store.read_record(&build_record_name(&application.short_hex()))?;
        Ok(plain.and_then(|plain| parse_record(&plain)).unwrap_or_default())
    }

    /// `held` is the application's.
    pub fn store_client_credentials(
        &self,
        held: &ExclusiveLock,
        application: &Fingerprint,
        kept: &StoredClientCredentials,
    ) -> Result<(), store::Error> {
        self.store.write_record(
            held,
            &build_record_name(&application.short_hex()),
            Timestamp::from_unix(0),
            &serialize_record(kept),
        )
    }

    /// `held` is the application's.
    pub fn remove_client_credentials(&self, held: &ExclusiveLock, name: &str) -> Result<(), store::Error> {
        self.store.remove_record(held, &build_record_name(name))
    }
}

fn build_record_name(name: &str) -> String {
    format!("{name}.{KIND}")
}
