//! The operating system's keyring as the keeper of one small item, asked with a deadline.
//!
//! A platform's file knows how to ask its keyring; that an answer comes in time, and what counts as one, is said here.

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod dbus;
#[cfg(target_os = "linux")]
mod wire;
#[cfg(target_os = "linux")]
mod secret_service;
#[cfg(target_os = "linux")]
mod place;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod testing;
#[cfg(any(windows, target_os = "macos"))]
mod entry;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;
#[cfg(windows)]
use windows as system;

use std::{sync::mpsc, thread, time::Duration};

use super::{WhenLocked, key::Key};
use crate::{host, log, text::Foreign};

/// The first of an item's two names.
const SERVICE: &str = "bedrock-sso";

/// One item: its second name, and what a person sees of it in the keyring's own window.
#[derive(Clone, Copy, Debug)]
struct Item {
    account: &'static str,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only the Secret Service shows one"))]
    label: &'static str,
}

const KEY: Item = Item { account: "sealing-key", label: "bedrock-sso: the key to your stored sign-in" };

/// What the keyring is tried out with.
const TRIAL: Item = Item { account: "trial", label: "bedrock-sso: a trial, which may be deleted" };

/// How the keyring is asked.
#[derive(Clone, Copy, Debug)]
struct Manner {
    patience: Duration,
    /// Whether it may ask a person in turn, where that is ours to say.
    may_ask: bool,
}

impl Manner {
    fn of(when_locked: WhenLocked) -> Self {
        match when_locked {
            WhenLocked::AskThePerson => Self { patience: patience(), may_ask: may_ask() },
            WhenLocked::LeaveIt => QUIETLY,
        }
    }
}

/// So that nobody is disturbed.
const QUIETLY: Manner = Manner { patience: ALONE, may_ask: false };

/// How long an answer may take where a person may be asked for it, and where nobody can be.
///
/// macOS asks at first use, in the middle of a sign-in, and wants a password typed; elsewhere a keyring that is silent so
/// long is more likely one that never answers.
const WITH_A_PERSON: Duration = Duration::from_secs(if cfg!(target_os = "macos") { 60 } else { 10 });
const ALONE: Duration = Duration::from_secs(3);

/// Why a keyring did not do what it was asked. That it has no such item is no fault.
#[derive(Debug)]
pub enum Fault {
    /// There is no keyring to ask.
    Absent {
        what: Missing,
    },
    /// It is locked, and nobody unlocked it.
    Locked,
    /// It is locked, and was left so, although a person could be asked here.
    LeftLocked,
    /// It knows us, and refuses.
    Denied,
    TimedOut {
        after: Duration,
    },
    /// It answered with something else.
    Broken(Foreign),
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The way to it: no session bus.
    Bus,
    /// The keyring's own program.
    Service,
    /// The place inside it: no default collection, no vault in this kind of session.
    Vault,
}

/// Where a person has to be told something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Plain,
    /// The keyring is KWallet.
    KWallet,
    /// Linux inside of Windows.
    Wsl,
    Container,
    Ssh,
}

/// A fault and where it was met.
#[derive(Debug)]
pub struct Refusal {
    pub fault: Fault,
    pub place: Place,
}

impl Refusal {
    fn here(fault: Fault) -> Self {
        Self { fault, place: system::place() }
    }

    /// The same of a keyring that was asked in this manner.
    fn of(fault: Fault, manner: Manner) -> Self {
        match fault {
            Fault::Locked if may_ask() && !manner.may_ask => Self::here(Fault::LeftLocked),
            other => Self::here(other),
        }
    }
}

impl Fault {
    fn broken(why: impl Into<String>) -> Self {
        Self::Broken(Foreign::new(why))
    }
}

/// The key, from the nearest place that has a copy; `None` only when the keyring itself says so.
pub(super) fn read(when_locked: WhenLocked) -> Result<Option<Key>, Refusal> {
    match copy::read() {
        Some(key) => Ok(Some(key)),
        None => read_itself(when_locked),
    }
}

