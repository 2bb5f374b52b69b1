//! The thread that writes: it commits all changes that wait, together.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};

use bedrock_sso::text::display_path;
use redb::{Database, WriteTransaction};
use tokio::sync::oneshot;

use super::{
    database::{OpenFile, to_store_error},
    tables::RedbResult,
};
use crate::store::{StoreError, StoreResult};

/// How many writes share a commit at most, so that the first of them does not wait for long.
const MAX_WRITES_PER_COMMIT: usize = 512;

/// A change in the queue, with the channel on which its caller waits.
pub(super) trait PendingWrite: Send {
    fn apply(&mut self, transaction: &WriteTransaction) -> RedbResult<()>;

    /// Reports to the caller what became of the commit.
    fn finish(self: Box<Self>, committed: StoreResult<()>);
}

pub(super) struct QueuedChange<C, T> {
    change: C,
    value: Option<T>,
    answer: oneshot::Sender<StoreResult<T>>,
}

impl<C, T> QueuedChange<C, T> {
    /// A change whose result goes to the channel when it is committed.
    pub(super) fn new(change: C, answer: oneshot::Sender<StoreResult<T>>) -> Self {
        Self { change, value: None, answer }
    }
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

/// Commits what arrives in the queue, until the queue is closed.
pub(super) fn run_writer(file: &OpenFile, writes: &mpsc::Receiver<Box<dyn PendingWrite>>) {
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
