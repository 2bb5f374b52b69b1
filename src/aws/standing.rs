//! Whether AWS still believes credentials that we hold.
//!
//! Only a clear no counts: a host runs `login` when AWS refused it, and an unreachable AWS is no reason to sign in.

use aws_sdk_sts::{
    Client,
    config::{Credentials as Explicit, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
    operation::get_caller_identity::GetCallerIdentityError,
};

use super::Aws;
use crate::credentials::Credentials;

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
        let explicit = Explicit::new(
            &credentials.access_key_id,
            credentials.secret_access_key.expose(),
            Some(credentials.session_token.expose().to_owned()),
            None,
            "bedrock-sso",
        );
        let config = self.config.to_builder().credentials_provider(explicit).build();
        let question = Box::pin(Client::from_conf(config).get_caller_identity().send());
        match tokio::time::timeout(self.patience, question).await {
            Ok(Ok(identity)) if identity.account().is_some() => Standing::Good,
            Ok(Err(error)) => standing(&error),
            Ok(Ok(_)) | Err(_) => Standing::NoAnswer,
        }
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
