//! Windows: the key is one generic credential in the user's Credential Manager, with a name that its list shows.
//!
//! Signing in to Windows unlocks the vault, and it never prompts. The credential stays on this machine. The crate's
//! default would let it roam with a domain profile to other machines, where the sealed files do not exist.

use std::{collections::HashMap, convert::Infallible, io};

use keyring_core::{Entry, Error, api::CredentialStoreApi};
use windows_native_keyring_store::Store;

use super::{KeyringFault, KeyringOptions, MissingPart};

/// `ERROR_ACCESS_DENIED`
const ACCESS_DENIED: i32 = 5;

/// The vault never prompts.
pub(super) fn can_prompt() -> bool {
    false
}

/// There are no prompts to prevent, so there is no guard to return.
pub(super) fn disable_prompts(_: KeyringOptions) -> Option<Infallible> {
    None
}

/// The item `bedrock-sso/sealing-key`. The crate's default name `sealing-key.bedrock-sso` would be hard to find in the
/// alphabetical list of Credential Manager.
pub(super) fn build_entry(service: &str, account: &str) -> Result<Entry, KeyringFault> {
    let target = format!("{service}/{account}");
    let more = HashMap::from([("target", target.as_str()), ("persistence", "Local")]);
    Store::new().and_then(|store| store.build(service, account, Some(&more))).map_err(classify_error)
}

pub(super) fn classify_error(error: Error) -> KeyringFault {
    match error {
        // The crate returns this only for `ERROR_NO_SUCH_LOGON_SESSION`: network logons, for example by SSH, have no
        // vault.
        Error::NoStorageAccess(_) => KeyringFault::Absent { what: MissingPart::Vault },
        Error::PlatformFailure(why) => classify_message(&why.to_string()),
        other => KeyringFault::from_message(other.to_string()),
    }
}

/// Finds the Windows error code at the end of the crate's message. The type that holds the code is not public.
fn classify_message(message: &str) -> KeyringFault {
    match message.rsplit(' ').next().and_then(|number| number.parse().ok()) {
        Some(ACCESS_DENIED) => KeyringFault::Denied,
        Some(number) => KeyringFault::from_message(io::Error::from_raw_os_error(number).to_string()),
        None => KeyringFault::from_message(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::keyring::entry, text::UntrustedText};

    /// An item for one test. It is removed when the test ends, also by a panic.
    struct TestItem(Entry);

    impl TestItem {
        fn new(service: &str) -> Self {
            let item = Self(build_entry(service, "sealing-key").unwrap());
            entry::remove_entry(&item.0).unwrap();
            item
        }
    }

    impl Drop for TestItem {
        fn drop(&mut self) {
            let _ = entry::remove_entry(&self.0);
        }
    }

    #[test]
    fn a_key_round_trips_and_stays_on_this_machine() {
        let TestItem(item) = &TestItem::new("bedrock-sso test of storing");
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
        let TestItem(item) = &TestItem::new("bedrock-sso test of length");
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
        let message_of = |fault| match fault {
            KeyringFault::Failed(why) => why,
            other => panic!("{other:?}"),
        };
        let stopped = message_of(classify_message("Windows error code 1062"));
        assert!(stopped.to_safe_line().ends_with("(os error 1062)"), "{stopped:?}");
        assert_eq!(
            message_of(classify_message("Windows ERROR_BAD_USERNAME")),
            UntrustedText::new("Windows ERROR_BAD_USERNAME")
        );
    }
}
