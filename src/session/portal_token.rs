//! The access token of an Identity Center: for the lists of `setup`, which needs it before a profile has an assignment, and
//! for `quota`, which gets credentials with it that nobody else is given.
//!
//! It comes from the stored sign-in, from a refresh, or from the same sign-in as that of `login`. No credentials are
//! requested. The new profile uses the same record, so the user does not sign in twice.

use super::{
    Error, Ladder, NonInteractiveToken, OpenCredentials, OpenRecords, OpenSignIn, PortalTokenUse, ServiceSteps,
    SignInNeeded, SignInReason, TokenSearch, UserInput,
};
use crate::{
    cache::{LockedCredentials, LockedSignIn},
    secret::Secret,
};

impl Ladder<'_> {
    /// The stored access token, or a refreshed one. It fails if the user would have to sign in for it, and needs only the
    /// sign-in's lock.
    pub async fn get_portal_token_without_prompt(&self, sign_in: &LockedSignIn<'_>) -> Result<Secret, Error> {
        // Only profiles with an Identity Center have one.
        let ServiceSteps::Portal(steps) = self.service_steps() else {
            return Err(SignInNeeded::PromptNotAllowed.into());
        };
        let mut sign_in = OpenSignIn::load(sign_in)?;
        self.accept_or_reject_hosts(&mut sign_in)?;
        match steps.get_token_without_prompt(&mut sign_in).await? {
            TokenSearch::Found(NonInteractiveToken::Refreshed(token) | NonInteractiveToken::Cached { token, .. }) => {
                Ok(token.access_token)
            }
            TokenSearch::SignInNeeded(SignInReason::RefreshRefused(refusal)) => {
                Err(SignInNeeded::RefreshRefused(refusal).into())
            }
            TokenSearch::SignInNeeded(
                SignInReason::NoUsableToken | SignInReason::ProviderAnswered | SignInReason::RequirementUnmet(_),
            ) => Err(SignInNeeded::PromptNotAllowed.into()),
        }
    }

    /// An access token that the portal accepts, as far as is known. Never called with a profile of an OpenID provider.
    pub async fn get_portal_token(
        &self,
        sign_in: &LockedSignIn<'_>,
        credentials: &LockedCredentials<'_>,
        token_use: PortalTokenUse,
        user: &mut UserInput<'_>,
    ) -> Result<Secret, Error> {
        // `setup` asks only with a profile for an Identity Center.
        let ServiceSteps::Portal(steps) = self.service_steps() else {
            return Err(SignInNeeded::PromptNotAllowed.into());
        };
        let mut records =
            OpenRecords { sign_in: OpenSignIn::load(sign_in)?, credentials: OpenCredentials::load(credentials)? };
        self.accept_or_reject_hosts(&mut records.sign_in)?;
        if token_use == PortalTokenUse::AfterRefusal
            && let Some(portal) = &mut records.sign_in.portal
        {
            portal.is_spent = true;
            records.sign_in.store()?;
        }
        match steps.get_token_without_prompt(&mut records.sign_in).await? {
            TokenSearch::Found(NonInteractiveToken::Refreshed(token) | NonInteractiveToken::Cached { token, .. }) => {
                Ok(token.access_token)
            }
            TokenSearch::SignInNeeded(reason) => {
                Box::pin(self.sign_in_interactively(&mut records, reason, user)).await?.into_portal_token()
            }
        }
    }
}
