//! A store in one file, for a server on one machine: redb, which has transactions, and is written without C.
//!
//! One thread writes. While it commits, further writes queue up, and it commits all of them together: a commit waits for
//! the disk, so one for each call would be too slow. Reads see the last commit and never wait for the writer.

mod database;
mod settings;
mod tables;
mod usage;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use bedrock_sso::{host, text::display_path, time::Timestamp};
use redb::{Error as RedbError, ReadTransaction, ReadableDatabase as _, ReadableTable, WriteTransaction};
use tokio::sync::oneshot;

use self::{
    database::{OpenFile, Opener, open_existing, to_store_error},
    settings::{LAST_JSON, from_json, limit_row, load_account, load_grants, load_limits, to_json},
    tables::{BLOCKS, FAULTS, GRANTS, LAYOUT, LEASES, LIMITS, NOTICES, OVER_LIMIT, PEOPLE, RedbResult},
    usage::{count_calls, forget_periods, forget_request_ids, list_usage, parse_person},
    writer::{PendingWrite, QueuedChange, run_writer},
};
use super::{Account, CountOutcome, CountedCall, Faults, OverLimitMark, PersonRecord, Store, StoreError, StoreResult};
use crate::{
    calendar::PeriodKey,
    limits::{Block, Grant, Limit, LimitKey, Scope},
    person::Person,
    usage::ModelUsage,
};

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
        let file = Arc::new(OpenFile::open(path, open_existing)?);
        let (queue, writes) = mpsc::channel();
        let writer = thread::Builder::new().name("store-writer".to_owned()).spawn({
            let file = Arc::clone(&file);
            move || run_writer(&file, &writes)
        });
        let writer = writer.map_err(|error| to_store_error(path, error.into()))?;
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
        let write = Box::new(QueuedChange::new(change, answer));
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

    async fn remove_grants(&self, person: &Person) -> StoreResult<Vec<Grant>> {
        let person = person.clone();
        self.write(move |transaction| {
            let mut table = transaction.open_table(GRANTS)?;
            let grants = load_grants(&table, &person)?;
            table.retain_in((person.as_str(), "")..=(person.as_str(), LAST_JSON), |_, ()| false)?;
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
            // The store has one writer and no queue. This pause lets calls that wait count first.
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
