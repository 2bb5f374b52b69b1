//! Messages and hints for files and for the operating system's keyring.
//!
//! Every one of these failures ends with exit code 10. The key that seals the stored session is in the keyring or, with
//! `storage = "file"`, in a private file. A hint about the keyring always offers `storage = "file"`, and the program
//! never switches to it automatically: a key in a file is less protected, so the user decides.

use std::io::ErrorKind;

use crate::{
    failure::{Exit, Failure},
    files::{self, FileAction},
    hint::{Hint, NextCommand},
    store::{self, KeyringContext, KeyringError, KeyringFault, MissingPart},
    text::UntrustedText,
    time::format_duration,
};

impl From<files::Error> for Failure {
    /// The message is `files`' own: action, path and cause. The hint follows from the action, because a file that
    /// cannot be written often has the cause in its folder: a missing permission or a full disk.
    fn from(error: files::Error) -> Self {
        let hint = match error.action {
            FileAction::Read | FileAction::List => format!("check that you can read {}", error.path.display()),
            FileAction::Open
            | FileAction::Lock
            | FileAction::Write
            | FileAction::WriteInto
            | FileAction::Replace
            | FileAction::Create
            | FileAction::Remove => {
                let folder = error.path.parent().unwrap_or(&error.path).display();
                format!("check that you can write to {folder} and that the disk is not full")
            }
        };
        // This program refused the file, for example because it is a named pipe. Neither permissions nor the disk are
        // at fault.
        let is_refused = matches!(error.source.kind(), ErrorKind::Other | ErrorKind::FileTooLarge);
        let hint = if is_refused { format!("check {}, then try again", error.path.display()) } else { hint };
        Self::new(Exit::Storage, "storage/files", error.to_string(), hint)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Files(error) => error.into(),
            store::Error::Keyring(refusal) => refusal.into(),
        }
    }
}

/// The alternative for a user who has no keyring, or whose keyring shows prompts that they do not want.
const USE_FILE_STORAGE: &str = "set `storage = \"file\"` in the profile to store the key in a private file";

impl From<KeyringError> for Failure {
    fn from(KeyringError { fault, context }: KeyringError) -> Self {
        let words = select_phrases(context);
        let (slug, what, hint) = match fault {
            KeyringFault::Absent { what } => describe_missing_keyring(what, context),
            // The user dismissed the keyring's prompt, or there is no desktop to show one.
            KeyringFault::Locked => (
                "storage/keyring_locked",
                format!("{} is locked, and no prompt unlocked it", words.name),
                format!("{}, or {USE_FILE_STORAGE}", words.unlock_hint).into(),
            ),
            // Commands that run without the user, such as `credentials --no-login`, must not open a prompt. `login`
            // may.
            KeyringFault::LockedNoPrompt => (
                "storage/keyring_locked",
                format!("{} is locked, and this command must not prompt you to unlock it", words.name),
                Hint::run(NextCommand::Login).text(" to be prompted, or ").text(USE_FILE_STORAGE),
            ),
            KeyringFault::Denied => (
                "storage/keyring_denied",
                format!("{} denies this program access to its key", words.name),
                (words.suggest_permission)().text(", or ").text(USE_FILE_STORAGE),
            ),
            // Most often the keyring waits for an answer to a prompt that is behind another window.
            KeyringFault::TimedOut { after } => (
                "storage/keyring_timeout",
                format!("{} did not answer within {}", words.name, format_duration(after)),
                format!("{}, or {USE_FILE_STORAGE}", words.timeout_hint).into(),
            ),
            KeyringFault::Failed(why) => describe_keyring_error(&why, words),
        };
        Self::new(Exit::Storage, slug, what, hint)
    }
}

