//! How each credential is presented, and which metadata of the provider decide that.

use super::*;
use crate::{
    config::testing,
    oidc::testing::{test_application, test_host, test_metadata},
};

fn settings() -> OidcSettings {
    OidcSettings { client_id: "my app:1".into(), client_auth: ClientAuth::Secret, ..testing::oidc_settings() }
}

/// Returns the `Authorization` header and the form.
fn present(application: &Application<'_>, metadata: &ProviderMetadata) -> (Option<Secret>, String) {
    let mut form = Serializer::new(String::new());
    let endpoint = metadata.auth_endpoint(ProviderEndpoint::Token, &metadata.token_endpoint);
    (application.append_proof(&endpoint, &mut form), form.finish())
}

fn presented(methods: Option<&[&str]>) -> (Option<Secret>, String) {
    let names = methods.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let metadata = ProviderMetadata { token_auth_methods: names, ..test_metadata("https://id.example") };
    present(&test_application(&settings(), Some("a+b c:é%")), &metadata)
}

#[test]
fn basic_header_encodes_both_halves_before_joining() {
    for methods in
        [None, Some(&["client_secret_basic", "client_secret_post"][..]), Some(&["private_key_jwt"]), Some(&[])]
    {
        let (header, form) = presented(methods);
        let header = header.unwrap();
        let pair = STANDARD.decode(header.expose().strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "my+app%3A1:a%2Bb+c%3A%C3%A9%25", "{methods:?}");
        assert_eq!(form, "", "the name stands in one place only");
    }
}

#[test]
fn secret_goes_into_the_form_if_the_provider_requires_it() {
    let presented = presented(Some(&["private_key_jwt", "client_secret_post"]));
    assert_eq!(presented, (None, "client_id=my+app%3A1&client_secret=a%2Bb+c%3A%C3%A9%25".to_owned()));
}

#[test]
fn public_client_sends_only_its_client_id() {
    let settings = testing::oidc_settings();
    let application = test_application(&settings, Some("left over"));
    let presented = present(&application, &test_metadata("https://id.example"));
    assert_eq!(presented, (None, "client_id=client".to_owned()));
    assert_eq!((application.auth_method(), application.client_secret()), (None, None));
}

#[test]
fn application_without_its_secret_is_an_error() {
    let (settings, host) = (settings(), test_host());
    let application = Application::from_settings(
        &settings,
        StoredClientCredentials::default(),
        &ClientFiles::read_for_settings(&settings),
        &host,
    );
    assert_eq!(application.err(), Some(ClientCredentialError::MissingSecret));
}
