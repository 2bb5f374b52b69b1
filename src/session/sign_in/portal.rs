//! The sign-in at an Identity Center: the registration before the prompt, and what is stored after it.

use std::{future::pending, ops::Deref};

use super::service::{DevicePoll, SignInResult, SignInService};
use crate::{
    aws::{ClientRegistration, PortalDeviceCode, PortalPollOutcome, PortalRefusal, PortalRequest, PortalTokens},
    cache::{CredentialsRecord, LockedSignIn, RefreshHistory},
    oidc::{PollPace, RequestRefusal, ShownCode, callback::AwaitedCallback},
    secret::Secret,
    session::{
        Error, LadderPurpose, OpenRecords, SignInEvent, accept_destinations,
        portal_steps::{PortalSteps, build_session},
        prompt::PromptFlow,
    },
    text::encode_hex,
};

/// A sign-in at an Identity Center. It dereferences to the [`PortalSteps`].
pub(super) struct PortalSignIn<'l, 'a>(pub(super) PortalSteps<'l, 'a>);

impl<'l, 'a> Deref for PortalSignIn<'l, 'a> {
    type Target = PortalSteps<'l, 'a>;

    fn deref(&self) -> &PortalSteps<'l, 'a> {
        &self.0
    }
}

impl SignInService for PortalSignIn<'_, '_> {
    type Known = ClientRegistration;
    type Request = PortalRequest;
    type DeviceCode = PortalDeviceCode;
    type Tokens = PortalTokens;

    fn recall(&self, _: &LockedSignIn<'_>) -> Result<Option<ClientRegistration>, Error> {
        Ok(None)
    }

    async fn prepare(&self, sign_in: &LockedSignIn<'_>, flow: PromptFlow) -> Result<ClientRegistration, Error> {
        let known = self.register(sign_in, flow).await?;
        if flow == PromptFlow::DeviceCode {
            // The request for a code follows at once, and shows everything.
            return Ok(known);
        }
        match self.check_service(&known).await {
            Ok(()) => Ok(known),
            Err(error) if error.is_refused_for(PortalRefusal::InvalidClient) => {
                self.register_again(sign_in, &known, flow).await
            }
            Err(error) => Err(error.into()),
        }
    }

    fn gives_device_codes(&self, _: &ClientRegistration) -> bool {
        true
    }

    fn build_request(&self, known: &ClientRegistration, redirect_uri: &str) -> PortalRequest {
        self.portal.build_request(known, redirect_uri, &self.host.fill_random)
    }

    fn describe_callback(&self, _: &ClientRegistration, request: &PortalRequest) -> AwaitedCallback {
        AwaitedCallback {
            authorize_url: Secret::new(request.url.as_str()),
            state: request.state.clone(),
            issuer: None,
            iss_required: false,
        }
    }

    /// Identity Center has been asked before the browser opened, see [`PortalSteps::check_service`].
    async fn find_request_refusal(&self, _: &ClientRegistration, _: &str) -> RequestRefusal {
        pending().await
    }

    async fn finish_with_code(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut ClientRegistration,
        request: &PortalRequest,
        code: &Secret,
    ) -> Result<SignInResult, Error> {
        let exchanged = self.portal.exchange_code(known, request, code, self.now()).await;
        let refusals = [PortalRefusal::InvalidClient, PortalRefusal::FlowNotPermitted];
        if let Err(error) = &exchanged
            && refusals.iter().any(|reason| error.is_refused_for(*reason))
        {
            // Otherwise the next sign-in would end in the same way.
            self.forget_registration(records.sign_in.lock, &known.client_id)?;
        }
        self.finish_with_tokens(records, known, exchanged?).await
    }

    async fn request_device_code(
        &self,
        sign_in: &LockedSignIn<'_>,
        known: &mut ClientRegistration,
    ) -> Result<(ShownCode, PortalDeviceCode), Error> {
        let start_url = self.settings.start_url.as_str();
        let code = match self.portal.request_device_code(known, start_url).await {
            Err(error) if error.is_refused_for(PortalRefusal::InvalidClient) => {
                *known = self.register_again(sign_in, known, PromptFlow::DeviceCode).await?;
                self.portal.request_device_code(known, start_url).await?
            }
            answered => answered?,
        };
        Ok((code.shown.clone(), code))
    }

    async fn poll_device_code(&self, known: &ClientRegistration, code: &PortalDeviceCode) -> DevicePoll<PortalTokens> {
        match self.portal.poll_device_code(known, code, self.now()).await {
            Ok(PortalPollOutcome::Granted(tokens)) => DevicePoll::Granted(tokens),
            Ok(PortalPollOutcome::Pending) => DevicePoll::Waiting(PollPace::Unchanged),
            Ok(PortalPollOutcome::SlowDown) => DevicePoll::Waiting(PollPace::SlowDown),
            Ok(PortalPollOutcome::Expired) => DevicePoll::Expired,
            Err(error) if error.is_network() => DevicePoll::NoAnswer(error.into()),
            Err(error) => DevicePoll::Failed(error.into()),
        }
    }

    /// Stores the tokens, and continues with steps 6 to 8 unless the caller wants only the token.
    ///
    /// Identity Center does not say who has signed in. It may be another user, so the credentials of every role are
    /// removed, before and after the tokens are stored, as after a change of the user at an OpenID provider.
    async fn finish_with_tokens(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut ClientRegistration,
        tokens: PortalTokens,
    ) -> Result<SignInResult, Error> {
        (self.report)(SignInEvent::Answered);
        let OpenRecords { sign_in, credentials } = records;
        **credentials = CredentialsRecord::default();
        credentials.store()?;
        sign_in.lock.remove_other_credentials()?;
        let portal = build_session(&tokens, self.generate_sign_in_id(), &known.client_id);
        sign_in.refresh_token = tokens.refresh_token;
        sign_in.refresh_history = RefreshHistory::Usual;
        accept_destinations(&mut sign_in.destinations, self.profile, &self.host.environment, None);
        sign_in.set_portal(portal.clone(), self.now());
        sign_in.store()?;
        sign_in.lock.remove_other_credentials()?;
        if let LadderPurpose::PortalToken(_) = self.purpose {
            return Ok(SignInResult::PortalToken(portal.access_token));
        }
        let granted = self.request_credentials(credentials, &portal).await?;
        Ok(SignInResult::Credentials(self.store_credentials(credentials, granted, sign_in.token_count)))
    }
}

impl PortalSignIn<'_, '_> {
    /// Text that no other sign-in has.
    fn generate_sign_in_id(&self) -> String {
        let mut bytes = [0; 16];
        (self.host.fill_random)(&mut bytes);
        encode_hex(&bytes)
    }
}
