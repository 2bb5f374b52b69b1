//! The settings of an OpenID Connect provider: who signs the user in, what the requests say, and how AWS exchanges the
//! ID token.

use std::collections::BTreeMap;

use super::{ClientAuth, Federation, Fingerprint, Provider, SignInRequirements, fingerprint::FingerprintHasher};
use crate::{
    trait_impls::impl_debug,
    url::{SecureUrl, SecureUrlError},
};

/// The application at an OpenID Connect provider, and the first exchange of its ID tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcSettings {
    pub issuer: Issuer,
    /// The domain of the sign-in pages; `None` if the discovery document names the endpoints.
    pub login_domain: Option<SecureUrl>,
    pub client_id: String,
    pub provider: Provider,
    /// Empty for the usual scopes of the provider.
    pub scopes: Vec<String>,
    pub extra_params: BTreeMap<String, String>,
    /// What the provider must prove about a sign-in.
    pub require: SignInRequirements,
    pub client_auth: ClientAuth,
    pub federation: Federation,
}

impl OidcSettings {
    /// The key under which the application's own credentials (its client secret) are stored. It covers only the issuer
    /// and the client ID: all profiles of an application share these credentials, and a change of roles or scopes does
    /// not affect them.
    pub fn application_fingerprint(&self) -> Fingerprint {
        let mut digest = FingerprintHasher::new("bedrock-sso application 1");
        digest.add_text(self.issuer.as_str());
        digest.add_text(&self.client_id);
        digest.finish()
    }
}

/// An issuer identifier. Two issuers are equal only if their text is equal, including a slash at the end, because the
/// `iss` of an ID token must match it exactly (OIDC Core §3.1.3.7). So the text is stored as written, beside the
/// parsed URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: SecureUrl,
}

impl Issuer {
    /// Parses an issuer. It must be an https URL, or an http URL on loopback.
    pub fn parse(text: &str) -> Result<Self, SecureUrlError> {
        // The URL parser drops white space silently. The stored text would then never match the `iss` of a token.
        if text.contains(|part: char| part.is_whitespace() || part.is_control()) {
            return Err(SecureUrlError::Malformed);
        }
        Ok(Self { text: text.to_owned(), url: SecureUrl::parse(text)? })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> &SecureUrl {
        &self.url
    }
}

impl_debug!(Issuer, Issuer::as_str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_with_white_space_is_rejected() {
        for bad in [" https://a.example", "https://a.example ", "https://a.ex\nample", "https://a.example/\t"] {
            assert_eq!(Issuer::parse(bad), Err(SecureUrlError::Malformed), "{bad:?}");
        }
    }
}
