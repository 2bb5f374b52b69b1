//! Windows Credential Manager: one generic credential in the person's vault, under a name that its list can show.
//!
//! The vault opens with the sign-in to Windows and never asks. The item stays on this machine: the crate's own default
//! would let it roam with a domain profile, away from the files that it opens.

use std::{collections::HashMap, io};

use keyring_core::{Entry, Error, api::CredentialStoreApi};
use windows_native_keyring_store::Store;

use super::{Fault, Item, Manner, Missing, Place, SERVICE, entry};
use crate::store::key::Key;

/// `ERROR_ACCESS_DENIED`
const ACCESS_DENIED: i32 = 5;

pub(super) fn read(it: Item, _: Manner) -> Result<Option<Key>, Fault> {
    entry::key_in(&item(SERVICE, it.account)?, fault)
}

/// Raw bytes, for a "password" would be kept in UTF-16.
pub(super) fn write(it: Item, key: &Key, _: Manner) -> Result<(), Fault> {
    item(SERVICE, it.account)?.set_secret(key.as_ref()).map_err(fault)
}

pub(super) fn remove(it: Item, _: Manner) -> Result<(), Fault> {
    entry::forget(&item(SERVICE, it.account)?, fault)
}

/// There is one keyring on this system, and it has one name.
pub(super) fn place() -> Place {
    Place::Plain
}

/// The crate would name it `sealing-key.bedrock-sso`, far from where anybody looks in an alphabetical list.
fn item(service: &str, account: &str) -> Result<Entry, Fault> {
    let target = format!("{service}/{account}");
    let more = HashMap::from([("target", target.as_str()), ("persistence", "Local")]);
    Store::new().and_then(|store| store.build(service, account, Some(&more))).map_err(fault)
}

fn fault(error: Error) -> Fault {
    match error {
        // The crate says this for `ERROR_NO_SUCH_LOGON_SESSION` alone: network logons, SSH's among them, have no vault.
        Error::NoStorageAccess(_) => Fault::Absent { what: Missing::Vault },
        Error::PlatformFailure(why) => refusal(&why.to_string()),
        other => Fault::broken(other.to_string()),
    }
}

/// Windows' number is all that the crate tells, at the end of its text: the type that holds it has no public name.
fn refusal(told: &str) -> Fault {
    match told.rsplit(' ').next().and_then(|number| number.parse().ok()) {
        Some(ACCESS_DENIED) => Fault::Denied,
        Some(number) => Fault::broken(io::Error::from_raw_os_error(number).to_string()),
        None => Fault::broken(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Foreign;

    /// An item of the tests' own, gone when they end however they end.
    struct Kept(Entry);

    impl Kept {
        fn new(service: &str) -> Self {
            let kept = Self(item(service, "sealing-key").unwrap());
            entry::forget(&kept.0, fault).unwrap();
            kept
        }
    }

    impl Drop for Kept {
        fn drop(&mut self) {
            let _ = entry::forget(&self.0, fault);
        }
    }

    #[test]
    fn a_key_comes_back_as_it_was_kept_and_stays_on_this_machine() {
        let Kept(item) = &Kept::new("bedrock-sso test of keeping");
        assert!(entry::key_in(item, fault).unwrap().is_none());
        for byte in [0, 0xff] {
            item.set_secret(&[byte; 32]).unwrap();
            assert_eq!(entry::key_in(item, fault).unwrap().as_deref(), Some(&[byte; 32]));
        }
        assert_eq!(item.get_attributes().unwrap()["persistence"], "Local");
        entry::forget(item, fault).unwrap();
        assert!(entry::key_in(item, fault).unwrap().is_none());
        entry::forget(item, fault).unwrap();
    }

    #[test]
    fn an_item_of_another_length_is_no_key_and_can_be_replaced() {
        let Kept(item) = &Kept::new("bedrock-sso test of length");
        for foreign in [&b""[..], &[7; 31], &[7; 33], &[7; 2560]] {
            item.set_secret(foreign).unwrap();
            assert!(entry::key_in(item, fault).unwrap().is_none(), "{} bytes", foreign.len());
        }
        item.set_secret(&[8; 32]).unwrap();
        assert_eq!(entry::key_in(item, fault).unwrap().as_deref(), Some(&[8; 32]));
    }

    #[test]
    fn a_refusal_is_told_by_its_number() {
        assert!(matches!(fault(Error::NoStorageAccess("".into())), Fault::Absent { what: Missing::Vault }));
        assert!(matches!(refusal("Windows error code 5"), Fault::Denied));
        let told = |fault| match fault {
            Fault::Broken(why) => why,
            other => panic!("{other:?}"),
        };
        let stopped = told(refusal("Windows error code 1062"));
        assert!(stopped.line().to_string().ends_with("(os error 1062)"), "{stopped:?}");
        assert_eq!(told(refusal("Windows ERROR_BAD_USERNAME")), Foreign::new("Windows ERROR_BAD_USERNAME"));
    }
}
