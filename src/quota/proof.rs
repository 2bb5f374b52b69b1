//! How a request shows the quota service who asks: with the ID token, or with a signature by AWS credentials.
//!
//! A profile with an Identity Center has no ID token. Its requests are signed with the credentials of the assignment, and
//! AWS's API Gateway, in front of the service, verifies the signature. Until the service has approved, these credentials
//! are [`UnclearedCredentials`], with which nothing but such a request can be made.

use ::http::{Request, header};

use crate::{
    config::{Partition, is_region},
    credentials::AwsCredentials,
    oidc::VerifiedToken,
    secret::Secret,
    signature::sign_request,
    time::Timestamp,
    url::SecureUrl,
};

/// The name under which API Gateway verifies signatures.
const SIGNED_SERVICE: &str = "execute-api";

/// Credentials that the quota service has not approved yet. Only a [`Clearance`](super::Clearance) gives them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnclearedCredentials(AwsCredentials);

impl UnclearedCredentials {
    pub fn new(credentials: AwsCredentials) -> Self {
        Self(credentials)
    }

    /// Takes the credentials out, for the approval that the service has given.
    pub(super) fn into_cleared(self) -> AwsCredentials {
        self.0
    }
}

/// What a request shows to the service.
#[derive(Clone, Copy, Debug)]
pub struct QuotaProof<'p>(ProofKind<'p>);

#[derive(Clone, Copy, Debug)]
enum ProofKind<'p> {
    Bearer(&'p Secret),
    Signature { credentials: &'p AwsCredentials, region: &'p str, now: Timestamp },
}

/// The kind of a proof, for messages about a service that did not accept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofMethod {
    IdToken,
    Signature,
}

impl<'p> QuotaProof<'p> {
    /// The text of an ID token, as bearer.
    pub fn from_token(token: &'p Secret) -> Self {
        Self(ProofKind::Bearer(token))
    }

    pub(super) fn from_verified_token(token: &'p VerifiedToken) -> Self {
        Self::from_token(token.raw())
    }

    /// A signature with these credentials. `region` counts if the address of the service does not name one.
    pub fn from_credentials(credentials: &'p UnclearedCredentials, region: &'p str, now: Timestamp) -> Self {
        Self(ProofKind::Signature { credentials: &credentials.0, region, now })
    }

    pub(super) fn method(self) -> ProofMethod {
        match self.0 {
            ProofKind::Bearer(_) => ProofMethod::IdToken,
            ProofKind::Signature { .. } => ProofMethod::Signature,
        }
    }

    /// The secret that the request contains. A signature contains the session token, and never the secret key.
    pub(super) fn sent_secret(self) -> &'p Secret {
        match self.0 {
            ProofKind::Bearer(token) => token,
            ProofKind::Signature { credentials, .. } => &credentials.session_token,
        }
    }

    /// A `GET` request for this address, with the proof.
    pub(super) fn build_request(self, address: &SecureUrl) -> Request<Vec<u8>> {
        let request = Request::get(address.as_str()).header(header::ACCEPT, "application/json");
        let request = match self.0 {
            ProofKind::Bearer(token) => request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose())),
            ProofKind::Signature { .. } => request,
        };
        let request =
            request.body(Vec::new()).expect("an address that was parsed, and a token of printable characters, are one");
        match self.0 {
            ProofKind::Bearer(_) => request,
            ProofKind::Signature { credentials, region, now } => {
                let region = find_api_region(address).unwrap_or(region);
                sign_request(request, credentials, SIGNED_SERVICE, region, now)
            }
        }
    }
}

/// The region in the address that API Gateway gives to an API, such as `ID.execute-api.eu-west-1.amazonaws.com`. `None`
/// for a domain of the organization's own, which names no region.
fn find_api_region(address: &SecureUrl) -> Option<&str> {
    let (_, rest) = address.authority().split_once(".execute-api.")?;
    let (region, domain) = rest.split_once('.')?;
    let partition = Partition::from_region(region);
    (is_region(region) && [partition.domain, partition.dual_stack_domain].contains(&domain)).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn credentials() -> UnclearedCredentials {
        UnclearedCredentials::new(AwsCredentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("hidden"),
            session_token: Secret::new("session-token"),
            expiration: NOW,
        })
    }

    #[test]
    fn region_is_that_of_the_api_or_else_the_profiles() {
        for (address, region) in [
            ("https://a1b2c3.execute-api.us-west-2.amazonaws.com/signed/check", "us-west-2"),
            ("https://a1b2c3.execute-api.cn-north-1.amazonaws.com.cn/signed/check", "cn-north-1"),
            ("https://a1b2c3.execute-api.eu-west-1.api.aws/check", "eu-west-1"),
            ("https://a1b2c3-vpce-1.execute-api.eu-west-1.amazonaws.com/check", "eu-west-1"),
            ("https://limits.example.com/signed/check", "eu-central-1"),
            // The owner of such a domain must not choose the scope of the signature.
            ("https://a1b2c3.execute-api.us-west-2.amazonaws.com.evil.example/check", "eu-central-1"),
            ("https://a1b2c3.execute-api.us-west-2.amazonaws.com.cn/check", "eu-central-1"),
            ("https://a1b2c3.execute-api.amazonaws.com/check", "eu-central-1"),
            ("http://127.0.0.1:8787/signed/check", "eu-central-1"),
        ] {
            let (credentials, address) = (credentials(), SecureUrl::parse(address).unwrap());
            let proof = QuotaProof::from_credentials(&credentials, "eu-central-1", NOW);
            let request = proof.build_request(&address);
            let signature = request.headers()[header::AUTHORIZATION].to_str().unwrap();
            let scope = format!("Credential=ASIAEXAMPLE/20270115/{region}/execute-api/aws4_request");
            assert!(signature.contains(&scope), "{address:?}: {signature}");
            assert_eq!(request.headers()["x-amz-security-token"], "session-token");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let credentials = credentials();
        let shown = format!("{credentials:?} {:?}", QuotaProof::from_credentials(&credentials, "eu-west-1", NOW));
        assert!(!shown.contains("hidden") && !shown.contains("session-token"), "{shown}");
    }
}
