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
#[cfg(test)]
mod testing;
#[cfg(any(windows, target_os = "macos"))]
mod entry;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(windows)]
mod windows;

#[cfg(any(windows, target_os = "macos"))]
use entry as system;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos::{build_entry, can_prompt, classify_error, disable_prompts};
#[cfg(windows)]
use windows::{build_entry, can_prompt, classify_error, disable_prompts};

use std::{sync::mpsc, thread, time::Duration};

use super::{UnlockPolicy, sealing_key::SealingKey};
use crate::{host, log, text::UntrustedText};

/// The first of an item's two names.
const SERVICE: &str = "bedrock-sso";

/// One item: its second name, and what a person sees of it in the keyring's own window.
#[derive(Clone, Copy, Debug)]
struct KeyringItem {
    account: &'static str,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only the Secret Service shows one"))]
    label: &'static str,
}

const KEY_ITEM: KeyringItem =
    KeyringItem { account: "sealing-key", label: "bedrock-sso: the key to your stored sign-in" };

/// What the keyring is tried out with.
const TRIAL_ITEM: KeyringItem = KeyringItem { account: "trial", label: "bedrock-sso: a trial, which may be deleted" };

/// How the keyring is asked.
#[derive(Clone, Copy, Debug)]
struct KeyringOptions {
    timeout: Duration,
    /// Whether it may ask a person in turn, where that is ours to say.
    may_prompt: bool,
}

impl KeyringOptions {
    fn from_policy(when_locked: UnlockPolicy) -> Self {
        match when_locked {
            UnlockPolicy::PromptUser if can_prompt() => Self { timeout: PROMPT_TIMEOUT, may_prompt: true },
            UnlockPolicy::PromptUser | UnlockPolicy::NoPrompt => NO_PROMPT,
        }
    }
}

/// So that nobody is disturbed.
const NO_PROMPT: KeyringOptions = KeyringOptions { timeout: CALL_TIMEOUT, may_prompt: false };

