//! The provider's page that ends the user's session in the browser (OpenID Connect RP-Initiated Logout 1.0).
//!
//! The address has no `id_token_hint`, although the standard recommends it: AWS accepts the ID token until it expires,
//! and an address reaches process lists, the browser's history and the provider's logs. Without it, most providers ask
//! the user to confirm.

use super::ProviderMetadata;
use crate::{
    config::{OidcSettings, SignOutPage},
    url::SecureUrl,
};

/// Why no page can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSignOutPage {
    /// The provider's discovery document names none, or none with a usable address.
    NotNamed,
    /// The provider has a page, which needs something that this program does not have. The text says what, and follows
    /// "because it".
    Unusable(&'static str),
}

/// The address of the page, with the client ID. `metadata` is `None` if the discovery document is not known. Not every
/// provider needs it.
pub fn find_sign_out_page(
    settings: &OidcSettings,
    metadata: Option<&ProviderMetadata>,
) -> Result<SecureUrl, NoSignOutPage> {
    match settings.provider.spec().sign_out_page {
        SignOutPage::Discovered => {
            let endpoint = metadata.and_then(|known| known.end_session_endpoint.as_ref());
            let mut address = endpoint.ok_or(NoSignOutPage::NotNamed)?.as_url().clone();
            address.query_pairs_mut().append_pair("client_id", &settings.client_id);
            SecureUrl::parse(address.as_str()).map_err(|_| NoSignOutPage::NotNamed)
        }
        SignOutPage::Path(path) => {
            let address = format!("{}{path}", settings.issuer.url().origin());
            SecureUrl::parse(&address).map_err(|_| NoSignOutPage::NotNamed)
        }
        SignOutPage::Unusable(why) => Err(NoSignOutPage::Unusable(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Issuer, Provider},
        oidc::testing::{test_metadata, test_settings},
    };

    fn page(provider: Provider, end_session: Option<&str>) -> Result<String, NoSignOutPage> {
        let issuer = Issuer::parse("https://id.example/oauth2/default").unwrap();
        let settings = OidcSettings { issuer, client_id: "a b&c".to_owned(), ..test_settings(provider) };
        let end_session_endpoint = end_session.map(|text| SecureUrl::parse(text).unwrap());
        let metadata = ProviderMetadata { end_session_endpoint, ..test_metadata("https://id.example") };
        find_sign_out_page(&settings, Some(&metadata)).map(|page| page.as_str().to_owned())
    }

    #[test]
    fn sign_out_page_gets_the_client_id_and_nothing_else() {
        for provider in [Provider::Generic, Provider::Entra, Provider::Auth0] {
            let stated = "https://id.example/logout?p=1";
            assert_eq!(page(provider, Some(stated)).as_deref(), Ok("https://id.example/logout?p=1&client_id=a+b%26c"));
            assert_eq!(page(provider, None), Err(NoSignOutPage::NotNamed));
        }
    }

    #[test]
    fn okta_has_its_page_at_the_domain_of_the_issuer() {
        let stated = Some("https://id.example/oauth2/default/v1/logout");
        assert_eq!(page(Provider::Okta, stated).as_deref(), Ok("https://id.example/login/signout"));
    }

    #[test]
    fn provider_that_needs_a_registered_address_has_no_page() {
        let stated = Some("https://id.example/logout");
        assert!(matches!(page(Provider::Cognito, stated), Err(NoSignOutPage::Unusable(_))));
        assert_eq!(page(Provider::Google, None), Err(NoSignOutPage::NotNamed));
    }
}
