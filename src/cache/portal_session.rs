//! The session at the access portal of an Identity Center, and the registrations of this program there.

use serde::{Deserialize, Serialize};

use super::{Cache, parse_record};
use crate::{aws::ClientRegistration, secret::Secret, store, time::Timestamp};

/// The access token of a sign-in at an Identity Center. The field names are part of the stored format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortalSession {
    pub access_token: Secret,
    pub expires_at: Timestamp,
    /// The portal has refused the token, so it must not be presented any more.
    #[serde(default)]
    pub is_spent: bool,
    /// Random text that every token of one sign-in shares. Identity Center does not say who signed in, so this
    /// shows whether somebody has signed in again.
    pub sign_in_id: String,
    /// The registration that the tokens were issued to. AWS refreshes them for no other one.
    pub client_id: String,
}

/// The registrations of this program. AWS registers a client either for the browser or for device codes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortalRegistrations {
    pub browser: Option<ClientRegistration>,
    pub device: Option<ClientRegistration>,
}

impl PortalSession {
    /// Whether the token can be presented and is valid beyond `until`.
    pub fn is_valid(&self, until: Timestamp) -> bool {
        !self.is_spent && self.expires_at > until
    }
}

pub(super) const REGISTRATION: &str = "registration";

impl Cache {
    /// The registrations of this program, even if they have expired. Needs no lock.
    pub fn load_registrations(&self) -> Result<PortalRegistrations, store::Error> {
        let plain = self.folder.store.read_record(&self.sign_in_name(REGISTRATION))?;
        Ok(plain.and_then(|plain| parse_record(&plain)).unwrap_or_default())
    }
}
