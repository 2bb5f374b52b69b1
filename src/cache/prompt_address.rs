//! The local address at which the user can finish a sign-in that another process has started.
//!
//! The process that prompts puts the address into the holder's note beside its lock, and waiting processes show it. Any
//! process of the user can write that file, so the address is sealed, and checked again after it is opened. A device
//! code is never put there: an attacker could plant one, and the user would approve the attacker's sign-in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cache, LockedSignIn};
use crate::{
    files,
    lock::{self, LockHolder},
    oidc::callback::is_start_address,
    time::Timestamp,
};

/// No sign-in waits longer than this for the user, so an older note is a copy that was put back (a replay).
const MAX_PROMPT_AGE: Duration = Duration::from_secs(15 * 60);

/// The sealed part of the note. It repeats the process number and the time of the plain part, so that an attacker
/// cannot combine a sealed address with another note.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct SealedPromptAddress {
    pid: u32,
    since: Timestamp,
    address: String,
}

impl LockedSignIn<'_> {
    /// Reports to waiting processes that this one waits for the user. `address` is the local address to open, or `None`
    /// if only this process's own caller may show where to act (a device code).
    pub fn announce_prompt(&self, now: Timestamp, address: Option<&str>) -> Result<(), files::Error> {
        let holder = LockHolder::for_this_process(now);
        let sealed_address = address.and_then(|address| {
            let invitation = SealedPromptAddress { pid: holder.pid, since: now, address: address.to_owned() };
            let plain = serde_json::to_vec(&invitation).expect("numbers and a text always serialise");
            self.folder.store.seal_note(&self.sign_in_name(lock::HOLDER_EXTENSION), &plain)
        });
        self.record.lock.write_holder(&LockHolder { is_prompting: true, sealed_address, ..holder })
    }
}

impl Cache {
    /// The address in a holder's note. `None` unless this program sealed it for this very process and time, it is not
    /// too old, and it has the form of a local sign-in address. It never prompts the user to unlock the keyring.
    pub fn open_prompt_address(&self, holder: &LockHolder, now: Timestamp) -> Option<String> {
        let sealed = holder.sealed_address.clone()?;
        let plain = self.folder.store.open_note(&self.sign_in_name(lock::HOLDER_EXTENSION), sealed)?;
        let SealedPromptAddress { pid, since, address } = serde_json::from_slice(&plain).ok()?;
        let is_current = since <= now && now.duration_since(since) < MAX_PROMPT_AGE;
        let is_the_holders = (pid, since) == (holder.pid, holder.since);
        (is_current && is_the_holders && is_start_address(&address)).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::store;

    const NOW: Timestamp = Timestamp::from_unix(1_000_000);
    const ADDRESS: &str = "http://127.0.0.1:4711/abcdefgh";

    /// A folder, a cache in it, and the holder's note that the cache wrote for this address.
    fn announced(key: &str, address: Option<&str>) -> (tempfile::TempDir, Cache, LockHolder) {
        let folder = tempfile::tempdir().unwrap();
        let cache = testing::file_cache(folder.path(), key);
        let locked = cache.try_lock_sign_in().unwrap().expect("free");
        locked.store_sign_in(&super::super::SignInRecord::default()).unwrap();
        locked.announce_prompt(NOW, address).unwrap();
        let note = lock::read_holder(&cache.sign_in_lock_path()).unwrap();
        drop(locked);
        (folder, cache, note)
    }

    #[test]
    fn the_prompt_address_of_our_own_note_is_shown() {
        let (_folder, cache, note) = announced("mine", Some(ADDRESS));
        assert!(note.is_prompting);
        assert_eq!(cache.open_prompt_address(&note, NOW).as_deref(), Some(ADDRESS));
    }

    #[test]
    fn a_changed_or_replayed_note_shows_no_address() {
        let (_folder, cache, note) = announced("mine", Some(ADDRESS));
        let shown = |note: &LockHolder, now| cache.open_prompt_address(note, now);
        assert_eq!(shown(&note, NOW.saturating_add(MAX_PROMPT_AGE)), None, "too old");
        assert_eq!(shown(&note, Timestamp::from_unix(NOW.unix_seconds() - 1)), None, "from the future");
        assert_eq!(shown(&LockHolder { pid: note.pid + 1, ..note.clone() }, NOW), None, "another process");
        assert_eq!(shown(&LockHolder { since: NOW.saturating_add(MAX_PROMPT_AGE), ..note.clone() }, NOW), None);
        let mut sealed = note.sealed_address.clone().unwrap();
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(shown(&LockHolder { sealed_address: Some(sealed), ..note }, NOW), None);
        let plain = Some(ADDRESS.as_bytes().to_vec());
        assert_eq!(shown(&LockHolder { sealed_address: plain, ..note }, NOW), None, "not sealed");
        let (_other, cache, _) = announced("mine", None);
        assert_eq!(cache.open_prompt_address(&note, NOW), None, "sealed with another key");
    }

    #[test]
    fn a_sealed_remote_address_is_not_shown() {
        let (_folder, cache, note) = announced("mine", Some("https://evil.example/abcdefgh"));
        assert_eq!(cache.open_prompt_address(&note, NOW), None);
    }

    #[test]
    fn a_null_store_announces_no_prompt_address() {
        let folder = tempfile::tempdir().unwrap();
        let cache = testing::cache(store::open_null_store(folder.path()), folder.path(), "mine");
        let locked = cache.try_lock_sign_in().unwrap().expect("free");
        locked.announce_prompt(NOW, Some(ADDRESS)).unwrap();
        let note = lock::read_holder(&cache.sign_in_lock_path()).unwrap();
        assert_eq!((note.is_prompting, note.sealed_address), (true, None));
    }
}
