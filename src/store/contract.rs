//! What every store must do, run against each of them.

use super::*;
use crate::lock;

fn held(folder: &Path) -> Held {
    lock::try_take(&folder.join("p.lock")).unwrap().expect("nobody else is here")
}

fn write(store: &dyn Store, held: &Held, name: &str, plain: &[u8]) {
    store.write(held, name, Moment::from_unix(9), plain).unwrap();
}

/// The suite. `keeps` is false for the store that forgets by design.
fn obeys_the_contract(store: &dyn Store, folder: &Path, keeps: bool) {
    let held = held(folder);
    let read = |name: &str| store.read(name).unwrap().map(|plain| plain.to_vec());
    let kept = |plain: &[u8]| keeps.then(|| plain.to_vec());
    assert_eq!(read("p.session"), None, "absent is no error");
    write(store, &held, "p.session", b"one");
    write(store, &held, "p.provider", b"other");
    assert_eq!((read("p.session"), read("p.provider")), (kept(b"one"), kept(b"other")));
    write(store, &held, "p.session", b"");
    assert_eq!(read("p.session"), kept(b""), "a shorter record leaves no tail");
    for length in [20_000, 60_000, 1 << 20] {
        let large = vec![7; length];
        write(store, &held, "p.session", &large);
        assert_eq!(read("p.session"), kept(&large), "{length} bytes");
    }
    store.remove(&held, "p.session").unwrap();
    store.remove(&held, "p.session").unwrap();
    assert_eq!((read("p.session"), read("p.provider")), (None, kept(b"other")), "only the one is forgotten");
    store.forget_key().unwrap();
    assert_eq!(read("p.provider"), kept(b"other"), "a key that is needed stays");
    store.remove(&held, "p.provider").unwrap();
    store.forget_key().unwrap();
    store.forget_key().unwrap();
    write(store, &held, "p.provider", b"anew");
    assert_eq!(read("p.provider"), kept(b"anew"), "and is made again after the last record");
}

#[test]
fn sealed_files_obey_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    obeys_the_contract(&sealed_files(folder.path()), folder.path(), true);
}

/// Whoever runs ignored tests at a desk must not lose a real key: only `tests/keyring/run` sets the variable.
#[test]
#[ignore = "wants a keyring of its own: tests/keyring/run"]
fn files_sealed_by_the_keyring_obey_the_contract() {
    use crate::host::Environment;
    assert!(Environment::Process.os("BEDROCK_SSO_TEST_KEYRING").is_some(), "run tests/keyring/run");
    let folder = tempfile::tempdir().unwrap();
    let store = sealed_by_keyring(folder.path(), WhenLocked::AskThePerson);
    obeys_the_contract(&store, folder.path(), true);
    let held = held(folder.path());
    store.remove(&held, "p.provider").unwrap();
    write(&store, &held, "p.session", b"one");
    assert!(!folder.path().join("key").exists(), "no second keeper");
    let kept = folder.path().join("kept");
    std::fs::rename(folder.path().join("p.session"), &kept).unwrap();
    store.forget_key().unwrap();
    std::fs::rename(kept, folder.path().join("p.session")).unwrap();
    assert!(store.read("p.session").unwrap().is_none(), "its key is gone");
    store.prepare(&held).unwrap();
    assert!(store.read("p.session").unwrap().is_none(), "the new key is another");
    write(&store, &held, "p.session", b"two");
    assert_eq!(store.read("p.session").unwrap().unwrap().as_slice(), b"two");
}

#[test]
fn nothing_obeys_the_contract_by_forgetting() {
    let folder = tempfile::tempdir().unwrap();
    obeys_the_contract(&Nothing, folder.path(), false);
}

#[test]
fn a_record_whose_key_is_gone_is_absent_and_can_be_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, held) = (sealed_files(folder.path()), held(folder.path()));
    write(&store, &held, "p.session", b"one");
    std::fs::remove_file(folder.path().join("key")).unwrap();
    assert!(store.read("p.session").unwrap().is_none());
    write(&store, &held, "p.session", b"two");
    assert_eq!(store.read("p.session").unwrap().unwrap().as_slice(), b"two");
}

#[test]
fn a_key_that_cannot_be_read_is_an_error_and_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, held) = (sealed_files(folder.path()), held(folder.path()));
    write(&store, &held, "p.session", b"one");
    std::fs::rename(folder.path().join("key"), folder.path().join("kept")).unwrap();
    std::fs::create_dir(folder.path().join("key")).unwrap();
    assert!(matches!(store.read("p.session"), Err(Error::Files(_))));
    assert!(store.write(&held, "p.session", Moment::from_unix(9), b"two").is_err());
    std::fs::remove_dir(folder.path().join("key")).unwrap();
    std::fs::rename(folder.path().join("kept"), folder.path().join("key")).unwrap();
    assert_eq!(store.read("p.session").unwrap().unwrap().as_slice(), b"one");
}

#[test]
fn the_key_goes_with_the_last_record_that_it_opens() {
    let folder = tempfile::tempdir().unwrap();
    let (store, held) = (sealed_files(folder.path()), held(folder.path()));
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    write(&store, &held, "p.session", b"one");
    write(&store, &held, "p.provider", b"two");
    files::replace(&folder.path().join("p.provider"), b"torn").unwrap();
    std::fs::copy(folder.path().join("p.session"), folder.path().join("copy")).unwrap();
    store.forget_key().unwrap();
    assert!(folder.path().join("key").exists());
    store.remove(&held, "p.session").unwrap();
    store.forget_key().unwrap();
    assert!(
        !folder.path().join("key").exists(),
        "neither a torn record nor one under a foreign name needs it"
    );
    assert_eq!(names(), 4, "two locks, the torn record and the copy");
    write(&store, &held, "p.json", b"three");
    std::fs::copy(folder.path().join("copy"), folder.path().join("p.session")).unwrap();
    assert!(store.read("p.session").unwrap().is_none(), "the new key is another");
}

#[test]
#[should_panic(expected = "whoever holds its own lock")]
fn a_lock_of_one_profile_writes_no_record_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let held = held(folder.path());
    write(&sealed_files(folder.path()), &held, "q.session", b"theirs");
}

#[test]
fn a_key_in_use_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = key::KeptKey::new(Keeper::File, folder.path());
    let in_use = keeper.read_or_make().unwrap();
    sealed_files(folder.path()).forget_key().unwrap();
    assert_eq!(keeper.read().unwrap().as_ref(), Some(&*in_use));
    drop(in_use);
    sealed_files(folder.path()).forget_key().unwrap();
    assert!(keeper.read().unwrap().is_none());
}

#[test]
fn two_profiles_that_make_the_key_at_once_share_one() {
    let folder = tempfile::tempdir().unwrap();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || {
                let held =
                    lock::try_take(&folder.join(format!("{number}.lock"))).unwrap().expect("its own lock");
                write(&sealed_files(&folder), &held, &format!("{number}.session"), b"mine");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for number in 0..8 {
        assert!(
            sealed_files(folder.path()).read(&format!("{number}.session")).unwrap().is_some(),
            "{number}"
        );
    }
}
