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
    assert_eq!(read("a.session"), None, "absent is no error");
    write(store, &held, "a.session", b"one");
    write(store, &held, "b.session", b"other");
    assert_eq!((read("a.session"), read("b.session")), (kept(b"one"), kept(b"other")));
    write(store, &held, "a.session", b"");
    assert_eq!(read("a.session"), kept(b""), "a shorter record leaves no tail");
    let large = vec![7; 60_000];
    write(store, &held, "a.session", &large);
    assert_eq!(read("a.session"), kept(&large));
    store.remove(&held, "a.session").unwrap();
    store.remove(&held, "a.session").unwrap();
    assert_eq!((read("a.session"), read("b.session")), (None, kept(b"other")), "only the one is forgotten");
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
    let store = sealed_by_keyring(folder.path());
    store.forget_key().unwrap();
    obeys_the_contract(&store, folder.path(), true);
    let held = held(folder.path());
    store.prepare(&held).unwrap();
    write(&store, &held, "a.session", b"one");
    store.forget_key().unwrap();
    store.forget_key().unwrap();
    assert!(store.read("a.session").unwrap().is_none(), "its key is gone");
    write(&store, &held, "a.session", b"two");
    assert_eq!(store.read("a.session").unwrap().unwrap().as_slice(), b"two");
    assert!(!folder.path().join("key").exists(), "no second keeper");
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
    write(&store, &held, "a.session", b"one");
    std::fs::remove_file(folder.path().join("key")).unwrap();
    assert!(store.read("a.session").unwrap().is_none());
    write(&store, &held, "a.session", b"two");
    assert_eq!(store.read("a.session").unwrap().unwrap().as_slice(), b"two");
}

#[test]
fn a_key_that_cannot_be_read_is_an_error_and_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, held) = (sealed_files(folder.path()), held(folder.path()));
    write(&store, &held, "a.session", b"one");
    std::fs::rename(folder.path().join("key"), folder.path().join("kept")).unwrap();
    std::fs::create_dir(folder.path().join("key")).unwrap();
    assert!(matches!(store.read("a.session"), Err(Error::Files(_))));
    assert!(store.write(&held, "a.session", Moment::from_unix(9), b"two").is_err());
    std::fs::remove_dir(folder.path().join("key")).unwrap();
    std::fs::rename(folder.path().join("kept"), folder.path().join("key")).unwrap();
    assert_eq!(store.read("a.session").unwrap().unwrap().as_slice(), b"one");
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
