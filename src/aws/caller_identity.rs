//! Asks AWS (GetCallerIdentity) whether cached credentials are still valid, and which role they have.
//!
//! Only an explicit rejection counts as invalid. Hosts run `login` after AWS refused them, so the cache alone cannot
//! be trusted, but an unreachable AWS is no reason to sign in again.

use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_caller_identity::{GetCallerIdentityError, GetCallerIdentityOutput},
};

use super::{Aws, CredentialsFlaw, Error};
use crate::{config::RoleArn, credentials::AwsCredentials, http};

/// AWS's opinion about credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialStatus {
    /// AWS recognised them.
    Accepted,
    /// AWS reported them as expired, unknown or forged.
    Refused,
    /// AWS did not answer, or its answer is not about the credentials.
    NoAnswer,
}

impl Aws {
    /// Checks these credentials within two seconds.
    pub async fn check_credentials(&self, credentials: &AwsCredentials) -> CredentialStatus {
        match self.get_caller_identity(credentials).await {
            Some(Ok(identity)) if identity.account().is_some() => CredentialStatus::Accepted,
            Some(Err(error)) => classify_error(&error),
            Some(Ok(_)) | None => CredentialStatus::NoAnswer,
        }
    }

    /// Returns the session's ARN, or the reason why AWS does not name it. `doctor --live` shows either.
    pub async fn get_session_arn(&self, credentials: &AwsCredentials) -> Result<String, Error> {
        let silent = || http::Error::Timeout { host: "AWS STS".to_owned(), after: self.caller_timeout };
        let answer = self.get_caller_identity(credentials).await.ok_or_else(|| Error::Network(silent()))?;
        let answer = answer.map_err(|error| Error::from(error).redact_token(&credentials.session_token))?;
        answer.arn.ok_or(Error::Flawed(CredentialsFlaw::Incomplete))
    }

    /// Returns the role of the credentials, if AWS names it. The result is only shown to the user, so a failure is
    /// ignored.
    pub(super) async fn get_role(&self, credentials: &AwsCredentials) -> Option<RoleArn> {
        RoleArn::from_session_arn(&self.find_session_arn(credentials).await?)
    }

    /// Returns the ARN of the session, if AWS names it in time.
    pub(super) async fn find_session_arn(&self, credentials: &AwsCredentials) -> Option<String> {
        self.get_caller_identity(credentials).await?.ok()?.arn
    }

    async fn get_caller_identity(
        &self,
        credentials: &AwsCredentials,
    ) -> Option<Result<GetCallerIdentityOutput, SdkError<GetCallerIdentityError, HttpResponse>>> {
        let question = Box::pin(self.sts.signing_client(credentials)?.get_caller_identity().send());
        tokio::time::timeout(self.caller_timeout, question).await.ok()
    }
}

fn classify_error(error: &SdkError<GetCallerIdentityError, HttpResponse>) -> CredentialStatus {
    let message = error.message().unwrap_or_default().to_ascii_lowercase();
    match error.code() {
        // This machine's clock is wrong, which AWS reports with the code of a forged signature. New credentials would
        // fail in the same way.
        Some("SignatureDoesNotMatch") if ["expired", "not yet current"].iter().any(|words| message.contains(words)) => {
            CredentialStatus::NoAnswer
        }
        Some(
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch",
        ) => CredentialStatus::Refused,
        // AWS checks permissions only after it has recognised the credentials.
        Some("AccessDenied" | "AccessDeniedException") => CredentialStatus::Accepted,
        _ => CredentialStatus::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        aws::testing::{ACCOUNT, TestSts, build_aws, build_credentials, build_refusal},
        http::testing::block_on,
    };

    fn standing_at(sts: &TestSts) -> CredentialStatus {
        block_on(build_aws(sts).check_credentials(&build_credentials()))
    }

    fn identity() -> (&'static str, &'static str, String) {
        let body = format!(
            r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/BedrockUser/jane@example.com</Arn>
    <UserId>AROACLKWSDQRAOEXAMPLE:jane@example.com</UserId>
    <Account>{ACCOUNT}</Account>
  </GetCallerIdentityResult>
</GetCallerIdentityResponse>"#
        );
        ("200 OK", "text/xml", body)
    }

    #[test]
    fn caller_identity_is_signed_with_the_checked_credentials() {
        let sts = TestSts::answering(|_| identity());
        assert_eq!(standing_at(&sts), CredentialStatus::Accepted);
        let asked = sts.take_requests();
        let head = &asked.first().unwrap().head;
        assert!(head.contains("Credential=ASIAEXAMPLE/"), "{head}");
        assert!(head.contains("/eu-west-1/sts/aws4_request"), "{head}");
        assert!(head.contains("x-amz-security-token: session-token"), "{head}");
    }

    #[test]
    fn only_an_explicit_rejection_refuses_credentials() {
        use CredentialStatus::{Accepted, NoAnswer, Refused};
        for (status, code, message, standing) in [
            ("403 Forbidden", "ExpiredToken", "The security token included in the request is expired", Refused),
            ("403 Forbidden", "InvalidClientTokenId", "The security token included in the request is invalid", Refused),
            ("403 Forbidden", "UnrecognizedClientException", "", Refused),
            ("403 Forbidden", "SignatureDoesNotMatch", "The request signature we calculated does not match", Refused),
            ("403 Forbidden", "SignatureDoesNotMatch", "Signature expired: 20300101T000000Z is now earlier", NoAnswer),
            ("403 Forbidden", "SignatureDoesNotMatch", "Signature not yet current: 20300101T000000Z", NoAnswer),
            ("400 Bad Request", "RequestExpired", "Request has expired", NoAnswer),
            ("403 Forbidden", "AccessDenied", "explicit deny", Accepted),
            ("400 Bad Request", "Throttling", "Rate exceeded", NoAnswer),
            ("503 Service Unavailable", "ServiceUnavailable", "", NoAnswer),
        ] {
            let sts = TestSts::answering(move |_| build_refusal(status, code, message));
            assert_eq!(standing_at(&sts), standing, "{code}: {message}");
            assert_eq!(sts.take_requests().len(), 1, "{code}");
        }
    }

    #[test]
    fn captive_portal_does_not_refuse_credentials() {
        let sts = TestSts::answering(|_| ("200 OK", "text/html", "<html>Welcome</html>".into()));
        assert_eq!(standing_at(&sts), CredentialStatus::NoAnswer);
    }

    #[test]
    fn credential_check_ends_at_its_timeout() {
        let (sender, ended) = std::sync::mpsc::channel::<()>();
        let sts = TestSts::writing(move |_, _| ended.recv().unwrap_or_default());
        let aws = Aws { caller_timeout: Duration::from_millis(50), ..build_aws(&sts) };
        assert_eq!(block_on(aws.check_credentials(&build_credentials())), CredentialStatus::NoAnswer);
        drop(sender);
    }
}
