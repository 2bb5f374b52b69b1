//! The steps of the ladder that talk to an Identity Center: the registration of this program, the access token, and the
//! credentials of the assignment.
//!
//! The access token is used as long as it is valid, because the portal checks the session at every request. So several
//! roles need no refresh of their own.

use std::ops::Deref;

use super::{
    Error, Ladder, NewCredentials, NonInteractiveToken, OpenCredentials, OpenSignIn, SignInReason, TokenSearch,
    prompt::PromptFlow,
};
use crate::{
    aws::{
        AssignedSession, ClientRegistration, GrantedCredentials, IdentityCenterClient, IdentityCenterError,
        PortalRefusal, PortalTokens,
    },
    cache::{LockedSignIn, MIN_REMAINING, PortalRegistrations, PortalSession, RefreshHistory},
    config::IdentityCenterSettings,
    identity::SessionName,
    log,
    oidc::RefreshRefusal,
};

/// The ladder of a profile with an Identity Center. It dereferences to the [`Ladder`].
pub(super) struct PortalSteps<'l, 'a> {
    pub(super) ladder: &'l Ladder<'a>,
    pub(super) settings: &'a IdentityCenterSettings,
    pub(super) portal: &'a IdentityCenterClient,
}

impl<'a> Deref for PortalSteps<'_, 'a> {
    type Target = Ladder<'a>;

    fn deref(&self) -> &Ladder<'a> {
        self.ladder
    }
}

impl PortalSteps<'_, '_> {
    /// The stored access token if it is still valid, or a new one from the refresh token.
    pub(super) async fn get_token_without_prompt(
        &self,
        sign_in: &mut OpenSignIn<'_>,
    ) -> Result<TokenSearch<PortalSession>, Error> {
        if let Some(portal) = sign_in.find_valid_portal(self.now().saturating_add(MIN_REMAINING)) {
            let (token, network_failure) = (portal.clone(), None);
            return Ok(TokenSearch::Found(NonInteractiveToken::Cached { token, network_failure }));
        }
        let (Some(portal), Some(refresh_token)) = (sign_in.portal.clone(), sign_in.refresh_token.clone()) else {
            return Ok(TokenSearch::SignInNeeded(SignInReason::NoUsableToken));
        };
        let PortalRegistrations { browser, device } = sign_in.lock.load_registrations()?;
        let is_its_own = |known: &ClientRegistration| known.client_id == portal.client_id && self.is_current(known);
        let Some(registration) = browser.into_iter().chain(device).find(is_its_own) else {
            return Ok(TokenSearch::SignInNeeded(SignInReason::NoUsableToken));
        };
        log::debug("session", format_args!("refreshing the access token of Identity Center"));
        let client = self.portal.with_client(self.client_with_time_limit());
        match client.refresh(&registration, &refresh_token, self.now()).await {
            Ok(tokens) => {
                let portal = build_session(&tokens, portal.sign_in_id, &portal.client_id);
                // AWS accepts the earlier refresh token only for a short time, so the new one is stored at once.
                sign_in.refresh_token = tokens.refresh_token.or(Some(refresh_token));
                sign_in.refresh_history = RefreshHistory::Usual;
                sign_in.set_portal(portal.clone(), self.now());
                sign_in.store()?;
                Ok(TokenSearch::Found(NonInteractiveToken::Refreshed(portal)))
            }
            Err(error) => self.handle_failed_refresh(sign_in, &registration, error).await,
        }
    }

