//! A store in one file, for a server on one machine: redb, which has transactions, and is written without C.
//!
//! One thread writes. While it commits, further writes queue up, and it commits all of them together: a commit waits for
//! the disk, so one for each call would be too slow. Reads see the last commit and never wait for the writer.
//!
//! The file contains these tables. Entries that administrators set are JSON, so that a later version can add fields.
//!
//! | Table | Key | Value |
//! |---|---|---|
//! | `layout` | `version` | the version of this list |
//! | `usage_hours`, `usage_days`, `usage_months` | period, person, account and model | input, output, cache read, cache write, micro-dollars |
//! | `request_ids` | request id | nothing |
//! | `request_ids_by_expiry` | hour in which they expire, number | request ids |
//! | `people` | person | `PersonRecord` |
//! | `limits` | scope, group or person, the limit's key | `Limit` |
//! | `grants` | person, `Grant` | nothing |
//! | `blocks` | person | `Block` |
//! | `notices` | name | when it expires |
//! | `over_limit` | person | when the mark ends, its stamp |
//! | `leases` | name | the holder, when it ends |
//! | `faults` | kind, reason or model | how many |

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, OpenOptions},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use bedrock_sso::{host, text::display_path, time::Timestamp};
use redb::{
    Builder, Database, Error as RedbError, ReadTransaction, ReadableDatabase as _, ReadableTable, TableDefinition,
    WriteTransaction, backends::FileBackend,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use super::{
    Account, CountOutcome, CountedCall, Faults, OverLimitMark, PersonRecord, Store, StoreError, StoreResult,
    oldest_day_to_store, oldest_hour_to_store,
};
use crate::{
    calendar::{Period, PeriodKey},
    limits::{Block, Grant, Limit, LimitKey, Scope},
    person::Person,
    usage::{AccountModel, MicroUsd, ModelUsage, TokenCounts, Usage},
};

/// A program refuses a file of a version that it does not know. A change of the tables raises it.
const LAYOUT_VERSION: u64 = 1;
const LAYOUT: TableDefinition<&str, u64> = TableDefinition::new("layout");

type UsageKey = (&'static str, &'static str, &'static str);
type UsageRow = (u64, u64, u64, u64, u64);
const USAGE_HOURS: TableDefinition<UsageKey, UsageRow> = TableDefinition::new("usage_hours");
const USAGE_DAYS: TableDefinition<UsageKey, UsageRow> = TableDefinition::new("usage_days");
const USAGE_MONTHS: TableDefinition<UsageKey, UsageRow> = TableDefinition::new("usage_months");

const REQUEST_IDS: TableDefinition<&str, ()> = TableDefinition::new("request_ids");
/// One entry for each transaction and hour instead of one for each id, which would double the work of counting.
const REQUEST_IDS_BY_EXPIRY: TableDefinition<(i64, u64), Vec<&str>> = TableDefinition::new("request_ids_by_expiry");

const PEOPLE: TableDefinition<&str, &str> = TableDefinition::new("people");
const LIMITS: TableDefinition<(&str, &str, &str), &str> = TableDefinition::new("limits");
const GRANTS: TableDefinition<(&str, &str), ()> = TableDefinition::new("grants");
const BLOCKS: TableDefinition<&str, &str> = TableDefinition::new("blocks");
const NOTICES: TableDefinition<&str, i64> = TableDefinition::new("notices");
const OVER_LIMIT: TableDefinition<&str, (i64, u64)> = TableDefinition::new("over_limit");
const LEASES: TableDefinition<&str, (&str, i64)> = TableDefinition::new("leases");

const FAULTS: TableDefinition<(&str, &str), u64> = TableDefinition::new("faults");

/// The pages that redb holds in memory. Its default of 1 GiB would let the server grow with the file.
const CACHE_BYTES: usize = 64 << 20;
/// How many writes share a commit at most, so that the first of them does not wait for long.
const MAX_WRITES_PER_COMMIT: usize = 512;
/// How many request ids one transaction forgets, so that calls are counted in between.
const MAX_IDS_FORGOTTEN_AT_ONCE: usize = 20_000;

type RedbResult<T> = Result<T, RedbError>;

/// The open file. No other process can open it until this value is dropped.
pub struct FileStore {
    file: Arc<OpenFile>,
    /// `None` only while the value is dropped.
    queue: Option<mpsc::Sender<Box<dyn PendingWrite>>>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.file.path).finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens the file, and creates it if it is missing. Its folder must exist. The whole file is read, to find damage
    /// before a wrong sum decides something; so call this where blocking does no harm.
    pub fn open(path: &Path) -> StoreResult<Self> {
        Self::open_with(path, Box::new(open_existing))
    }

    fn open_with(path: &Path, open_existing: Opener) -> StoreResult<Self> {
        let describe = |error| to_store_error(path, error);
        let database = match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(StoreError::Damaged(format!("{} is not a file", display_path(path))));
            }
            Ok(_) => open_existing(path).map_err(describe)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match create(path).map_err(describe)? {
                Creation::Created(database) => database,
                // Another process was faster.
                Creation::Exists => open_existing(path).map_err(describe)?,
            },
            Err(error) => return Err(describe(error.into())),
        };
        check_layout(path, &database)?;
        let opened = Opened { database: Some(database), generation: 0 };
        let file = Arc::new(OpenFile { path: path.to_owned(), open_existing, opened: RwLock::new(opened) });
        let (queue, writes) = mpsc::channel();
        let writer = thread::Builder::new().name("store-writer".to_owned()).spawn({
            let file = Arc::clone(&file);
            move || run_writer(&file, &writes)
        });
        let writer = writer.map_err(|error| describe(error.into()))?;
        Ok(Self { file, queue: Some(queue), writer: Some(writer) })
    }

    /// Runs this in one read transaction, on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&ReadTransaction) -> RedbResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || file.run(|database| work(&database.begin_read()?)))
            .await
            .map_err(|panic| StoreError::Damaged(format!("{}: {panic}", display_path(&self.file.path))))?
            .map_err(|error| to_store_error(&self.file.path, error))
    }

    /// Hands the change to the writer, and waits until it is on the disk. The change may run twice, each time in a new
    /// transaction.
    async fn write<T: Send + 'static>(
        &self,
        change: impl Fn(&WriteTransaction) -> RedbResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (answer, committed) = oneshot::channel();
        let write = Box::new(QueuedChange { change, value: None, answer });
        let queue = self.queue.as_ref().ok_or_else(|| self.writer_has_stopped())?;
        queue.send(write).map_err(|_| self.writer_has_stopped())?;
        committed.await.map_err(|_| self.writer_has_stopped())?
    }

    fn writer_has_stopped(&self) -> StoreError {
        StoreError::Unavailable(format!("nothing writes to {} any more", display_path(&self.file.path)))
    }
}

