//! Fetches the provider's discovery document (OIDC Discovery §3 and §4) and checks it before anything uses it.
//!
//! The document decides where the code, the refresh token and the client secret go, and which keys sign. Therefore its
//! issuer must equal the configured one and its endpoints must use https. `session` decides how long to cache it.

use serde::{Deserialize, Serialize};

use super::{
    error::{Error, ProviderEndpoint, ResponseSource},
    response::fetch_document,
};
use crate::{
    config::{EndpointPaths, Issuer, OidcSettings},
    http::Client,
    text::UntrustedText,
    url::{SecureUrl, SecureUrlError},
};

/// The checked members of a discovery document. `session` caches it, sealed, between runs.
///
/// Invariant: `issuer` equals the configured issuer, and every endpoint passed `parse_endpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderMetadata {
    /// Equal to the configured issuer, byte for byte (OIDC Discovery §4.3).
    pub issuer: String,
    pub authorization_endpoint: SecureUrl,
    pub token_endpoint: SecureUrl,
    pub jwks_uri: SecureUrl,
    pub revocation_endpoint: Option<SecureUrl>,
    /// RFC 8628 §4. A cached record without this member was written before the program supported device codes. It
    /// fails to parse, so that the program fetches the document again instead of concluding that the provider lacks
    /// the endpoint.
    #[serde(deserialize_with = "Option::deserialize")]
    pub device_authorization_endpoint: Option<SecureUrl>,
    /// OIDC Core §5.3. `None` also if the stated address is unusable: only a few profiles need the endpoint. Required
    /// in a cached record for the same reason as the member above.
    #[serde(deserialize_with = "Option::deserialize")]
    pub userinfo_endpoint: Option<SecureUrl>,
    /// OpenID Connect RP-Initiated Logout 1.0 §2.1. `None` also if the stated address is unusable.
    pub end_session_endpoint: Option<SecureUrl>,
    /// `id_token_signing_alg_values_supported`. Some providers leave it out although OIDC Discovery §3 requires it.
    pub algorithms: Option<Vec<String>>,
    pub scopes_supported: Option<Vec<String>>,
    /// `token_endpoint_auth_methods_supported`, and below it the same list of the revocation endpoint (RFC 8414 §2).
    pub token_auth_methods: Option<Vec<String>>,
    pub revocation_auth_methods: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`.
    pub auth_algorithms: Option<Vec<String>>,
    /// `authorization_response_iss_parameter_supported`. If true, a callback without `iss` does not come from this
    /// provider (RFC 9207 §2.4), and the callback server rejects it.
    pub iss_parameter: bool,
    /// `require_pushed_authorization_requests` (RFC 9126 §5). This program sends no pushed requests.
    #[serde(default)]
    pub requires_pushed_requests: bool,
    /// `acr_values_supported` and `claims_supported`. Providers often support more than they list.
    #[serde(default)]
    pub acr_values: Option<Vec<String>>,
    #[serde(default)]
    pub claims: Option<Vec<String>>,
    /// `claims_parameter_supported`: whether the provider reads the parameter `claims` (OIDC Core §5.5). Absent in
    /// records of versions without `require`, and every profile with `require` has a record of its own.
    #[serde(default)]
    pub claims_parameter: bool,
}

/// Fetches and checks the document of the profile's issuer. Fails when the provider does not answer, when the document
/// belongs to another issuer, or when an endpoint is unsafe.
pub async fn discover_provider(client: &Client, settings: &OidcSettings) -> Result<ProviderMetadata, Error> {
    let known_better = settings.login_domain.as_ref().zip(settings.provider.spec().endpoint_paths);
    fetch_metadata(client, &settings.issuer, known_better).await
}

/// Does the same for `setup`, which knows the issuer before a profile exists.
pub async fn discover_issuer(client: &Client, issuer: &Issuer) -> Result<ProviderMetadata, Error> {
    fetch_metadata(client, issuer, None).await
}

async fn fetch_metadata(
    client: &Client,
    issuer: &Issuer,
    known_better: Option<(&SecureUrl, EndpointPaths)>,
) -> Result<ProviderMetadata, Error> {
    let url = build_discovery_url(issuer)?;
    let mut stated: DiscoveryDocument = fetch_document(client, ProviderEndpoint::Discovery, &url).await?;
    if let Some((domain, paths)) = known_better {
        stated.apply_login_domain(domain, paths)?;
    }
    let source = ResponseSource { endpoint: ProviderEndpoint::Discovery, host: url.authority().to_owned() };
    stated.into_metadata(issuer, &source)
}

/// Builds the address of the discovery document. OIDC Discovery §4 removes one trailing slash of the issuer before it
/// appends the path.
pub fn build_discovery_url(issuer: &Issuer) -> Result<SecureUrl, Error> {
    let stem = issuer.as_str();
    let address = format!("{}/.well-known/openid-configuration", stem.strip_suffix('/').unwrap_or(stem));
    parse_endpoint(issuer, "issuer", &address)
}

/// The document as the provider sent it. It has only the members that this program uses, so a mistake in any other
/// member cannot break a sign-in.
#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    revocation_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    revocation_endpoint_auth_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
    require_pushed_authorization_requests: Option<bool>,
    acr_values_supported: Option<Vec<String>>,
    claims_supported: Option<Vec<String>>,
    claims_parameter_supported: Option<bool>,
}

impl DiscoveryDocument {
    /// Replaces the sign-in, token and revocation endpoints by those of the profile's login domain. Issuer and keys
    /// stay as the document states them.
    ///
    /// The profile may not name another host than the one that the document names. Otherwise a mistyped or planted
    /// domain would receive the code, the refresh token and the client secret.
    fn apply_login_domain(&mut self, domain: &SecureUrl, paths: EndpointPaths) -> Result<(), Error> {
        for stated in [&self.authorization_endpoint, &self.token_endpoint].into_iter().flatten() {
            let is_same = SecureUrl::parse(stated).is_ok_and(|url| url.authority() == domain.authority());
            if !is_same {
                let configured = domain.authority().to_owned();
                return Err(Error::LoginDomainMismatch { configured, stated: UntrustedText::new(stated.as_str()) });
            }
        }
        let at = |path| Some(format!("{}{path}", domain.as_str().trim_end_matches('/')));
        self.authorization_endpoint = at(paths.authorize);
        self.token_endpoint = at(paths.token);
        self.revocation_endpoint = at(paths.revoke);
        Ok(())
    }

    fn into_metadata(self, configured: &Issuer, source: &ResponseSource) -> Result<ProviderMetadata, Error> {
        let lacks = |lacks| Error::MissingMember { source: source.clone(), member: lacks };
        let issuer = self.issuer.ok_or_else(|| lacks("issuer"))?;
        // OIDC Discovery §4.3: an exact comparison. It stops a document that an attacker or a captive portal serves
        // for another issuer, whose endpoints and keys this program would otherwise trust (mix-up, RFC 9700 §4.4).
        if issuer != configured.as_str() {
            let configured = configured.as_str().to_owned();
            return Err(Error::IssuerMismatch { configured, stated: UntrustedText::new(issuer) });
        }
        let endpoint =
            |name, stated: Option<String>| parse_endpoint(configured, name, &stated.ok_or_else(|| lacks(name))?);
        let offered =
            |name, stated: Option<String>| stated.map(|stated| parse_endpoint(configured, name, &stated)).transpose();
        let usable =
            |name, stated: Option<String>| stated.and_then(|stated| parse_endpoint(configured, name, &stated).ok());
        Ok(ProviderMetadata {
            issuer,
            authorization_endpoint: endpoint("authorization_endpoint", self.authorization_endpoint)?,
            token_endpoint: endpoint("token_endpoint", self.token_endpoint)?,
            jwks_uri: endpoint("jwks_uri", self.jwks_uri)?,
            revocation_endpoint: offered("revocation_endpoint", self.revocation_endpoint)?,
            device_authorization_endpoint: offered(
                "device_authorization_endpoint",
                self.device_authorization_endpoint,
            )?,
            userinfo_endpoint: usable("userinfo_endpoint", self.userinfo_endpoint),
            end_session_endpoint: usable("end_session_endpoint", self.end_session_endpoint),
            algorithms: self.id_token_signing_alg_values_supported.filter(|list| !list.is_empty()),
            scopes_supported: self.scopes_supported,
            token_auth_methods: self.token_endpoint_auth_methods_supported,
            revocation_auth_methods: self.revocation_endpoint_auth_methods_supported,
            auth_algorithms: self.token_endpoint_auth_signing_alg_values_supported,
            iss_parameter: self.authorization_response_iss_parameter_supported.unwrap_or_default(),
            requires_pushed_requests: self.require_pushed_authorization_requests.unwrap_or_default(),
            acr_values: self.acr_values_supported,
            claims: self.claims_supported,
            claims_parameter: self.claims_parameter_supported.unwrap_or_default(),
        })
    }
}

/// Parses an endpoint that the provider states. It must be https (OIDC Core §3.1.2 and §3.1.3); plain http is accepted
/// on loopback only.
///
/// A remote issuer may not name plain http on this machine either. Otherwise a hostile document could send secrets, or
/// the user's browser, to whichever local program listens on that port.
pub(super) fn parse_endpoint(configured: &Issuer, name: &'static str, stated: &str) -> Result<SecureUrl, Error> {
    let fault = |refusal| Error::UnusableEndpoint { name, stated: UntrustedText::new(stated), refusal };
    let url = SecureUrl::parse(stated).map_err(fault)?;
    if url.is_https() || !configured.url().is_https() { Ok(url) } else { Err(fault(SecureUrlError::NotSecure)) }
}

impl ProviderMetadata {
    /// Returns whether the provider may sign with this algorithm. A provider without a list excludes nothing: the
    /// fixed list in `key_set` still applies.
    pub(super) fn offers_algorithm(&self, name: &str) -> bool {
        is_not_excluded(self.algorithms.as_deref(), name)
    }

    /// Returns whether the provider may know this scope. A provider without a list excludes nothing.
    pub(super) fn supports_scope(&self, name: &str) -> bool {
        is_not_excluded(self.scopes_supported.as_deref(), name)
    }
}

fn is_not_excluded(list: Option<&[String]>, name: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|one| one == name))
}

#[cfg(test)]
mod tests {
    use ::http::StatusCode;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        config::Provider,
        http::{
            TrustConfig,
            testing::{LoopbackServer, block_on, test_client, write_response},
        },
        oidc::testing::{server_authority, server_base_url, start_provider, test_settings},
        url::SecureUrlError,
    };

    /// A provider that serves the document which `document` builds from its base address.
    fn stating(document: impl Fn(&str) -> Value + Send + 'static) -> LoopbackServer {
        LoopbackServer::start_plain(move |request, out| {
            let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            write_response(out, "200 OK", "", &document(&format!("http://{host}")).to_string());
        })
    }

    fn good(base: &str) -> Value {
        json!({
            "issuer": base,
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "jwks_uri": format!("{base}/keys"),
        })
    }

    fn but(base: &str, member: &str, value: Value) -> Value {
        let mut document = good(base);
        document[member] = value;
        document
    }

    fn asked_as(issuer: &str) -> Result<ProviderMetadata, Error> {
        asked_for(&OidcSettings { issuer: Issuer::parse(issuer).unwrap(), ..test_settings(Provider::Generic) })
    }

    fn asked_for(settings: &OidcSettings) -> Result<ProviderMetadata, Error> {
        block_on(discover_provider(&test_client(&TrustConfig::default()), settings))
    }

    fn asked(server: &LoopbackServer) -> Result<ProviderMetadata, Error> {
        asked_as(&server_base_url(server))
    }

    fn discovery(server: &LoopbackServer) -> ResponseSource {
        ResponseSource { endpoint: ProviderEndpoint::Discovery, host: server_authority(server) }
    }

    #[test]
    fn minimal_discovery_document_is_accepted() {
        let server = stating(good);
        let metadata = asked(&server).unwrap();
        assert_eq!(metadata, crate::oidc::testing::test_metadata(&server_base_url(&server)));
        let request = server.requests.recv().unwrap();
        assert!(request.starts_with("GET /.well-known/openid-configuration HTTP/1.1\r\n"), "{request}");
    }

    #[test]
    fn discovery_members_are_read_and_can_be_stored() {
        let server = stating(|base| {
            let mut document = but(base, "id_token_signing_alg_values_supported", json!(["RS256"]));
            document["revocation_endpoint"] = json!(format!("{base}/revoke"));
            document["device_authorization_endpoint"] = json!(format!("{base}/device"));
            document["userinfo_endpoint"] = json!(format!("{base}/userinfo"));
            document["end_session_endpoint"] = json!(format!("{base}/logout"));
            document["scopes_supported"] = json!(["openid"]);
            document["authorization_response_iss_parameter_supported"] = json!(true);
            document["something_else"] = json!({ "new": [1] });
            document
        });
        let metadata = asked(&server).unwrap();
        assert!(metadata.iss_parameter && metadata.revocation_endpoint.is_some());
        assert!(metadata.device_authorization_endpoint.is_some() && metadata.userinfo_endpoint.is_some());
        assert!(metadata.end_session_endpoint.is_some());
        assert!(metadata.offers_algorithm("RS256") && !metadata.offers_algorithm("ES256"));
        assert!(metadata.supports_scope("openid") && !metadata.supports_scope("offline_access"));
        let sealed = serde_json::to_string(&metadata).unwrap();
        assert_eq!(serde_json::from_str::<ProviderMetadata>(&sealed).unwrap(), metadata);
    }

    #[test]
    fn record_without_an_optional_endpoint_member_is_invalid() {
        let metadata = crate::oidc::testing::test_metadata("https://id.example");
        let record = serde_json::to_value(&metadata).unwrap();
        assert_eq!(serde_json::from_value::<ProviderMetadata>(record.clone()).unwrap(), metadata);
        for member in ["device_authorization_endpoint", "userinfo_endpoint"] {
            let mut earlier = record.clone();
            earlier.as_object_mut().unwrap().remove(member);
            assert!(serde_json::from_value::<ProviderMetadata>(earlier).is_err(), "{member}");
        }
    }

    #[test]
    fn unusable_address_of_a_minor_endpoint_counts_as_absent() {
        let server = stating(|base| {
            let mut document = but(base, "userinfo_endpoint", json!("http://id.example/userinfo"));
            document["end_session_endpoint"] = json!("file:///logout");
            document
        });
        let metadata = asked(&server).unwrap();
        assert_eq!((metadata.userinfo_endpoint, metadata.end_session_endpoint), (None, None));
    }

    #[test]
    fn trailing_slash_of_the_issuer_is_not_doubled() {
        let server = stating(|base| but(base, "issuer", json!(format!("{base}/oauth2/x/"))));
        let issuer = format!("{}/oauth2/x/", server_base_url(&server));
        assert_eq!(asked_as(&issuer).unwrap().issuer, issuer);
        let request = server.requests.recv().unwrap();
        assert!(request.starts_with("GET /oauth2/x/.well-known/openid-configuration "), "{request}");
    }

    fn silent_about_pages(base: &str) -> Value {
        let mut document = but(base, "authorization_endpoint", Value::Null);
        document["token_endpoint"] = Value::Null;
        document
    }

    #[test]
    fn login_domain_of_another_host_is_rejected() {
        for missing in ["authorization_endpoint", "token_endpoint"] {
            let server = stating(move |base| but(base, missing, Value::Null));
            let issuer = Issuer::parse(&server_base_url(&server)).unwrap();
            let at = |domain: &str| OidcSettings {
                issuer: issuer.clone(),
                login_domain: SecureUrl::parse(domain).ok(),
                ..test_settings(Provider::Cognito)
            };
            let error = asked_for(&at("http://127.0.0.1:9")).unwrap_err();
            assert!(matches!(&error, Error::LoginDomainMismatch { configured, .. } if configured == "127.0.0.1:9"));
            assert!(asked_for(&at(&server_base_url(&server))).is_ok(), "the provider's own host");
        }
    }

    #[test]
    fn login_domain_supplies_endpoints_that_discovery_omits() {
        // A user pool without a domain of AWS states neither endpoint.
        let server = stating(silent_about_pages);
        let (issuer, domain) = (Issuer::parse(&server_base_url(&server)).unwrap(), "http://127.0.0.1:9");
        let at =
            OidcSettings { issuer, login_domain: SecureUrl::parse(domain).ok(), ..test_settings(Provider::Cognito) };
        let metadata = asked_for(&at).unwrap();
        assert_eq!(metadata.authorization_endpoint.as_str(), "http://127.0.0.1:9/oauth2/authorize");
        assert_eq!(metadata.token_endpoint.as_str(), "http://127.0.0.1:9/oauth2/token");
        assert_eq!(metadata.revocation_endpoint.unwrap().as_str(), "http://127.0.0.1:9/oauth2/revoke");
        assert_eq!(metadata.jwks_uri.as_str(), format!("{}/keys", server_base_url(&server)));
    }

    #[test]
    fn document_of_another_issuer_is_rejected_naming_both() {
        let server = stating(|base| but(base, "issuer", json!(format!("{base}/"))));
        let fact = Error::IssuerMismatch {
            configured: server_base_url(&server),
            stated: UntrustedText::new(server.base_url("http")),
        };
        assert_eq!(asked(&server), Err(fact));
    }

    #[test]
    fn plain_http_endpoint_is_rejected() {
        for name in [
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "revocation_endpoint",
            "device_authorization_endpoint",
        ] {
            let server = stating(move |base| but(base, name, json!("http://id.example/x")));
            let stated = UntrustedText::new("http://id.example/x");
            assert_eq!(
                asked(&server),
                Err(Error::UnusableEndpoint { name, stated, refusal: SecureUrlError::NotSecure })
            );
        }
    }

    #[test]
    fn remote_issuer_may_not_name_a_loopback_http_endpoint() {
        let elsewhere = Issuer::parse("https://id.example").unwrap();
        let local = "http://127.0.0.1:9/token";
        assert!(matches!(parse_endpoint(&elsewhere, "token_endpoint", local), Err(Error::UnusableEndpoint { .. })));
        let here = Issuer::parse("http://127.0.0.1:8").unwrap();
        assert!(parse_endpoint(&here, "token_endpoint", local).is_ok());
    }

    #[test]
    fn missing_discovery_member_is_named() {
        for lacks in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
            let server = stating(move |base| but(base, lacks, Value::Null));
            assert_eq!(asked(&server), Err(Error::MissingMember { source: discovery(&server), member: lacks }));
        }
    }

    #[test]
    fn a_captive_portals_page_is_not_json() {
        let server = start_provider("200 OK", "Content-Type: text/html\r\n", "<html>Welcome to the hotel</html>");
        assert_eq!(asked(&server), Err(Error::NotJson { source: discovery(&server) }));
    }

    #[test]
    fn truncated_discovery_document_is_malformed() {
        for body in ["", "{\"issuer\":\"", "{\"issuer\":7}"] {
            let server = start_provider("200 OK", "", body);
            assert_eq!(asked(&server), Err(Error::Malformed { source: discovery(&server) }), "{body}");
        }
    }

    #[test]
    fn missing_discovery_document_is_an_unexpected_status() {
        let server = start_provider("404 Not Found", "", "{}");
        let fact = Error::UnexpectedStatus { source: discovery(&server), status: StatusCode::NOT_FOUND };
        assert_eq!(asked(&server), Err(fact));
    }

    #[test]
    fn redirect_is_reported_without_its_query() {
        let server = start_provider("302 Found", "Location: https://portal.example/in?mac=secret\r\n", "");
        let to = Some(UntrustedText::new("https://portal.example/in"));
        assert_eq!(asked(&server), Err(Error::Redirected { source: discovery(&server), location: to }));
    }

    #[test]
    fn unreachable_issuer_is_a_network_error() {
        let closed = testworld::Port::reserve();
        assert!(matches!(asked_as(&format!("http://127.0.0.1:{closed}")), Err(Error::Http(_))));
    }
}
