//! What a person can do when the operating system's keyring does not keep or give the key.
//!
//! The alternative is always named, never taken: `storage = "file"` is theirs to choose.

use crate::{
    failure::{Exit, Failure},
    store::{Fault, Missing},
    text::Foreign,
    time::spoken,
};

/// For whoever has no keyring, or does not want to be asked by it.
const FILE: &str = "set `storage = \"file\"` in the profile, which keeps the key in a private file";

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let (slug, what, hint) = match fault {
            Fault::Absent { what } => absent(what),
            Fault::Locked => (
                "storage/keyring_locked",
                "the keyring is locked, and nobody could be asked to unlock it".to_owned(),
                format!("{}, or {FILE}", words().unlock),
            ),
            Fault::Denied => (
                "storage/keyring_denied",
                "the keyring does not let this program have its key".to_owned(),
                format!("{}, or {FILE}", words().allow),
            ),
            Fault::TimedOut { after } => (
                "storage/keyring_timeout",
                format!("the keyring did not answer within {}", spoken(after)),
                format!("look for its question on the screen, start it anew, or {FILE}"),
            ),
            Fault::Broken(why) => failed(&why),
        };
        Self::new(Exit::Storage, slug, what, hint)
    }
}

type Told = (&'static str, String, String);

fn absent(what: Missing) -> Told {
    let what = match what {
        Missing::Bus => {
            "there is no keyring here: this session has no D-Bus, as in containers, in WSL and over SSH"
        }
        Missing::Service => {
            "there is no keyring here: nothing on this session's D-Bus offers the Secret Service"
        }
        Missing::Vault => words().vault,
    };
    ("storage/keyring_absent", what.to_owned(), format!("{FILE}, or {}", words().start))
}

fn failed(why: &Foreign) -> Told {
    ("storage/keyring_failed", format!("the keyring failed: {}", why.line()), format!("try again, or {FILE}"))
}

/// The words that fit the system this runs on.
struct Words {
    vault: &'static str,
    start: &'static str,
    unlock: &'static str,
    allow: &'static str,
}

const WINDOWS: Words = Words {
    vault: "there is no keyring here: Windows opens no vault for this kind of session, as over SSH and for services",
    start: "sign in to Windows at its desktop",
    unlock: "sign in to Windows at its desktop",
    allow: "allow Credential Manager in the policies of this machine",
};

const MACOS: Words = Words {
    vault: "there is no keyring here: this session has no default keychain",
    start: "create one in Keychain Access",
    unlock: "run `security unlock-keychain` and try again",
    allow: "answer its question with \"Always Allow\"",
};

const LINUX: Words = Words {
    vault: "there is no keyring here: the Secret Service has no default collection, as before the first desktop login",
    start: "run this in a desktop session with GNOME Keyring or KWallet",
    unlock: "unlock it, for instance by logging in at the desktop, and try again",
    allow: "allow it in the keyring's settings",
};

fn words() -> &'static Words {
    match std::env::consts::OS {
        "windows" => &WINDOWS,
        "macos" => &MACOS,
        _ => &LINUX,
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
            (Fault::Denied, "denied"),
            (Fault::TimedOut { after: std::time::Duration::from_secs(3) }, "timeout"),
            (Fault::Broken(Foreign::new("a\u{1b}[31m message")), "failed"),
        ];
        for (fault, word) in faults {
            let failure = Failure::from(fault);
            assert_eq!((failure.exit, failure.slug), (Exit::Storage, format!("storage/keyring_{word}")));
            assert!(failure.hint.contains("storage = \"file\""), "{}", failure.hint);
            assert!(!failure.what.contains('\u{1b}'), "{}", failure.what);
        }
    }
}
