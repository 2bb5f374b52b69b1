//! Everything that the program stores between two runs, as typed and versioned records, and how fresh it is.
//!
//! There are two kinds of sealed record. A sign-in record holds the tokens, and all profiles with the same application
//! or Identity Center share it. A credentials record holds the AWS credentials of one role. Each record has a lock and
//! a notes file of its own. Every process may read a record at any time; only the holder of its lock may write it (see
//! `locked`).
//!
//! A record that this version cannot parse counts as absent. At worst the user signs in again, or enters a stored
//! client secret again.

mod storage_backend;
mod former_session;
mod prompt_address;
mod locked;
mod notes;
mod prompt_backoff;
mod portal_session;
mod sign_in_record;
mod credentials_record;
mod destinations;
mod client_credentials;
mod record_folder;
#[cfg(test)]
pub(crate) mod testing;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    config::Fingerprint,
    credentials::AwsCredentials,
    files,
    oidc::{ProviderKeys, ProviderMetadata},
    time::Timestamp,
};
use credentials_record::CREDENTIALS;
use former_session::FORMER_SESSION;
use portal_session::REGISTRATION;
use sign_in_record::SIGN_IN;

pub use client_credentials::{LockedApplication, list_applications};
pub use credentials_record::CredentialsRecord;
pub use destinations::{DestinationChange, Destinations, SecretRecipient};
pub use locked::{LockedCredentials, LockedSignIn};
pub use notes::{CredentialsNotes, FailureKind, FailureReport, LastFailure, SignInNotes};
pub use portal_session::{PortalRegistrations, PortalSession};
pub use prompt_backoff::PromptBackoff;
pub use record_folder::{LockedRecord, RecordFolder, list_lock_files, list_record_keys, list_session_keys};
pub use sign_in_record::{RefreshHistory, RefreshObstacle, RenewalOutlook, SignInRecord};

/// Credentials that expire within this time are served, and a worker renews them in the background. AWS SDKs call again
/// fifteen and ten minutes before the expiry, and should find the new credentials by then.
pub const RENEW_SOON: Duration = Duration::from_secs(20 * 60);

/// Credentials that expire within this time are renewed before they are served.
pub const RENEW_NOW: Duration = Duration::from_secs(5 * 60);

/// Credentials and tokens that expire within this time are not used: they could expire before the request arrives.
pub const MIN_REMAINING: Duration = Duration::from_secs(15);

/// A caller of `token` or `bearer` gets an ID token that is valid for at least this long.
pub const MIN_TOKEN_LIFE: Duration = Duration::from_secs(2 * 60);

/// An ID token for telemetry is refreshed at most this long before it expires. The host caches its headers for half an
/// hour, and gets the old token once more while the worker fetches a new one.
pub const TOKEN_RENEW_AHEAD: Duration = Duration::from_secs(60 * 60);

/// After one background renewal the next one starts no earlier than this, however many callers there are.
pub const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// The provider's discovery document and signing keys. The record is sealed: a process that could replace the keys
/// could forge an ID token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CachedProvider {
    at: Timestamp,
    pub metadata: ProviderMetadata,
    pub keys: ProviderKeys,
}

impl CachedProvider {
    pub fn new(at: Timestamp, metadata: ProviderMetadata, keys: ProviderKeys) -> Self {
        Self { at, metadata, keys }
    }

    /// The same keys, as old as they are, with newer metadata.
    #[must_use]
    pub fn with_metadata(self, metadata: ProviderMetadata) -> Self {
        Self { metadata, ..self }
    }
}

/// How long credentials are still valid, and therefore what to do with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Serve them.
    Fresh,
    /// Serve them, and renew them in the background.
    RenewSoon,
    /// Renew them before serving. If that fails, serve them nevertheless.
    RenewNow,
    /// They have expired, or will before a request arrives.
    Spent,
}

/// A record as it is stored, inside the seal.
#[derive(Serialize, Deserialize)]
struct VersionedRecord<T> {
    version: u32,
    record: T,
}

