//! What is kept of an application, for all profiles with its issuer and client: the secret that proves it.
//!
//! It outlives sign-ins: signing out leaves it, and only signing out of everything forgets it.

use std::{collections::BTreeSet, path::Path};

use super::{LockedRecord, RecordFolder, parse_record, record_folder::is_fingerprint};
use crate::{config::Fingerprint, files, oidc::StoredClientCredentials, store, time::Timestamp};

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
pub struct LockedApplication<'c>(LockedRecord<'c>);

impl RecordFolder {
    pub fn load_client_credentials(&self, application: &Fingerprint) -> Result<StoredClientCredentials, store::Error> {
        let plain = self.store.read_record(&format!("{}.{KIND}", application.short_hex()))?;
        Ok(plain.and_then(|plain| parse_record(&plain)).unwrap_or_default())
    }
}

impl<'f> LockedApplication<'f> {
    /// The key of an application is locked: it is not the lock of a sign-in, because several sign-ins share its credentials.
    pub fn new(locked: LockedRecord<'f>) -> Self {
        Self(locked)
    }

    pub fn store_credentials(&self, credentials: &StoredClientCredentials) -> Result<(), store::Error> {
        self.0.store(KIND, Timestamp::from_unix(0), credentials)
    }

    pub fn remove_credentials(&self) -> Result<(), store::Error> {
        self.0.remove(KIND)
    }
}
