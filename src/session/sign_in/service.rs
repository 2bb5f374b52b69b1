//! What differs between the services at which a user signs in.
//!
//! `callback` and `device_code` run a sign-in by these functions, so every service has the same listener, prompts, page
//! and timeouts.

use std::future::Future;

use crate::{
    cache::LockedSignIn,
    oidc::{PollPace, RequestRefusal, ShownCode, callback::AwaitedCallback},
    race::{RaceWinner, race_futures},
    secret::Secret,
    session::{Error, OpenRecords, SessionCredentials, SignInNeeded, UserInput, prompt::PromptFlow},
};

/// What a sign-in leads to.
pub(in crate::session) enum SignInResult {
    Credentials(SessionCredentials),
    /// The access token of an Identity Center, for a caller that asked only for that.
    PortalToken(Secret),
}

impl SignInResult {
    /// The error does not occur, because the purpose of the ladder decides the result.
    pub(in crate::session) fn into_credentials(self) -> Result<SessionCredentials, Error> {
        match self {
            Self::Credentials(ready) => Ok(ready),
            Self::PortalToken(_) => Err(SignInNeeded::PromptNotAllowed.into()),
        }
    }

    /// The error does not occur, as in [`Self::into_credentials`].
    pub(in crate::session) fn into_portal_token(self) -> Result<Secret, Error> {
        match self {
            Self::PortalToken(token) => Ok(token),
            Self::Credentials(_) => Err(SignInNeeded::PromptNotAllowed.into()),
        }
    }
}

/// A service at which the user signs in.
pub(super) trait SignInService {
    /// What the service reports before a prompt.
    type Known;
    /// The request that the browser opens.
    type Request;
    /// The secrets of a device code.
    type DeviceCode;
    /// The answer to a device code that the user has entered.
    type Tokens;

    /// What the service has reported in this run; `None` if it must be asked again.
    fn recall(&self, sign_in: &LockedSignIn<'_>) -> Result<Option<Self::Known>, Error>;

    /// Asks the service now. Fails if a sign-in there cannot lead to credentials.
    async fn prepare(&self, sign_in: &LockedSignIn<'_>, flow: PromptFlow) -> Result<Self::Known, Error>;

    fn gives_device_codes(&self, known: &Self::Known) -> bool;

    fn build_request(&self, known: &Self::Known, redirect_uri: &str) -> Self::Request;

    fn describe_callback(&self, known: &Self::Known, request: &Self::Request) -> AwaitedCallback;

    /// Resolves if the service refuses the request that the browser was opened with, and never otherwise.
    fn find_request_refusal(&self, known: &Self::Known, redirect_uri: &str) -> impl Future<Output = RequestRefusal>;

    /// Redeems the code of the callback, and continues up to what the caller asked for.
    async fn finish_with_code(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut Self::Known,
        request: &Self::Request,
        code: &Secret,
    ) -> Result<SignInResult, Error>;

    /// Requests a device code. Replaces `known` if that turns out to be obsolete.
    async fn request_device_code(
        &self,
        sign_in: &LockedSignIn<'_>,
        known: &mut Self::Known,
    ) -> Result<(ShownCode, Self::DeviceCode), Error>;

    async fn poll_device_code(&self, known: &Self::Known, code: &Self::DeviceCode) -> DevicePoll<Self::Tokens>;

    /// Continues with these tokens up to what the caller asked for.
    async fn finish_with_tokens(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut Self::Known,
        tokens: Self::Tokens,
    ) -> Result<SignInResult, Error>;

    /// Asks the service now; fails if the user cancels meanwhile.
    async fn prepare_or_cancel(
        &self,
        sign_in: &LockedSignIn<'_>,
        flow: PromptFlow,
        user: &mut UserInput<'_>,
    ) -> Result<Self::Known, Error> {
        match race_futures(self.prepare(sign_in, flow), user.cancel_signal.as_mut()).await {
            RaceWinner::Left(known) => known,
            RaceWinner::Right(()) => Err(Error::Interrupted),
        }
    }
}

/// The answer to one poll.
pub(super) enum DevicePoll<T> {
    Granted(T),
    Waiting(PollPace),
    /// The code is no longer valid.
    Expired,
    /// The service was not reached. The next poll may succeed.
    NoAnswer(Error),
    Failed(Error),
}