/// The version of both kinds of record and of the notes. Increase it only if an older program would misread a record;
/// a new field with a default needs no new version.
const VERSION: u32 = 1;

/// How long the provider's metadata is cached. The keys are fetched again earlier if a token names an unknown one.
const PROVIDER_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

const PROVIDER: &str = "provider";
const NOTES: &str = "json";

pub fn assess_credentials(credentials: &AwsCredentials, now: Timestamp) -> Freshness {
    assess_expiry(credentials.expiration, now)
}

/// The same judgement for anything that expires, for example an approval of the quota service.
pub fn assess_expiry(end: Timestamp, now: Timestamp) -> Freshness {
    match end.duration_since(now) {
        left if left > RENEW_SOON => Freshness::Fresh,
        left if left > RENEW_NOW => Freshness::RenewSoon,
        left if left > MIN_REMAINING => Freshness::RenewNow,
        _ => Freshness::Spent,
    }
}

/// The records of one profile. A `Cache` only reads; [`LockedSignIn`] and [`LockedCredentials`] write.
///
/// A record's key is its file name without the extension. It is a hash of the profile's settings, so a profile whose
/// issuer, client or role changes uses new records.
pub struct Cache {
    folder: RecordFolder,
    /// `<fingerprint of the sign-in>-<fingerprint of the role>`.
    credentials_key: String,
    /// The key under which version 0.1 stored sign-in and credentials in one record.
    former: Fingerprint,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({})", self.credentials_key)
    }
}

impl Cache {
    fn new(folder: RecordFolder, sign_in: &str, credentials: &str, former: Fingerprint) -> Self {
        Self { folder, credentials_key: format!("{sign_in}-{credentials}"), former }
    }

    pub fn folder(&self) -> &RecordFolder {
        &self.folder
    }

    /// The key of the sign-in record, which all profiles with the same sign-in share.
    pub fn sign_in_key(&self) -> &str {
        self.credentials_key.split('-').next().unwrap_or_default()
    }

    /// The keys of all records of this profile: the sign-in, the credentials, and the record of version 0.1.
    pub fn record_keys(&self) -> [String; 3] {
        [self.sign_in_key().to_owned(), self.credentials_key.clone(), self.former_key()]
    }

    pub fn sign_in_lock_path(&self) -> PathBuf {
        self.folder.lock_path(self.sign_in_key())
    }

    pub fn credentials_lock_path(&self) -> PathBuf {
        self.folder.lock_path(&self.credentials_key)
    }

    /// Creates the folder, private to the user. Call it before taking a lock: lock files lie in this folder.
    pub fn create_folder(&self) -> Result<(), files::Error> {
        files::ensure_private_folder(&self.folder.path)
    }

    fn former_key(&self) -> String {
        self.former.short_hex()
    }

    fn sign_in_name(&self, kind: &str) -> String {
        format!("{}.{kind}", self.sign_in_key())
    }

    fn credentials_name(&self, kind: &str) -> String {
        format!("{}.{kind}", self.credentials_key)
    }
}

/// Parses a record of this version. Any other version or shape gives `None`: a guess at an unknown format could put a
/// secret or an expiry into the wrong field.
fn parse_record<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let found: VersionedRecord<T> = serde_json::from_slice(bytes).ok()?;
    (found.version == VERSION).then_some(found.record)
}

fn serialize_record(record: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let record = VersionedRecord { version: VERSION, record };
    Zeroizing::new(serde_json::to_vec(&record).expect("records hold texts and numbers, which always serialise"))
}

#[cfg(test)]
mod tests {
    use super::{testing::file_cache, *};
    use crate::secret::Secret;

    fn ending(unix: i64) -> AwsCredentials {
        AwsCredentials {
            access_key_id: "ASIA".into(),
            secret_access_key: Secret::new("s"),
            session_token: Secret::new("t"),
            expiration: Timestamp::from_unix(unix),
        }
    }

