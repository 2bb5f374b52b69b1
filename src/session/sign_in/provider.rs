//! The sign-in at an OpenID provider: what is checked before the prompt, and what is stored after it.

use std::{future::pending, ops::Deref, time::Duration};

use tokio::time::sleep;

use super::service::{DevicePoll, SignInResult, SignInService};
use crate::{
    aws::{self, AlgorithmRefuser, AlgorithmSupport},
    cache::{CachedProvider, CredentialsRecord, LockedSignIn, RecordFolder, RefreshHistory},
    identity::needs_user_info,
    log,
    oidc::{
        self, Application, AuthorizationRequest, ClientProbe, DeviceCode, DevicePollOutcome, ProviderMetadata,
        RequestRefusal, ShownCode, SignInProof, TokenGrant, TokenResponse, UnverifiedToken, VerifiedToken,
        callback::AwaitedCallback, fetch_user_info,
    },
    secret::Secret,
    session::{
        Error, OpenRecords, OpenSignIn, SignInEvent, accept_destinations, prompt::PromptFlow,
        provider_steps::ProviderSteps,
    },
};

/// How long after the prompt the program sends the same request to the provider itself. A sign-in for which the provider
/// shows no page has mostly ended by then, and costs no further request.
const PROBE_DELAY: Duration = Duration::from_secs(2);

/// How long the answer to that request may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// A sign-in at an OpenID provider. It dereferences to the [`ProviderSteps`].
pub(super) struct ProviderSignIn<'l, 'a> {
    steps: ProviderSteps<'l, 'a>,
    application: Application<'a>,
}

impl<'l, 'a> ProviderSignIn<'l, 'a> {
    /// Fails if the application's client secret or key is missing, so that the user does not sign in for nothing.
    pub(super) fn new(steps: ProviderSteps<'l, 'a>, records: &RecordFolder) -> Result<Self, Error> {
        let application = steps.load_application(records)?;
        Ok(Self { steps, application })
    }
}

impl<'l, 'a> Deref for ProviderSignIn<'l, 'a> {
    type Target = ProviderSteps<'l, 'a>;

    fn deref(&self) -> &ProviderSteps<'l, 'a> {
        &self.steps
    }
}

impl SignInService for ProviderSignIn<'_, '_> {
    type Known = CachedProvider;
    type Request = AuthorizationRequest;
    type DeviceCode = DeviceCode;
    type Tokens = (UnverifiedToken, TokenResponse);

    fn recall(&self, sign_in: &LockedSignIn<'_>) -> Result<Option<CachedProvider>, Error> {
        // Cached metadata may be older than the administrator's correction.
        let cached = sign_in.load_provider(self.now())?;
        Ok(cached.filter(|cached| self.check_algorithms(&cached.metadata).is_ok()))
    }

    async fn prepare(&self, sign_in: &LockedSignIn<'_>, _: PromptFlow) -> Result<CachedProvider, Error> {
        let known = self.fetch_provider(sign_in).await?;
        self.check_algorithms(&known.metadata)?;
        Ok(known)
    }

    fn gives_device_codes(&self, known: &CachedProvider) -> bool {
        known.metadata.device_authorization_endpoint.is_some()
    }

    fn build_request(&self, known: &CachedProvider, redirect_uri: &str) -> AuthorizationRequest {
        oidc::build_authorization_request(self.settings, &known.metadata, redirect_uri, &self.host.fill_random)
    }

    fn describe_callback(&self, known: &CachedProvider, request: &AuthorizationRequest) -> AwaitedCallback {
        AwaitedCallback {
            authorize_url: Secret::new(request.url.as_str()),
            state: request.state.clone(),
            issuer: Some(known.metadata.issuer.clone()),
            iss_required: known.metadata.iss_parameter,
        }
    }

    /// The provider shows the error page of RFC 6749 §4.1.2.1 in the browser only. So the program sends the same request
    /// itself, once, without the browser's cookies, [`PROBE_DELAY`] after the prompt.
    async fn find_request_refusal(&self, known: &CachedProvider, redirect_uri: &str) -> RequestRefusal {
        // A sign-in at which the user types nothing has ended by then, so the provider gets no second request.
        sleep(PROBE_DELAY).await;
        let client = self.client.with_total_timeout(PROBE_TIMEOUT);
        let random = &self.host.fill_random;
        match oidc::probe_request(&client, self.settings, &known.metadata, redirect_uri, random).await {
            Ok(ClientProbe::Rejected(refusal)) => refusal,
            other => {
                log::debug("session", format_args!("the request in the browser, asked without cookies: {other:?}"));
                pending().await
            }
        }
    }

    async fn finish_with_code(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut CachedProvider,
        request: &AuthorizationRequest,
        code: &Secret,
    ) -> Result<SignInResult, Error> {
        let provider = self.provider_session(&self.application, known);
        let (id_token, tokens) = provider.exchange_code(request, code).await?;
        let grant = TokenGrant::AuthorizationCode { nonce: &request.nonce };
        self.finish_sign_in(records, known, id_token, tokens, grant).await
    }

    async fn request_device_code(
        &self,
        _: &LockedSignIn<'_>,
        known: &mut CachedProvider,
    ) -> Result<(ShownCode, DeviceCode), Error> {
        let Some(endpoint) = &known.metadata.device_authorization_endpoint else {
            return Err(Error::NoDeviceCodes);
        };
        let provider = self.provider_session(&self.application, known);
        let code = provider.request_device_code(endpoint, &self.host.fill_random).await?;
        Ok((code.shown.clone(), code))
    }

