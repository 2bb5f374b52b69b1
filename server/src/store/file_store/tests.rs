//! What only the store in a file promises: which files it opens, that a killed process loses nothing, and that the file does
//! not grow without end.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use redb::{Database, StorageBackend, backends::FileBackend};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{database::builder, tables::LAYOUT_VERSION, usage::MAX_IDS_FORGOTTEN_AT_ONCE, *};
use crate::{
    store::contract::{START, after, call, contract_tests, days_before, periods, person, usage},
    usage::Usage,
};

async fn open_new() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(&folder.path().join("usage.redb")).unwrap();
    (Arc::new(store), folder)
}

contract_tests!(open_new().await);

fn new_path() -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (folder.path().join("usage.redb"), folder)
}

fn open_error(path: &Path) -> StoreError {
    FileStore::open(path).map(|_| ()).unwrap_err()
}

fn assert_damaged(path: &Path, case: &str) {
    let error = open_error(path);
    assert!(matches!(error, StoreError::Damaged(_)), "{case}: {error:?}");
}

#[tokio::test]
async fn a_missing_file_is_created_for_its_owner_only() {
    let (path, folder) = new_path();
    drop(FileStore::open(&path).unwrap());
    let entries: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries, ["usage.redb"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let (path, _folder) = new_path();
    let store = FileStore::open(&path).unwrap();
    store.count(&[call("id", "alice", "opus", START, 3)]).await.unwrap();
    drop(store);
    let store = FileStore::open(&path).unwrap();
    let account = store.load_account(&person("alice"), &periods(START)).await.unwrap();
    assert_eq!(account.usage[2].total(), usage(3));
}

#[test]
fn a_missing_folder_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let error = open_error(&folder.path().join("absent/usage.redb"));
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!folder.path().join("absent").exists());
}

#[test]
fn a_file_without_a_store_is_damaged_and_not_replaced() {
    let (path, folder) = new_path();
    for content in [&b""[..], b"x", b"[limits]\n", &[0; 8192], &[255; 100_000]] {
        fs::write(&path, content).unwrap();
        assert_damaged(&path, &format!("{} bytes", content.len()));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    assert_damaged(folder.path(), "a folder");
}

#[tokio::test]
async fn a_truncated_file_is_damaged() {
    let (path, _folder) = new_path();
    let store = FileStore::open(&path).unwrap();
    let calls: Vec<_> = (0..2000).map(|number| call(&format!("id-{number}"), "alice", "opus", START, 1)).collect();
    store.count(&calls).await.unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let lengths = [1, 100, 4095, 4096, 8192, 65_536, whole.len() / 4, whole.len() / 2, whole.len() - 4096];
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        assert_damaged(&path, &format!("{length} of {} bytes", whole.len()));
    }
    fs::write(&path, whole).unwrap();
    FileStore::open(&path).unwrap();
}

#[tokio::test]
async fn a_changed_byte_is_found_or_harmless() {
    let (path, _folder) = new_path();
    let store = FileStore::open(&path).unwrap();
    let calls: Vec<_> = (0..500).map(|number| call(&format!("id-{number}"), "alice", "opus", START, 1)).collect();
    store.count(&calls).await.unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut found = 0;
    for place in (0..200).map(|step| step * (whole.len() / 200) + step) {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        fs::write(&path, changed).unwrap();
        match FileStore::open(&path) {
            // A page that is not in use, or the copy of a header.
            Ok(store) => {
                let account = store.load_account(&person("alice"), &periods(START)).await.unwrap();
                assert_eq!(account.usage[1].total(), usage(500), "byte {place}");
            }
            Err(StoreError::Damaged(_)) => found += 1,
            Err(error) => panic!("byte {place}: {error:?}"),
        }
    }
    assert!(found > 0);
}

#[test]
fn a_file_of_another_program_is_damaged() {
    let (path, _folder) = new_path();
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(BLOCKS).unwrap().insert("alice", "{}").unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_damaged(&path, "no layout");
}