    /// Decides what follows when the access token was not refreshed. A network failure loses nothing. `login` prompts
    /// the user nevertheless, if Identity Center answers at all.
    async fn handle_failed_refresh(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        registration: &ClientRegistration,
        error: IdentityCenterError,
    ) -> Result<TokenSearch<PortalSession>, Error> {
        log::info("session", format_args!("Identity Center did not refresh the access token: {error:?}"));
        let IdentityCenterError::Refused { reason, details } = &error else {
            if !self.purpose.is_login() {
                return Err(error.into());
            }
            self.check_service(registration).await?;
            return Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered));
        };
        match reason {
            PortalRefusal::InvalidGrant | PortalRefusal::Unauthorized => {
                sign_in.refresh_token = None;
                sign_in.store()?;
                Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered))
            }
            PortalRefusal::InvalidClient | PortalRefusal::FlowNotPermitted => {
                self.forget_registration(sign_in.lock, &registration.client_id)?;
                Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered))
            }
            PortalRefusal::Throttled | PortalRefusal::Server if self.purpose.is_login() => {
                self.check_service(registration).await?;
                Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered))
            }
            PortalRefusal::Throttled | PortalRefusal::Server | PortalRefusal::EncryptionKey => Err(error.into()),
            PortalRefusal::AccessDenied
            | PortalRefusal::InvalidRequest
            | PortalRefusal::NoAssignment
            | PortalRefusal::WrongRegion
            | PortalRefusal::Other => {
                sign_in.refresh_history = RefreshHistory::Refused;
                sign_in.store()?;
                let (error, description) = (details.code.clone(), details.message.clone());
                let refusal = RefreshRefusal::OAuthError { error, description };
                Ok(TokenSearch::SignInNeeded(SignInReason::RefreshRefused(refusal)))
            }
        }
    }

    /// The registration of this program for this flow: the stored one if it is usable, or a new one.
    pub(super) async fn register(
        &self,
        sign_in: &LockedSignIn<'_>,
        flow: PromptFlow,
    ) -> Result<ClientRegistration, Error> {
        let mut registrations = sign_in.load_registrations()?;
        let stored = match flow {
            PromptFlow::Callback => &mut registrations.browser,
            PromptFlow::DeviceCode => &mut registrations.device,
        };
        if let Some(known) = stored.clone().filter(|known| self.is_current(known)) {
            return Ok(known);
        }
        log::info("session", format_args!("registering this program at Identity Center"));
        let client = self.portal.with_client(self.client_with_time_limit());
        let registration = match flow {
            PromptFlow::Callback => {
                let redirect_uri = self.profile.redirect_uri.uri_without_port();
                client.register_client(self.settings.start_url.as_str(), &redirect_uri, self.now()).await?
            }
            PromptFlow::DeviceCode => client.register_device_client(self.now()).await?,
        };
        *stored = Some(registration.clone());
        sign_in.store_registrations(&registrations)?;
        Ok(registration)
    }

    /// Replaces a registration that AWS has forgotten before it expired.
    pub(super) async fn register_again(
        &self,
        sign_in: &LockedSignIn<'_>,
        forgotten: &ClientRegistration,
        flow: PromptFlow,
    ) -> Result<ClientRegistration, Error> {
        self.forget_registration(sign_in, &forgotten.client_id)?;
        self.register(sign_in, flow).await
    }

    /// Removes a registration that AWS does not accept any more.
    pub(super) fn forget_registration(&self, sign_in: &LockedSignIn<'_>, client_id: &str) -> Result<(), Error> {
        let PortalRegistrations { browser, device } = sign_in.load_registrations()?;
        let is_other = |known: &ClientRegistration| known.client_id != client_id;
        let (browser, device) = (browser.filter(is_other), device.filter(is_other));
        Ok(sign_in.store_registrations(&PortalRegistrations { browser, device })?)
    }

    fn is_current(&self, registration: &ClientRegistration) -> bool {
        registration.expires_at > self.now().saturating_add(MIN_REMAINING)
    }

    /// Fails if Identity Center does not answer, or does not know this program any more.
    ///
    /// A browser at a service that is down would only show an error. No request merely asks whether the service
    /// answers, so this one asks for a device code. AWS refuses it to a client of the browser flow, and the refusal
    /// is the answer.
    pub(super) async fn check_service(&self, registration: &ClientRegistration) -> Result<(), IdentityCenterError> {
        let client = self.portal.with_client(self.client_with_time_limit());
        match client.request_device_code(registration, self.settings.start_url.as_str()).await {
            Ok(_) => Ok(()),
            Err(error) if is_obstacle(&error) => Err(error),
            Err(error) => {
                log::debug("session", format_args!("Identity Center answers: {error:?}"));
                Ok(())
            }
        }
    }

    /// Steps 6 and 7 for an assignment. The portal decides whether the user still has it. Its credentials sign the
    /// question of step 6, so the order of the two steps is the reverse of a provider's: nothing is stored or handed out,
    /// and no role of the chain is assumed, before the quota service has approved.
    pub(super) async fn request_credentials(
        &self,
        stored: &mut OpenCredentials<'_>,
        token: &PortalSession,
    ) -> Result<NewCredentials, Error> {
        let AssignedSession { credentials, holder } = self.aws.request_assigned_session(&token.access_token).await?;
        let clearance = self.clear_credentials(stored, credentials).await?;
        let usage = clearance.usage.clone();
        let known_name = stored.session_name.as_deref();
        let assigned = self.aws.finish_assigned_session(clearance, holder, known_name).await?;
        let name = assigned.user_name.or_else(|| known_name.map(str::to_owned));
        let granted = GrantedCredentials {
            credentials: assigned.credentials,
            role: assigned.role,
            max_seconds: None,
            pool_identity: None,
        };
        let session_name = name.map(|name| SessionName { name, is_last_resort: false });
        let notice = self.take_quota_warning(stored, usage.as_ref());
        Ok(NewCredentials { granted, session_name, notice })
    }
}

/// The session of these tokens, which were issued to this registration.
pub(super) fn build_session(tokens: &PortalTokens, sign_in_id: String, client_id: &str) -> PortalSession {
    PortalSession {
        access_token: tokens.access_token.clone(),
        expires_at: tokens.expires_at,
        is_spent: false,
        sign_in_id,
        client_id: client_id.to_owned(),
    }
}

/// Whether a sign-in cannot succeed after this error. Other refusals of a device code do not concern a sign-in in the
/// browser.
fn is_obstacle(error: &IdentityCenterError) -> bool {
    error.is_network()
        || [PortalRefusal::InvalidClient, PortalRefusal::EncryptionKey]
            .iter()
            .any(|reason| error.is_refused_for(*reason))
}
