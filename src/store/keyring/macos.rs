//! macOS: the key is one generic password in the user's default keychain, which is normally the login keychain.
//!
//! With one item, macOS prompts at most once. After "Always Allow" it does not prompt again, as long as the program is
//! signed by the same developer.

use apple_native_keyring_store::keychain::{Cred, MacKeychainDomain};
use keyring_core::{Entry, Error};
use security_framework::{
    base::Error as SecurityError,
    os::macos::keychain::{KeychainUserInteractionLock, SecKeychain},
};

use super::{KeyringFault, KeyringOptions, MissingPart};

// Status codes from SecBase.h.
const USER_CANCELED: i32 = -128;
const NOT_AVAILABLE: i32 = -25291;
const AUTH_FAILED: i32 = -25293;
const NO_SUCH_KEYCHAIN: i32 = -25294;
const NO_DEFAULT_KEYCHAIN: i32 = -25307;
const INTERACTION_NOT_ALLOWED: i32 = -25308;
const INTERACTION_REQUIRED: i32 = -25315;

/// The keychain can prompt: for the permission of this program, and for the password if it is locked.
pub(super) fn can_prompt() -> bool {
    true
}

/// Prevents prompts until the returned guard is dropped: calls that would open a window fail instead.
pub(super) fn disable_prompts(options: KeyringOptions) -> Option<KeychainUserInteractionLock> {
    if options.may_prompt { None } else { SecKeychain::disable_user_interaction().ok() }
}

pub(super) fn build_entry(service: &str, account: &str) -> Result<Entry, KeyringFault> {
    Cred::build(MacKeychainDomain::User, service, account).map_err(classify_error)
}

pub(super) fn classify_error(error: Error) -> KeyringFault {
    match error {
        Error::PlatformFailure(why) | Error::NoStorageAccess(why) => match why.downcast_ref::<SecurityError>() {
            Some(status) => classify_status(*status),
            None => KeyringFault::from_message(why.to_string()),
        },
        other => KeyringFault::from_message(other.to_string()),
    }
}

fn classify_status(status: SecurityError) -> KeyringFault {
    match status.code() {
        // It is locked or needs to prompt, and may not open a window: over SSH, from cron, before the first login.
        INTERACTION_NOT_ALLOWED | INTERACTION_REQUIRED => KeyringFault::Locked,
        // The user chose "Deny" or "Cancel", or typed a wrong password too often.
        USER_CANCELED | AUTH_FAILED => KeyringFault::Denied,
        NOT_AVAILABLE | NO_SUCH_KEYCHAIN | NO_DEFAULT_KEYCHAIN => KeyringFault::Absent { what: MissingPart::Vault },
        code => KeyringFault::from_message(format!("{status} ({code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keyring::entry;

    #[test]
    fn a_system_error_code_maps_to_its_fault() {
        let fault = |code| classify_error(Error::PlatformFailure(Box::new(SecurityError::from_code(code))));
        assert!(matches!(fault(-25308), KeyringFault::Locked));
        assert!(matches!(fault(-25293), KeyringFault::Denied));
        assert!(matches!(fault(-128), KeyringFault::Denied));
        assert!(matches!(fault(-25307), KeyringFault::Absent { what: MissingPart::Vault }));
        let KeyringFault::Failed(why) = fault(-25299) else {
            panic!("the code of a duplicate item has no fault of its own")
        };
        assert!(why.to_safe_line().ends_with("(-25299)"), "{why:?}");
    }

    #[test]
    fn no_window_opens_when_prompts_are_disabled() {
        let allowed = || SecKeychain::user_interaction_allowed().unwrap();
        let options = |may_prompt| KeyringOptions { timeout: super::super::CALL_TIMEOUT, may_prompt };
        let silent = disable_prompts(options(false));
        assert!(silent.is_some() && !allowed());
        drop(silent);
        assert!(disable_prompts(options(true)).is_none() && allowed());
    }

    #[test]
    #[ignore = "writes to the default keychain of the user who runs it"]
    fn a_key_round_trips_and_another_length_is_absent() {
        let item = build_entry("bedrock-sso test", "sealing-key").unwrap();
        entry::remove_entry(&item).unwrap();
        assert!(entry::read_entry(&item).unwrap().is_none());
        for byte in [0, 0xff] {
            item.set_secret(&[byte; 32]).unwrap();
            assert_eq!(entry::read_entry(&item).unwrap().as_deref(), Some(&[byte; 32]));
        }
        item.set_secret(&[7; 33]).unwrap();
        assert!(entry::read_entry(&item).unwrap().is_none());
        entry::remove_entry(&item).unwrap();
        entry::remove_entry(&item).unwrap();
        assert!(entry::read_entry(&item).unwrap().is_none());
    }
}