/// Slug, message and hint.
type FailureParts = (&'static str, String, Hint);

/// There is no keyring in which a key could be stored. The environment explains it better than the missing part: a user
/// of WSL does not know what D-Bus is, and need not.
fn describe_missing_keyring(what: MissingPart, context: KeyringContext) -> FailureParts {
    let words = select_phrases(context);
    let cause = match (what, context) {
        (MissingPart::Vault, _) => words.no_vault,
        (_, KeyringContext::Wsl) => "WSL has none",
        (_, KeyringContext::Container) => "a container has none",
        (_, KeyringContext::Ssh) => "a session over SSH has none",
        (MissingPart::Bus, KeyringContext::Plain | KeyringContext::KWallet) => "this session has no D-Bus",
        (MissingPart::Service, KeyringContext::Plain | KeyringContext::KWallet) => {
            "no program on this session's D-Bus provides the Secret Service"
        }
    };
    let hint = format!("{USE_FILE_STORAGE}, or {}", words.setup_hint);
    ("storage/keyring_absent", format!("no keyring is available: {cause}"), hint.into())
}

/// The keyring answered with an error of its own. Its text is foreign and is escaped.
fn describe_keyring_error(why: &UntrustedText, words: &KeyringPhrases) -> FailureParts {
    let what = format!("{} failed: {}", words.name, why.to_safe_line());
    ("storage/keyring_failed", what, format!("try again, or {USE_FILE_STORAGE}").into())
}

/// The phrases that differ between keyrings. Each hint is an imperative without a full stop, because ", or set `storage
/// …`" follows it.
struct KeyringPhrases {
    /// The keyring as its users call it.
    name: &'static str,
    /// Why there is no place for a key although the keyring exists.
    no_vault: &'static str,
    /// How to get a keyring.
    setup_hint: &'static str,
    unlock_hint: &'static str,
    /// How to let this program use its key. A function, because a hint with a command is no constant.
    suggest_permission: fn() -> Hint,
    timeout_hint: &'static str,
}

const WINDOWS: KeyringPhrases = KeyringPhrases {
    name: "Windows Credential Manager",
    // CredWrite fails with ERROR_NO_SUCH_LOGON_SESSION in a network logon.
    no_vault: "Windows opens no vault for this kind of session, such as SSH or a service",
    setup_hint: "sign in to Windows at its desktop",
    unlock_hint: "sign in to Windows at its desktop",
    suggest_permission: || "allow Credential Manager in the policies of this machine".into(),
    timeout_hint: "sign out of Windows and sign in again",
};

const MACOS: KeyringPhrases = KeyringPhrases {
    name: "the keychain",
    no_vault: "this session has no default keychain",
    setup_hint: "create one in Keychain Access",
    unlock_hint: "run `security unlock-keychain` and try again",
    // The keychain knows a program by its signature, so it prompts again after each update of an unsigned program.
    suggest_permission: || {
        Hint::run(NextCommand::Login).text(" and answer the keychain's prompt with \"Always Allow\"")
    },
    timeout_hint: "answer the prompt on the screen with \"Always Allow\"",
};

const LINUX: KeyringPhrases = KeyringPhrases {
    name: "the keyring",
    // PAM creates the collection when the user logs in at the desktop for the first time.
    no_vault: "the Secret Service has no default collection before the first desktop login",
    setup_hint: "run this in a desktop session with GNOME Keyring or KWallet",
    unlock_hint: "unlock it, for example by logging in at the desktop, and try again",
    suggest_permission: || "allow it in the keyring's settings".into(),
    timeout_hint: "answer the prompt on the screen, restart the keyring",
};

const WSL: KeyringPhrases = KeyringPhrases {
    setup_hint: "start GNOME Keyring in WSL: `dbus-run-session`, then `gnome-keyring-daemon --unlock`",
    unlock_hint: "unlock it, for example with `gnome-keyring-daemon --unlock`, and try again",
    ..LINUX
};

const CONTAINER: KeyringPhrases = KeyringPhrases { setup_hint: "run this outside the container", ..LINUX };

const KWALLET: KeyringPhrases = KeyringPhrases {
    name: "KWallet",
    no_vault: "KWallet has no wallet yet",
    // KWallet opens this wallet at login, and no other.
    setup_hint: "create a wallet named kdewallet in KWalletManager and log in again",
    unlock_hint: "open the wallet at the desktop, for example in KWalletManager, and try again",
    suggest_permission: || "allow it in KWalletManager".into(),
    timeout_hint: "answer the prompt on the screen, open the wallet in KWalletManager",
};

/// Windows and macOS have one keyring each. On Linux the environment decides which advice can work.
fn select_phrases(context: KeyringContext) -> &'static KeyringPhrases {
    match (context, std::env::consts::OS) {
        (_, "windows") => &WINDOWS,
        (_, "macos") => &MACOS,
        (KeyringContext::KWallet, _) => &KWALLET,
        (KeyringContext::Wsl, _) => &WSL,
        (KeyringContext::Container, _) => &CONTAINER,
        (KeyringContext::Plain | KeyringContext::Ssh, _) => &LINUX,
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::*;
    use crate::hint::Invocation;

    #[test]
    fn refused_file_gets_no_disk_full_hint() {
        let hint = |source| {
            let at_path = files::Error::at(FileAction::Replace, Path::new("/home/a/.aws/config"));
            Failure::from(at_path(source)).hint.render(&Invocation::default())
        };
        assert_eq!(hint(io::Error::other("it is no regular file")), "check /home/a/.aws/config, then try again");
        assert!(hint(ErrorKind::StorageFull.into()).contains("the disk is not full"));
    }

    #[test]
    fn unreadable_file_gets_a_hint_about_reading() {
        let source = ErrorKind::PermissionDenied.into();
        let failure = Failure::from(files::Error::at(FileAction::Read, Path::new("/a/key"))(source));
        assert_eq!(failure.hint.render(&Invocation::default()), "check that you can read /a/key");
    }

    #[test]
    fn keyring_fault_hint_offers_file_storage() {
        let faults = [
            (KeyringFault::Absent { what: MissingPart::Bus }, "absent"),
            (KeyringFault::Absent { what: MissingPart::Service }, "absent"),
            (KeyringFault::Absent { what: MissingPart::Vault }, "absent"),
            (KeyringFault::Locked, "locked"),
            (KeyringFault::LockedNoPrompt, "locked"),
            (KeyringFault::Denied, "denied"),
            (KeyringFault::TimedOut { after: std::time::Duration::from_secs(3) }, "timeout"),
            (KeyringFault::Failed(UntrustedText::new("a\u{1b}[31m message")), "failed"),
        ];
        for (fault, word) in faults {
            let failure = Failure::from(KeyringError { fault, context: KeyringContext::Plain });
            assert_eq!((failure.exit, failure.slug), (Exit::Storage, format!("storage/keyring_{word}")));
            let hint = failure.hint.render(&Invocation::default());
            assert!(hint.contains("storage = \"file\""), "{hint}");
            assert!(!failure.what.contains('\u{1b}'), "{}", failure.what);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn missing_keyring_message_names_the_environment() {
        for (place, name) in
            [(KeyringContext::Wsl, "WSL"), (KeyringContext::Container, "container"), (KeyringContext::Ssh, "SSH")]
        {
            for what in [MissingPart::Bus, MissingPart::Service] {
                let failure = Failure::from(KeyringError { fault: KeyringFault::Absent { what }, context: place });
                assert!(failure.what.contains(name), "{}", failure.what);
                let hint = failure.hint.render(&Invocation::default());
                assert!(hint.contains("storage = \"file\""), "{hint}");
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn kwallet_failures_name_kwallet() {
        let silent = KeyringFault::TimedOut { after: std::time::Duration::from_secs(3) };
        for fault in
            [silent, KeyringFault::Locked, KeyringFault::Denied, KeyringFault::Absent { what: MissingPart::Vault }]
        {
            let failure = Failure::from(KeyringError { fault, context: KeyringContext::KWallet });
            assert!(failure.what.contains("KWallet"), "{}", failure.what);
            let hint = failure.hint.render(&Invocation::default());
            assert!(hint.contains("KWalletManager"), "{hint}");
        }
    }
}
