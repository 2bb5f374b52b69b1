//! What is remembered between runs, as typed and versioned records, and what counts as fresh.
//!
//! A record that cannot be read is an absent one: older, newer or foreign, it costs a sign-in and never a crash.

mod client_credentials;
mod destinations;
mod prompt_backoff;
mod prompt_address;
mod id_token;
mod locked;
mod locks;
mod notes;
mod storage_backend;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::{
    config::RoleArn,
    credentials::AwsCredentials,
    files, lock,
    oidc::{ProviderKeys, ProviderMetadata},
    secret::Secret,
    store::{self, SealedFiles},
    time::Timestamp,
};
use id_token::TokenOrigin;

pub use client_credentials::{LockedApplication, list_applications};
pub use destinations::{DestinationChange, Destinations, SecretRecipient};
pub use locked::LockedCache;
pub use locks::list_lock_files;
pub use notes::{FailureKind, FailureReport, LastFailure, ProfileNotes};
pub use prompt_backoff::PromptBackoff;

/// Credentials within this span of their end are served, and renewed by a process nobody waits for: SDKs come back at
/// fifteen and ten minutes.
pub const RENEW_SOON: Duration = Duration::from_secs(20 * 60);

/// Within this span they are renewed before they are served.
pub const RENEW_NOW: Duration = Duration::from_secs(5 * 60);

/// Credentials nearer to their end than this are no use to anybody: the request would outlive them.
pub const MIN_REMAINING: Duration = Duration::from_secs(15);

/// Whoever asks for the ID token itself gets one that lasts as long as this.
pub const MIN_TOKEN_LIFE: Duration = Duration::from_secs(2 * 60);

/// A token that is sent with telemetry is renewed at most so far ahead of its end: the host keeps its headers for half an
/// hour, and is given the older token once more while the newer one is fetched.
pub const TOKEN_RENEW_AHEAD: Duration = Duration::from_secs(60 * 60);

/// A silent renewal that was tried is not tried again for this long, however many callers come.
pub const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// What is sealed for one profile. Each part stands alone: a sign-in may have tokens and no credentials yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    pub credentials: Option<AwsCredentials>,
    id_token: Option<Secret>,
    /// The provider has ended the session that the ID token came from, or AWS did not accept it: it still says who the
    /// user was, and proves nothing any more.
    id_token_is_spent: bool,
    #[serde(skip)]
    token_origin: TokenOrigin,
    pub refresh_token: Option<Secret>,
    pub subject: Option<String>,
    pub session_name: Option<String>,
    /// Whose credentials they are.
    pub role: Option<RoleArn>,
    /// The longest duration in seconds that the role was seen to allow.
    pub longest: Option<u32>,
    /// When the quota service wants to be asked again.
    pub cleared_until: Option<Timestamp>,
    /// The person's id in the identity pool.
    pub identity: Option<String>,
    /// Where its secrets may be sent. Empty in records of earlier versions.
    pub destinations: Destinations,
}

/// What the provider said of itself, sealed because sign-ins are verified with it.
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
}

/// How much life credentials have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    Fresh,
    /// Serve, and let a process of its own renew.
    RenewSoon,
    /// Renew, then serve; serve them all the same if that fails.
    RenewNow,
    Spent,
}

/// A record as it is written down.
#[derive(Serialize, Deserialize)]
struct VersionedRecord<T> {
    version: u32,
    record: T,
}

const VERSION: u32 = 1;

/// A provider's description is believed for a day; keys are fetched again earlier when one is unknown.
const PROVIDER_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What is kept of each profile besides its lock, by the end of the file's name.
const SESSION: &str = "session";
const PROVIDER: &str = "provider";
const NOTES: &str = "json";

/// The keys of every profile of which something is kept in a folder, whether it is still configured or not.
pub fn list_profile_keys(folder: &Path) -> Result<BTreeSet<String>, files::Error> {
    let names = files::list_files(folder)?;
    Ok(names.iter().filter_map(|name| parse_profile_key(name)).map(str::to_owned).collect())
}

/// The key in the name of a record, whole or half written. Anything else in the folder is none of ours.
fn parse_profile_key(name: &str) -> Option<&str> {
    let (key, kind) = name.strip_suffix(".new").unwrap_or(name).split_once('.')?;
    (is_fingerprint(key) && [SESSION, PROVIDER, NOTES, lock::HOLDER_EXTENSION].contains(&kind)).then_some(key)
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub fn assess_credentials(credentials: &AwsCredentials, now: Timestamp) -> Freshness {
    assess_expiry(credentials.expiration, now)
}

/// The same of anything that ends.
pub fn assess_expiry(end: Timestamp, now: Timestamp) -> Freshness {
    match end.duration_since(now) {
        left if left > RENEW_SOON => Freshness::Fresh,
        left if left > RENEW_NOW => Freshness::RenewSoon,
        left if left > MIN_REMAINING => Freshness::RenewNow,
        _ => Freshness::Spent,
    }
}

/// The records of one profile.
pub struct Cache {
    store: SealedFiles,
    folder: PathBuf,
    /// The fingerprint of everything that changes the result.
    fingerprint: String,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({})", self.fingerprint)
    }
}

impl Cache {
    pub fn new(store: SealedFiles, folder: PathBuf, key: String) -> Self {
        Self { store, folder, fingerprint: key }
    }

    pub fn lock_path(&self) -> PathBuf {
        self.folder.join(format!("{}.lock", self.fingerprint))
    }

    /// The folder must exist before the lock can.
    pub fn create_folder(&self) -> Result<(), files::Error> {
        files::ensure_private_folder(&self.folder)
    }

    /// Whether anything at all is kept of the profile.
    pub fn is_empty(&self) -> Result<bool, files::Error> {
        Ok(!list_profile_keys(&self.folder)?.contains(&self.fingerprint))
    }