#[test]
fn a_later_layout_is_named() {
    let (path, _folder) = new_path();
    drop(FileStore::open(&path).unwrap());
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(LAYOUT).unwrap().insert("version", LAYOUT_VERSION + 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open_error(&path);
    assert!(matches!(&error, StoreError::LaterVersion(text) if text.contains("layout 2")), "{error:?}");
}

#[test]
fn a_file_that_is_open_elsewhere_is_in_use() {
    let (path, _folder) = new_path();
    let (mut child, acknowledged) = start_counting_child(&path);
    acknowledged.take(1).for_each(drop);
    assert_eq!(open_error(&path), StoreError::InUse(display_path(&path)));
    child.kill().unwrap();
    child.wait().unwrap();
    let store = FileStore::open(&path).unwrap();
    assert_eq!(open_error(&path), StoreError::InUse(display_path(&path)));
    drop(store);
    FileStore::open(&path).unwrap();
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_damage() {
    let (path, _folder) = new_path();
    drop(FileStore::open(&path).unwrap());
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(BLOCKS).unwrap().insert("alice", "{}").unwrap();
    transaction.commit().unwrap();
    drop(database);
    let store = FileStore::open(&path).unwrap();
    let error = store.load_account(&person("alice"), &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    store.load_account(&person("bob"), &[]).await.unwrap();
}

#[tokio::test]
async fn a_failing_change_does_not_hinder_its_neighbours() {
    let (path, _folder) = new_path();
    let store = FileStore::open(&path).unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let (started, has_started) = mpsc::channel();
    // While the writer is in this change, the others queue up and become one group.
    // It may belong to that group itself, and runs again then, without waiting.
    let blocking = store.write(move |_| {
        started.send(()).ok();
        blocked.lock().unwrap().recv().ok();
        Ok(())
    });
    let failing = store.write(|transaction| {
        transaction.open_table(NOTICES)?.insert("of the failing change", 1)?;
        Err::<(), _>(RedbError::Corrupted("on purpose".to_owned()))
    });
    let panicking = store.write(|_| -> RedbResult<()> { panic!("on purpose") });
    let calls = [call("id", "alice", "opus", START, 1)];
    let good = store.count(&calls);
    let release = async move {
        has_started.recv().unwrap();
        release.send(()).unwrap();
    };
    // `join!` polls in this order, so everything is in the queue before the writer goes on.
    let (blocking, failing, panicking, good, ()) = tokio::join!(blocking, failing, panicking, good, release);
    blocking.unwrap();
    assert!(matches!(failing, Err(StoreError::Damaged(_))), "{failing:?}");
    assert!(matches!(panicking, Err(StoreError::Damaged(_))), "{panicking:?}");
    assert_eq!(good.unwrap(), [CountOutcome::Counted]);
    assert!(store.claim_notice("of the failing change", START).await.unwrap());
}

/// The file of a test on a disk that fails while `broken` is set.
#[derive(Debug)]
struct FailingDisk {
    file: FileBackend,
    broken: Arc<AtomicBool>,
}

impl FailingDisk {
    fn check(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }
}

#[tokio::test]
async fn a_disk_that_was_full_is_written_again() {
    let (path, _folder) = new_path();
    drop(FileStore::open(&path).unwrap());
    let broken = Arc::new(AtomicBool::new(false));
    let opener: Opener = Box::new({
        let broken = Arc::clone(&broken);
        move |path| {
            let file = FileBackend::new(OpenOptions::new().read(true).write(true).open(path)?)?;
            Ok(builder().create_with_backend(FailingDisk { file, broken: Arc::clone(&broken) })?)
        }
    });
    let store = FileStore::open_with(&path, opener).unwrap();
    let calls: Vec<_> = (0..3).map(|number| call(&format!("{number}"), "alice", "opus", START, 1)).collect();
    store.count(&calls[..1]).await.unwrap();
    broken.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let error = store.count(&calls[..2]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    broken.store(false, Ordering::SeqCst);
    store.check().await.unwrap();
    let account = store.load_account(&person("alice"), &periods(START)).await.unwrap();
    let used = account.usage[0].total();
    // The write that failed may have reached the disk.
    assert!(used == usage(1) || used == usage(2), "{used:?}");
    store.count(&calls).await.unwrap();
    let account = store.load_account(&person("alice"), &periods(START)).await.unwrap();
    assert_eq!(account.usage[0].total(), usage(3));
}

#[tokio::test]
async fn what_has_expired_is_forgotten() {
    let (path, _folder) = new_path();
    let store = FileStore::open(&path).unwrap();
    let old = days_before(80);
    let young = call("young", "alice", "opus", START, 1);
    // More than one transaction forgets.
    let expired: Vec<_> = (0..MAX_IDS_FORGOTTEN_AT_ONCE + 10)
        .map(|number| call(&format!("old-{number}"), "alice", "opus", old, 1))
        .collect();
    for batch in expired.chunks(MAX_IDS_FORGOTTEN_AT_ONCE) {
        store.count(batch).await.unwrap();
    }
    store.count(std::slice::from_ref(&young)).await.unwrap();
    assert!(store.claim_notice("old", START).await.unwrap());
    store.remove_expired(START).await.unwrap();
    let used = store.load_account(&person("alice"), &periods(old)).await.unwrap().usage;
    let month = usage(expired.len().try_into().unwrap());
    assert_eq!([used[0].total(), used[1].total(), used[2].total()], [Usage::default(), Usage::default(), month]);
    assert!(store.claim_notice("old", START).await.unwrap());
    let ids = [expired[0].clone(), expired[expired.len() - 1].clone(), young];
    use CountOutcome::{Counted, Repeated};
    assert_eq!(store.count(&ids).await.unwrap(), [Counted, Counted, Repeated]);
}

#[tokio::test]
async fn hours_go_after_days_and_days_after_months() {
    let (path, _folder) = new_path();
    let store = FileStore::open(&path).unwrap();
    let ages = [0, 2, 3, 5, 60, 70, 72];
    let calls: Vec<_> =
        ages.iter().map(|days| call(&format!("{days}"), "alice", "opus", days_before(*days), 1)).collect();
    store.count(&calls).await.unwrap();
    store.remove_expired(START).await.unwrap();
    let mut stored = Vec::new();
    for days in ages {
        let used = store.load_account(&person("alice"), &periods(days_before(days))).await.unwrap().usage;
        stored.push((days, !used[0].0.is_empty(), !used[1].0.is_empty()));
    }
    let expected = [(0, true, true), (2, true, true), (3, true, true), (5, false, true), (60, false, true)];
    assert_eq!(stored[..5], expected);
    assert_eq!(stored[5..], [(70, false, true), (72, false, false)]);
}

// A process that is killed

const BATCH: usize = 10;

fn numbered_batch(number: usize) -> Vec<CountedCall> {
    let calls = number * BATCH..(number + 1) * BATCH;
    calls.map(|call_number| call(&format!("id-{call_number}"), "alice", "opus", START, 1)).collect()
}

/// Starts this test program as a process that counts until it is killed. Returns the numbers of the batches that the store
/// has acknowledged.
#[expect(clippy::disallowed_methods, reason = "the child is this test program, and inherits nothing secret")]
fn start_counting_child(path: &Path) -> (Child, impl Iterator<Item = usize> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "store::file_store::tests::count_until_killed"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", path.display()).unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let numbers = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
    (child, numbers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of `kill_9_loses_nothing_and_counts_nothing_twice`; without a path on its stdin it does nothing"]
async fn count_until_killed() {
    let mut path = String::new();
    io::stdin().read_line(&mut path).unwrap();
    if path.is_empty() {
        return;
    }
    let store = Arc::new(FileStore::open(Path::new(path.trim_end())).unwrap());
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for number in (writer..).step_by(4) {
                store.count(&numbered_batch(number)).await.unwrap();
                writeln!(io::stdout(), "acknowledged {number}").unwrap();
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_and_counts_nothing_twice() {
    for wanted in [1, 7, 40, 150] {
        let (path, _folder) = new_path();
        let (mut child, acknowledged) = start_counting_child(&path);
        let mut acknowledged = acknowledged.peekable();
        let mut numbers: Vec<usize> = acknowledged.by_ref().take(wanted).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still written to its stdout.
        numbers.extend(acknowledged);
        assert!(numbers.len() >= wanted);
        let last = numbers.iter().max().unwrap() + 20;
        let store = FileStore::open(&path).unwrap();
        for number in 0..=last {
            let outcomes = store.count(&numbered_batch(number)).await.unwrap();
            if numbers.contains(&number) {
                assert_eq!(outcomes, [CountOutcome::Repeated; BATCH], "batch {number} was lost");
            }
            // A batch is in one transaction.
            assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "batch {number}: {outcomes:?}");
        }
        let account = store.load_account(&person("alice"), &periods(START)).await.unwrap();
        let expected = usage(((last + 1) * BATCH).try_into().unwrap());
        assert_eq!(account.usage.iter().map(ModelUsage::total).collect::<Vec<_>>(), [expected; 3]);
    }
}

// Measurements

/// Single records of 16 senders, as requests contain them, and questions beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, with --nocapture and optimization"]
async fn throughput_and_latency() {
    let (path, _folder) = new_path();
    let store = Arc::new(FileStore::open(&path).unwrap());
    for (senders, batch) in [(16, 1), (64, 1), (16, 25), (4, 250)] {
        let mut writers = JoinSet::new();
        let begin = Instant::now();
        let total = 20_000 / senders;
        for sender in 0..senders {
            let store = Arc::clone(&store);
            let calls: Vec<_> = (0..total)
                .map(|number| {
                    let id = format!("{batch}-{senders}-{sender}-{number}-6b1f3a52-0c1d-4b7e-9a55-7d2c1f0e9b11");
                    let name = format!("person-{}@example.com", (number * 7 + sender) % 500);
                    call(&id, &name, "eu.anthropic.claude-opus-5", after(number as u64 / 10), 1)
                })
                .collect();
            writers.spawn(async move {
                for calls in calls.chunks(batch) {
                    store.count(calls).await.unwrap();
                }
            });
        }
        let reader = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                let mut times = Vec::new();
                let mut clock = tokio::time::interval(Duration::from_millis(5));
                for number in 0.. {
                    clock.tick().await;
                    if writers.try_join_next().is_some() && writers.is_empty() {
                        break;
                    }
                    let begin = Instant::now();
                    let name = person(&format!("person-{}@example.com", number % 500));
                    store.load_account(&name, &periods(START)).await.unwrap();
                    times.push(begin.elapsed());
                }
                times.sort();
                times
            }
        });
        let times = reader.await.unwrap();
        let rate = 20_000.0 / begin.elapsed().as_secs_f64();
        let p99 = times[times.len() * 99 / 100];
        println!(
            "{senders} senders, batches of {batch}: {rate:.0} records/s; {} questions, p99 {p99:?}, longest {:?}",
            times.len(),
            times[times.len() - 1]
        );
    }
}

/// A million records of 40 days, in the order of time, with the hourly cleaning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, with --nocapture and optimization"]
async fn file_and_memory_stay_flat() {
    let (path, _folder) = new_path();
    let store = FileStore::open(&path).unwrap();
    let id = |number: u64| format!("{number:08x}-0c1d-4b7e-9a55-7d2c1f0e9b11");
    for part in 0..40 {
        for batch in 0..50 {
            let first = (part * 50 + batch) * 500;
            let calls: Vec<_> = (first..first + 500)
                .map(|number| CountedCall {
                    remember_until: after(number / 2 + 100_000),
                    ..call(&id(number), &format!("person-{}", number % 300), "opus", after(number / 2), 1)
                })
                .collect();
            store.count(&calls).await.unwrap();
        }
        store.remove_expired(after(part * 12_500)).await.unwrap();
        let memory = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = memory.split(' ').nth(1).unwrap().parse().unwrap();
        let bytes = fs::metadata(&path).unwrap().len();
        println!("{} records: file {} MiB, memory {} MiB", (part + 1) * 25_000, bytes >> 20, (pages * 4) >> 10);
    }
    drop(store);
    let begin = Instant::now();
    FileStore::open(&path).unwrap();
    println!("opened again in {:?}", begin.elapsed());
}