impl Drop for FileStore {
    /// Waits for the writes in the queue and closes the file, so that the next process can open it.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has been reported to those who waited for it.
            let _ = writer.join();
        }
    }
}

type Opener = Box<dyn Fn(&Path) -> RedbResult<Database> + Send + Sync>;

struct OpenFile {
    path: PathBuf,
    /// Tests put a disk with errors into its place.
    open_existing: Opener,
    opened: RwLock<Opened>,
}

struct Opened {
    /// `None` if the file could not be opened again.
    database: Option<Database>,
    /// How often the file was opened again.
    generation: u64,
}

impl OpenFile {
    /// Runs this on the database. After an error of the disk, such as a full one, redb does nothing until the file is
    /// opened again. So this opens it again and repeats the work, once.
    fn run<T>(&self, mut work: impl FnMut(&Database) -> RedbResult<T>) -> RedbResult<T> {
        let failed = {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            let result = opened.database.as_ref().map_or(Err(RedbError::PreviousIo), &mut work);
            match result {
                Err(RedbError::PreviousIo) => opened.generation,
                settled => return settled,
            }
        };
        self.open_again(failed)?;
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.database.as_ref().map_or(Err(RedbError::PreviousIo), work)
    }

    fn open_again(&self, failed: u64) -> RedbResult<()> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if opened.generation != failed {
            // Another thread was here first.
            return Ok(());
        }
        // redb's lock on the file must go first.
        opened.database = None;
        opened.database = Some((self.open_existing)(&self.path)?);
        opened.generation += 1;
        Ok(())
    }
}

