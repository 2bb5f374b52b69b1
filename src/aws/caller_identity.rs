//! Whether AWS still believes credentials that we hold.
//!
//! Only a clear no counts: a host runs `login` when AWS refused it, and an unreachable AWS is no reason to sign in.

use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_caller_identity::{GetCallerIdentityError, GetCallerIdentityOutput},
};

use super::{Aws, CredentialsFlaw, Error};
use crate::{config::RoleArn, credentials::AwsCredentials, http};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialStatus {
    /// AWS knows whose they are.
    Accepted,
    /// AWS called them expired, unknown or forged.
    Refused,
    /// Nothing was said about them.
    NoAnswer,
}

impl Aws {
    /// GetCallerIdentity, signed with these credentials and no others; two seconds at most.
    pub async fn check_credentials(&self, credentials: &AwsCredentials) -> CredentialStatus {
        match self.get_caller_identity(credentials).await {
            Some(Ok(identity)) if identity.account().is_some() => CredentialStatus::Accepted,
            Some(Err(error)) => classify_error(&error),
            Some(Ok(_)) | None => CredentialStatus::NoAnswer,
        }
    }

    /// GetCallerIdentity once more, for its words: the session's ARN.
    pub async fn get_session_arn(&self, credentials: &AwsCredentials) -> Result<String, Error> {
        let silent = || http::Error::Timeout { host: "AWS STS".to_owned(), after: self.caller_timeout };
        let answer = self.get_caller_identity(credentials).await.ok_or_else(|| Error::Network(silent()))?;
        let answer = answer.map_err(|error| Error::from(error).redact_token(&credentials.session_token))?;
        answer.arn.ok_or(Error::Flawed(CredentialsFlaw::Incomplete))
    }

    /// Whose credentials they are, where only AWS knows. Nothing hangs on the answer but what people are shown.
    pub(super) async fn get_role(&self, credentials: &AwsCredentials) -> Option<RoleArn> {
        let identity = self.get_caller_identity(credentials).await?.ok()?;
        RoleArn::from_session_arn(identity.arn()?)
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
        // A wrong clock here, said with the code of a forged signature: new credentials would fare no better.
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
        // Whom AWS forbids something, it has recognised.
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
    fn the_question_is_signed_with_the_credentials_in_question() {
        let sts = TestSts::answering(|_| identity());
        assert_eq!(standing_at(&sts), CredentialStatus::Accepted);
        let asked = sts.take_requests();
        let head = &asked.first().unwrap().head;
        assert!(head.contains("Credential=ASIAEXAMPLE/"), "{head}");
        assert!(head.contains("/eu-west-1/sts/aws4_request"), "{head}");
        assert!(head.contains("x-amz-security-token: session-token"), "{head}");
    }

    #[test]
    fn only_a_clear_no_counts() {
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
    fn a_captive_portal_says_nothing_about_credentials() {
        let sts = TestSts::answering(|_| ("200 OK", "text/html", "<html>Welcome</html>".into()));
        assert_eq!(standing_at(&sts), CredentialStatus::NoAnswer);
    }

    #[test]
    fn silence_is_not_waited_for() {
        let (sender, ended) = std::sync::mpsc::channel::<()>();
        let sts = TestSts::writing(move |_, _| ended.recv().unwrap_or_default());
        let aws = Aws { caller_timeout: Duration::from_millis(50), ..build_aws(&sts) };
        assert_eq!(block_on(aws.check_credentials(&build_credentials())), CredentialStatus::NoAnswer);
        drop(sender);
    }
}
