//! Step 3 of the ladder: an ID token without a prompt, from the refresh token or from the stored sign-in.
//!
//! It decides what a failed refresh means: whether the stored token is used, the user has to sign in, or the call fails.

use super::{Error, Ladder, OpenSignIn, SignInNeeded, find_unmet_requirement, provider_steps::ProviderSteps};
use crate::{
    cache::{CachedProvider, FailureReport, MIN_REMAINING, RefreshHistory, SignInRecord},
    log,
    oidc::{
        Application, ProviderSession, RefreshFailure, RefreshRefusal, TokenGrant, TokenResponse, UnmetRequirement,
        VerifiedToken,
    },
    secret::Secret,
    session::{ServiceSteps, SignInToken},
};

/// The result of step 3.
pub(super) enum TokenSearch<T> {
    Found(NonInteractiveToken<T>),
    SignInNeeded(SignInReason),
}

/// A token that was obtained without a prompt.
pub(super) enum NonInteractiveToken<T> {
    /// The service has just issued it for the refresh token.
    Refreshed(T),
    /// It was verified earlier and has not expired. AWS may refuse it nevertheless: the user's session can end earlier.
    /// `network_failure` is set if the service could not be asked to refresh it.
    Cached { token: T, network_failure: Option<FailureReport> },
}

/// Why the user has to sign in.
pub(super) enum SignInReason {
    /// The command asks for a sign-in, or no usable token is stored. The provider was not asked, so it may be down.
    NoUsableToken,
    /// The provider answered in this run, and only the user can get another token.
    ProviderAnswered,
    /// The provider refused to refresh the session.
    RefreshRefused(RefreshRefusal),
    /// The stored sign-in does not meet `require`. The provider may not have been asked.
    RequirementUnmet(UnmetRequirement),
}

impl<T> TokenSearch<T> {
    fn map_token<U>(self, convert: impl FnOnce(T) -> U) -> TokenSearch<U> {
        match self {
            Self::Found(NonInteractiveToken::Refreshed(token)) => {
                TokenSearch::Found(NonInteractiveToken::Refreshed(convert(token)))
            }
            Self::Found(NonInteractiveToken::Cached { token, network_failure }) => {
                TokenSearch::Found(NonInteractiveToken::Cached { token: convert(token), network_failure })
            }
            Self::SignInNeeded(reason) => TokenSearch::SignInNeeded(reason),
        }
    }
}

impl Ladder<'_> {
    /// Step 3: a token that needs no prompt.
    pub(super) async fn get_token_without_prompt(
        &self,
        sign_in: &mut OpenSignIn<'_>,
    ) -> Result<TokenSearch<SignInToken>, Error> {
        if self.purpose.is_forced_login() {
            return Ok(TokenSearch::SignInNeeded(SignInReason::NoUsableToken));
        }
        match self.service_steps() {
            ServiceSteps::Provider(steps) => {
                let found = steps.get_token_without_prompt(sign_in).await?;
                Ok(found.map_token(|token| SignInToken::Id(Box::new(token))))
            }
            ServiceSteps::Portal(steps) => {
                Ok(steps.get_token_without_prompt(sign_in).await?.map_token(SignInToken::Portal))
            }
        }
    }

    /// The stored token if it is still valid, after this error of the request to the service. Otherwise the error.
    fn use_cached_token(&self, sign_in: &SignInRecord, error: Error) -> Result<TokenSearch<VerifiedToken>, Error> {
        match self.cached_token(sign_in) {
            Some(token) if error.is_network() => {
                let report = (self.describe)(error);
                log::info("session", format_args!("using the cached ID token, because {}", report.message));
                Ok(TokenSearch::Found(NonInteractiveToken::Cached { token, network_failure: Some(report) }))
            }
            _ => Err(error),
        }
    }

    /// The stored token, or a sign-in for this reason if it has expired.
    fn search_cached_token(&self, sign_in: &SignInRecord, reason: SignInReason) -> TokenSearch<VerifiedToken> {
        match self.cached_token(sign_in) {
            Some(token) => TokenSearch::Found(NonInteractiveToken::Cached { token, network_failure: None }),
            None => TokenSearch::SignInNeeded(reason),
        }
    }

    /// The stored token, if it is valid for long enough to reach AWS and its sign-in meets the requirements.
    pub(super) fn cached_token(&self, sign_in: &SignInRecord) -> Option<VerifiedToken> {
        let token = sign_in.find_valid_token(self.now().saturating_add(MIN_REMAINING))?;
        find_unmet_requirement(sign_in, self.profile, self.now()).is_none().then_some(token)
    }
}

