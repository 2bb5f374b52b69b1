//! Checks the storage: the data folder, the key that seals the stored secrets, and the lock of a sign-in.
//!
//! The keyring is tested with an item made for the test. The check never touches the real key, whose loss would cost
//! the user the stored session.

use std::{io, time::Duration};

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{
    config::Storage,
    failure::{Failure, LockWaitTimeout, doctor},
    files::{self, FileAction},
    lock,
    time::format_duration,
};

/// How much longer than `login_timeout` a sign-in may last before `doctor` reports that it hangs. The steps after the
/// prompt, such as the token exchange, take time too.
const GRACE: Duration = Duration::from_secs(60);

/// Whether this program can write to the data folder, or create it, and whether the folder is private.
pub(super) fn check_folder(context: &DoctorContext<'_>) -> CheckOutcome {
    let data = &context.host.paths.data;
    // A missing folder is no problem: the first sign-in creates it. Its nearest existing parent must be writable.
    let there = data.ancestors().find(|folder| folder.exists()).unwrap_or(data);
    if !there.is_dir() {
        return Err(files::Error::at(FileAction::WriteInto, there)(io::ErrorKind::NotADirectory.into()).into());
    }
    files::check_disk_space(there)?;
    let path = context.display_path(data);
    Ok(match data.is_dir() && !files::is_private(data) {
        true => Finding::Warn(doctor::describe_exposed_path(&path, "700")),
        false => Finding::Ok(format!("this program can write to {path}")),
    })
}

/// Whether the key that seals the stored secrets is available and private.
pub(super) fn check_key(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    Ok(match profile.storage {
        Storage::None => {
            Finding::Ok("no key is needed, because the profile stores no secrets (storage = \"none\")".to_owned())
        }
        Storage::Keyring => {
            context.try_keyring()?;
            Finding::Ok("the keyring stored, returned and deleted a test item".to_owned())
        }
        Storage::File => {
            let key = context.host.paths.data.join("key");
            let path = context.display_path(&key);
            match (key.exists(), files::is_private(&key)) {
                (true, true) => Finding::Ok(format!("the key file {path} is private")),
                (true, false) => Finding::Warn(doctor::describe_exposed_path(&path, "600")),
                (false, _) => Finding::Ok(format!("the first sign-in creates the key file {path}")),
            }
        }
    })
}

/// Whether another process is signing in, and whether it has taken so long that it probably hangs.
pub(super) fn check_lock(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = context.cache(profile).sign_in_lock_path();
    // `is_held` would create the lock file, and `doctor` must not change anything.
    if !path.exists() || !lock::is_held(&path)? {
        return Ok(Finding::Ok("no sign-in is in progress".to_owned()));
    }
    let (holder, now) = (lock::read_holder(&path), context.now());
    let lasts = holder.as_ref().map(|holder| now.duration_since(holder.since));
    Ok(match (lasts, &holder) {
        (Some(lasts), _) if lasts > profile.login_timeout + GRACE => {
            let address = holder.as_ref().and_then(|holder| context.cache(profile).open_prompt_address(holder, now));
            Finding::Warn(Failure::from(LockWaitTimeout { holder, address, now }))
        }
        (Some(lasts), Some(holder)) => {
            Finding::Ok(format!("process {} has been signing in for {}", holder.pid, format_duration(lasts)))
        }
        _ => Finding::Ok("another process is refreshing the session".to_owned()),
    })
}
