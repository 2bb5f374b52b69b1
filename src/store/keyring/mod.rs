//! Stores the sealing key as one item in the operating system's keyring, with a timeout on every call.
//!
//! A keyring can prompt the user, hang, or be absent. So every call runs on a thread of its own with a deadline, and
//! every failure becomes a [`KeyringFault`]. Each platform's file knows how to call its keyring; this file decides when
//! to call, whether the keyring may prompt, and for how long to wait.
//!
//! On Linux the kernel's keyring holds a copy of the key, so that most calls need no D-Bus. The copy is only for
//! opening records and for notes. A process that seals a record, or creates or removes the key, reads the keyring
//! itself.

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

/// The service name of all our items.
const SERVICE: &str = "bedrock-sso";

/// One item: its account name, and the label that the user sees in the keyring's own window.
#[derive(Clone, Copy, Debug)]
struct KeyringItem {
    account: &'static str,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only the Secret Service shows one"))]
    label: &'static str,
}

const KEY_ITEM: KeyringItem =
    KeyringItem { account: "sealing-key", label: "bedrock-sso: the key to your stored sign-in" };

/// The item with which `doctor` tests the keyring.
const TRIAL_ITEM: KeyringItem = KeyringItem { account: "trial", label: "bedrock-sso: a trial, which may be deleted" };

/// How a call to the keyring behaves.
#[derive(Clone, Copy, Debug)]
struct KeyringOptions {
    timeout: Duration,
    /// Whether the keyring may prompt the user, on systems where the program can prevent it.
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

/// Without a prompt by the keyring.
const NO_PROMPT: KeyringOptions = KeyringOptions { timeout: CALL_TIMEOUT, may_prompt: false };

/// How long a call with a possible prompt may take.
///
/// macOS prompts at the first use, during a sign-in, and the user has to type a password. Elsewhere a keyring that has
/// not answered after ten seconds will most likely never answer.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(if cfg!(target_os = "macos") { 60 } else { 10 });
/// How long a call without a prompt may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a call to the keyring failed. An absent item is not a fault.
#[derive(Debug)]
pub enum KeyringFault {
    /// This system or session has no keyring.
    Absent {
        what: MissingPart,
    },
    /// The keyring is locked, and the user did not unlock it or cannot be prompted here.
    Locked,
    /// The keyring is locked, and this caller may not prompt. A caller that may prompt could unlock it.
    LockedNoPrompt,
    /// The keyring refuses access to this program or user.
    Denied,
    TimedOut {
        after: Duration,
    },
    /// The keyring reported another error.
    Failed(UntrustedText),
}

/// The part of the keyring that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPart {
    /// The D-Bus session bus.
    Bus,
    /// The keyring's service.
    Service,
    /// The default collection, or the vault of this kind of session.
    Vault,
}

/// The environment, as far as it changes the advice for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringContext {
    Plain,
    /// The keyring is KWallet.
    KWallet,
    /// Windows Subsystem for Linux.
    Wsl,
    Container,
    Ssh,
}

impl KeyringContext {
    /// Whether the user's desktop, which a keyring belongs to, is somewhere else.
    fn is_remote(self) -> bool {
        match self {
            Self::Wsl | Self::Container | Self::Ssh => true,
            Self::Plain | Self::KWallet => false,
        }
    }
}

/// A fault and the environment in which it occurred.
#[derive(Debug)]
pub struct KeyringError {
    pub fault: KeyringFault,
    pub context: KeyringContext,
}

impl KeyringError {
    /// Whether this system or session has no keyring. A keyring that is locked or silent exists.
    pub fn is_absent(&self) -> bool {
        matches!(self.fault, KeyringFault::Absent { .. })
    }

    /// Whether a sign-in on this desktop makes the keyring work, because it lets the keyring prompt the user. In WSL,
    /// in a container and over SSH, the user may never see that prompt.
    pub fn is_solved_by_prompt(&self) -> bool {
        matches!(self.fault, KeyringFault::LockedNoPrompt) && !self.context.is_remote()
    }

