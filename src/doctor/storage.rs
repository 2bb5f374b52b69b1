//! What is kept, and whether it can be: the folder, the key that seals it, the lock.
//!
//! The keyring is tried out with an item of its own; the real key is never touched.

use std::{io, time::Duration};

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{
    config::Storage,
    failure::{Failure, LockWaitTimeout, doctor},
    files::{self, FileAction},
    lock,
    time::format_duration,
};

/// A sign-in that has lasted this much longer than its time hangs.
const GRACE: Duration = Duration::from_secs(60);

pub(super) fn check_folder(context: &DoctorContext<'_>) -> CheckOutcome {
    let data = &context.host.paths.data;
    let there = data.ancestors().find(|folder| folder.exists()).unwrap_or(data);
    if !there.is_dir() {
        return Err(files::Error::at(FileAction::WriteInto, there)(io::ErrorKind::NotADirectory.into()).into());
    }
    files::check_disk_space(there)?;
    let path = context.display_path(data);
    Ok(match data.is_dir() && !files::is_private(data) {
        true => Finding::Warn(doctor::describe_exposed_path(&path, "700")),
        false => Finding::Ok(format!("{path} can be written")),
    })
}

pub(super) fn check_key(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    Ok(match profile.storage {
        Storage::None => Finding::Ok("nothing secret is kept, as the profile wants it".to_owned()),
        Storage::Keyring => {
            context.try_keyring()?;
            Finding::Ok("the keyring keeps an item, gives it back and forgets it".to_owned())
        }
        Storage::File => {
            let key = context.host.paths.data.join("key");
            match key.exists() && !files::is_private(&key) {
                true => Finding::Warn(doctor::describe_exposed_path(&context.display_path(&key), "600")),
                false => Finding::Ok("the key lies in a private file, as the profile wants it".to_owned()),
            }
        }
    })
}

pub(super) fn check_lock(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = context.cache(profile).sign_in_lock_path();
    // `is_held` creates the lock's file.
    if !path.exists() || !lock::is_held(&path)? {
        return Ok(Finding::Ok("nobody is signing in at this moment".to_owned()));
    }
    let (holder, now) = (lock::read_holder(&path), context.now());
    let lasts = holder.as_ref().map(|holder| now.duration_since(holder.since));
    Ok(match (lasts, &holder) {
        (Some(lasts), _) if lasts > profile.login_timeout + GRACE => {
            let address = holder.as_ref().and_then(|holder| context.cache(profile).open_prompt_address(holder, now));
            Finding::Warn(Failure::from(LockWaitTimeout { holder, address, now }))
        }
        (Some(lasts), Some(holder)) => {
            Finding::Ok(format!("process {} is signing in, for {}", holder.pid, format_duration(lasts)))
        }
        _ => Finding::Ok("another process is renewing the session".to_owned()),
    })
}
