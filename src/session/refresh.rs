//! Step 3 of the ladder: an ID token without a prompt, from the refresh token or from the stored sign-in.
//!
//! It decides what a failed refresh means: whether the stored token is used, the user has to sign in, or the call fails.

use super::{Error, Ladder, OpenSignIn};
use crate::{
    cache::{CachedProvider, MIN_REMAINING, SignInRecord},
    log,
    oidc::{self, TokenGrant, TokenResponse, VerifiedToken},
    secret::Secret,
};

/// An ID token that was obtained without a prompt.
pub(super) enum NonInteractiveToken {
    /// The provider has just issued it for the refresh token.
    Refreshed(VerifiedToken),
    /// It was verified earlier and has not expired. AWS may refuse it nevertheless: the user's session can end earlier.
    Cached(VerifiedToken),
}

impl Ladder<'_> {
    /// Step 3: a token from the refresh token. Without a refresh token, the stored token if it is still valid. `None`
    /// means that the user has to sign in.
    pub(super) async fn get_token_without_prompt(
        &self,
        sign_in: &mut OpenSignIn<'_>,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        if self.purpose.is_forced_login() {
            return Ok(None);
        }
        let Some(refresh_token) = sign_in.refresh_token.clone() else {
            return Ok(self.cached_token(sign_in).map(NonInteractiveToken::Cached));
        };
        match self.try_refresh(sign_in, &refresh_token).await {
            Ok(token) => Ok(token),
            Err(failure) => self.handle_refresh_failure(sign_in, failure),
        }
    }

    /// Decides what a failed refresh leads to.
    ///
    /// After a network failure the cached token is used, if it is still valid. If the provider refused, or the new
    /// token failed verification, `login` prompts the user, who can often solve it by a new sign-in. Automatic callers
    /// get the error. So does `login` if the provider rejects the application itself, because a prompt would fail in
    /// the same way.
    fn handle_refresh_failure(
        &self,
        sign_in: &SignInRecord,
        error: Error,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        match (error, self.cached_token(sign_in)) {
            (error, Some(token)) if error.is_network() => {
                let report = (self.describe)(error);
                log::info("session", format_args!("using the cached ID token, because {}", report.message));
                Ok(Some(NonInteractiveToken::Cached(token)))
            }
            (
                Error::Provider(
                    oidc::Error::Refused { .. }
                    | oidc::Error::UnusableEndpoint { .. }
                    | oidc::Error::MissingMember { .. },
                )
                | Error::Token(_),
                _,
            ) if self.purpose.is_login() => {
                log::info("session", format_args!("the refresh gave no usable ID token; prompting the user"));
                Ok(None)
            }
            (error, _) => Err(error),
        }
    }

    /// Presents the refresh token to the provider. `None` means that the user has to sign in.
    ///
    /// The refresh token is dropped only after `invalid_grant` (RFC 6749 §5.2), which says that it will never work
    /// again. After any other error it stays: the error may be temporary, and only the user could replace the token.
    async fn try_refresh(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        refresh_token: &Secret,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        let application = self.load_application(sign_in.lock.folder())?;
        let mut known = self.get_provider(sign_in.lock).await?;
        self.check_token_endpoint(sign_in, &known)?;
        log::debug("session", format_args!("refreshing the ID token"));
        let provider = self.provider_session(&application, &known);
        match provider.refresh_tokens(refresh_token).await {
            Ok(tokens) => self.store_refreshed_tokens(sign_in, &mut known, tokens).await,
            Err(error) if error.is_invalid_grant() => {
                log::info(
                    "session",
                    format_args!("the provider no longer accepts the refresh token (invalid_grant); dropping it"),
                );
                sign_in.refresh_token = None;
                sign_in.mark_token_spent();
                sign_in.store()?;
                Ok(None)
            }
            Err(error) if error.needs_interaction() => {
                log::info("session", format_args!("the provider requires the user to sign in before a refresh"));
                Ok(None)
            }
            Err(error) => {
                // For example an endpoint that no longer exists. The next call fetches the metadata again.
                if error.suggests_stale_metadata() {
                    sign_in.lock.remove_provider()?;
                }
                Err(error.into())
            }
        }
    }

    /// Stores the answer to a refresh.
    ///
    /// A rotated refresh token is stored before the ID token is verified, because the provider no longer accepts the
    /// previous one (RFC 6749 §6): if verification fails, the session must survive. A provider may omit the ID token
    /// from the answer (OIDC Core §12.2); then the cached one is used while it is valid.
    async fn store_refreshed_tokens(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        known: &mut CachedProvider,
        mut tokens: TokenResponse,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        if tokens.refresh_token.is_some() {
            sign_in.refresh_token.clone_from(&tokens.refresh_token);
            sign_in.store()?;
        }
        let Some(token) = tokens.id_token.take() else {
            return Ok(self.cached_token(sign_in).map(NonInteractiveToken::Cached));
        };
        let token = self
            .verify_token(
                sign_in.lock,
                known,
                token,
                &self.expected_claims(&tokens, TokenGrant::RefreshToken { subject: sign_in.subject.as_deref() }),
            )
            .await?;
        self.set_token(sign_in, &token)?;
        Ok(Some(NonInteractiveToken::Refreshed(token)))
    }

    /// The stored token, if it is valid for long enough to reach AWS.
    pub(super) fn cached_token(&self, sign_in: &SignInRecord) -> Option<VerifiedToken> {
        sign_in.find_valid_token(self.now().saturating_add(MIN_REMAINING))
    }
}
