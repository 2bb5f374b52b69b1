//! What collectors receive about the user, and which collectors receive it.
//!
//! Settings only; the headers themselves are made by the module of the same name.

use std::collections::BTreeMap;

use crate::url::SecureUrl;

/// What a collector receives about the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Header names in lower case, and the claims that fill them; empty: the usual ones.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The collectors that receive anything; empty: any.
    pub collectors: Vec<SecureUrl>,
    /// Whether these receive the ID token as well.
    pub send_token: bool,
}
