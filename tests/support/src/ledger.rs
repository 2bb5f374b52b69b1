//! Records every request that arrived and every secret that was issued, and finds them again.

use std::{
    fmt,
    sync::{Condvar, Mutex},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    Discovery,
    Keys,
    Authorize,
    /// Ends the provider's session page with a redirect to the callback.
    Login,
    /// The token endpoint, with an authorization code.
    Code,
    /// The token endpoint, with a refresh token.
    Refresh,
    /// Device authorization (RFC 8628).
    DeviceCode,
    /// The token endpoint, with a device code.
    Poll,
    /// The page on which the user enters the device code.
    DevicePage,
    Revoke,
    UserInfo,
    Assume,
    Identity,
    /// AssumeRole, for one step of a role chain.
    Link,
    /// GetId of the identity pool.
    PoolIdentity,
    /// GetCredentialsForIdentity.
    PoolCredentials,
    /// RegisterClient of IAM Identity Center.
    RegisterClient,
    /// The authorization endpoint of IAM Identity Center.
    PortalAuthorize,
    /// The sign-in page of IAM Identity Center, which ends with a redirect to the callback.
    PortalLogin,
    /// CreateToken with an authorization code.
    PortalCode,
    /// CreateToken with a refresh token.
    PortalRefresh,
    /// StartDeviceAuthorization.
    PortalDeviceCode,
    /// CreateToken with a device code.
    PortalPoll,
    /// IAM Identity Center's page on which the user enters the device code.
    PortalDevicePage,
    /// The page at the start URL.
    PortalPage,
    /// GetRoleCredentials.
    RoleCredentials,
    /// ListAccounts.
    PortalAccounts,
    /// ListAccountRoles.
    PortalRoles,
    /// Logout of the access portal.
    PortalLogout,
    /// The quota service.
    Quota,
    /// CloudWatch, with metrics or events.
    Telemetry,
    /// ListFoundationModels.
    Models,
    /// ListInferenceProfiles.
    InferenceProfiles,
    /// GetInferenceProfile.
    InferenceProfile,
    Converse,
    ConverseStream,
    /// getSigninToken of the console's sign-in.
    SigninToken,
    /// The address at which a browser signs in to the console.
    ConsoleLogin,
    Unknown,
}

#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub endpoint: Endpoint,
    pub method: String,
    /// Path and query as received.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    #[serde(skip)]
    pub at: Instant,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Secret {
    pub kind: &'static str,
    pub value: String,
}

/// A secret in a forbidden place. It holds the kind of secret and the place, never the value.
#[derive(Clone, Debug)]
pub struct Leak {
    pub kind: &'static str,
    pub place: String,
}

#[derive(Default)]
pub struct Ledger {
    entries: Mutex<Vec<Entry>>,
    arrival: Condvar,
    secrets: Mutex<Vec<Secret>>,
}

impl Ledger {
    pub(crate) fn note(&self, entry: Entry) {
        self.entries.lock().unwrap().push(entry);
        self.arrival.notify_all();
    }

    /// Records a secret, and returns it.
    pub(crate) fn record_secret(&self, kind: &'static str, value: String) -> String {
        let mut secrets = self.secrets.lock().unwrap();
        let secret = Secret { kind, value: value.clone() };
        if !value.is_empty() && !secrets.contains(&secret) {
            secrets.push(secret);
        }
        value
    }

    /// Whether a secret of this kind was issued.
    pub(crate) fn issued(&self, kind: &str, value: &str) -> bool {
        self.secrets.lock().unwrap().iter().any(|secret| secret.kind == kind && secret.value == value)
    }

    pub fn requests(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.entries.lock().unwrap().iter().filter(|entry| entry.endpoint == endpoint).count()
    }

    /// The number of all requests so far.
    pub fn total(&self) -> usize {
        self.entries.lock().unwrap().len()
    }

    /// Waits until an endpoint was called this often. Returns false if that takes longer than the limit.
    pub fn wait_for(&self, endpoint: Endpoint, count: usize, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut entries = self.entries.lock().unwrap();
        while entries.iter().filter(|entry| entry.endpoint == endpoint).count() < count {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            entries = self.arrival.wait_timeout(entries, left).unwrap().0;
        }
        true
    }

    pub fn secrets(&self) -> Vec<Secret> {
        self.secrets.lock().unwrap().clone()
    }

    /// Every secret that these bytes contain, whole or in a part that must stay secret.
    pub fn leaks(&self, place: &str, bytes: &[u8]) -> Vec<Leak> {
        let secrets = self.secrets.lock().unwrap();
        let found = |secret: &&Secret| secret.needles().iter().any(|needle| contains(bytes, needle.as_bytes()));
        secrets.iter().filter(found).map(|secret| Leak { kind: secret.kind, place: place.to_owned() }).collect()
    }
}

impl Secret {
    /// The parts to search for. A log may cut a JWT, so its payload and its signature are searched for separately.
    fn needles(&self) -> Vec<&str> {
        let parts: Vec<&str> = self.value.split('.').collect();
        let is_jwt = parts.len() == 3 && self.value.starts_with("eyJ");
        if is_jwt { parts.into_iter().skip(1).filter(|part| part.len() > 8).collect() } else { vec![&self.value] }
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.kind, self.place)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    haystack.iter().enumerate().any(|(at, byte)| byte == first && haystack[at + 1..].starts_with(rest))
}
