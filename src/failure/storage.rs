//! What a user can do when files are not as needed, or the operating system's keyring does not keep or give the key.
//!
//! The alternative is always named, never taken: `storage = "file"` is theirs to choose.

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
    fn from(error: files::Error) -> Self {
        let hint = match error.action {
            FileAction::Read | FileAction::List => format!("make sure that you may read {}", error.path.display()),
            FileAction::Open
            | FileAction::Lock
            | FileAction::Write
            | FileAction::WriteInto
            | FileAction::Replace
            | FileAction::Create
            | FileAction::Remove => {
                let folder = error.path.parent().unwrap_or(&error.path).display();
                format!("make sure that you may write to {folder} and that the disk is not full")
            }
        };
        // This program refused the file, so neither permissions nor the disk are at fault.
        let is_refused = matches!(error.source.kind(), ErrorKind::Other | ErrorKind::FileTooLarge);
        let hint = if is_refused { "check that file, then try again".to_owned() } else { hint };
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

/// For whoever has no keyring, or does not want to be asked by it.
const USE_FILE_STORAGE: &str = "set `storage = \"file\"` in the profile, which keeps the key in a private file";

impl From<KeyringError> for Failure {
    fn from(KeyringError { fault, context: place }: KeyringError) -> Self {
        let words = select_phrases(place);
        let (slug, what, hint) = match fault {
            KeyringFault::Absent { what } => describe_missing_keyring(what, place),
            KeyringFault::Locked => (
                "storage/keyring_locked",
                format!("{} is locked, and nobody could be asked to unlock it", words.name),
                format!("{}, or {USE_FILE_STORAGE}", words.unlock_hint).into(),
            ),
            KeyringFault::LockedNoPrompt => (
                "storage/keyring_locked",
                format!("{} is locked, and this command may not have you asked to unlock it", words.name),
                Hint::run(NextCommand::Login).text(", which lets it ask, or ").text(USE_FILE_STORAGE),
            ),
            KeyringFault::Denied => (
                "storage/keyring_denied",
                format!("{} does not let this program have its key", words.name),
                (words.suggest_permission)().text(", or ").text(USE_FILE_STORAGE),
            ),
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

type FailureParts = (&'static str, String, Hint);

fn describe_missing_keyring(what: MissingPart, place: KeyringContext) -> FailureParts {
    let words = select_phrases(place);
    let what = match (what, place) {
        (MissingPart::Vault, _) => words.no_vault,
        (_, KeyringContext::Wsl) => "there is no keyring here: WSL comes without one",
        (_, KeyringContext::Container) => "there is no keyring here: a container comes without one",
        (_, KeyringContext::Ssh) => "there is no keyring here: a session over SSH comes without one",
        (MissingPart::Bus, KeyringContext::Plain | KeyringContext::KWallet) => {
            "there is no keyring here: this session has no D-Bus"
        }
        (MissingPart::Service, KeyringContext::Plain | KeyringContext::KWallet) => {
            "there is no keyring here: nothing on this session's D-Bus offers the Secret Service"
        }
    };
    ("storage/keyring_absent", what.to_owned(), format!("{USE_FILE_STORAGE}, or {}", words.setup_hint).into())
}

fn describe_keyring_error(why: &UntrustedText, words: &KeyringPhrases) -> FailureParts {
    let what = format!("{} failed: {}", words.name, why.to_safe_line());
    ("storage/keyring_failed", what, format!("try again, or {USE_FILE_STORAGE}").into())
}

/// The words that fit the keyring.
struct KeyringPhrases {
    name: &'static str,
    no_vault: &'static str,
    setup_hint: &'static str,
    unlock_hint: &'static str,
    suggest_permission: fn() -> Hint,
    timeout_hint: &'static str,
}

const WINDOWS: KeyringPhrases = KeyringPhrases {
    name: "Windows Credential Manager",
    no_vault: "there is no keyring here: Windows opens no vault for this kind of session, as over SSH and for services",
    setup_hint: "sign in to Windows at its desktop",
    unlock_hint: "sign in to Windows at its desktop",
    suggest_permission: || "allow Credential Manager in the policies of this machine".into(),
    timeout_hint: "sign out of Windows and in again",
};

const MACOS: KeyringPhrases = KeyringPhrases {
    name: "the keychain",
    no_vault: "there is no keyring here: this session has no default keychain",
    setup_hint: "create one in Keychain Access",
    unlock_hint: "run `security unlock-keychain` and try again",
    suggest_permission: || {
        Hint::run(NextCommand::Login).text(" and answer the keychain's question with \"Always Allow\"")
    },
    timeout_hint: "look for its question on the screen and answer \"Always Allow\"",
};

const LINUX: KeyringPhrases = KeyringPhrases {
    name: "the keyring",
    no_vault: "there is no keyring here: the Secret Service has no default collection, as before the first desktop login",
    setup_hint: "run this in a desktop session with GNOME Keyring or KWallet",
    unlock_hint: "unlock it, for instance by logging in at the desktop, and try again",
    suggest_permission: || "allow it in the keyring's settings".into(),
    timeout_hint: "look for its question on the screen, start it anew",
};

const WSL: KeyringPhrases = KeyringPhrases {
    setup_hint: "start GNOME Keyring in it: `dbus-run-session`, then `gnome-keyring-daemon --unlock`",
    unlock_hint: "unlock it, for instance with `gnome-keyring-daemon --unlock`, and try again",
    ..LINUX
};

const CONTAINER: KeyringPhrases = KeyringPhrases { setup_hint: "run this outside of the container", ..LINUX };

const KWALLET: KeyringPhrases = KeyringPhrases {
    name: "KWallet",
    no_vault: "there is no keyring here: KWallet has no wallet yet",
    setup_hint: "create a wallet named kdewallet in KWalletManager and log in again",
    unlock_hint: "open the wallet at the desktop, for instance in KWalletManager, and try again",
    suggest_permission: || "allow it in KWalletManager".into(),
    timeout_hint: "look for its window on the screen, open the wallet in KWalletManager",
};

fn select_phrases(place: KeyringContext) -> &'static KeyringPhrases {
    match (place, std::env::consts::OS) {
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
    fn a_file_that_we_refused_gets_no_disk_full_hint() {
        let hint = |source| {
            let at_path = files::Error::at(FileAction::Replace, Path::new("/home/a/.aws/config"));
            Failure::from(at_path(source)).hint.render(&Invocation::default())
        };
        assert_eq!(hint(io::Error::other("it is no regular file")), "check that file, then try again");
        assert!(hint(ErrorKind::StorageFull.into()).contains("the disk is not full"));
    }

    #[test]
    fn file_that_cannot_be_read_gets_a_hint_about_reading() {
        let source = ErrorKind::PermissionDenied.into();
        let failure = Failure::from(files::Error::at(FileAction::Read, Path::new("/a/key"))(source));
        assert_eq!(failure.hint.render(&Invocation::default()), "make sure that you may read /a/key");
    }

    #[test]
    fn each_fault_is_a_storage_failure_that_names_the_way_out() {
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
    fn a_place_without_a_keyring_is_named() {
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
    fn kwallet_is_called_by_its_name() {
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