enum Creation {
    Created(Database),
    Exists,
}

/// Creates the file under another name and links it into place when it is complete. A crash in between leaves no file
/// that looks damaged.
fn create(path: &Path) -> RedbResult<Creation> {
    let mut random = [0; 8];
    host::fill_random(&mut random);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{:016x}", u64::from_ne_bytes(random)));
    let draft = path.with_file_name(name);
    let created = fill_draft(&draft).and_then(|database| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(Creation::Created(database)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Creation::Exists),
        Err(error) => Err(error.into()),
    });
    // The draft's name is of no use, whether or not the file exists now under its own.
    let _ = fs::remove_file(&draft);
    let created = created?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        // Otherwise a power failure could take back the file's name, and with it what has been counted.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(created)
}

fn fill_draft(draft: &Path) -> RedbResult<Database> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let database = builder().create_with_backend(FileBackend::new(options.open(draft)?)?)?;
    let transaction = database.begin_write()?;
    transaction.open_table(LAYOUT)?.insert("version", LAYOUT_VERSION)?;
    create_tables(&transaction)?;
    transaction.commit()?;
    Ok(database)
}

fn create_tables(transaction: &WriteTransaction) -> RedbResult<()> {
    for period in Period::ALL {
        transaction.open_table(usage_table(period))?;
    }
    transaction.open_table(REQUEST_IDS)?;
    transaction.open_table(REQUEST_IDS_BY_EXPIRY)?;
    transaction.open_table(PEOPLE)?;
    transaction.open_table(LIMITS)?;
    transaction.open_table(GRANTS)?;
    transaction.open_table(BLOCKS)?;
    transaction.open_table(NOTICES)?;
    transaction.open_table(OVER_LIMIT)?;
    transaction.open_table(LEASES)?;
    transaction.open_table(FAULTS)?;
    Ok(())
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn open_existing(path: &Path) -> RedbResult<Database> {
    // Without the check, redb trusts a file that was closed in order, and panics later where it is damaged.
    Ok(builder().set_check_integrity_on_open(true).open(path)?)
}

fn check_layout(path: &Path, database: &Database) -> StoreResult<()> {
    match read_layout(database) {
        Ok(LAYOUT_VERSION) => add_tables(database).map_err(|error| to_store_error(path, error)),
        Ok(version) => Err(StoreError::LaterVersion(format!(
            "{} has layout {version}, and this program knows layout {LAYOUT_VERSION}",
            display_path(path)
        ))),
        Err(RedbError::TableDoesNotExist(_)) => {
            Err(StoreError::Damaged(format!("another program has written {}", display_path(path))))
        }
        Err(error) => Err(to_store_error(path, error)),
    }
}

/// Creates the tables that an earlier program of the same layout did not have.
fn add_tables(database: &Database) -> RedbResult<()> {
    match database.begin_read()?.open_table(OVER_LIMIT) {
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let transaction = database.begin_write()?;
            create_tables(&transaction)?;
            Ok(transaction.commit()?)
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn read_layout(database: &Database) -> RedbResult<u64> {
    let version = database.begin_read()?.open_table(LAYOUT)?.get("version")?.map(|version| version.value());
    version.ok_or_else(|| RedbError::Corrupted("the layout has no version".to_owned()))
}

/// Sorts redb's errors by what an administrator can do.
fn to_store_error(path: &Path, error: RedbError) -> StoreError {
    let described = format!("{}: {error}", display_path(path));
    match error {
        RedbError::DatabaseAlreadyOpen | RedbError::LockProtocolMismatch => StoreError::InUse(display_path(path)),
        // redb reports in this way that another program wrote the file, or that it is too short.
        RedbError::Io(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            StoreError::Damaged(described)
        }
        RedbError::Corrupted(_)
        | RedbError::UpgradeRequired(_)
        | RedbError::RepairAborted
        | RedbError::TableTypeMismatch { .. }
        | RedbError::TableIsMultimap(_)
        | RedbError::TypeDefinitionChanged { .. }
        | RedbError::TableDoesNotExist(_) => StoreError::Damaged(described),
        // The disk does not answer, or is full.
        _ => StoreError::Unavailable(described),
    }
}

// The writer

/// A change in the queue, with the channel on which its caller waits.
trait PendingWrite: Send {
    fn apply(&mut self, transaction: &WriteTransaction) -> RedbResult<()>;

    /// Reports to the caller what became of the commit.
    fn finish(self: Box<Self>, committed: StoreResult<()>);
}

struct QueuedChange<C, T> {
    change: C,
    value: Option<T>,
    answer: oneshot::Sender<StoreResult<T>>,
}

impl<C, T> PendingWrite for QueuedChange<C, T>
where
    C: Fn(&WriteTransaction) -> RedbResult<T> + Send,
    T: Send,
{
    fn apply(&mut self, transaction: &WriteTransaction) -> RedbResult<()> {
        self.value = Some((self.change)(transaction)?);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: StoreResult<()>) {
        let applied = || StoreError::Unavailable("the change was not applied".to_owned());
        let Self { value, answer, .. } = *self;
        // The caller may have stopped waiting.
        let _ = answer.send(committed.and_then(|()| value.ok_or_else(applied)));
    }
}

fn run_writer(file: &OpenFile, writes: &mpsc::Receiver<Box<dyn PendingWrite>>) {
    while let Ok(first) = writes.recv() {
        let mut group = vec![first];
        group.extend(writes.try_iter().take(MAX_WRITES_PER_COMMIT - 1));
        let committed = commit_together(file, &mut group);
        if matches!(committed, Err(StoreError::Damaged(_))) && group.len() > 1 {
            // An entry that one of them reads is the cause, and must not hinder the others.
            for write in group {
                let mut alone = vec![write];
                let committed = commit_together(file, &mut alone);
                finish(alone, &committed);
            }
        } else {
            finish(group, &committed);
        }
    }
}

fn finish(group: Vec<Box<dyn PendingWrite>>, committed: &StoreResult<()>) {
    for write in group {
        write.finish(committed.clone());
    }
}

fn commit_together(file: &OpenFile, group: &mut [Box<dyn PendingWrite>]) -> StoreResult<()> {
    let attempt = |database: &Database| -> RedbResult<()> {
        let transaction = database.begin_write()?;
        for write in group.iter_mut() {
            write.apply(&transaction)?;
        }
        Ok(transaction.commit()?)
    };
    match catch_unwind(AssertUnwindSafe(|| file.run(attempt))) {
        Ok(committed) => committed.map_err(|error| to_store_error(&file.path, error)),
        Err(_) => Err(StoreError::Damaged(format!("{}: redb has panicked", display_path(&file.path)))),
    }
}

// Usage

fn usage_table(period: Period) -> TableDefinition<'static, UsageKey, UsageRow> {
    match period {
        Period::Hour => USAGE_HOURS,
        Period::Day => USAGE_DAYS,
        Period::Month => USAGE_MONTHS,
    }
}

fn to_row(usage: Usage) -> UsageRow {
    let TokenCounts { input, output, cache_read, cache_write } = usage.tokens;
    (input, output, cache_read, cache_write, usage.cost.0)
}

fn from_row((input, output, cache_read, cache_write, cost): UsageRow) -> Usage {
    Usage { tokens: TokenCounts { input, output, cache_read, cache_write }, cost: MicroUsd(cost) }
}

fn count_calls(transaction: &WriteTransaction, calls: &[CountedCall]) -> RedbResult<Vec<CountOutcome>> {
    let mut outcomes = Vec::with_capacity(calls.len());
    let mut ids_by_expiry = BTreeMap::<i64, Vec<&str>>::new();
    let mut sums = BTreeMap::<Period, BTreeMap<(&str, &str, String), Usage>>::new();
    let mut request_ids = transaction.open_table(REQUEST_IDS)?;
    for call in calls {
        if request_ids.insert(call.request_id.as_str(), ())?.is_some() {
            outcomes.push(CountOutcome::Repeated);
            continue;
        }
        outcomes.push(CountOutcome::Counted);
        ids_by_expiry.entry(round_up_to_hour(call.remember_until)).or_default().push(&call.request_id);
        for key in &call.periods {
            let row = (key.text.as_str(), call.person.as_str(), call.target.to_string());
            *sums.entry(key.period).or_default().entry(row).or_default() += call.usage;
        }
    }
    for (period, sums) in sums {
        let mut table = transaction.open_table(usage_table(period))?;
        for ((text, name, target), added) in sums {
            let key = (text, name, target.as_str());
            let mut sum = table.get(key)?.map(|row| from_row(row.value())).unwrap_or_default();
            sum += added;
            table.insert(key, to_row(sum))?;
        }
    }
    let mut expiries = transaction.open_table(REQUEST_IDS_BY_EXPIRY)?;
    for (hour, ids) in ids_by_expiry {
        let last = expiries.range((hour, 0)..=(hour, u64::MAX))?.next_back().transpose()?;
        let number = last.map_or(0, |(key, _)| key.value().1 + 1);
        expiries.insert((hour, number), ids)?;
    }
    Ok(outcomes)
}

fn round_up_to_hour(time: Timestamp) -> i64 {
    const HOUR: i64 = 3600;
    time.unix_seconds().div_euclid(HOUR).saturating_add(1).saturating_mul(HOUR)
}

fn load_usage(transaction: &ReadTransaction, person: &Person, key: &PeriodKey) -> RedbResult<ModelUsage> {
    let mut usage = ModelUsage::default();
    let table = transaction.open_table(usage_table(key.period))?;
    for entry in table.range((key.text.as_str(), person.as_str(), "")..)? {
        let (row_key, row) = entry?;
        let (text, name, target) = row_key.value();
        if text != key.text || name != person.as_str() {
            break;
        }
        usage.add(&parse_target(target)?, from_row(row.value()));
    }
    Ok(usage)
}

fn list_usage(transaction: &ReadTransaction, key: &PeriodKey) -> RedbResult<Vec<(Person, ModelUsage)>> {
    let mut people = Vec::<(Person, ModelUsage)>::new();
    let table = transaction.open_table(usage_table(key.period))?;
    for entry in table.range((key.text.as_str(), "", "")..)? {
        let (row_key, row) = entry?;
        let (text, name, target) = row_key.value();
        if text != key.text {
            break;
        }
        let (target, usage) = (parse_target(target)?, from_row(row.value()));
        match people.last_mut() {
            Some((person, models)) if person.as_str() == name => models.add(&target, usage),
            _ => people.push((parse_person(name)?, ModelUsage([(target, usage)].into()))),
        }
    }
    Ok(people)
}

fn parse_person(name: &str) -> RedbResult<Person> {
    Person::parse(name).map_err(|reason| RedbError::Corrupted(format!("a person is called {name:?}: {reason}")))
}

fn parse_target(target: &str) -> RedbResult<AccountModel> {
    AccountModel::try_from(target.to_owned())
        .map_err(|reason| RedbError::Corrupted(format!("a model is called {target:?}: {reason}")))
}

/// Forgets a part of the request ids that have expired, and returns whether some may be left.
fn forget_request_ids(transaction: &WriteTransaction, now: Timestamp) -> RedbResult<bool> {
    let mut request_ids = transaction.open_table(REQUEST_IDS)?;
    let mut expiries = transaction.open_table(REQUEST_IDS_BY_EXPIRY)?;
    let mut forgotten = 0;
    while forgotten < MAX_IDS_FORGOTTEN_AT_ONCE {
        let first = expiries.first()?.map(|(key, _)| key.value());
        if first.is_none_or(|(hour, _)| hour > now.unix_seconds()) {
            return Ok(false);
        }
        if let Some((_, ids)) = expiries.pop_first()? {
            for id in ids.value() {
                request_ids.remove(id)?;
                forgotten += 1;
            }
        }
    }
    Ok(true)
}

fn forget_periods(transaction: &WriteTransaction, now: Timestamp) -> RedbResult<()> {
    let (hour, day) = (oldest_hour_to_store(now), oldest_day_to_store(now));
    for (definition, end) in [(USAGE_HOURS, &hour), (USAGE_DAYS, &day)] {
        transaction.open_table(definition)?.retain_in(..(end.as_str(), "", ""), |_, _| false)?;
    }
    transaction.open_table(NOTICES)?.retain(|_, until| until > now.unix_seconds())?;
    transaction.open_table(OVER_LIMIT)?.retain(|_, (until, _)| until > now.unix_seconds())?;
    transaction.open_table(LEASES)?.retain(|_, (_, until)| until > now.unix_seconds())?;
    Ok(())
}

// Entries in JSON

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own types have only keys that are text")
}

fn from_json<T: DeserializeOwned>(text: &str) -> RedbResult<T> {
    serde_json::from_str(text).map_err(|error| RedbError::Corrupted(format!("an entry cannot be read: {error}")))
}

/// The parts of a limit's key: kind of scope, group or person, and the rest as text.
fn limit_row(key: &LimitKey) -> (&'static str, &str, String) {
    let (kind, identifier) = scope_row(&key.scope);
    (kind, identifier, to_json(&(key.period, key.unit, &key.model)))
}

fn scope_row(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::Person(person) => ("person", person.as_str()),
        Scope::Group(group) => ("group", group),
        Scope::Default => ("default", ""),
    }
}