impl ProviderSteps<'_, '_> {
    /// A token from the refresh token. Without a refresh token, the stored token if it is still valid.
    ///
    /// After a network failure the stored token is used, if it is still valid. `login` prompts the user after every
    /// other failure of the refresh, and even after a network failure if the provider still serves its metadata:
    /// otherwise a token endpoint that answers nonsense would lock the user out.
    pub(super) async fn get_token_without_prompt(
        &self,
        sign_in: &mut OpenSignIn<'_>,
    ) -> Result<TokenSearch<VerifiedToken>, Error> {
        if let Some(unmet) = self.check_requirements(sign_in) {
            return Ok(TokenSearch::SignInNeeded(SignInReason::RequirementUnmet(unmet)));
        }
        let Some(refresh_token) = sign_in.refresh_token.clone() else {
            return Ok(self.search_cached_token(sign_in, SignInReason::NoUsableToken));
        };
        let application = self.load_application(sign_in.lock.folder())?;
        let mut known = match self.get_provider(sign_in.lock).await {
            Ok(known) => known,
            Err(error) => return self.use_cached_token(sign_in, error),
        };
        match self.try_refresh(sign_in, &application, &mut known, &refresh_token).await {
            Err(error) if error.is_network() => match self.use_cached_token(sign_in, error) {
                Err(error) if self.purpose.is_login() => {
                    let why = (self.describe)(error).message;
                    log::info("session", format_args!("asking whether the provider answers at all, because {why}"));
                    self.fetch_provider(sign_in.lock).await?;
                    Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered))
                }
                decided => decided,
            },
            Err(error @ Error::Token(_)) if self.purpose.is_login() => {
                log::info("session", format_args!("prompting the user, because {}", (self.describe)(error).message));
                Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered))
            }
            decided => decided,
        }
    }

    /// Presents the refresh token to the provider.
    ///
    /// The refresh token is dropped only after `invalid_grant` (RFC 6749 §5.2), which says that it will never work
    /// again. After any other error it stays: the error may be temporary, and only the user could replace the token.
    async fn try_refresh(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        application: &Application<'_>,
        known: &mut CachedProvider,
        refresh_token: &Secret,
    ) -> Result<TokenSearch<VerifiedToken>, Error> {
        // A move is followed once. Otherwise a provider that names another endpoint each time would hold this call.
        let mut was_moved = false;
        loop {
            self.check_token_endpoint(sign_in, known)?;
            log::debug("session", format_args!("refreshing the ID token"));
            let client = self.client_with_time_limit();
            let provider = ProviderSession { client: &client, ..self.provider_session(application, known) };
            let refreshed = provider.refresh_tokens(refresh_token).await;
            let error = match refreshed {
                Ok(tokens) => return self.store_refreshed_tokens(sign_in, known, tokens).await,
                Err(error) => error,
            };
            // For example an endpoint that no longer exists. The next call fetches the metadata again.
            let suggests_stale_metadata = error.suggests_stale_metadata();
            if suggests_stale_metadata {
                sign_in.lock.remove_provider()?;
            }
            let failure = error.into_refresh_failure();
            let may_have_moved = matches!(failure, RefreshFailure::Refused(_)) && suggests_stale_metadata && !was_moved;
            if may_have_moved && self.refetch_metadata(sign_in, known).await? {
                log::info("session", format_args!("the token endpoint has moved; refreshing at the new one"));
                was_moved = true;
                continue;
            }
            match failure {
                RefreshFailure::TokenSpent => {
                    log::info(
                        "session",
                        format_args!("the provider no longer accepts the refresh token (invalid_grant); dropping it"),
                    );
                    sign_in.refresh_token = None;
                    sign_in.mark_token_spent();
                    sign_in.store()?;
                    return Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered));
                }
                RefreshFailure::Refused(refusal) => {
                    let report = (self.describe)(SignInNeeded::RefreshRefused(refusal.clone()).into());
                    log::info("session", format_args!("{}", report.message));
                    if sign_in.refresh_history != RefreshHistory::Refused {
                        sign_in.refresh_history = RefreshHistory::Refused;
                        sign_in.store()?;
                    }
                    return Ok(TokenSearch::SignInNeeded(SignInReason::RefreshRefused(refusal)));
                }
                RefreshFailure::ApplicationRefused(error) if self.purpose.is_login() => {
                    let why = (self.describe)(error.into()).message;
                    log::info("session", format_args!("prompting the user, because {why}"));
                    return Ok(TokenSearch::SignInNeeded(SignInReason::ProviderAnswered));
                }
                RefreshFailure::ApplicationRefused(error) | RefreshFailure::Unknown(error) => return Err(error.into()),
            }
        }
    }

    /// Fetches the metadata again into `known`, and returns whether the token endpoint is another one now.
    ///
    /// A page without an OAuth error can come from an endpoint that has moved, or from something else than the provider.
    /// A provider that does not serve its metadata has refused nothing, so the network failure of this request decides.
    async fn refetch_metadata(&self, sign_in: &OpenSignIn<'_>, known: &mut CachedProvider) -> Result<bool, Error> {
        let current = self.fetch_provider(sign_in.lock).await?;
        let is_moved = current.metadata.token_endpoint != known.metadata.token_endpoint;
        *known = current;
        Ok(is_moved)
    }

    /// Stores the answer to a refresh.
    ///
    /// A rotated refresh token is stored before the ID token is verified, because the provider no longer accepts the
    /// previous one (RFC 6749 §6): if verification fails, the session must survive. A provider may omit the ID token
    /// from the answer (OIDC Core §12.2); then the cached one is used while it is valid. That is stored too, because
    /// `status` would otherwise promise that the session is refreshed until the provider ends it.
    async fn store_refreshed_tokens(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        known: &mut CachedProvider,
        mut tokens: TokenResponse,
    ) -> Result<TokenSearch<VerifiedToken>, Error> {
        let id_token = tokens.id_token.take();
        let history = if id_token.is_some() { RefreshHistory::Usual } else { RefreshHistory::WithoutIdToken };
        if tokens.refresh_token.is_some() || sign_in.refresh_history != history {
            sign_in.refresh_token = tokens.refresh_token.take().or(sign_in.refresh_token.take());
            sign_in.refresh_history = history;
            sign_in.store()?;
        }
        let Some(token) = id_token else {
            let until = self.cached_token(sign_in).map(|token| token.expires_at());
            let then = until.map_or_else(
                || "the stored one has expired, so the user has to sign in".to_owned(),
                |until| format!("the stored one is used until {until}, and then the user has to sign in"),
            );
            log::info("session", format_args!("the provider's answer to the refresh has no ID token; {then}"));
            return Ok(self.search_cached_token(sign_in, SignInReason::ProviderAnswered));
        };
        let token = self
            .verify_token(
                sign_in.lock,
                known,
                token,
                &self.expected_claims(&tokens, TokenGrant::RefreshToken { subject: sign_in.subject.as_deref() }),
            )
            .await?;
        if let Some(unmet) = self.check_refreshed_token(sign_in, &token)? {
            return Ok(TokenSearch::SignInNeeded(SignInReason::RequirementUnmet(unmet)));
        }
        self.set_token(sign_in, &token)?;
        // The verification has checked that the user is the same.
        let token = token.with_user_info(sign_in.user_info.clone());
        Ok(TokenSearch::Found(NonInteractiveToken::Refreshed(token)))
    }
}