    /// Whether a session is kept, be it one that cannot be opened.
    pub fn has_session(&self) -> Result<bool, files::Error> {
        Ok(files::list_files(&self.folder)?.contains(&self.record_name(SESSION)))
    }

    pub fn load_session(&self) -> Result<Session, store::Error> {
        let Some(record) = self.store.read_record(&self.record_name(SESSION))? else {
            return Ok(Session::default());
        };
        let mut session: Session = parse_record(&record).unwrap_or_default();
        session.token_origin = TokenOrigin::from(&record);
        Ok(session)
    }

    /// The provider as it described itself within the last day.
    pub fn load_provider(&self, now: Timestamp) -> Result<Option<CachedProvider>, store::Error> {
        let plain = self.store.read_record(&self.record_name(PROVIDER))?;
        let known: Option<CachedProvider> = plain.and_then(|plain| parse_record(&plain));
        Ok(known.filter(|known| known.at <= now && now.duration_since(known.at) < PROVIDER_LIFETIME))
    }

    fn record_name(&self, kind: &str) -> String {
        format!("{}.{kind}", self.fingerprint)
    }
}

/// A record of this version, or none: what an older or newer program wrote is forgotten, not guessed at.
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
    use super::*;

    fn ending(unix: i64) -> AwsCredentials {
        AwsCredentials {
            access_key_id: "ASIA".into(),
            secret_access_key: Secret::new("s"),
            session_token: Secret::new("t"),
            expiration: Timestamp::from_unix(unix),
        }
    }

    fn cache(folder: &Path, key: &str) -> Cache {
        Cache::new(store::open_file_store(folder), folder.to_owned(), key.into())
    }

    #[test]
    fn freshness_turns_at_twenty_and_five_minutes() {
        let at = |left: i64| assess_credentials(&ending(1_000_000 + left), Timestamp::from_unix(1_000_000));
        assert_eq!([at(1201), at(1200), at(301)], [Freshness::Fresh, Freshness::RenewSoon, Freshness::RenewSoon]);
        assert_eq!([at(300), at(16), at(15)], [Freshness::RenewNow, Freshness::RenewNow, Freshness::Spent]);
        assert_eq!([at(0), at(-5000)], [Freshness::Spent, Freshness::Spent]);
    }

    #[test]
    fn a_session_is_kept_and_belongs_to_its_profile_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mine = cache(folder.path(), "mine");
        let locked = mine.try_lock().unwrap().expect("free");
        let session = Session { credentials: Some(ending(5)), longest: Some(3600), ..Session::default() };
        locked.store_session(&session).unwrap();
        assert_eq!(mine.load_session().unwrap().credentials, Some(ending(5)));
        std::fs::copy(folder.path().join("mine.session"), folder.path().join("other.session")).unwrap();
        assert_eq!(cache(folder.path(), "other").load_session().unwrap(), Session::default());
    }

    #[test]
    fn what_is_ours_in_a_folder_is_told_by_its_name() {
        let key = "0123456789abcdef0123456789abcdef";
        for ours in ["session", "provider", "json", "holder", "session.new"] {
            assert_eq!(parse_profile_key(&format!("{key}.{ours}")), Some(key), "{ours}");
        }
        let foreign = [
            "key",
            "config.toml",
            "mine.session",
            "0123456789ABCDEF0123456789abcdef.session",
            &format!("{key}.lock"),
            &format!("{key}0.session"),
            &format!("{key}.session.bak"),
            &format!("{key}.toml"),
            key,
        ];
        assert_eq!(foreign.map(parse_profile_key), [None; 9]);
    }

    #[test]
    fn forgetting_leaves_the_lock_alone_and_the_other_profile_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (mine, other) = (cache(folder.path(), "mine"), cache(folder.path(), "other"));
        let session = Session { longest: Some(3600), ..Session::default() };
        for cache in [&mine, &other] {
            let locked = cache.try_lock().unwrap().expect("free");
            locked.store_session(&session).unwrap();
            locked.update_notes(|_| {}).unwrap();
        }
        let forget = |cache: &Cache| {
            cache.try_lock().unwrap().expect("free").remove_all().unwrap();
            let mut names = files::list_files(folder.path()).unwrap();
            names.sort();
            names
        };
        assert_eq!(forget(&mine), ["key", "key.lock", "mine.lock", "other.json", "other.lock", "other.session"]);
        assert_eq!(other.load_session().unwrap(), session);
        assert_eq!(forget(&other), ["key.lock", "mine.lock", "other.lock"]);
    }

    #[test]
    fn a_part_that_cannot_be_forgotten_keeps_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "mine");
        let locked = cache.try_lock().unwrap().expect("free");
        locked.update_notes(|_| {}).unwrap();
        std::fs::create_dir(folder.path().join("mine.session")).unwrap();
        assert!(locked.remove_all().is_err());
        assert!(!cache.notes_path().exists());
    }

    #[test]
    fn a_record_of_another_version_or_shape_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "mine");
        let locked = cache.try_lock().unwrap().expect("free");
        for foreign in [
            r#"{"version":0,"record":{"longest":1}}"#,
            r#"{"version":2,"record":{"longest":1}}"#,
            "{}",
            "[]",
            "",
            "\u{0}",
        ] {
            cache
                .store
                .write_record(&locked.lock, "mine.session", Timestamp::from_unix(1), foreign.as_bytes())
                .unwrap();
            files::write_atomically(&cache.notes_path(), foreign.as_bytes()).unwrap();
            assert_eq!(cache.load_session().unwrap(), Session::default(), "{foreign}");
            assert_eq!(cache.load_notes(), ProfileNotes::default(), "{foreign}");
        }
    }
}
