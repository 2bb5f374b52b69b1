//! The errors of the ladder and of the sign-out in words.
//!
//! Which error it was is for `session` to say.

use crate::{cache::FailureReport, config::Profile, failure::Failure, session::Error};

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
            Error::Client(unproven) => Self::from_client_error(&unproven, profile),
            Error::Bind(error) => error.into(),
            Error::Callback(error) => error.into(),
            Error::NoDeviceCodes => Self::from_missing_device_flow(&profile.issuer),
            Error::Exchange { failed, token } => Self::from_exchange_error(failed, profile, &token),
            Error::Quota { error, now } => Self::from_quota_error(error, now),
            Error::SignInNeeded(reason) => reason.into(),
            Error::DestinationChanged(changed) => changed.into(),
            Error::NotRevoked(error) => Self::from_revocation_error(error),
            Error::Runtime(error) => Self::from_runtime_error(error),
            Error::Interrupted => Self::from_interruption(),
            Error::Reported(report) => report.into(),
        }
    }
}

/// The form in which an error is stored, and passed to other processes.
pub fn report_session_error(error: Error, profile: &Profile) -> FailureReport {
    let kind = error.kind();
    Failure::from_session_error(error, profile).into_report(kind)
}