fn load_limits(
    table: &impl ReadableTable<(&'static str, &'static str, &'static str), &'static str>,
    scope: &Scope,
) -> RedbResult<Vec<Limit>> {
    let (kind, identifier) = scope_row(scope);
    let mut limits = Vec::new();
    for entry in table.range((kind, identifier, "")..)? {
        let (key, json) = entry?;
        let (entry_kind, entry_identifier, _) = key.value();
        if (entry_kind, entry_identifier) != (kind, identifier) {
            break;
        }
        limits.push(from_json(json.value())?);
    }
    Ok(limits)
}

fn load_account(transaction: &ReadTransaction, person: &Person, periods: &[PeriodKey]) -> RedbResult<Account> {
    let people = transaction.open_table(PEOPLE)?;
    let record: Option<PersonRecord> = people.get(person.as_str())?.map(|json| from_json(json.value())).transpose()?;
    let groups = record.iter().flat_map(|record| &record.groups).cloned().map(Scope::Group);
    let table = transaction.open_table(LIMITS)?;
    let mut limits = Vec::new();
    for scope in [Scope::Person(person.clone())].into_iter().chain(groups).chain([Scope::Default]) {
        limits.extend(load_limits(&table, &scope)?);
    }
    let usage = periods.iter().map(|key| load_usage(transaction, person, key)).collect::<RedbResult<_>>()?;
    let mut grants = Vec::new();
    for entry in transaction.open_table(GRANTS)?.range((person.as_str(), "")..)? {
        let (key, _) = entry?;
        let (name, json) = key.value();
        if name != person.as_str() {
            break;
        }
        grants.push(from_json(json)?);
    }
    let block = transaction.open_table(BLOCKS)?.get(person.as_str())?;
    let block = block.map(|json| from_json(json.value())).transpose()?;
    Ok(Account { record, usage, limits, grants, block })
}

#[async_trait]
impl Store for FileStore {
    async fn count(&self, calls: &[CountedCall]) -> StoreResult<Vec<CountOutcome>> {
        let calls = calls.to_vec();
        self.write(move |transaction| count_calls(transaction, &calls)).await
    }

    async fn load_account(&self, person: &Person, periods: &[PeriodKey]) -> StoreResult<Account> {
        let (person, periods) = (person.clone(), periods.to_vec());
        self.read(move |transaction| load_account(transaction, &person, &periods)).await
    }

    async fn list_usage(&self, month: &PeriodKey) -> StoreResult<Vec<(Person, ModelUsage)>> {
        let month = month.clone();
        self.read(move |transaction| list_usage(transaction, &month)).await
    }

    async fn save_person(&self, person: &Person, record: &PersonRecord) -> StoreResult<()> {
        /// Whether the store has this record, or one of a later token.
        fn is_known(
            table: &impl ReadableTable<&'static str, &'static str>,
            person: &Person,
            record: &PersonRecord,
        ) -> RedbResult<bool> {
            let Some(json) = table.get(person.as_str())? else { return Ok(false) };
            let stored: PersonRecord = from_json(json.value())?;
            Ok(stored == *record || stored.token_issued_at > record.token_issued_at)
        }
        let (person, record) = (person.clone(), record.clone());
        // Every check of a client contains a token, nearly always a known one: it costs no write.
        let known = self.read({
            let (person, record) = (person.clone(), record.clone());
            move |transaction| is_known(&transaction.open_table(PEOPLE)?, &person, &record)
        });
        if known.await? {
            return Ok(());
        }
        self.write(move |transaction| {
            let mut table = transaction.open_table(PEOPLE)?;
            if !is_known(&table, &person, &record)? {
                table.insert(person.as_str(), to_json(&record).as_str())?;
            }
            Ok(())
        })
        .await
    }

    async fn list_people(&self) -> StoreResult<Vec<(Person, PersonRecord)>> {
        self.read(|transaction| {
            let mut people = Vec::new();
            for entry in transaction.open_table(PEOPLE)?.iter()? {
                let (name, json) = entry?;
                people.push((parse_person(name.value())?, from_json(json.value())?));
            }
            Ok(people)
        })
        .await
    }

    async fn set_limit(&self, limit: &Limit) -> StoreResult<()> {
        let limit = limit.clone();
        self.write(move |transaction| {
            let key = limit.key();
            let (kind, identifier, rest) = limit_row(&key);
            transaction.open_table(LIMITS)?.insert((kind, identifier, rest.as_str()), to_json(&limit).as_str())?;
            Ok(())
        })
        .await
    }

    async fn remove_limits(&self, keys: &[LimitKey]) -> StoreResult<usize> {
        let keys = keys.to_vec();
        self.write(move |transaction| {
            let mut table = transaction.open_table(LIMITS)?;
            let mut removed = 0;
            for key in &keys {
                let (kind, identifier, rest) = limit_row(key);
                removed += usize::from(table.remove((kind, identifier, rest.as_str()))?.is_some());
            }
            Ok(removed)
        })
        .await
    }

    async fn list_limits(&self, scope: Option<&Scope>) -> StoreResult<Vec<Limit>> {
        let scope = scope.cloned();
        self.read(move |transaction| {
            let table = transaction.open_table(LIMITS)?;
            let mut limits = match &scope {
                Some(scope) => load_limits(&table, scope)?,
                None => {
                    let mut all = Vec::new();
                    for entry in table.iter()? {
                        all.push(from_json::<Limit>(entry?.1.value())?);
                    }
                    all
                }
            };
            limits.sort_by_cached_key(Limit::key);
            Ok(limits)
        })
        .await
    }

    async fn add_grant(&self, grant: &Grant) -> StoreResult<()> {
        let grant = grant.clone();
        self.write(move |transaction| {
            transaction.open_table(GRANTS)?.insert((grant.person.as_str(), to_json(&grant).as_str()), ())?;
            Ok(())
        })
        .await
    }

    async fn list_grants(&self, now: Timestamp) -> StoreResult<Vec<Grant>> {
        self.read(move |transaction| {
            let mut grants = Vec::new();
            for entry in transaction.open_table(GRANTS)?.iter()? {
                let grant: Grant = from_json(entry?.0.value().1)?;
                if grant.holds_at(now) {
                    grants.push(grant);
                }
            }
            Ok(grants)
        })
        .await
    }

    async fn set_block(&self, block: &Block) -> StoreResult<()> {
        let block = block.clone();
        self.write(move |transaction| {
            transaction.open_table(BLOCKS)?.insert(block.person.as_str(), to_json(&block).as_str())?;
            Ok(())
        })
        .await
    }

    async fn remove_block(&self, person: &Person) -> StoreResult<bool> {
        let person = person.clone();
        self.write(move |transaction| {
            let existed = transaction.open_table(BLOCKS)?.remove(person.as_str())?.is_some();
            Ok(existed)
        })
        .await
    }

    async fn list_blocks(&self, now: Timestamp) -> StoreResult<Vec<Block>> {
        self.read(move |transaction| {
            let mut blocks = Vec::new();
            for entry in transaction.open_table(BLOCKS)?.iter()? {
                let block: Block = from_json(entry?.1.value())?;
                if block.holds_at(now) {
                    blocks.push(block);
                }
            }
            Ok(blocks)
        })
        .await
    }

    async fn list_model_limits(&self) -> StoreResult<Vec<Limit>> {
        let mut limits = self.list_limits(None).await?;
        limits.retain(|limit| limit.model.is_some());
        Ok(limits)
    }

    async fn mark_over_limit(&self, person: &Person, until: Timestamp) -> StoreResult<()> {
        let person = person.clone();
        let mut stamp = [0; 8];
        host::fill_random(&mut stamp);
        self.write(move |transaction| {
            let mut table = transaction.open_table(OVER_LIMIT)?;
            let end = table.get(person.as_str())?.map_or(i64::MIN, |mark| mark.value().0);
            table.insert(person.as_str(), (until.unix_seconds().max(end), u64::from_ne_bytes(stamp)))?;
            Ok(())
        })
        .await
    }

    async fn list_over_limit(&self, now: Timestamp) -> StoreResult<Vec<OverLimitMark>> {
        self.read(move |transaction| {
            let mut marks = Vec::new();
            for entry in transaction.open_table(OVER_LIMIT)?.iter()? {
                let (name, mark) = entry?;
                let (end, stamp) = mark.value();
                let until = Timestamp::from_unix(end);
                if now < until {
                    marks.push(OverLimitMark { person: parse_person(name.value())?, until, stamp });
                }
            }
            Ok(marks)
        })
        .await
    }

    async fn unmark_over_limit(&self, mark: &OverLimitMark) -> StoreResult<bool> {
        let OverLimitMark { person, stamp, .. } = mark.clone();
        self.write(move |transaction| {
            let mut table = transaction.open_table(OVER_LIMIT)?;
            let is_same = table.get(person.as_str())?.is_some_and(|known| known.value().1 == stamp);
            if is_same {
                table.remove(person.as_str())?;
            }
            Ok(is_same)
        })
        .await
    }

    async fn acquire_lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> StoreResult<bool> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(move |transaction| {
            let mut table = transaction.open_table(LEASES)?;
            let is_free = table.get(name.as_str())?.is_none_or(|lease| {
                let (other, end) = lease.value();
                other == holder || end <= now.unix_seconds()
            });
            if is_free {
                table.insert(name.as_str(), (holder.as_str(), until.unix_seconds()))?;
            }
            Ok(is_free)
        })
        .await
    }

    async fn release_lease(&self, name: &str, holder: &str) -> StoreResult<()> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(move |transaction| {
            let mut table = transaction.open_table(LEASES)?;
            let is_ours = table.get(name.as_str())?.is_some_and(|lease| lease.value().0 == holder);
            if is_ours {
                table.remove(name.as_str())?;
            }
            Ok(())
        })
        .await
    }

    async fn claim_notice(&self, name: &str, remember_until: Timestamp) -> StoreResult<bool> {
        let name = name.to_owned();
        self.write(move |transaction| {
            let mut table = transaction.open_table(NOTICES)?;
            let claimed = table.get(name.as_str())?.is_none();
            if claimed {
                table.insert(name.as_str(), remember_until.unix_seconds())?;
            }
            Ok(claimed)
        })
        .await
    }

    async fn add_faults(&self, faults: &Faults) -> StoreResult<()> {
        let faults = faults.clone();
        self.write(move |transaction| {
            let mut table = transaction.open_table(FAULTS)?;
            for (kind, name, count) in faults.list() {
                let key = (kind, name.as_str());
                let before = table.get(key)?.map_or(0, |count| count.value());
                table.insert(key, before.saturating_add(count))?;
            }
            Ok(())
        })
        .await
    }

    async fn load_faults(&self) -> StoreResult<Faults> {
        self.read(|transaction| {
            let mut faults = Faults::default();
            for entry in transaction.open_table(FAULTS)?.iter()? {
                let (key, count) = entry?;
                let (kind, name) = key.value();
                faults
                    .add(kind, name.to_owned(), count.value())
                    .map_err(|_| RedbError::Corrupted(format!("a fault is of the kind {kind:?}")))?;
            }
            Ok(faults)
        })
        .await
    }

    async fn remove_expired(&self, now: Timestamp) -> StoreResult<()> {
        while self.write(move |transaction| forget_request_ids(transaction, now)).await? {
            // Calls that wait are counted first.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.write(move |transaction| forget_periods(transaction, now)).await
    }

    async fn check(&self) -> StoreResult<()> {
        if self.writer.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(self.writer_has_stopped());
        }
        self.read(|transaction| {
            transaction.open_table(LAYOUT)?.get("version")?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests;
