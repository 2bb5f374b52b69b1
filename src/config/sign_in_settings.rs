//! Who signs the user in: an OpenID provider, or AWS IAM Identity Center.

use super::OidcSettings;
use crate::url::SecureUrl;

/// The settings of the service at which the user signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInSettings {
    /// An OpenID provider, whose ID token AWS exchanges for credentials.
    Oidc(Box<OidcSettings>),
    /// IAM Identity Center, which issues the credentials of its own assignments.
    IdentityCenter(IdentityCenterSettings),
}

/// An Identity Center, and the assignment there that the profile uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityCenterSettings {
    /// The address of the access portal, or the issuer address of the instance.
    pub start_url: SecureUrl,
    /// The region of the Identity Center, which may differ from the profile's.
    pub region: String,
    /// The account whose credentials the profile gets.
    pub account_id: String,
    pub permission_set: String,
}
