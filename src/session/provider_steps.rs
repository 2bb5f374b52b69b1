//! The steps of the ladder that talk to an OpenID provider: its metadata, its application, and its tokens.

use std::ops::Deref;

use super::{Error, Ladder, OpenSignIn, load_application};
use crate::{
    aws,
    aws::ExchangeRequest,
    cache::{CachedProvider, LockedSignIn, RecordFolder},
    config::OidcSettings,
    identity, log,
    oidc::{
        self, Application, ExpectedClaims, ProviderSession, TokenGrant, TokenResponse, UnverifiedToken, VerifiedToken,
    },
    session::{NewCredentials, OpenCredentials},
};

/// The ladder of a profile with an OpenID provider. It dereferences to the [`Ladder`].
pub(super) struct ProviderSteps<'l, 'a> {
    pub(super) ladder: &'l Ladder<'a>,
    pub(super) settings: &'a OidcSettings,
}

impl<'a> Deref for ProviderSteps<'_, 'a> {
    type Target = Ladder<'a>;

    fn deref(&self) -> &Ladder<'a> {
        self.ladder
    }
}

impl<'a> ProviderSteps<'_, 'a> {
    /// Step 5: verifies a new token. If the token names a key that is not cached, the provider may have rotated its
    /// keys, so they are fetched again; once, because a forged token could name any number of unknown keys.
    pub(super) async fn verify_token(
        &self,
        sign_in: &LockedSignIn<'_>,
        known: &mut CachedProvider,
        token: UnverifiedToken,
        expected: &ExpectedClaims<'_>,
    ) -> Result<VerifiedToken, Error> {
        match oidc::verify_token(token.clone(), &known.keys, &known.metadata, expected) {
            Err(rejection) if rejection.needs_fresh_keys() => {
                log::info(
                    "session",
                    format_args!("the ID token names an unknown key; fetching the provider's keys again"),
                );
                let keys = oidc::fetch_keys(self.client, &known.metadata).await?;
                *known = CachedProvider::new(self.now(), known.metadata.clone(), keys);
                sign_in.store_provider(known)?;
                Ok(oidc::verify_token(token, &known.keys, &known.metadata, expected)?)
            }
            judged => Ok(judged?),
        }
    }

    /// The claims that a token of this profile must have.
    pub(super) fn expected_claims<'e>(
        &'e self,
        tokens: &'e TokenResponse,
        grant: TokenGrant<'e>,
    ) -> ExpectedClaims<'e> {
        ExpectedClaims {
            issuer: self.settings.issuer.as_str(),
            issuer_alias: oidc::find_issuer_alias(self.settings),
            client_id: &self.settings.client_id,
            organization: oidc::find_organization(self.settings),
            exchange_algorithms: aws::list_required_algorithms(&self.settings.federation),
            proof: oidc::find_proof_rules(self.settings),
            grant,
            access_token: tokens.access_token.as_ref(),
            now: self.now(),
            server_date: tokens.server_date,
        }
    }

    /// The application with its client credentials. Called before a request or a prompt, so that a missing client
    /// secret is reported before the user signs in.
    pub(super) fn load_application(&self, records: &RecordFolder) -> Result<Application<'a>, Error> {
        load_application(self.settings, records, self.client_files, self.host)
    }

    /// A client for the provider's endpoints.
    pub(super) fn provider_session<'s>(
        &'s self,
        application: &'s Application<'_>,
        known: &'s CachedProvider,
    ) -> ProviderSession<'s> {
        ProviderSession { client: self.client, application, metadata: &known.metadata }
    }

    /// The provider's metadata and keys: the cached ones, or fetched and stored now.
    pub(super) async fn get_provider(&self, sign_in: &LockedSignIn<'_>) -> Result<CachedProvider, Error> {
        if let Some(known) = sign_in.load_provider(self.now())? {
            return Ok(known);
        }
        self.fetch_provider(sign_in).await
    }

    /// The provider's metadata, fetched and stored now, which shows that the provider answers. Keys that are cached
    /// stay: a token that names another key makes the ladder fetch them again.
    pub(super) async fn fetch_provider(&self, sign_in: &LockedSignIn<'_>) -> Result<CachedProvider, Error> {
        log::debug("session", format_args!("fetching the provider's metadata"));
        let metadata = oidc::discover_provider(&self.client_with_time_limit(), self.settings).await?;
        let known = match sign_in.load_provider(self.now())? {
            Some(cached) if cached.metadata.jwks_uri == metadata.jwks_uri => cached.with_metadata(metadata),
            _ => {
                let keys = oidc::fetch_keys(&self.client_with_time_limit(), &metadata).await?;
                CachedProvider::new(self.now(), metadata, keys)
            }
        };
        sign_in.store_provider(&known)?;
        Ok(known)
    }

    /// Stores a verified token in the sign-in.
    pub(super) fn set_token(&self, sign_in: &mut OpenSignIn<'_>, token: &VerifiedToken) -> Result<(), Error> {
        sign_in.set_token(token, self.now());
        if token.has_groups_overage() {
            log::warn("session", format_args!("the ID token has no groups, because the user is in too many"));
        }
        Ok(sign_in.store()?)
    }

    /// Steps 6 and 7: asks the quota service for approval, then AWS for credentials. `Clearance` is tied to the token,
    /// so an approval for one user cannot be used for another.
    pub(super) async fn request_credentials(
        &self,
        stored: &mut OpenCredentials<'_>,
        token: &VerifiedToken,
    ) -> Result<NewCredentials, Error> {
        let clearance = self.obtain_clearance(stored, token).await?;
        let session_name = identity::derive_session_name(clearance.token(), &self.profile.session_name);
        // `login --force` ignores the stored maximum: the administrator may have raised what the role allows.
        let remembered = stored.longest.filter(|_| !self.purpose.is_forced_login());
        let question = ExchangeRequest {
            session_name: &session_name.name,
            max_seconds: remembered,
            pool_identity: stored.identity.as_deref(),
            clearance: &clearance,
        };
        let granted = self.aws.exchange_token(&question).await;
        let granted = granted.map_err(|failed| Error::Exchange { failed, token: Box::new(token.clone()) })?;
        let notice = self.take_quota_warning(stored, clearance.usage.as_ref());
        Ok(NewCredentials { granted, session_name: Some(session_name), notice })
    }
}
