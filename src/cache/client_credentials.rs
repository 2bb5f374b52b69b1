//! The client secret of an application (an OAuth client), shared by all profiles with the same issuer and client ID.
//!
//! The administrator hands it out, so the program cannot get it again. Therefore `logout` leaves it stored, and only
//! `logout --all` removes it.

use std::{collections::BTreeSet, path::Path};

use super::{LockedRecord, RecordFolder, parse_record, record_folder::is_fingerprint};
use crate::{config::Fingerprint, files, oidc::StoredClientCredentials, store, time::Timestamp};

const KIND: &str = "application";

/// The fingerprints of all applications whose credentials are stored in a folder.
pub fn list_applications(folder: &Path) -> Result<BTreeSet<String>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter_map(|name| parse_application_name(name)).map(str::to_owned).collect())
}

fn parse_application_name(file: &str) -> Option<&str> {
    let (name, kind) = file.strip_suffix(".new").unwrap_or(file).split_once('.')?;
    (is_fingerprint(name) && kind == KIND).then_some(name)
}

/// Write access to an application's credentials. It owns their lock, so code without the lock cannot write.
#[derive(Debug)]
pub struct LockedApplication<'c>(LockedRecord<'c>);

impl RecordFolder {
    /// The stored credentials of an application; empty if nothing is stored. Needs no lock.
    pub fn load_client_credentials(&self, application: &Fingerprint) -> Result<StoredClientCredentials, store::Error> {
        let plain = self.store.read_record(&format!("{}.{KIND}", application.short_hex()))?;
        Ok(plain.and_then(|plain| parse_record(&plain)).unwrap_or_default())
    }
}

impl<'f> LockedApplication<'f> {
    /// `locked` must be the record under the application's own fingerprint. The lock of a sign-in does not guard it,
    /// because several sign-ins use the same application.
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
