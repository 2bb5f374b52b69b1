//! Fuzzes the configuration with any text as the user's file.
//!
//! Run with `cargo +nightly fuzz run config -- -max_total_time=300 -dict=fuzz/config.dict`.
#![no_main]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use bedrock_sso::{
    config::{self, ConfigInputs, OidcSettings, Profile, SignInSettings},
    host::{Environment, HostPaths},
    oidc::{ProviderMetadata, build_authorization_request},
    url::SecureUrl,
};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

fuzz_target!(|text: &[u8]| {
    let file = FOLDER.path().join("config.toml");
    write(&file, text);
    let environment = Environment::Fixed([].into());
    let nowhere = PathBuf::from("/nonexistent/bedrock-sso");
    let (user_config, system_config) = (nowhere.clone(), nowhere.clone());
    let paths = HostPaths { user_config, system_config, home_data: nowhere.clone(), data: nowhere };
    let inputs = ConfigInputs {
        environment: &environment,
        paths: &paths,
        file: Some(file.clone()),
        profile: None,
        flags: &[],
        with_user_layers: true,
    };
    let loaded = config::load_profile(&inputs);
    let shown = config::report_profile(&inputs);
    assert_eq!(loaded.is_ok(), shown.is_ok(), "load_profile and report_profile differ");
    match loaded {
        Ok(profile) => {
            check(&profile);
            let shown = shown.expect("just compared");
            assert!(serde_json::from_str::<serde_json::Value>(&shown.to_json()).is_ok());
            let _ = shown.to_text();
        }
        Err(error) => assert!(!error.problem_lines().is_empty()),
    }
    let _ = config::check_all_files(&inputs);
    let _ = config::check_file(&file, &inputs);
});

#[expect(clippy::disallowed_methods, reason = "a fuzzer's scratch file needs to be neither atomic nor private")]
fn write(file: &Path, text: &[u8]) {
    fs::write(file, text).expect("the temporary file can be written");
}

/// Checks what must hold for every profile, whatever the file contains.
fn check(profile: &Profile) {
    assert!(!profile.region.is_empty() && profile.redirect_uri.path.starts_with('/'));
    assert!(profile.session_duration > Duration::ZERO && profile.login_timeout > Duration::ZERO);
    match &profile.sign_in {
        SignInSettings::Oidc(oidc) => check_provider(oidc, &profile.redirect_uri.uri_for_port(8400)),
        SignInSettings::IdentityCenter(center) => {
            assert!(!center.region.is_empty() && center.account_id.len() == 12 && !center.permission_set.is_empty());
        }
    }
}

fn check_provider(oidc: &OidcSettings, redirect_uri: &str) {
    assert!(SecureUrl::parse(oidc.issuer.as_str()).is_ok() && !oidc.client_id.is_empty());
    let endpoint = SecureUrl::parse("https://id.example/x").expect("an address");
    let metadata = ProviderMetadata {
        issuer: oidc.issuer.as_str().to_owned(),
        authorization_endpoint: endpoint.clone(),
        token_endpoint: endpoint.clone(),
        jwks_uri: endpoint,
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
        claims_parameter: true,
    };
    let request = build_authorization_request(oidc, &metadata, redirect_uri, &|bytes| bytes.fill(7));
    for name in ["response_type", "client_id", "redirect_uri", "state", "nonce", "scope", "code_challenge"] {
        let values = request.url.query_pairs().filter(|(key, _)| key == name).count();
        assert_eq!(values, 1, "{name} is repeated: {}", request.url);
    }
}
