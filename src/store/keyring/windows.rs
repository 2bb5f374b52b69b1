//! Windows Credential Manager: one generic credential in the person's vault, under a name that its list can show.
//!
//! The vault opens with the sign-in to Windows and never asks. The item stays on this machine: the crate's own default
//! would let it roam with a domain profile, away from the files that it opens.

use std::{collections::HashMap, convert::Infallible, io};

use keyring_core::{Entry, Error, api::CredentialStoreApi};
use windows_native_keyring_store::Store;

use super::{KeyringFault, KeyringOptions, MissingPart};

/// `ERROR_ACCESS_DENIED`
const ACCESS_DENIED: i32 = 5;

/// The vault opens with the person's session and never asks.
pub(super) fn can_prompt() -> bool {
    false
}

/// There are no windows to hold back, so nothing has to be undone.
pub(super) fn disable_prompts(_: KeyringOptions) -> Option<Infallible> {
    None
}

/// The crate would name it `sealing-key.bedrock-sso`, far from where anybody looks in an alphabetical list.
pub(super) fn build_entry(service: &str, account: &str) -> Result<Entry, KeyringFault> {
    let target = format!("{service}/{account}");
    let more = HashMap::from([("target", target.as_str()), ("persistence", "Local")]);
    Store::new().and_then(|store| store.build(service, account, Some(&more))).map_err(classify_error)
}

pub(super) fn classify_error(error: Error) -> KeyringFault {
    match error {
        // The crate says this for `ERROR_NO_SUCH_LOGON_SESSION` alone: network logons, SSH's among them, have no vault.
        Error::NoStorageAccess(_) => KeyringFault::Absent { what: MissingPart::Vault },
        Error::PlatformFailure(why) => classify_message(&why.to_string()),
        other => KeyringFault::from_message(other.to_string()),
    }
}

/// Windows' number is all that the crate tells, at the end of its text: the type that holds it has no public name.
fn classify_message(told: &str) -> KeyringFault {
    match told.rsplit(' ').next().and_then(|number| number.parse().ok()) {
        Some(ACCESS_DENIED) => KeyringFault::Denied,
        Some(number) => KeyringFault::from_message(io::Error::from_raw_os_error(number).to_string()),
        None => KeyringFault::from_message(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::keyring::entry, text::UntrustedText};

    /// An item of the tests' own, gone when they end however they end.
    struct Kept(Entry);

    impl Kept {
        fn new(service: &str) -> Self {
            let kept = Self(build_entry(service, "sealing-key").unwrap());
            entry::remove_entry(&kept.0).unwrap();
            kept
        }
    }

    impl Drop for Kept {
        fn drop(&mut self) {
            let _ = entry::remove_entry(&self.0);
        }
    }

    #[test]
    fn a_key_round_trips_and_stays_on_this_machine() {
        let Kept(item) = &Kept::new("bedrock-sso test of keeping");
        assert!(entry::read_entry(item).unwrap().is_none());
        for byte in [0, 0xff] {
            item.set_secret(&[byte; 32]).unwrap();
            assert_eq!(entry::read_entry(item).unwrap().as_deref(), Some(&[byte; 32]));
        }
        assert_eq!(item.get_attributes().unwrap()["persistence"], "Local");
        entry::remove_entry(item).unwrap();
        assert!(entry::read_entry(item).unwrap().is_none());
        entry::remove_entry(item).unwrap();
    }

    #[test]
    fn an_item_of_another_length_is_replaced() {
        let Kept(item) = &Kept::new("bedrock-sso test of length");
        for foreign in [&b""[..], &[7; 31], &[7; 33], &[7; 2560]] {
            item.set_secret(foreign).unwrap();
            assert!(entry::read_entry(item).unwrap().is_none(), "{} bytes", foreign.len());
        }
        item.set_secret(&[8; 32]).unwrap();
        assert_eq!(entry::read_entry(item).unwrap().as_deref(), Some(&[8; 32]));
    }

    #[test]
    fn a_system_error_code_maps_to_its_fault() {
        assert!(matches!(
            classify_error(Error::NoStorageAccess("".into())),
            KeyringFault::Absent { what: MissingPart::Vault }
        ));
        assert!(matches!(classify_message("Windows error code 5"), KeyringFault::Denied));
        let told = |fault| match fault {
            KeyringFault::Failed(why) => why,
            other => panic!("{other:?}"),
        };
        let stopped = told(classify_message("Windows error code 1062"));
        assert!(stopped.to_safe_line().ends_with("(os error 1062)"), "{stopped:?}");
        assert_eq!(
            told(classify_message("Windows ERROR_BAD_USERNAME")),
            UntrustedText::new("Windows ERROR_BAD_USERNAME")
        );
    }
}
