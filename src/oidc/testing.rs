//! A profile, an application and a provider for the tests of `oidc`.

use std::path::PathBuf;

use super::{Application, ClientFiles, ProviderMetadata, StoredClientCredentials};
use crate::{
    config::{self, OidcSettings, Provider},
    host::{Environment, Host, HostPaths},
    http::testing::{LoopbackServer, write_response},
    secret::Secret,
    time::Timestamp,
    url::SecureUrl,
};

pub(super) fn test_settings(provider: Provider) -> OidcSettings {
    OidcSettings { provider, ..config::testing::oidc_settings() }
}

/// The profile's application, with `secret` as its stored client secret.
pub(super) fn test_application<'p>(settings: &'p OidcSettings, secret: Option<&str>) -> Application<'p> {
    let stored = StoredClientCredentials { secret: secret.map(Secret::new), ..StoredClientCredentials::default() };
    Application::from_settings(settings, stored, &ClientFiles::read_for_settings(settings), &test_host()).unwrap()
}

/// A host whose clock stands still.
pub(super) fn test_host() -> Host {
    let nowhere = PathBuf::new();
    let (user_config, system_config, data) = (nowhere.clone(), nowhere.clone(), nowhere);
    Host {
        environment: Environment::fixed([]),
        paths: HostPaths { user_config, system_config, home_data: data.clone(), data },
        now: || Timestamp::from_unix(1_800_000_000),
        fill_random: crate::host::fill_random,
    }
}

/// The metadata of a provider at `base`, which has no trailing slash.
pub(super) fn test_metadata(base: &str) -> ProviderMetadata {
    let at = |path: &str| SecureUrl::parse(&format!("{base}{path}")).unwrap();
    ProviderMetadata {
        issuer: base.to_owned(),
        authorization_endpoint: at("/authorize"),
        token_endpoint: at("/token"),
        jwks_uri: at("/keys"),
        revocation_endpoint: None,
        device_authorization_endpoint: None,
        userinfo_endpoint: None,
        end_session_endpoint: None,
        algorithms: None,
        scopes_supported: None,
        token_auth_methods: None,
        revocation_auth_methods: None,
        auth_algorithms: None,
        iss_parameter: false,
        requires_pushed_requests: false,
        acr_values: None,
        claims: None,
        claims_parameter: false,
    }
}

/// A provider on loopback that gives the same answer to every request.
pub(super) fn start_provider(status: &str, headers: &str, body: &str) -> LoopbackServer {
    let (status, headers, body) = (status.to_owned(), headers.to_owned(), body.to_owned());
    LoopbackServer::start_plain(move |_, out| write_response(out, &status, &headers, &body))
}

/// The server's address, without a trailing slash.
pub(super) fn server_base_url(server: &LoopbackServer) -> String {
    server.base_url("http").trim_end_matches('/').to_owned()
}

/// The server's host and port, as errors contain them.
pub(super) fn server_authority(server: &LoopbackServer) -> String {
    format!("localhost:{}", server.address.port())
}
