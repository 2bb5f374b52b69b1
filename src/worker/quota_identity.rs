//! With what a command shows the quota service who the user is, without a prompt and without an approval.
//!
//! A blocked user gets no credentials, and must still be able to ask why. So the ID token, or credentials that nothing but
//! this question can use, are found here.

use super::{Error, WorkerClient};
use crate::{
    aws::Aws,
    cache::{Freshness, assess_credentials},
    config::SignInSettings,
    failure::Failure,
    http::{self, Client},
    quota::{QuotaProof, UnclearedCredentials},
    secret::Secret,
    session::{PortalTokenUse, check_destinations},
    time::Timestamp,
};

/// What shows the service who the user is.
#[derive(Debug)]
pub enum QuotaIdentity {
    /// The text of a valid ID token.
    Token(Secret),
    /// Valid credentials of the assignment at an Identity Center.
    Credentials(UnclearedCredentials),
}

impl QuotaIdentity {
    /// The proof for one request. `region` is the profile's.
    pub fn as_proof<'p>(&'p self, region: &'p str, now: Timestamp) -> QuotaProof<'p> {
        match self {
            Self::Token(token) => QuotaProof::from_token(token),
            Self::Credentials(credentials) => QuotaProof::from_credentials(credentials, region, now),
        }
    }
}

impl WorkerClient<'_> {
    /// The stored sign-in, or what a refresh yields. It may start a worker and sends requests, so the caller must not be
    /// inside the async runtime.
    pub fn quota_identity(&self, client: &Client) -> Result<QuotaIdentity, Failure> {
        if let Some(stored) = self.stored_quota_identity()? {
            return Ok(stored);
        }
        match &self.profile.sign_in {
            SignInSettings::Oidc(_) => Ok(QuotaIdentity::Token(self.token()?)),
            SignInSettings::IdentityCenter(_) => {
                let token = self.portal_token(PortalTokenUse::WithoutPrompt, &mut |_, _| {})?;
                let aws = Aws::new(client, self.profile, &self.host.environment, self.host.now)?;
                let asked =
                    http::block_on(aws.request_assigned_session(&token)).map_err(Failure::from_runtime_error)?;
                let session = asked.map_err(|error| Failure::from_session_error(error.into(), self.profile))?;
                Ok(QuotaIdentity::Credentials(session.credentials))
            }
        }
    }

    /// The stored sign-in, as far as it is valid. It uses no network. With a chain of roles, the stored credentials of an
    /// Identity Center are those of the last role, and the service does not know that session.
    pub fn stored_quota_identity(&self) -> Result<Option<QuotaIdentity>, Error> {
        match &self.profile.sign_in {
            SignInSettings::Oidc(_) => Ok(self.find_stored_token()?.map(QuotaIdentity::Token)),
            SignInSettings::IdentityCenter(_) => {
                let stored = self.cache.load_credentials()?;
                check_destinations(&stored.destinations, self.profile, &self.host.environment)?;
                let own = stored.credentials.filter(|own| {
                    let is_valid = assess_credentials(own, self.now()) != Freshness::Spent;
                    is_valid && self.profile.role_chain.is_empty()
                });
                Ok(own.map(|own| QuotaIdentity::Credentials(UnclearedCredentials::new(own))))
            }
        }
    }
}
