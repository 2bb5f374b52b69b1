//! The application before the provider: its name, and what proves it (RFC 6749 §2.3), in every form it posts.
//!
//! It presents; what proves the application is kept by `cache`, and told by the profile.

use base64::{Engine, engine::general_purpose::STANDARD};
use openidconnect::url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::Metadata;
use crate::{
    config::{ClientAuth, Profile},
    secret::Secret,
};

/// Everything needed is at hand, so that nobody signs in for nothing.
#[derive(Debug)]
pub struct Application<'a> {
    pub profile: &'a Profile,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    None,
    Secret(Secret),
}

/// What is missing, although the profile demands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    NoSecret,
}

/// Which proof the provider did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Secret,
}

/// What goes along with a form.
#[derive(Debug, Default)]
pub(super) struct Presented {
    /// The Authorization header.
    pub(super) header: Option<Secret>,
    pub(super) fields: Vec<(&'static str, Secret)>,
}

impl<'a> Application<'a> {
    /// `secret` is the one that is kept.
    pub fn of(profile: &'a Profile, secret: Option<Secret>) -> Result<Self, Unproven> {
        let proof = match &profile.client_auth {
            ClientAuth::None => Proof::None,
            ClientAuth::Secret => Proof::Secret(secret.ok_or(Unproven::NoSecret)?),
        };
        Ok(Self { profile, proof })
    }

    /// For an endpoint that takes these methods, as the provider says.
    pub(super) fn present(&self, methods: Option<&[String]>) -> Presented {
        let client_id = &self.profile.client_id;
        let id = || ("client_id", Secret::new(client_id));
        match &self.proof {
            Proof::None => Presented { header: None, fields: vec![id()] },
            Proof::Secret(secret) if is_posted(methods) => {
                Presented { header: None, fields: vec![id(), ("client_secret", secret.clone())] }
            }
            // Some providers refuse the client's name in two places.
            Proof::Secret(secret) => Presented { header: Some(basic(client_id, secret)), fields: Vec::new() },
        }
    }

    pub(super) fn means(&self) -> Option<Means> {
        match self.proof {
            Proof::None => None,
            Proof::Secret(_) => Some(Means::Secret),
        }
    }

    /// What a provider might quote.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match &self.proof {
            Proof::None => None,
            Proof::Secret(secret) => Some(secret),
        }
    }
}

/// The header is the standard's own way, and the default where the provider says nothing (RFC 8414 §2).
fn is_posted(methods: Option<&[String]>) -> bool {
    let offers = |name: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
    offers("client_secret_post") && !offers("client_secret_basic")
}

/// Each half is encoded as in a form before the two are joined (RFC 6749 §2.3.1), which many programs forget.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.expose().as_bytes()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

impl Metadata {
    pub(super) fn methods_for_tokens(&self) -> Option<&[String]> {
        self.token_auth_methods.as_deref()
    }

    /// A provider that says nothing of its own for this endpoint is believed to mean the same everywhere.
    pub(super) fn methods_for_revocation(&self) -> Option<&[String]> {
        self.revocation_auth_methods.as_deref().or(self.methods_for_tokens())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing;

    fn profile() -> Profile {
        Profile { client_id: "my app:1".into(), client_auth: ClientAuth::Secret, ..testing::profile() }
    }

    fn presented(methods: Option<&[&str]>) -> Presented {
        let profile = profile();
        let application = Application::of(&profile, Some(Secret::new("a+b c:é%"))).unwrap();
        let methods: Option<Vec<String>> =
            methods.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        application.present(methods.as_deref())
    }

    #[test]
    fn both_halves_of_the_header_are_encoded_before_they_are_joined() {
        for methods in [
            None,
            Some(&["client_secret_basic", "client_secret_post"][..]),
            Some(&["private_key_jwt"]),
            Some(&[]),
        ] {
            let Presented { header, fields } = presented(methods);
            let header = header.unwrap();
            let pair = STANDARD.decode(header.expose().strip_prefix("Basic ").unwrap()).unwrap();
            assert_eq!(String::from_utf8(pair).unwrap(), "my+app%3A1:a%2Bb+c%3A%C3%A9%25", "{methods:?}");
            assert_eq!(fields, [], "the name stands in one place only");
        }
    }

    #[test]
    fn the_secret_goes_into_the_form_where_the_provider_takes_it_nowhere_else() {
        let Presented { header, fields } = presented(Some(&["private_key_jwt", "client_secret_post"]));
        assert_eq!(header, None);
        assert_eq!(
            fields,
            [("client_id", Secret::new("my app:1")), ("client_secret", Secret::new("a+b c:é%"))]
        );
    }

    #[test]
    fn a_public_client_names_itself_and_no_more() {
        let profile = testing::profile();
        let application = Application::of(&profile, Some(Secret::new("left over"))).unwrap();
        let Presented { header, fields } = application.present(None);
        assert_eq!((header, fields), (None, vec![("client_id", Secret::new("client"))]));
        assert_eq!((application.means(), application.secret()), (None, None));
    }

    #[test]
    fn without_its_secret_the_application_is_unproven() {
        assert_eq!(Application::of(&profile(), None).err(), Some(Unproven::NoSecret));
    }
}