    #[test]
    fn freshness_changes_at_twenty_and_five_minutes() {
        let at = |left: i64| assess_credentials(&ending(1_000_000 + left), Timestamp::from_unix(1_000_000));
        assert_eq!([at(1201), at(1200), at(301)], [Freshness::Fresh, Freshness::RenewSoon, Freshness::RenewSoon]);
        assert_eq!([at(300), at(16), at(15)], [Freshness::RenewNow, Freshness::RenewNow, Freshness::Spent]);
        assert_eq!([at(0), at(-5000)], [Freshness::Spent, Freshness::Spent]);
    }

    #[test]
    fn a_record_copied_to_another_key_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (file_cache(folder.path(), "mine"), file_cache(folder.path(), "other"));
        let record = CredentialsRecord { credentials: Some(ending(5)), longest: Some(3600), ..Default::default() };
        mine.try_lock_credentials().unwrap().expect("free").store_credentials(&record).unwrap();
        assert_eq!(mine.load_credentials().unwrap(), record);
        let name = |cache: &Cache| folder.path().join(cache.credentials_name(CREDENTIALS));
        std::fs::copy(name(&mine), name(&other)).unwrap();
        assert_eq!(other.load_credentials().unwrap(), CredentialsRecord::default());
    }

    #[test]
    fn removal_leaves_the_locks_and_other_records() {
        let folder = tempfile::tempdir().unwrap();
        let cache = file_cache(folder.path(), "mine");
        let sign_in = cache.try_lock_sign_in().unwrap().expect("free");
        sign_in.store_sign_in(&SignInRecord::default()).unwrap();
        sign_in.update_notes(|_| {}).unwrap();
        let credentials = cache.try_lock_credentials().unwrap().expect("free");
        credentials.store_credentials(&CredentialsRecord::default()).unwrap();
        credentials.update_notes(|_| {}).unwrap();
        let names = || {
            let mut names = files::list_files(folder.path()).unwrap();
            names.sort();
            names
        };
        credentials.remove_all().unwrap();
        let left = ["key", "key.lock", "mine-role.lock", "mine.json", "mine.lock", "mine.sign-in"];
        assert_eq!(names(), left);
        sign_in.record.remove_all().unwrap();
        assert_eq!(names(), ["key", "key.lock", "mine-role.lock", "mine.lock"]);
        cache.folder.store.remove_unused_key().unwrap();
        assert_eq!(names(), ["key.lock", "mine-role.lock", "mine.lock"]);
    }

    #[test]
    fn removal_continues_after_one_part_fails() {
        let folder = tempfile::tempdir().unwrap();
        let cache = file_cache(folder.path(), "mine");
        let locked = cache.try_lock_sign_in().unwrap().expect("free");
        locked.update_notes(|_| {}).unwrap();
        std::fs::create_dir(folder.path().join("mine.sign-in")).unwrap();
        assert!(locked.record.remove_all().is_err());
        assert!(!folder.path().join("mine.json").exists());
    }

    #[test]
    fn a_record_of_another_version_or_shape_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let cache = file_cache(folder.path(), "mine");
        let locked = cache.try_lock_credentials().unwrap().expect("free");
        for foreign in [
            r#"{"version":0,"record":{"longest":1}}"#,
            r#"{"version":2,"record":{"longest":1}}"#,
            "{}",
            "[]",
            "",
            "\u{0}",
        ] {
            let name = cache.credentials_name(CREDENTIALS);
            let (store, lock) = (&cache.folder.store, &locked.record.lock);
            store.write_record(lock, &name, Timestamp::from_unix(1), foreign.as_bytes()).unwrap();
            files::write_atomically(&folder.path().join("mine-role.json"), foreign.as_bytes()).unwrap();
            assert_eq!(cache.load_credentials().unwrap(), CredentialsRecord::default(), "{foreign}");
            assert_eq!(cache.load_credentials_notes(), CredentialsNotes::default(), "{foreign}");
        }
    }
}
