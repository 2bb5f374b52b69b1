//! What is kept of an application, for all profiles with its issuer and client: the secret that proves it.
//!
//! It outlives sign-ins: signing out leaves it, and only signing out of everything forgets it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{Cache, is_key, readable, written};
use crate::{config::Fingerprint, files, lock::Held, oidc::Keepsakes, store, time::Moment};

/// What the file's name ends with.
const KIND: &str = "application";

/// The names of all applications of which something is kept in a folder.
pub fn applications_in(folder: &Path) -> Result<BTreeSet<String>, files::Error> {
    let names = files::names(folder)?;
    Ok(names.iter().filter_map(|name| name_of(name)).map(str::to_owned).collect())
}

fn name_of(file: &str) -> Option<&str> {
    let (name, kind) = file.strip_suffix(".new").unwrap_or(file).split_once('.')?;
    (is_key(name) && kind == KIND).then_some(name)
}

impl Cache {
    /// A lock of its own, since several profiles share what it guards.
    pub fn application_lock_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.lock"))
    }

    pub fn keepsakes(&self, application: &Fingerprint) -> Result<Keepsakes, store::Error> {
        let plain = self.store.read(&file(&application.name()))?;
        Ok(plain.and_then(|plain| readable(&plain)).unwrap_or_default())
    }

    /// `held` is the application's.
    pub fn keep_keepsakes(
        &self,
        held: &Held,
        application: &Fingerprint,
        kept: &Keepsakes,
    ) -> Result<(), store::Error> {
        self.store.write(held, &file(&application.name()), Moment::from_unix(0), &written(kept))
    }

    /// `held` is the application's.
    pub fn forget_keepsakes(&self, held: &Held, name: &str) -> Result<(), store::Error> {
        self.store.remove(held, &file(name))
    }
}

fn file(name: &str) -> String {
    format!("{name}.{KIND}")
}
