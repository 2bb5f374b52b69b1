//! The behaviour that every store must have, as one test suite that runs against each of them.

use super::*;
use crate::{
    lock::{self, ExclusiveLock},
    time::Timestamp,
};

fn acquire_lock(folder: &Path) -> ExclusiveLock {
    lock::try_acquire(&folder.join("p.lock")).unwrap().expect("no other process uses the folder")
}

fn write_record(store: &SealedFiles, held: &ExclusiveLock, name: &str, plain: &[u8]) {
    store.write_record(held, name, Timestamp::from_unix(9), plain).unwrap();
}

/// Runs the suite. `is_persistent` is false for the null store.
fn check_contract(store: &SealedFiles, folder: &Path, is_persistent: bool) {
    let held = acquire_lock(folder);
    let read = |name: &str| store.read_record(name).unwrap().map(|plain| plain.to_vec());
    let stored = |plain: &[u8]| is_persistent.then(|| plain.to_vec());
    assert_eq!(read("p.session"), None, "absent is no error");
    write_record(store, &held, "p.session", b"one");
    write_record(store, &held, "p.provider", b"other");
    assert_eq!((read("p.session"), read("p.provider")), (stored(b"one"), stored(b"other")));
    write_record(store, &held, "p.session", b"");
    assert_eq!(read("p.session"), stored(b""), "a shorter record replaces a longer one completely");
    for length in [20_000, 60_000, 1 << 20] {
        let large = vec![7; length];
        write_record(store, &held, "p.session", &large);
        assert_eq!(read("p.session"), stored(&large), "{length} bytes");
    }
    store.remove_record(&held, "p.session").unwrap();
    store.remove_record(&held, "p.session").unwrap();
    assert_eq!((read("p.session"), read("p.provider")), (None, stored(b"other")), "only one record is removed");
    store.remove_unused_key().unwrap();
    assert_eq!(read("p.provider"), stored(b"other"), "a key that a record needs stays");
    store.remove_record(&held, "p.provider").unwrap();
    store.remove_unused_key().unwrap();
    store.remove_unused_key().unwrap();
    write_record(store, &held, "p.provider", b"new");
    assert_eq!(read("p.provider"), stored(b"new"), "a new key is created after the last record was removed");
}

#[test]
fn the_file_store_meets_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    check_contract(&open_file_store(folder.path()), folder.path(), true);
}

/// It fails without the variable, which only `tests/keyring/run` sets: a developer who runs all ignored tests must not
/// lose a real sealing key.
#[test]
#[ignore = "needs a separate keyring, see tests/keyring/run"]
fn the_keyring_store_meets_the_contract() {
    use crate::host::Environment;
    assert!(Environment::Process.var_os("BEDROCK_SSO_TEST_KEYRING").is_some(), "run tests/keyring/run");
    let folder = tempfile::tempdir().unwrap();
    let store = open_keyring_store(folder.path(), UnlockPolicy::PromptUser);
    check_contract(&store, folder.path(), true);
    let held = acquire_lock(folder.path());
    store.remove_record(&held, "p.provider").unwrap();
    write_record(&store, &held, "p.session", b"one");
    assert!(!folder.path().join("key").exists(), "the key is in the keyring only");
    let moved = folder.path().join("moved");
    std::fs::rename(folder.path().join("p.session"), &moved).unwrap();
    store.remove_unused_key().unwrap();
    std::fs::rename(moved, folder.path().join("p.session")).unwrap();
    assert!(store.read_record("p.session").unwrap().is_none(), "its key was removed");
    store.check_writable(&held).unwrap();
    assert!(store.read_record("p.session").unwrap().is_none(), "the new key is a different one");
    write_record(&store, &held, "p.session", b"two");
    assert_eq!(store.read_record("p.session").unwrap().unwrap().as_slice(), b"two");
}

#[test]
fn the_null_store_meets_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    check_contract(&open_null_store(folder.path()), folder.path(), false);
}

#[test]
fn a_record_with_a_lost_key_is_absent_and_replaceable() {
    let folder = tempfile::tempdir().unwrap();
    let (store, held) = (open_file_store(folder.path()), acquire_lock(folder.path()));
    write_record(&store, &held, "p.session", b"one");
    std::fs::remove_file(folder.path().join("key")).unwrap();
    assert!(store.read_record("p.session").unwrap().is_none());
    write_record(&store, &held, "p.session", b"two");
    assert_eq!(store.read_record("p.session").unwrap().unwrap().as_slice(), b"two");
}

#[test]
fn an_unreadable_key_is_an_error_and_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, held) = (open_file_store(folder.path()), acquire_lock(folder.path()));
    write_record(&store, &held, "p.session", b"one");
    std::fs::rename(folder.path().join("key"), folder.path().join("moved")).unwrap();
    std::fs::create_dir(folder.path().join("key")).unwrap();
    assert!(matches!(store.read_record("p.session"), Err(Error::Files(_))));
    assert!(store.write_record(&held, "p.session", Timestamp::from_unix(9), b"two").is_err());
    std::fs::remove_dir(folder.path().join("key")).unwrap();
    std::fs::rename(folder.path().join("moved"), folder.path().join("key")).unwrap();
    assert_eq!(store.read_record("p.session").unwrap().unwrap().as_slice(), b"one");
}

#[test]
fn the_key_is_removed_with_the_last_record_it_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (store, held) = (open_file_store(folder.path()), acquire_lock(folder.path()));
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    write_record(&store, &held, "p.session", b"one");
    write_record(&store, &held, "p.provider", b"two");
    files::write_atomically(&folder.path().join("p.provider"), b"torn").unwrap();
    std::fs::copy(folder.path().join("p.session"), folder.path().join("copy")).unwrap();
    store.remove_unused_key().unwrap();
    assert!(folder.path().join("key").exists());
    store.remove_record(&held, "p.session").unwrap();
    store.remove_unused_key().unwrap();
    assert!(!folder.path().join("key").exists(), "neither a damaged record nor one under another name needs it");
    assert_eq!(names(), 4, "two locks, the damaged record and the copy");
    write_record(&store, &held, "p.json", b"three");
    std::fs::copy(folder.path().join("copy"), folder.path().join("p.session")).unwrap();
    assert!(store.read_record("p.session").unwrap().is_none(), "the new key is a different one");
}

#[test]
#[should_panic(expected = "only the holder of a record's own lock may change it")]
fn a_lock_does_not_allow_writing_another_record() {
    let folder = tempfile::tempdir().unwrap();
    let held = acquire_lock(folder.path());
    write_record(&open_file_store(folder.path()), &held, "q.session", b"theirs");
}

#[test]
fn a_sealing_key_in_use_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let manager = key::KeyManager::new(KeyLocation::File, folder.path());
    let (key, in_use) = manager.read_or_create().unwrap();
    open_file_store(folder.path()).remove_unused_key().unwrap();
    assert_eq!(manager.read_key().unwrap().as_ref(), Some(&key));
    drop(in_use);
    open_file_store(folder.path()).remove_unused_key().unwrap();
    assert!(manager.read_key().unwrap().is_none());
}

#[test]
fn concurrent_writers_create_one_sealing_key() {
    let folder = tempfile::tempdir().unwrap();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || {
                let held = lock::try_acquire(&folder.join(format!("{number}.lock"))).unwrap().expect("its own lock");
                write_record(&open_file_store(&folder), &held, &format!("{number}.session"), b"mine");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for number in 0..8 {
        assert!(
            open_file_store(folder.path()).read_record(&format!("{number}.session")).unwrap().is_some(),
            "{number}"
        );
    }
}
