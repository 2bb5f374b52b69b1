//! The macOS keychain: one generic password in the person's default keychain, which is the login keychain.
//!
//! One item means one question at most, and "Always Allow" ends it for as long as the program is signed by the same hand.

use apple_native_keyring_store::keychain::{Cred, MacKeychainDomain};
use keyring_core::{Entry, Error};
use security_framework::{
    base::Error as SecurityError,
    os::macos::keychain::{KeychainUserInteractionLock, SecKeychain},
};

use super::{Fault, Item, Manner, Missing, Place, SERVICE, entry};
use crate::store::key::Key;

// From SecBase.h.
const USER_CANCELED: i32 = -128;
const NOT_AVAILABLE: i32 = -25291;
const AUTH_FAILED: i32 = -25293;
const NO_SUCH_KEYCHAIN: i32 = -25294;
const NO_DEFAULT_KEYCHAIN: i32 = -25307;
const INTERACTION_NOT_ALLOWED: i32 = -25308;
const INTERACTION_REQUIRED: i32 = -25315;

pub(super) fn read(it: Item, manner: Manner) -> Result<Option<Key>, Fault> {
    let _silence = silence(manner);
    entry::key_in(&item(SERVICE, it.account)?, fault)
}

pub(super) fn write(it: Item, key: &Key, manner: Manner) -> Result<(), Fault> {
    let _silence = silence(manner);
    item(SERVICE, it.account)?.set_secret(key.as_ref()).map_err(fault)
}

pub(super) fn remove(it: Item, manner: Manner) -> Result<(), Fault> {
    let _silence = silence(manner);
    entry::forget(&item(SERVICE, it.account)?, fault)
}

/// Until it is dropped, whatever would open a window for the person is refused instead, as where there is no desktop.
fn silence(manner: Manner) -> Option<KeychainUserInteractionLock> {
    if manner.may_ask { None } else { SecKeychain::disable_user_interaction().ok() }
}

/// There is one keyring on this system, and it has one name.
pub(super) fn place() -> Place {
    Place::Plain
}

fn item(service: &str, account: &str) -> Result<Entry, Fault> {
    Cred::build(MacKeychainDomain::User, service, account).map_err(fault)
}

fn fault(error: Error) -> Fault {
    match error {
        Error::PlatformFailure(why) | Error::NoStorageAccess(why) => {
            match why.downcast_ref::<SecurityError>() {
                Some(status) => refusal(*status),
                None => Fault::broken(why.to_string()),
            }
        }
        other => Fault::broken(other.to_string()),
    }
}

fn refusal(status: SecurityError) -> Fault {
    match status.code() {
        // Locked, or it wants to ask, where it may show no window: over SSH, from cron, before the first login.
        INTERACTION_NOT_ALLOWED | INTERACTION_REQUIRED => Fault::Locked,
        // Somebody answered "Deny" or "Cancel", or typed a wrong password too often.
        USER_CANCELED | AUTH_FAILED => Fault::Denied,
        NOT_AVAILABLE | NO_SUCH_KEYCHAIN | NO_DEFAULT_KEYCHAIN => Fault::Absent { what: Missing::Vault },
        code => Fault::broken(format!("{status} ({code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_number() {
        let fault = |code| fault(Error::PlatformFailure(Box::new(SecurityError::from_code(code))));
        assert!(matches!(fault(-25308), Fault::Locked));
        assert!(matches!(fault(-25293), Fault::Denied));
        assert!(matches!(fault(-128), Fault::Denied));
        assert!(matches!(fault(-25307), Fault::Absent { what: Missing::Vault }));
        let Fault::Broken(why) = fault(-25299) else { panic!("a duplicate item is no known refusal") };
        assert!(why.line().to_string().ends_with("(-25299)"), "{why:?}");
    }

    #[test]
    fn what_may_not_ask_opens_no_window() {
        let allowed = || SecKeychain::user_interaction_allowed().unwrap();
        let manner = |may_ask| Manner { patience: super::super::ALONE, may_ask };
        let silent = silence(manner(false));
        assert!(silent.is_some() && !allowed());
        drop(silent);
        assert!(silence(manner(true)).is_none() && allowed());
    }

    #[test]
    #[ignore = "writes to the default keychain of whoever runs it"]
    fn a_key_comes_back_as_it_was_kept_and_another_length_is_none() {
        let item = item("bedrock-sso test", "sealing-key").unwrap();
        entry::forget(&item, fault).unwrap();
        assert!(entry::key_in(&item, fault).unwrap().is_none());
        for byte in [0, 0xff] {
            item.set_secret(&[byte; 32]).unwrap();
            assert_eq!(entry::key_in(&item, fault).unwrap().as_deref(), Some(&[byte; 32]));
        }
        item.set_secret(&[7; 33]).unwrap();
        assert!(entry::key_in(&item, fault).unwrap().is_none());
        entry::forget(&item, fault).unwrap();
        entry::forget(&item, fault).unwrap();
        assert!(entry::key_in(&item, fault).unwrap().is_none());
    }
}