/// How long an answer may take where a person may be asked for it, and where nobody can be.
///
/// macOS asks at first use, in the middle of a sign-in, and wants a password typed; elsewhere a keyring that is silent so
/// long is more likely one that never answers.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(if cfg!(target_os = "macos") { 60 } else { 10 });
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a keyring did not do what it was asked. That it has no such item is no fault.
#[derive(Debug)]
pub enum KeyringFault {
    /// There is no keyring to ask.
    Absent {
        what: MissingPart,
    },
    /// It is locked, and nobody unlocked it.
    Locked,
    /// It is locked, and was left so, although a person could be asked here.
    LockedNoPrompt,
    /// It knows us, and refuses.
    Denied,
    TimedOut {
        after: Duration,
    },
    /// It answered with something else.
    Failed(UntrustedText),
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPart {
    /// The way to it: no session bus.
    Bus,
    /// The keyring's own program.
    Service,
    /// The place inside it: no default collection, no vault in this kind of session.
    Vault,
}

/// Where a person has to be told something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringContext {
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
pub struct KeyringError {
    pub fault: KeyringFault,
    pub context: KeyringContext,
}

impl KeyringError {
    /// The fault of a keyring that was asked in this manner.
    fn from_fault(fault: KeyringFault, options: KeyringOptions) -> Self {
        let fault = match fault {
            KeyringFault::Locked if can_prompt() && !options.may_prompt => KeyringFault::LockedNoPrompt,
            other => other,
        };
        Self { fault, context: system::detect_context() }
    }
}

impl KeyringFault {
    fn from_message(why: impl Into<String>) -> Self {
        Self::Failed(UntrustedText::new(why))
    }
}

/// The key, from the nearest place that has a copy; `None` only when the keyring itself says so.
pub(super) fn read_key(when_locked: UnlockPolicy) -> Result<Option<SealingKey>, KeyringError> {
    match copy::read_copy() {
        Some(key) => Ok(Some(key)),
        None => read_uncached(when_locked),
    }
}

/// The keyring's own word, when the copy at hand has opened nothing; `None` if it is the same key.
pub(super) fn read_replacement(
    stale: &SealingKey,
    when_locked: UnlockPolicy,
) -> Result<Option<SealingKey>, KeyringError> {
    if !copy::HAS_COPY {
        return Ok(None);
    }
    log::info("keyring", format_args!("the key at hand opened nothing, so the keyring is asked"));
    copy::remove_copy();
    Ok(read_uncached(when_locked)?.filter(|key| key != stale))
}

/// The keyring's own word.
pub(super) fn read_uncached(when_locked: UnlockPolicy) -> Result<Option<SealingKey>, KeyringError> {
    let key = call_keyring(KeyringOptions::from_policy(when_locked), |manner| system::read_item(KEY_ITEM, manner))?;
    log::debug("keyring", format_args!("asked: it has a key: {}", key.is_some()));
    match &key {
        Some(key) => copy::store_copy(key),
        None => copy::remove_copy(),
    }
    Ok(key)
}

pub(super) fn write_key(key: &SealingKey, when_locked: UnlockPolicy) -> Result<(), KeyringError> {
    copy::remove_copy();
    let key = key.clone();
    call_keyring(KeyringOptions::from_policy(when_locked), move |manner| system::write_item(KEY_ITEM, &key, manner))
}

/// Forgets the key for good: whatever it sealed is lost with it.
pub(super) fn remove_key(when_locked: UnlockPolicy) -> Result<(), KeyringError> {
    copy::remove_copy();
    call_keyring(KeyringOptions::from_policy(when_locked), |manner| system::remove_item(KEY_ITEM, manner))
}

/// Keeps an item of its own for a moment, reads it back and forgets it again. The key is not touched.
pub fn test_round_trip() -> Result<(), KeyringError> {
    let mut trial: SealingKey = SealingKey::new([0; 32]);
    host::fill_random(trial.as_mut());
    call_keyring(NO_PROMPT, move |manner| {
        system::write_item(TRIAL_ITEM, &trial, manner)?;
        let read = system::read_item(TRIAL_ITEM, manner);
        system::remove_item(TRIAL_ITEM, manner)?;
        match read? {
            Some(read) if read == trial => Ok(()),
            _ => Err(KeyringFault::from_message("it gave back something else than it was given")),
        }
    })
}

/// Calls the keyring on a thread of its own, since the call may wait for the user, or for ever. A thread that is still
/// waiting at the deadline ends with this process.
fn call_keyring<T: Send + 'static>(
    options: KeyringOptions,
    call: impl FnOnce(KeyringOptions) -> Result<T, KeyringFault> + Send + 'static,
) -> Result<T, KeyringError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let run = move || {
        // Nobody listens any more once the deadline has passed.
        let _ = sender.send(call(options));
    };
    let result = match thread::Builder::new().name("keyring".into()).spawn(run) {
        Ok(_) => receiver.recv_timeout(options.timeout).unwrap_or_else(|error| match error {
            mpsc::RecvTimeoutError::Timeout => Err(KeyringFault::TimedOut { after: options.timeout }),
            mpsc::RecvTimeoutError::Disconnected => Err(KeyringFault::from_message("the call ended without an answer")),
        }),
        Err(error) => Err(KeyringFault::from_message(error.to_string())),
    };
    result.map_err(|fault| KeyringError::from_fault(fault, options))
}

#[cfg(target_os = "linux")]
use linux::can_prompt;

/// The kernel's keyring, nearer than the session's.
#[cfg(target_os = "linux")]
use kernel as copy;

/// Here the keyring itself is as near as it gets.
#[cfg(not(target_os = "linux"))]
mod copy {
    use super::SealingKey;

    pub(super) const HAS_COPY: bool = false;

    pub(super) fn read_copy() -> Option<SealingKey> {
        None
    }

    pub(super) fn store_copy(_: &SealingKey) {}

    pub(super) fn remove_copy() {}
}
