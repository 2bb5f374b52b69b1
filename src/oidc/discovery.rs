//! What the provider says of itself (OIDC Discovery §3 and §4), checked before it is believed.

use serde::{Deserialize, Serialize};

use super::{
    answer::fetch,
    error::{Document, Error, Source},
};
use crate::{config::Issuer, http::Client, text::Foreign, url::SecureUrl};

/// What discovery said and was checked. Remembered, sealed, between runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Equal, byte for byte, to the configured one.
    pub issuer: String,
    pub authorization_endpoint: SecureUrl,
    pub token_endpoint: SecureUrl,
    pub jwks_uri: SecureUrl,
    pub revocation_endpoint: Option<SecureUrl>,
    /// `id_token_signing_alg_values_supported`, which some providers leave out although it is required.
    pub algorithms: Option<Vec<String>>,
    pub scopes_supported: Option<Vec<String>>,
    /// Whether answers carry `iss` (RFC 9207), so that one without it is not this provider's.
    pub iss_parameter: bool,
}

/// Asks the issuer, and believes the answer only if it speaks for this very issuer.
pub async fn discover(client: &Client, issuer: &Issuer) -> Result<Metadata, Error> {
    let url = document_address(issuer)?;
    let stated: Stated = fetch(client, Document::Discovery, &url).await?;
    stated.checked(issuer, || Source { document: Document::Discovery, host: url.authority().to_owned() })
}

/// The issuer's own slash at the end goes before the path is appended (OIDC Discovery §4).
fn document_address(issuer: &Issuer) -> Result<SecureUrl, Error> {
    let stem = issuer.as_str();
    let address = format!("{}/.well-known/openid-configuration", stem.strip_suffix('/').unwrap_or(stem));
    secure("issuer", &address)
}

/// The document as it came. What this program does not use is not looked at, so that it cannot be wrong.
#[derive(Deserialize)]
struct Stated {
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    revocation_endpoint: Option<String>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl Stated {
    fn checked(self, configured: &Issuer, source: impl Fn() -> Source) -> Result<Metadata, Error> {
        let lacks = |lacks| Error::Incomplete { source: source(), lacks };
        let issuer = self.issuer.ok_or_else(|| lacks("issuer"))?;
        if issuer != configured.as_str() {
            let configured = configured.as_str().to_owned();
            return Err(Error::Issuer { configured, stated: Foreign::new(issuer) });
        }
        let endpoint = |name, stated: Option<String>| secure(name, &stated.ok_or_else(|| lacks(name))?);
        Ok(Metadata {
            issuer,
            authorization_endpoint: endpoint("authorization_endpoint", self.authorization_endpoint)?,
            token_endpoint: endpoint("token_endpoint", self.token_endpoint)?,
            jwks_uri: endpoint("jwks_uri", self.jwks_uri)?,
            revocation_endpoint: self
                .revocation_endpoint
                .map(|stated| secure("revocation_endpoint", &stated))
                .transpose()?,
            algorithms: self.id_token_signing_alg_values_supported.filter(|list| !list.is_empty()),
            scopes_supported: self.scopes_supported,
            iss_parameter: self.authorization_response_iss_parameter_supported.unwrap_or_default(),
        })
    }
}

fn secure(name: &'static str, stated: &str) -> Result<SecureUrl, Error> {
    SecureUrl::parse(stated).map_err(|refusal| Error::Endpoint {
        name,
        stated: Foreign::new(stated),
        refusal,
    })
}

impl Metadata {
    /// Whether the provider says that it signs so; one that says nothing rules nothing out.
    pub(super) fn offers_algorithm(&self, name: &str) -> bool {
        names(self.algorithms.as_deref(), name)
    }

    pub(super) fn knows_scope(&self, name: &str) -> bool {
        names(self.scopes_supported.as_deref(), name)
    }
}

fn names(list: Option<&[String]>, name: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|one| one == name))
}
