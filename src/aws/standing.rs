//! Whether AWS still believes credentials that we hold.
//!
//! Only a clear no counts: a host runs `login` when AWS refused it, and an unreachable AWS is no reason to sign in.

use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_caller_identity::{GetCallerIdentityError, GetCallerIdentityOutput},
};

use super::{Aws, Error, Flaw};
use crate::{config::RoleArn, credentials::Credentials, http};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// AWS knows whose they are.
    Good,
    /// AWS called them expired, unknown or forged.
    Refused,
    /// Nothing was said about them.
    NoAnswer,
}

impl Aws {
    /// GetCallerIdentity, signed with these credentials and no others; two seconds at most.
    pub async fn who_am_i(&self, credentials: &Credentials) -> Standing {
        match self.caller(credentials).await {
            Some(Ok(identity)) if identity.account().is_some() => Standing::Good,
            Some(Err(error)) => standing(&error),
            Some(Ok(_)) | None => Standing::NoAnswer,
        }
    }

    /// GetCallerIdentity once more, for its words: the session's ARN.
    pub async fn session_arn(&self, credentials: &Credentials) -> Result<String, Error> {
        let silent = || http::Error::Timeout { host: "AWS STS".to_owned(), after: self.patience };
        let answer = self.caller(credentials).await.ok_or_else(|| Error::Network(silent()))?;
        let answer = answer.map_err(|error| Error::from(error).without(&credentials.session_token))?;
        answer.arn.ok_or(Error::Flawed(Flaw::Incomplete))
    }

    /// Whose credentials they are, where only AWS knows. Nothing hangs on the answer but what people are shown.
    pub(super) async fn role_of(&self, credentials: &Credentials) -> Option<RoleArn> {
        let identity = self.caller(credentials).await?.ok()?;
        RoleArn::of_session(identity.arn()?)
    }

    async fn caller(
        &self,
        credentials: &Credentials,
    ) -> Option<Result<GetCallerIdentityOutput, SdkError<GetCallerIdentityError, HttpResponse>>> {
        let question = Box::pin(self.reach.signing(credentials)?.get_caller_identity().send());
        tokio::time::timeout(self.patience, question).await.ok()
    }
}

fn standing(error: &SdkError<GetCallerIdentityError, HttpResponse>) -> Standing {
    let message = error.message().unwrap_or_default().to_ascii_lowercase();
    match error.code() {
        // A wrong clock here, said with the code of a forged signature: new credentials would fare no better.
        Some("SignatureDoesNotMatch")
            if ["expired", "not yet current"].iter().any(|words| message.contains(words)) =>
        {
            Standing::NoAnswer
        }
        Some(
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch",
        ) => Standing::Refused,
        // Whom AWS forbids something, it has recognised.
        Some("AccessDenied" | "AccessDeniedException") => Standing::Good,
        _ => Standing::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        aws::testing::{ACCOUNT, Sts, aws, credentials, refusal},
        http::testing::block_on,
    };

    fn standing_at(sts: &Sts) -> Standing {
        block_on(aws(sts).who_am_i(&credentials()))
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
        let sts = Sts::answering(|_| identity());
        assert_eq!(standing_at(&sts), Standing::Good);
        let asked = sts.asked();
        let head = &asked.first().unwrap().head;
        assert!(head.contains("Credential=ASIAEXAMPLE/"), "{head}");
        assert!(head.contains("/eu-west-1/sts/aws4_request"), "{head}");
        assert!(head.contains("x-amz-security-token: session-token"), "{head}");
    }

    #[test]
    fn only_a_clear_no_counts() {
        use Standing::{Good, NoAnswer, Refused};
        for (status, code, message, standing) in [
            (
                "403 Forbidden",
                "ExpiredToken",
                "The security token included in the request is expired",
                Refused,
            ),
            (
                "403 Forbidden",
                "InvalidClientTokenId",
                "The security token included in the request is invalid",
                Refused,
            ),
            ("403 Forbidden", "UnrecognizedClientException", "", Refused),
            (
                "403 Forbidden",
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match",
                Refused,
            ),
            (
                "403 Forbidden",
                "SignatureDoesNotMatch",
                "Signature expired: 20300101T000000Z is now earlier",
                NoAnswer,
            ),
            (
                "403 Forbidden",
                "SignatureDoesNotMatch",
                "Signature not yet current: 20300101T000000Z",
                NoAnswer,
            ),
            ("400 Bad Request", "RequestExpired", "Request has expired", NoAnswer),
            ("403 Forbidden", "AccessDenied", "explicit deny", Good),
            ("400 Bad Request", "Throttling", "Rate exceeded", NoAnswer),
            ("503 Service Unavailable", "ServiceUnavailable", "", NoAnswer),
        ] {
            let sts = Sts::answering(move |_| refusal(status, code, message));
            assert_eq!(standing_at(&sts), standing, "{code}: {message}");
            assert_eq!(sts.asked().len(), 1, "{code}");
        }
    }

    #[test]
    fn a_captive_portal_says_nothing_about_credentials() {
        let sts = Sts::answering(|_| ("200 OK", "text/html", "<html>Welcome</html>".into()));
        assert_eq!(standing_at(&sts), Standing::NoAnswer);
    }

    #[test]
    fn silence_is_not_waited_for() {
        let (sender, ended) = std::sync::mpsc::channel::<()>();
        let sts = Sts::writing(move |_, _| ended.recv().unwrap_or_default());
        let aws = Aws { patience: Duration::from_millis(50), ..aws(&sts) };
        assert_eq!(block_on(aws.who_am_i(&credentials())), Standing::NoAnswer);
        drop(sender);
    }
}