    /// Whether a key file is the usual choice here, and not a repair of the keyring.
    pub fn suggests_file(&self) -> bool {
        self.is_absent() || self.context.is_remote()
    }

    /// Adds the environment. A locked keyring becomes [`KeyringFault::LockedNoPrompt`] if only the caller prevented a
    /// prompt.
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

/// The key, from the copy if there is one; `None` only if the keyring itself holds no key. Use it for opening records
/// only.
pub(super) fn read_key(when_locked: UnlockPolicy) -> Result<Option<SealingKey>, KeyringError> {
    match copy::read_copy() {
        Some(key) => Ok(Some(key)),
        None => read_uncached(when_locked),
    }
}

/// The keyring's own key, after `stale` has not opened a record; `None` if it is the same key. It removes the copy,
/// because the copy may be outdated.
pub(super) fn read_replacement(
    stale: &SealingKey,
    when_locked: UnlockPolicy,
) -> Result<Option<SealingKey>, KeyringError> {
    if !copy::HAS_COPY {
        return Ok(None);
    }
    log::info("keyring", format_args!("the copied key did not open the record; asking the keyring itself"));
    copy::remove_copy();
    Ok(read_uncached(when_locked)?.filter(|key| key != stale))
}

/// The key from the keyring itself. The copy is replaced or removed to match it.
pub(super) fn read_uncached(when_locked: UnlockPolicy) -> Result<Option<SealingKey>, KeyringError> {
    let key = call_keyring(KeyringOptions::from_policy(when_locked), |options| system::read_item(KEY_ITEM, options))?;
    log::debug("keyring", format_args!("the keyring was asked: it has a key: {}", key.is_some()));
    match &key {
        Some(key) => copy::store_copy(key),
        None => copy::remove_copy(),
    }
    Ok(key)
}

/// Writes the key to the keyring. The copy is removed first, so that no process reads the earlier key after a crash
/// here.
pub(super) fn write_key(key: &SealingKey, when_locked: UnlockPolicy) -> Result<(), KeyringError> {
    copy::remove_copy();
    let key = key.clone();
    call_keyring(KeyringOptions::from_policy(when_locked), move |options| system::write_item(KEY_ITEM, &key, options))
}

/// Removes the key from the keyring. Every record that it sealed is lost.
pub(super) fn remove_key(when_locked: UnlockPolicy) -> Result<(), KeyringError> {
    copy::remove_copy();
    call_keyring(KeyringOptions::from_policy(when_locked), |options| system::remove_item(KEY_ITEM, options))
}

/// Writes a test item, reads it back and removes it, for `doctor`. It neither prompts nor touches the sealing key.
pub fn test_round_trip() -> Result<(), KeyringError> {
    let mut trial: SealingKey = SealingKey::new([0; 32]);
    host::fill_random(trial.as_mut());
    call_keyring(NO_PROMPT, move |options| {
        system::write_item(TRIAL_ITEM, &trial, options)?;
        let read = system::read_item(TRIAL_ITEM, options);
        system::remove_item(TRIAL_ITEM, options)?;
        match read? {
            Some(read) if read == trial => Ok(()),
            _ => Err(KeyringFault::from_message("it gave back something else than it was given")),
        }
    })
}

/// Calls the keyring on a separate thread, because the call can block for ever. After the deadline the thread is
/// abandoned; it ends with this process.
fn call_keyring<T: Send + 'static>(
    options: KeyringOptions,
    call: impl FnOnce(KeyringOptions) -> Result<T, KeyringFault> + Send + 'static,
) -> Result<T, KeyringError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let run = move || {
        // The receiver is gone once the deadline has passed.
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

/// On Linux the kernel's keyring holds a copy.
#[cfg(target_os = "linux")]
use kernel as copy;

/// Other systems need no copy: their keyring answers fast enough.
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
