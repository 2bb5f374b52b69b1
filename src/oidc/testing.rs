//! A profile and a provider to stand on, for the tests of this module.

use std::{collections::BTreeMap, time::Duration};

use super::Metadata;
use crate::{
    config::{Issuer, Login, Profile, Provider, Redirect, RedirectHost, RoleArn, Storage},
    http::testing::{Server, respond},
    url::SecureUrl,
};

pub(super) fn profile(provider: Provider) -> Profile {
    Profile {
        name: "work".into(),
        issuer: Issuer::parse("https://id.example").unwrap(),
        client_id: "client".into(),
        role: RoleArn::parse("arn:aws:iam::123456789012:role/BedrockUser").unwrap(),
        region: "us-east-1".into(),
        provider,
        scopes: Vec::new(),
        extra_params: BTreeMap::new(),
        redirect: Redirect { host: RedirectHost::Address, ports: Vec::new(), path: "/callback".into() },
        browser: Vec::new(),
        login: Login::Auto,
        login_timeout: Duration::from_secs(165),
        session_duration: Duration::from_secs(43_200),
        session_name: Vec::new(),
        storage: Storage::File,
        sts_endpoint: None,
        ca_bundle: None,
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
        algorithms: None,
        scopes_supported: None,
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