/// The keyring's own word, when the copy at hand has opened nothing; `None` if it is the same key.
pub(super) fn read_past(stale: &Key, when_locked: WhenLocked) -> Result<Option<Key>, Refusal> {
    if !copy::IS_KEPT {
        return Ok(None);
    }
    log::info("keyring", format_args!("the key at hand opened nothing, so the keyring is asked"));
    copy::forget();
    Ok(read_itself(when_locked)?.filter(|key| key != stale))
}

/// The keyring's own word.
pub(super) fn read_itself(when_locked: WhenLocked) -> Result<Option<Key>, Refusal> {
    let key = asked(Manner::of(when_locked), |manner| system::read(KEY, manner))?;
    log::debug("keyring", format_args!("asked: it has a key: {}", key.is_some()));
    match &key {
        Some(key) => copy::keep(key),
        None => copy::forget(),
    }
    Ok(key)
}

pub(super) fn write(key: &Key, when_locked: WhenLocked) -> Result<(), Refusal> {
    copy::forget();
    let key = key.clone();
    asked(Manner::of(when_locked), move |manner| system::write(KEY, &key, manner))
}

/// Forgets the key for good: whatever it sealed is lost with it.
pub(super) fn remove(when_locked: WhenLocked) -> Result<(), Refusal> {
    copy::forget();
    asked(Manner::of(when_locked), |manner| system::remove(KEY, manner))
}

/// Keeps an item of its own for a moment, reads it back and forgets it again. The key is not touched.
pub(super) fn try_out() -> Result<(), Refusal> {
    let mut trial: Key = Key::new([0; 32]);
    host::random(trial.as_mut());
    let is_kept = move |manner| {
        system::write(TRIAL, &trial, manner)?;
        let read = system::read(TRIAL, manner);
        system::remove(TRIAL, manner)?;
        Ok(read?.is_some_and(|read| read == trial))
    };
    match asked(QUIETLY, is_kept)? {
        true => Ok(()),
        false => Err(Refusal::here(Fault::broken("it gave back something else than it was given"))),
    }
}

fn asked<T: Send + 'static>(
    manner: Manner,
    ask: impl FnOnce(Manner) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Refusal> {
    in_time(manner, ask).map_err(|fault| Refusal::of(fault, manner))
}

/// Asks on a thread of its own, for a keyring may wait for a person, or for ever. One that never answers ends with us.
fn in_time<T: Send + 'static>(
    manner: Manner,
    ask: impl FnOnce(Manner) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let (tell, told) = mpsc::sync_channel(1);
    let after = manner.patience;
    let asking = move || {
        // Nobody listens any more once the deadline has passed.
        let _ = tell.send(ask(manner));
    };
    let started = thread::Builder::new().name("keyring".into()).spawn(asking);
    started.map_err(|error| Fault::broken(error.to_string()))?;
    match told.recv_timeout(after) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Fault::TimedOut { after }),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(Fault::broken("the call ended without an answer")),
    }
}

fn patience() -> Duration {
    if may_ask() { WITH_A_PERSON } else { ALONE }
}

#[cfg(target_os = "linux")]
use linux::may_ask;

/// The keychain asks whether this program may have the item, and for the password when it is locked.
#[cfg(target_os = "macos")]
fn may_ask() -> bool {
    true
}

/// The vault opens with the person's session and never asks.
#[cfg(windows)]
fn may_ask() -> bool {
    false
}

/// The kernel's keyring, nearer than the session's.
#[cfg(target_os = "linux")]
use kernel as copy;

/// Here the keyring itself is as near as it gets.
#[cfg(not(target_os = "linux"))]
mod copy {
    use super::Key;

    pub(super) const IS_KEPT: bool = false;

    pub(super) fn read() -> Option<Key> {
        None
    }

    pub(super) fn keep(_: &Key) {}

    pub(super) fn forget() {}
}
