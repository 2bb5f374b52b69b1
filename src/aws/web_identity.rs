//! AssumeRoleWithWebIdentity: exchanges an ID token for a role's credentials. The request has no signature, because
//! the token is the proof.
//!
//! It also finds the longest session duration that the role allows.

use std::time::Duration;

use aws_sdk_sts::Client;

use super::{Aws, AwsRefusalReason, Error, credential_check, session_duration};
use crate::{config::RoleArn, credentials::AwsCredentials, oidc::VerifiedToken};

impl Aws {
    /// Requests one session of this duration. An error never quotes the token.
    pub(super) async fn assume_role(
        &self,
        role: &RoleArn,
        token: &VerifiedToken,
        session_name: &str,
        seconds: u32,
    ) -> Result<AwsCredentials, Error> {
        let ask = async |client: Client| {
            let answer = client
                .assume_role_with_web_identity()
                .role_arn(role.as_str())
                .role_session_name(session_name)
                .web_identity_token(token.raw().expose())
                .duration_seconds(i32::try_from(seconds).unwrap_or(i32::MAX))
                .send();
            // Boxed, because the SDK's future is large and would make every caller's future as large.
            let answer = Box::pin(answer).await.map_err(|error| Error::from(error).redact_token(token.raw()))?;
            credential_check::validate_sts_answer(answer.credentials, answer.assumed_role_user, role, (self.now)())
        };
        self.sts.ask_regions(None, ask).await
    }

    /// Requests the longest session that the role allows, up to `wanted`, and returns its duration. Callers store that
    /// and pass it as `remembered` next time, which saves the refused requests.
    pub(super) async fn assume_role_longest(
        &self,
        role: &RoleArn,
        token: &VerifiedToken,
        session_name: &str,
        wanted: Duration,
        remembered: Option<u32>,
    ) -> Result<(AwsCredentials, u32), Error> {
        let mut lengths = session_duration::list_durations(wanted, remembered);
        let mut seconds = lengths.next().unwrap_or(session_duration::MIN_SECONDS);
        loop {
            match self.assume_role(role, token, session_name, seconds).await {
                Ok(credentials) => return Ok((credentials, seconds)),
                Err(error) if error.is_refused_for(AwsRefusalReason::SessionTooLong) => {
                    seconds = lengths.next().ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
