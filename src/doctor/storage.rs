//! What is kept, and whether it can be: the folder, the key that seals it, the lock.
//!
//! The keyring is tried out with an item of its own; the real key is never touched.

use std::{io, time::Duration};

use super::{Finding, Patient};
use crate::{
    config::Storage,
    failure::{Busy, Failure, doctor::Machine},
    files, lock,
    time::spoken,
};

/// A sign-in that has lasted this much longer than its time hangs.
const GRACE: Duration = Duration::from_secs(60);

pub(super) fn folder(patient: &Patient<'_>) -> Finding {
    let data = &patient.host.paths.data;
    let there = data.ancestors().find(|folder| folder.exists()).unwrap_or(data);
    if !there.is_dir() {
        let (path, source) = (there.to_owned(), io::ErrorKind::NotADirectory.into());
        return Finding::Bad(files::Error { doing: "write into", path, source }.into());
    }
    if let Err(error) = files::make_sure_of_room(there) {
        return Finding::Bad(error.into());
    }
    let path = patient.shown(data);
    match data.is_dir() && !files::is_private(data) {
        true => Finding::Warning(Machine::Exposed { path, is_folder: true }.into()),
        false => Finding::Fine(format!("{path} can be written")),
    }
}

pub(super) fn key(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    match profile.storage {
        Storage::None => Finding::Fine("nothing secret is kept, as the profile wants it".to_owned()),
        Storage::Keyring => match patient.keyring() {
            Ok(()) => Finding::Fine("the keyring keeps an item, gives it back and forgets it".to_owned()),
            Err(failure) => Finding::Bad(failure.clone()),
        },
        Storage::File => {
            let key = patient.host.paths.data.join("key");
            match key.exists() && !files::is_private(&key) {
                true => {
                    Finding::Warning(Machine::Exposed { path: patient.shown(&key), is_folder: false }.into())
                }
                false => Finding::Fine("the key lies in a private file, as the profile wants it".to_owned()),
            }
        }
    }
}

pub(super) fn lock(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let path = patient.cache(profile).lock_path();
    let is_held = match path.exists() {
        true => lock::is_held(&path),
        // To look would make it.
        false => Ok(false),
    };
    let (holder, now) = match is_held {
        Err(error) => return Finding::Bad(error.into()),
        Ok(false) => return Finding::Fine("nobody is signing in at this moment".to_owned()),
        Ok(true) => (lock::holder(&path), patient.now()),
    };
    let lasts = holder.as_ref().map(|holder| now.since(holder.since));
    match (lasts, &holder) {
        (Some(lasts), _) if lasts > profile.login_timeout + GRACE => {
            let address = holder.as_ref().and_then(|holder| patient.cache(profile).invitation(holder, now));
            Finding::Warning(Failure::from(Busy { holder, address, now }))
        }
        (Some(lasts), Some(holder)) => {
            Finding::Fine(format!("process {} is signing in, for {}", holder.pid, spoken(lasts)))
        }
        _ => Finding::Fine("another process is renewing the session".to_owned()),
    }
}
