//! Removals that were missed: the wait for the lock timed out, or the process that removes was killed.
//!
//! Then the holder of the credentials' lock finds after its exchange that the user has changed, and empties the record.
//! An [`OpenCase`] is one in which no process does that, so that credentials of the earlier user stay.

use super::world::{Process, ProcessId, ROLES, RemovalOrder, Role, Step, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Removal {
    /// It was done, or there was nothing to remove.
    Done,
    /// It was missed, and another process holds the credentials' lock. That one must empty its record.
    Missed,
    /// It was missed, and no process empties the record.
    Open(OpenCase),
}

/// How credentials of an earlier user can stay. Each case says in which order it happens: S is a sign-out, P a prompt
/// that another user answers, and W a worker for another role that exchanges a token of the first user. A removal waits
/// for the lock of W's credentials, for five seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OpenCase {
    /// S removes the sign-in. S is killed before it removes the credentials. (Its user sees that, and signs out again.)
    SignOutKilled,
    /// W checks the user and is stopped. S removes the sign-in, and its removal of the credentials times out. W continues
    /// and stores its credentials. With P, its first removal times out, W checks the user and is stopped, P stores the
    /// sign-in, its second removal times out, and W stores its credentials. (The same is left if W is stopped between
    /// storing and releasing the lock. In the model a process releases its locks together with its last access.)
    HolderStopped,
    /// W waits for AWS. S removes the sign-in, and its removal of the credentials times out; or P's first removal times
    /// out, P stores the sign-in, and its second removal times out. W is killed before it empties its record, so that the
    /// credentials stay which it was about to renew.
    HolderKilled,
    /// W waits for AWS. P's first removal times out. W checks the user and stores its credentials. P stores the sign-in
    /// and is killed before its second removal.
    PromptKilled,
}

/// The last removal of this role's credentials was missed.
pub(crate) fn note_missed_removal(next: &mut World, role: Role, case: OpenCase) {
    let holder = next.credentials_lock(role).map(|id| next.process(id).step);
    next.removals[usize::from(role)] = match holder {
        // It has compared users already.
        Some(Step::StoreCredentials) => Removal::Open(case),
        Some(_) => Removal::Missed,
        None if next.has_stray_credentials(role) => Removal::Open(case),
        None => Removal::Done,
    };
}

/// What a process that is killed before its next step leaves undone.
pub(crate) fn note_kill(next: &mut World, id: ProcessId) {
    let Process { step, task, has_missed_removal, .. } = *next.process(id);
    for role in (0..).take(ROLES) {
        let is_missed = next.removals[usize::from(role)] == Removal::Missed;
        let is_holder = next.credentials_lock(role) == Some(id);
        let is_other = task.role() != Some(role);
        if matches!(step, Step::RemoveCredentials(first) if role >= first) {
            note_missed_removal(next, role, OpenCase::SignOutKilled);
        } else if step == Step::RemoveOther(RemovalOrder::AfterSignIn) && is_other && has_missed_removal {
            note_missed_removal(next, role, OpenCase::PromptKilled);
        } else if is_missed && is_holder && next.has_stray_credentials(role) {
            next.removals[usize::from(role)] = Removal::Open(OpenCase::HolderKilled);
        }
    }
}
