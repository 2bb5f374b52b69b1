//! The record of version 0.1, which held a sign-in and the credentials of one role together.
//!
//! The program reads it while this version has stored nothing, and the first worker that gets all three locks moves it.
//! The move stores the new records before it removes the old one, so a process that is killed in between loses nothing:
//! the next worker continues with the step that is missing.

use std::time::Duration;

use super::{CREDENTIALS, Cache, CredentialsRecord, SIGN_IN, SignInRecord, parse_record};
use crate::{log, store};

pub(super) const FORMER_SESSION: &str = "session";

/// How long to wait for a process of version 0.1 that holds the lock of its record.
const FORMER_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Both halves of the old record. [`SignInRecord`] and [`CredentialsRecord`] have the field names of the old record, so
/// each is parsed from the same bytes.
#[derive(Default)]
pub(super) struct FormerSession {
    pub(super) sign_in: SignInRecord,
    pub(super) credentials: CredentialsRecord,
}

impl Cache {
    pub(super) fn load_former_session(&self) -> Result<FormerSession, store::Error> {
        let Some(sealed) = self.folder.store.read_record(&format!("{}.{FORMER_SESSION}", self.former_key()))? else {
            return Ok(FormerSession::default());
        };
        let sign_in: SignInRecord = parse_record(&sealed).unwrap_or_default();
        let credentials = parse_record(&sealed).unwrap_or_default();
        Ok(FormerSession { sign_in: sign_in.with_origin(&sealed), credentials })
    }

    /// Moves the old record to the records of this version; does nothing if another process holds one of the locks.
    ///
    /// In version 0.1 each profile had a sign-in of its own; now profiles share one. The sign-in of the first profile
    /// becomes the shared one. Of the other profiles only the credentials are moved, and only if they belong to the
    /// same user: otherwise a second user would get credentials of the first.
    pub fn move_former_session(&self) -> Result<(), store::Error> {
        if !self.folder.path.join(format!("{}.{FORMER_SESSION}", self.former_key())).exists() {
            return Ok(());
        }
        let Some(sign_in_lock) = self.try_lock_sign_in()? else { return Ok(()) };
        let Some(credentials_lock) = self.try_lock_credentials()? else { return Ok(()) };
        let Some(former_lock) = self.folder.lock_key_within(&self.former_key(), FORMER_LOCK_TIMEOUT)? else {
            return Ok(());
        };
        let former = self.load_former_session()?;
        let has_record = |name: String| Ok::<_, store::Error>(self.folder.store.read_record(&name)?.is_some());
        if has_record(self.sign_in_name(SIGN_IN))? {
            log::info(
                "cache",
                format_args!(
                    "dropped the profile's own sign-in of version 0.1: it now shares one that is stored already"
                ),
            );
        } else {
            sign_in_lock.store_sign_in(&former.sign_in)?;
            sign_in_lock.try_update_notes(|notes| *notes = self.folder.load_notes_of(&self.former_key()));
        }
        let is_same_user = self.load_sign_in()?.subject == former.sign_in.subject;
        if is_same_user && !has_record(self.credentials_name(CREDENTIALS))? {
            credentials_lock.store_credentials(&former.credentials)?;
            credentials_lock.try_update_notes(|notes| *notes = self.folder.load_notes_of(&self.former_key()));
        }
        former_lock.remove_all()?;
        log::info("cache", format_args!("moved the record of version 0.1 to the records of this version"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::{
        cache::{
            SignInNotes,
            testing::{file_cache, former_fingerprint},
        },
        files,
        identity::testing::build_token_with,
        time::Timestamp,
    };

    /// Stores a record as version 0.1 did. Tests recognise it by its refresh token.
    fn store_former(cache: &Cache, subject: &str, refresh_token: &str) {
        let token = build_token_with(&json!({ "sub": subject }));
        let expiration = Timestamp::from_unix(2_000_000_000);
        let record = json!({ "version": 1, "record": {
            "credentials": {
                "access_key_id": "ASIA", "secret_access_key": "s", "session_token": "t", "expiration": expiration,
            },
            "id_token": token.raw().expose(),
            "refresh_token": refresh_token,
            "subject": subject,
            "session_name": "alice",
            "longest": 3600,
            "destinations": { "sts": "aws", "token-endpoint": "https://login.example" },
        } });
        let locked = cache.folder.try_lock_key(&cache.former_key()).unwrap().expect("free");
        let name = format!("{}.{FORMER_SESSION}", cache.former_key());
        cache.folder.store.write_record(&locked.lock, &name, expiration, record.to_string().as_bytes()).unwrap();
        let notes = json!({ "version": 1, "record": { "door": { "fruitless": 3 }, "warned_on": 7 } });
        files::write_atomically(&cache.folder.notes_path(&cache.former_key()), notes.to_string().as_bytes()).unwrap();
    }

    fn has_former_files(folder: &Path) -> bool {
        let names = files::list_files(folder).unwrap();
        names.iter().any(|name| name.ends_with(FORMER_SESSION))
    }

    /// The cache of another profile with the same sign-in.
    fn with_role(folder: &Path, role: &str) -> Cache {
        let mut cache = file_cache(folder, "mine");
        (cache.credentials_key, cache.former) = (format!("mine-{role}"), former_fingerprint(role));
        cache
    }

    #[test]
    fn a_record_of_version_0_1_is_read_and_moved() {
        let folder = tempfile::tempdir().unwrap();
        let cache = file_cache(folder.path(), "mine");
        store_former(&cache, "alice", "r1");
        let (sign_in, credentials) = (cache.load_sign_in().unwrap(), cache.load_credentials().unwrap());
        assert_eq!(sign_in.recall_token().unwrap().subject(), "alice");
        assert_eq!((credentials.session_name.as_deref(), credentials.longest), (Some("alice"), Some(3600)));
        cache.move_former_session().unwrap();
        assert!(!has_former_files(folder.path()));
        assert_eq!((cache.load_sign_in().unwrap(), cache.load_credentials().unwrap()), (sign_in, credentials));
        assert_ne!(cache.load_sign_in_notes(), SignInNotes::default());
        assert_eq!(cache.load_credentials_notes().warned_on, Some(7));
    }

    #[test]
    fn the_first_moved_sign_in_serves_all_its_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, third] = ["one", "two", "three"].map(|role| with_role(folder.path(), role));
        store_former(&first, "alice", "r1");
        store_former(&second, "alice", "r2");
        store_former(&third, "bob", "r3");
        first.move_former_session().unwrap();
        assert!(third.load_credentials().unwrap().credentials.is_none(), "the shared sign-in belongs to another user");
        for cache in [&first, &second, &third] {
            cache.move_former_session().unwrap();
        }
        assert!(!has_former_files(folder.path()));
        let sign_in = third.load_sign_in().unwrap();
        assert_eq!(sign_in.refresh_token.unwrap().expose(), "r1");
        assert!(second.load_credentials().unwrap().credentials.is_some());
        assert!(third.load_credentials().unwrap().credentials.is_none(), "they belong to another user");
    }

    #[test]
    fn a_former_record_in_use_is_not_moved() {
        let folder = tempfile::tempdir().unwrap();
        let cache = file_cache(folder.path(), "mine");
        store_former(&cache, "alice", "r1");
        let locked = cache.try_lock_credentials().unwrap().expect("free");
        cache.move_former_session().unwrap();
        assert!(has_former_files(folder.path()));
        drop(locked);
        cache.move_former_session().unwrap();
        assert!(!has_former_files(folder.path()));
    }
}
