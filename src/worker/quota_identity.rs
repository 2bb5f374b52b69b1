//! With what a command shows the quota service who the user is, without a prompt and without an approval.
//!
//! A blocked user gets no credentials, and must still be able to ask why. So the ID token, or credentials that nothing but
//! this question can use, are found here.

use super::{Error, WorkerClient};
use crate::{
    aws::Aws,
    cache::{CredentialsRecord, Freshness, SignInRecord, assess_credentials},
    config::{Profile, SignInSettings},
    credentials::AwsCredentials,
    failure::Failure,
    host::Environment,
    http::{self, Client},
    quota::{QuotaProof, UnclearedCredentials},
    secret::Secret,
    session::{DestinationChanged, PortalTokenUse, TokenUse, check_destinations, find_token_for},
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

    fn stored_quota_identity(&self) -> Result<Option<QuotaIdentity>, Error> {
        let (sign_in, stored) = (self.cache.load_sign_in()?, self.cache.load_credentials()?);
        Ok(find_stored_identity(&sign_in, &stored, self.profile, &self.host.environment, self.now())?)
    }
}

/// What the stored records have, as far as it is valid. It uses no network. With a chain of roles, the stored credentials
/// of an Identity Center are those of the last role, and the service does not know that session. Fails if the
/// configuration names a host that the user has not accepted.
pub fn find_stored_identity(
    sign_in: &SignInRecord,
    stored: &CredentialsRecord,
    profile: &Profile,
    environment: &Environment,
    now: Timestamp,
) -> Result<Option<QuotaIdentity>, DestinationChanged> {
    match &profile.sign_in {
        SignInSettings::Oidc(_) => {
            check_destinations(&sign_in.destinations, profile, environment)?;
            Ok(find_token_for(sign_in, TokenUse::Now, now).map(QuotaIdentity::Token))
        }
        SignInSettings::IdentityCenter(_) => {
            check_destinations(&stored.destinations, profile, environment)?;
            let is_own = profile.role_chain.is_empty();
            let is_valid = |own: &&AwsCredentials| assess_credentials(own, now) != Freshness::Spent;
            let own = stored.credentials.as_ref().filter(is_valid).filter(|_| is_own);
            Ok(own.map(|own| QuotaIdentity::Credentials(UnclearedCredentials::new(own.clone()))))
        }
    }
}
