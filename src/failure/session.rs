//! The errors of the ladder and of the sign-out in words.
//!
//! Which error it was is for `session` to say.

use crate::{
    cache::FailureReport,
    config::Profile,
    failure::{
        ClientAuthError, DeviceFlowUnsupported, ExchangeError, Failure, QuotaCheckError, RevocationError, SystemError,
        UserInterrupted,
    },
    session::Error,
};

impl Failure {
    /// Some advice names what the profile says.
    pub fn from_session_error(error: Error, profile: &Profile) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Files(error) => error.into(),
            Error::Http(error) => error.into(),
            Error::Aws(error) => error.into(),
            Error::Provider(error) => error.into(),
            Error::Token(rejection) => rejection.into(),
            Error::Client(unproven) => ClientAuthError { unproven, profile }.into(),
            Error::Bind(error) => error.into(),
            Error::Callback(error) => error.into(),
            Error::NoDeviceCodes => DeviceFlowUnsupported { issuer: &profile.issuer }.into(),
            Error::Exchange { failed, token } => ExchangeError { failed, profile, token: &token }.into(),
            Error::Quota { error, now } => QuotaCheckError { denied: error, now }.into(),
            Error::SignInNeeded(reason) => reason.into(),
            Error::DestinationChanged(changed) => changed.into(),
            Error::NotRevoked(error) => RevocationError(error).into(),
            Error::Runtime(error) => SystemError::Runtime(error).into(),
            Error::Interrupted => UserInterrupted.into(),
            Error::Reported(report) => report.into(),
        }
    }
}

/// The form in which an error is stored, and passed to other processes.
pub fn report_session_error(error: Error, profile: &Profile) -> FailureReport {
    let kind = error.kind();
    Failure::from_session_error(error, profile).into_report(kind)
}
