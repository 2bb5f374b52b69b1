//! A profile and a provider to stand on, for the tests of this module.

use std::path::PathBuf;

use super::{Application, ClientFiles, Keepsakes, Metadata};
use crate::{
    config::{self, Profile, Provider},
    host::{Environment, Host, Paths},
    http::testing::{Server, respond},
    secret::Secret,
    time::Moment,
    url::SecureUrl,
};

pub(super) fn profile(provider: Provider) -> Profile {
    Profile { provider, ..config::testing::profile() }
}

/// The profile's application, with the secret that is kept for it.
pub(super) fn proven<'p>(profile: &'p Profile, secret: Option<&str>) -> Application<'p> {
    let kept = Keepsakes { secret: secret.map(Secret::new), ..Keepsakes::default() };
    Application::of(profile, kept, &ClientFiles::read(profile), &host_of_tests()).unwrap()
}

/// A machine that stands still in time.
pub(super) fn host_of_tests() -> Host {
    let nowhere = PathBuf::new();
    let (user_config, system_config, data) = (nowhere.clone(), nowhere.clone(), nowhere);
    Host {
        environment: Environment::fixed([]),
        paths: Paths { user_config, system_config, home_data: data.clone(), data },
        now: || Moment::from_unix(1_800_000_000),
        random: crate::host::random,
    }
}

/// A provider that lives at `base`, which has no slash at its end.
pub(super) fn metadata(base: &str) -> Metadata {
    let at = |path: &str| SecureUrl::parse(&format!("{base}{path}")).unwrap();
    Metadata {
        issuer: base.to_owned(),
        authorization_endpoint: at("/authorize"),
        token_endpoint: at("/token"),
        jwks_uri: at("/keys"),
        revocation_endpoint: None,
        device_authorization_endpoint: None,
        algorithms: None,
        scopes_supported: None,
        token_auth_methods: None,
        revocation_auth_methods: None,
        auth_algorithms: None,
        iss_parameter: false,
    }
}

/// A provider on loopback that gives one answer to whatever it is asked.
pub(super) fn provider(status: &str, headers: &str, body: &str) -> Server {
    let (status, headers, body) = (status.to_owned(), headers.to_owned(), body.to_owned());
    Server::plain(move |_, out| respond(out, &status, &headers, &body))
}

/// Its address, without a slash at the end.
pub(super) fn base(server: &Server) -> String {
    server.url("http").trim_end_matches('/').to_owned()
}

/// The host as errors name it.
pub(super) fn host(server: &Server) -> String {
    format!("localhost:{}", server.address.port())
}
