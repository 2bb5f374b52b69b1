//! Messages and hints for the errors of `session`: of the ladder that gets credentials, and of the sign-out.
//!
//! Each step of the ladder fails with an error of the module that it called. This file passes every error to the file
//! of `failure` that words it, and adds the profile where its advice names a value from there.

use crate::{
    cache::FailureReport,
    config::{Profile, SignInSettings},
    failure::Failure,
    session::Error,
};

impl Failure {
    /// The failure for `error`. `profile` is the one of the call: some hints name its issuer, client or role.
    pub fn from_session_error(error: Error, profile: &Profile) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Files(error) => error.into(),
            Error::Http(error) => error.into(),
            Error::Aws(error) => error.into(),
            Error::Provider(error) => error.into(),
            Error::Token(rejection) => rejection.into(),
            Error::NoUsableAlgorithm { offered, refuser } => Self::from_algorithms(&offered, refuser),
            Error::Client(unproven) => Self::from_client_error(&unproven, profile),
            Error::Bind(error) => error.into(),
            Error::Callback(error) => match &profile.sign_in {
                SignInSettings::Oidc(_) => error.into(),
                SignInSettings::IdentityCenter(_) => Self::from_portal_callback_error(error),
            },
            Error::NoDeviceCodes => Self::from_missing_device_flow(profile.sign_in_host()),
            Error::Exchange { failed, token } => match &profile.sign_in {
                SignInSettings::Oidc(oidc) => Self::from_exchange_error(failed, profile, oidc, &token),
                SignInSettings::IdentityCenter(_) => failed.error.into(),
            },
            Error::IdentityCenter(error) => Self::from_identity_center_error(error, profile),
            Error::Assignment(error) => Self::from_assignment_error(error, profile),
            Error::NoIdToken => Self::from_missing_id_token(profile),
            Error::Quota { error, now } => Self::from_quota_error(error, now),
            Error::SignInNeeded(reason) => match &profile.sign_in {
                SignInSettings::Oidc(_) => reason.into(),
                SignInSettings::IdentityCenter(_) => Self::from_portal_sign_in_need(reason),
            },
            Error::DestinationChanged(changed) => changed.into(),
            Error::NotRevoked(error) => Self::from_revocation_error(error),
            Error::Runtime(error) => Self::from_runtime_error(error),
            Error::Interrupted => Self::from_interruption(),
            // The browser's page has shown these words already, so the terminal shows the same.
            Error::Reported(report) => report.into(),
        }
    }
}

/// The same failure as a record, which the worker sends to the commands that wait for it and stores for later commands.
/// The kind is taken first, because commands decide by it and never by the words.
pub fn report_session_error(error: Error, profile: &Profile) -> FailureReport {
    let kind = error.kind();
    Failure::from_session_error(error, profile).into_report(kind)
}