    async fn poll_device_code(&self, known: &CachedProvider, code: &DeviceCode) -> DevicePoll<Self::Tokens> {
        match self.provider_session(&self.application, known).poll_device_code(code).await {
            Ok(DevicePollOutcome::Granted(token, tokens)) => DevicePoll::Granted((token, tokens)),
            Ok(DevicePollOutcome::Waiting(pace)) => DevicePoll::Waiting(pace),
            Err(error) if error.is_expired_device_code() => DevicePoll::Expired,
            Err(error) if error.lacks_provider_answer() => DevicePoll::NoAnswer(error.into()),
            Err(error) => DevicePoll::Failed(error.into()),
        }
    }

    async fn finish_with_tokens(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut CachedProvider,
        (id_token, tokens): Self::Tokens,
    ) -> Result<SignInResult, Error> {
        self.finish_sign_in(records, known, id_token, tokens, TokenGrant::DeviceCode).await
    }
}

impl ProviderSignIn<'_, '_> {
    /// Fails if the provider lists the algorithms of its ID tokens and none of them can be used.
    fn check_algorithms(&self, metadata: &ProviderMetadata) -> Result<(), Error> {
        let Some(offered) = &metadata.algorithms else { return Ok(()) };
        let verifiable: Vec<&String> = offered.iter().filter(|name| oidc::is_supported_algorithm(name)).collect();
        let federation = &self.settings.federation;
        if verifiable.iter().any(|name| aws::assess_algorithm(federation, name) != AlgorithmSupport::Refused) {
            return Ok(());
        }
        let refuser = if verifiable.is_empty() { AlgorithmRefuser::Program } else { AlgorithmRefuser::Aws };
        Err(Error::NoUsableAlgorithm { offered: offered.clone(), refuser })
    }

    /// Verifies the tokens, stores them, and continues with steps 6 to 8.
    ///
    /// If another user has signed in, the credentials of the earlier user are removed before the new tokens are stored.
    /// A worker that is killed between the two leaves the earlier user's sign-in without credentials. The other order
    /// would leave the new user's sign-in with credentials of the earlier user.
    async fn finish_sign_in(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut CachedProvider,
        id_token: UnverifiedToken,
        tokens: TokenResponse,
        grant: TokenGrant<'_>,
    ) -> Result<SignInResult, Error> {
        (self.report)(SignInEvent::Answered);
        let token =
            self.verify_token(records.sign_in.lock, known, id_token, &self.expected_claims(&tokens, grant)).await?;
        // Credentials of the same user stay, in case AWS issues no new ones.
        let OpenRecords { sign_in, credentials } = records;
        let is_another_user = sign_in.subject.as_deref() != Some(token.subject());
        if is_another_user {
            // The maximum session length is a property of the role, not of the user.
            let longest = credentials.longest;
            **credentials = CredentialsRecord { longest, ..CredentialsRecord::default() };
            credentials.store()?;
            sign_in.lock.remove_other_credentials()?;
        }
        if tokens.refresh_token.is_none() && oidc::requests_offline_access(self.settings, &known.metadata) {
            log::warn(
                "session",
                format_args!("the provider issued no refresh token, although offline_access was requested"),
            );
            (self.report)(SignInEvent::NoRefreshToken);
        }
        sign_in.refresh_token = tokens.refresh_token;
        sign_in.proof = SignInProof::from_claims(token.claims());
        if sign_in.refresh_history == RefreshHistory::Refused {
            sign_in.refresh_history = RefreshHistory::Usual;
        }
        // The user has just made this sign-in, so the hosts of this profile and the provider are accepted too.
        accept_destinations(&mut sign_in.destinations, self.profile, &self.host.environment, Some(known));
        if is_another_user {
            sign_in.user_info.clear();
        }
        self.set_token(sign_in, &token)?;
        if is_another_user {
            // Removes what a process of the earlier user has stored since the first removal. From here on such a
            // process sees the new user and stores nothing. Without the first removal, a kill before this line would
            // leave the earlier user's credentials in place.
            sign_in.lock.remove_other_credentials()?;
        }
        let token = self.add_user_info(sign_in, known, token, tokens.access_token.as_ref()).await?;
        let granted = self.request_credentials(credentials, &token).await?;
        Ok(SignInResult::Credentials(self.store_credentials(credentials, granted, sign_in.token_count)))
    }

    /// Adds the claims of UserInfo to the token, and stores them, if the profile wants one that the ID token lacks.
    ///
    /// The sign-in is stored already, and continues without them if they cannot be fetched: then the subject, or an
    /// earlier answer about the same user, names the session.
    async fn add_user_info(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        known: &CachedProvider,
        token: VerifiedToken,
        access_token: Option<&Secret>,
    ) -> Result<VerifiedToken, Error> {
        if needs_user_info(&token, &self.profile.session_name) {
            match (&known.metadata.userinfo_endpoint, access_token) {
                (Some(endpoint), Some(access)) => {
                    log::debug("session", format_args!("the ID token lacks the user's name; asking UserInfo for it"));
                    let wanted = self.profile.user_info_claims();
                    match fetch_user_info(self.client, endpoint, access, token.subject(), wanted).await {
                        Ok(claims) => {
                            sign_in.user_info = claims;
                            sign_in.store()?;
                        }
                        Err(fault) => log::warn("session", format_args!("UserInfo cannot be used: {fault:?}")),
                    }
                }
                (None, _) => log::warn("session", format_args!("discovery names no usable UserInfo endpoint")),
                (Some(_), None) => {
                    log::warn("session", format_args!("UserInfo needs an access token, and the provider issued none"));
                }
            }
        }
        Ok(token.with_user_info(sign_in.user_info.clone()))
    }
}
