//! What a person can do when the operating system's keyring does not keep or give the key.
//!
//! The alternative is always named, never taken: `storage = "file"` is theirs to choose.

use crate::{
    failure::{Exit, Failure},
    store::{Fault, Missing, Place, Refusal},
    text::Foreign,
    time::spoken,
};

/// For whoever has no keyring, or does not want to be asked by it.
const FILE: &str = "set `storage = \"file\"` in the profile, which keeps the key in a private file";

impl From<Refusal> for Failure {
    fn from(Refusal { fault, place }: Refusal) -> Self {
        let words = words(place);
        let (slug, what, hint) = match fault {
            Fault::Absent { what } => absent(what, place),
            Fault::Locked => (
                "storage/keyring_locked",
                format!("{} is locked, and nobody could be asked to unlock it", words.keyring),
                format!("{}, or {FILE}", words.unlock),
            ),
            Fault::LeftLocked => (
                "storage/keyring_locked",
                format!("{} is locked, and this command may not have you asked to unlock it", words.keyring),
                format!("run `bedrock-sso login`, which lets it ask, or {FILE}"),
            ),
            Fault::Denied => (
                "storage/keyring_denied",
                format!("{} does not let this program have its key", words.keyring),
                format!("{}, or {FILE}", words.allow),
            ),
            Fault::TimedOut { after } => (
                "storage/keyring_timeout",
                format!("{} did not answer within {}", words.keyring, spoken(after)),
                format!("{}, or {FILE}", words.wake),
            ),
            Fault::Broken(why) => failed(&why, words),
        };
        Self::new(Exit::Storage, slug, what, hint)
    }
}

type Told = (&'static str, String, String);

fn absent(what: Missing, place: Place) -> Told {
    let words = words(place);
    let what = match (what, place) {
        (Missing::Vault, _) => words.vault,
        (_, Place::Wsl) => "there is no keyring here: WSL comes without one",
        (_, Place::Container) => "there is no keyring here: a container comes without one",
        (_, Place::Ssh) => "there is no keyring here: a session over SSH comes without one",
        (Missing::Bus, _) => "there is no keyring here: this session has no D-Bus",
        (Missing::Service, _) => {
            "there is no keyring here: nothing on this session's D-Bus offers the Secret Service"
        }
    };
    ("storage/keyring_absent", what.to_owned(), format!("{FILE}, or {}", words.start))
}

fn failed(why: &Foreign, words: &Words) -> Told {
    let what = format!("{} failed: {}", words.keyring, why.line());
    ("storage/keyring_failed", what, format!("try again, or {FILE}"))
}

/// The words that fit the keyring.
struct Words {
    keyring: &'static str,
    vault: &'static str,
    start: &'static str,
    unlock: &'static str,
    allow: &'static str,
    wake: &'static str,
}

const WINDOWS: Words = Words {
    keyring: "Windows Credential Manager",
    vault: "there is no keyring here: Windows opens no vault for this kind of session, as over SSH and for services",
    start: "sign in to Windows at its desktop",
    unlock: "sign in to Windows at its desktop",
    allow: "allow Credential Manager in the policies of this machine",
    wake: "sign out of Windows and in again",
};

const MACOS: Words = Words {
    keyring: "the keychain",
    vault: "there is no keyring here: this session has no default keychain",
    start: "create one in Keychain Access",
    unlock: "run `security unlock-keychain` and try again",
    allow: "run `bedrock-sso login` and answer the keychain's question with \"Always Allow\"",
    wake: "look for its question on the screen and answer \"Always Allow\"",
};

const LINUX: Words = Words {
    keyring: "the keyring",
    vault: "there is no keyring here: the Secret Service has no default collection, as before the first desktop login",
    start: "run this in a desktop session with GNOME Keyring or KWallet",
    unlock: "unlock it, for instance by logging in at the desktop, and try again",
    allow: "allow it in the keyring's settings",
    wake: "look for its question on the screen, start it anew",
};

const WSL: Words = Words {
    start: "start GNOME Keyring in it: `dbus-run-session`, then `gnome-keyring-daemon --unlock`",
    unlock: "unlock it, for instance with `gnome-keyring-daemon --unlock`, and try again",
    ..LINUX
};

const CONTAINER: Words = Words { start: "run this outside of the container", ..LINUX };

const KWALLET: Words = Words {
    keyring: "KWallet",
    vault: "there is no keyring here: KWallet has no wallet yet",
    start: "create a wallet named kdewallet in KWalletManager and log in again",
    unlock: "open the wallet at the desktop, for instance in KWalletManager, and try again",
    allow: "allow it in KWalletManager",
    wake: "look for its window on the screen, open the wallet in KWalletManager",
};

fn words(place: Place) -> &'static Words {
    match (place, std::env::consts::OS) {
        (_, "windows") => &WINDOWS,
        (_, "macos") => &MACOS,
        (Place::KWallet, _) => &KWALLET,
        (Place::Wsl, _) => &WSL,
        (Place::Container, _) => &CONTAINER,
        (Place::Plain | Place::Ssh, _) => &LINUX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_a_storage_failure_that_names_the_way_out() {
        let faults = [
            (Fault::Absent { what: Missing::Bus }, "absent"),
            (Fault::Absent { what: Missing::Service }, "absent"),
            (Fault::Absent { what: Missing::Vault }, "absent"),
            (Fault::Locked, "locked"),
            (Fault::LeftLocked, "locked"),
            (Fault::Denied, "denied"),
            (Fault::TimedOut { after: std::time::Duration::from_secs(3) }, "timeout"),
            (Fault::Broken(Foreign::new("a\u{1b}[31m message")), "failed"),
        ];
        for (fault, word) in faults {
            let failure = Failure::from(Refusal { fault, place: Place::Plain });
            assert_eq!((failure.exit, failure.slug), (Exit::Storage, format!("storage/keyring_{word}")));
            assert!(failure.hint.contains("storage = \"file\""), "{}", failure.hint);
            assert!(!failure.what.contains('\u{1b}'), "{}", failure.what);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_place_without_a_keyring_is_named() {
        for (place, name) in [(Place::Wsl, "WSL"), (Place::Container, "container"), (Place::Ssh, "SSH")] {
            for what in [Missing::Bus, Missing::Service] {
                let failure = Failure::from(Refusal { fault: Fault::Absent { what }, place });
                assert!(failure.what.contains(name), "{}", failure.what);
                assert!(failure.hint.contains("storage = \"file\""), "{}", failure.hint);
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn kwallet_is_called_by_its_name() {
        let silent = Fault::TimedOut { after: std::time::Duration::from_secs(3) };
        for fault in [silent, Fault::Locked, Fault::Denied, Fault::Absent { what: Missing::Vault }] {
            let failure = Failure::from(Refusal { fault, place: Place::KWallet });
            assert!(failure.what.contains("KWallet"), "{}", failure.what);
            assert!(failure.hint.contains("KWalletManager"), "{}", failure.hint);
        }
    }
}
