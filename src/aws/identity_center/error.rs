//! The errors of Identity Center's two services, as typed facts.
//!
//! A refusal is classified by the name of AWS's exception, or by the OAuth error code if an answer has no such name.

use serde::{Deserialize, de::IgnoredAny};

use crate::{
    aws::{
        AwsErrorDetails, CredentialsFlaw,
        error::{build_details, parse_refusal, read_header},
        retry::TransientError,
    },
    http::{self, FullResponse},
    secret::Secret,
    text::UntrustedText,
    url::SecureUrlError,
};

/// Why Identity Center gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityCenterError {
    /// No answer arrived.
    Network(http::Error),
    /// AWS refused the request.
    Refused { reason: PortalRefusal, details: AwsErrorDetails },
    /// The answer is not AWS's: it comes from a captive portal or a proxy.
    Unexpected { status: u16, content_type: Option<UntrustedText> },
    /// A complete answer lacks this member, or its value is unusable.
    Incomplete(&'static str),
    /// AWS returned unusable credentials.
    Flawed(CredentialsFlaw),
    /// AWS issued a client registration that has already expired, so one of the two clocks is wrong.
    RegistrationExpired,
    /// AWS stated a verification page that is not a secure address.
    UnusablePage { stated: UntrustedText, refusal: SecureUrlError },
    /// A list does not end, or repeats a page.
    EndlessList,
}

/// Why AWS refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalRefusal {
    /// The user or an administrator rejected the sign-in.
    AccessDenied,
    /// AWS does not accept the code or the refresh token any more.
    InvalidGrant,
    /// AWS does not know the registered client any more, so the program must register again.
    InvalidClient,
    /// The client is registered, but not for this flow: AWS registers a client either for the browser or for devices.
    FlowNotPermitted,
    InvalidRequest,
    /// The access token does not work any more: it has expired, or somebody has ended the session.
    Unauthorized,
    /// The user does not have this permission set in this account, or one of them does not exist.
    NoAssignment,
    /// The region has no Identity Center with this start URL.
    WrongRegion,
    /// Identity Center cannot use the customer's own encryption key. Only an administrator can fix that.
    EncryptionKey,
    Throttled,
    /// AWS's own fault (5xx).
    Server,
    Other,
}

/// What a request was about. The same name of an exception has another meaning at another operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortalCall {
    /// A request to the sign-in service that contains a start URL.
    NamedStartUrl,
    /// Any other request to the sign-in service.
    SignIn,
    /// Any read of the access portal.
    Portal,
    SignOut,
}

/// An error of the sign-in service, which has the members of RFC 6749 §5.2.
#[derive(Deserialize)]
struct SignInRefusal {
    error: String,
    error_description: Option<String>,
    /// Set if a customer-managed encryption key is the cause.
    reason: Option<String>,
}

impl IdentityCenterError {
    /// Returns whether Identity Center was not reached, is overloaded or failed, or something else on the network
    /// answered in its place. Such an error says nothing about the session.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Network(error) => error.is_network(),
            Self::Unexpected { .. } => true,
            Self::Refused { reason, .. } => matches!(reason, PortalRefusal::Throttled | PortalRefusal::Server),
            Self::Incomplete(_)
            | Self::Flawed(_)
            | Self::RegistrationExpired
            | Self::UnusablePage { .. }
            | Self::EndlessList => false,
        }
    }

    /// Returns whether AWS refused the request for this reason.
    pub fn is_refused_for(&self, reason: PortalRefusal) -> bool {
        matches!(self, Self::Refused { reason: is, .. } if *is == reason)
    }

    /// Removes a secret from AWS's message.
    pub(super) fn redact_secret(self, secret: &Secret) -> Self {
        match self {
            Self::Refused { reason, details } => Self::Refused { reason, details: details.redact_secret(secret) },
            other => other,
        }
    }

    /// Returns whether AWS refused with this OAuth error code, which an exception's name may stand for.
    pub(super) fn has_code(&self, code: &str) -> bool {
        let is_code = |details: &AwsErrorDetails| {
            [code.to_owned(), format!("{}Exception", to_exception(code))]
                .iter()
                .any(|known| details.code == UntrustedText::new(known.as_str()))
        };
        matches!(self, Self::Refused { details, .. } if is_code(details))
    }
}

impl TransientError for IdentityCenterError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => matches!(reason, PortalRefusal::Throttled | PortalRefusal::Server),
            Self::Unexpected { status, .. } => *status >= 500,
            // Do not retry after a timeout: the user has already waited that long.
            Self::Network(error) => error.is_transient(),
            Self::Incomplete(_)
            | Self::Flawed(_)
            | Self::RegistrationExpired
            | Self::UnusablePage { .. }
            | Self::EndlessList => false,
        }
    }
}

/// Returns a successful answer: a JSON object, or an empty body after a sign-out. Anything else is a refusal, or a page
/// of somebody else.
pub(super) fn check_answer(call: PortalCall, answer: FullResponse) -> Result<FullResponse, IdentityCenterError> {
    let status = answer.status.as_u16();
    let is_object = || http::parse_json_object::<IgnoredAny>(&answer.body).is_some();
    let is_expected = is_object() || (call == PortalCall::SignOut && answer.body.is_empty());
    if answer.status.is_success() && is_expected {
        return Ok(answer);
    }
    let refusal = if status < 400 { None } else { read_refusal(&answer) };
    let Some((code, message, reason)) = refusal else {
        let content_type = read_header(&answer, "content-type").map(UntrustedText::new);
        return Err(IdentityCenterError::Unexpected { status, content_type });
    };
    let names_key = reason.is_some_and(|reason| reason.starts_with("KMS_"));
    let reason = classify_refusal(call, &code, status, names_key);
    Err(IdentityCenterError::Refused { reason, details: build_details(&code, &message, &answer) })
}

/// Returns the code and the message of a refusal, and the reason that the sign-in service adds to some. The code is the
/// exception's name, or else the OAuth error code.
fn read_refusal(answer: &FullResponse) -> Option<(String, String, Option<String>)> {
    let named = parse_refusal(answer);
    match (http::parse_json_object::<SignInRefusal>(&answer.body), named) {
        (Some(SignInRefusal { error, error_description, reason }), named) => {
            let name = named.map(|(name, _)| name).filter(|name| !name.is_empty());
            Some((name.unwrap_or(error), error_description.unwrap_or_default(), reason))
        }
        (None, Some((name, message))) => Some((name, message, None)),
        (None, None) => None,
    }
}

/// Turns an OAuth error code into the name of AWS's exception without its suffix: `invalid_grant` becomes
/// `InvalidGrant`.
fn to_exception(code: &str) -> String {
    let capitalize = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        first.to_ascii_uppercase() + rest
    };
    code.split('_').map(capitalize).collect()
}

/// Classifies a refusal. The status of an overload or of a fault outranks the code: a gateway that answers
/// `invalid_grant` with 503 must not cost the user the session.
fn classify_refusal(call: PortalCall, code: &str, status: u16, names_key: bool) -> PortalRefusal {
    let name = code.strip_suffix("Exception").unwrap_or(code);
    match to_exception(name).as_str() {
        _ if status >= 500 => PortalRefusal::Server,
        _ if matches!(status, 408 | 429) => PortalRefusal::Throttled,
        _ if names_key => PortalRefusal::EncryptionKey,
        "AccessDenied" if matches!(call, PortalCall::Portal | PortalCall::SignOut) => PortalRefusal::NoAssignment,
        "AccessDenied" => PortalRefusal::AccessDenied,
        "InvalidGrant" | "ExpiredToken" => PortalRefusal::InvalidGrant,
        "InvalidClient" => PortalRefusal::InvalidClient,
        "UnauthorizedClient" => PortalRefusal::FlowNotPermitted,
        "InvalidRequestRegion" => PortalRefusal::WrongRegion,
        // The service knows the start URLs of its own region only. Its messages for an unknown one are "Invalid start
        // url provided", "Invalid request." and none.
        "InvalidRequest" if call == PortalCall::NamedStartUrl => PortalRefusal::WrongRegion,
        "InvalidRequest" | "InvalidRedirectUri" | "InvalidClientMetadata" | "InvalidScope" | "UnsupportedGrantType" => {
            PortalRefusal::InvalidRequest
        }
        "Unauthorized" => PortalRefusal::Unauthorized,
        // The access portal refuses an unknown assignment with `ForbiddenException`, which the SDKs' model lacks.
        "Forbidden" | "ResourceNotFound" => PortalRefusal::NoAssignment,
        "TooManyRequests" | "SlowDown" | "Throttling" | "Throttled" | "RequestLimitExceeded" => {
            PortalRefusal::Throttled
        }
        "InternalServer" | "InternalFailure" | "ServiceUnavailable" => PortalRefusal::Server,
        _ => PortalRefusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::testing::{PortalAnswer, REDIRECT_URI, START_URL, TestIdentityCenter, access_token, build_registration},
        *,
    };
    use crate::{
        aws::testing::NOW,
        http::testing::{LoopbackServer, block_on},
    };

    /// The error of a refresh.
    fn refresh(answer: PortalAnswer) -> IdentityCenterError {
        let server = TestIdentityCenter::answering(vec![answer]);
        block_on(server.client().refresh(&build_registration(), &Secret::new("refresh"), NOW)).unwrap_err()
    }

    /// The error of a request for credentials, and the number of attempts.
    fn fetch(answer: PortalAnswer) -> (IdentityCenterError, usize) {
        let server = TestIdentityCenter::answering(vec![answer]);
        let token = access_token();
        let error = block_on(server.client().get_role_credentials(&token, "123456789012", "Role", NOW)).unwrap_err();
        (error, server.take_requests().len())
    }

    fn reason_of(error: &IdentityCenterError) -> Option<PortalRefusal> {
        if let IdentityCenterError::Refused { reason, .. } = error { Some(*reason) } else { None }
    }

    fn header(name: &str) -> &'static str {
        format!("x-amzn-ErrorType: {name}\r\nx-amzn-RequestId: 0f3a\r\n").leak()
    }

    #[test]
    fn sign_in_refusal_is_known_by_its_name() {
        use PortalRefusal as R;
        for (status, name, reason) in [
            ("400 Bad Request", "AccessDeniedException", R::AccessDenied),
            ("400 Bad Request", "InvalidGrantException", R::InvalidGrant),
            ("400 Bad Request", "ExpiredTokenException", R::InvalidGrant),
            ("401 Unauthorized", "InvalidClientException", R::InvalidClient),
            ("400 Bad Request", "UnauthorizedClientException", R::FlowNotPermitted),
            ("400 Bad Request", "InvalidRequestException", R::InvalidRequest),
            ("400 Bad Request", "InvalidScopeException", R::InvalidRequest),
            ("400 Bad Request", "InvalidRedirectUriException", R::InvalidRequest),
            ("400 Bad Request", "InvalidClientMetadataException", R::InvalidRequest),
            ("400 Bad Request", "UnsupportedGrantTypeException", R::InvalidRequest),
            ("400 Bad Request", "InvalidRequestRegionException", R::WrongRegion),
            ("400 Bad Request", "SlowDownException", R::Throttled),
            ("429 Too Many Requests", "InvalidGrantException", R::Throttled),
            ("400 Bad Request", "InternalServerException", R::Server),
            ("500 Internal Server Error", "InternalServerException", R::Server),
            ("503 Service Unavailable", "InvalidGrantException", R::Server),
            ("400 Bad Request", "SomethingNew", R::Other),
        ] {
            let body = r#"{"error":"other","error_description":"AWS's words"}"#;
            let error = refresh((status, header(name), body.into()));
            let details = AwsErrorDetails {
                code: UntrustedText::new(name),
                message: UntrustedText::new("AWS's words"),
                request_id: Some(UntrustedText::new("0f3a")),
                denial: None,
            };
            assert_eq!(error, IdentityCenterError::Refused { reason, details }, "{name}");
            assert_eq!(error.is_network(), matches!(reason, R::Throttled | R::Server), "{name}");
        }
    }

    #[test]
    fn error_code_decides_without_a_name() {
        use PortalRefusal as R;
        for (code, reason) in [
            ("access_denied", R::AccessDenied),
            ("invalid_grant", R::InvalidGrant),
            ("expired_token", R::InvalidGrant),
            ("invalid_client", R::InvalidClient),
            ("unauthorized_client", R::FlowNotPermitted),
            ("invalid_request", R::InvalidRequest),
            ("unsupported_grant_type", R::InvalidRequest),
            ("slow_down", R::Throttled),
            ("__", R::Other),
            ("\u{e9}", R::Other),
        ] {
            let error = refresh(("400 Bad Request", "", format!(r#"{{"error":"{code}"}}"#)));
            assert_eq!(reason_of(&error), Some(reason), "{code}");
            assert!(error.has_code(code), "{code}");
        }
    }

    #[test]
    fn unusable_encryption_key_is_not_a_rejected_user() {
        for (name, key) in [
            ("AccessDeniedException", "KMS_AccessDeniedException"),
            ("InvalidRequestException", "KMS_DisabledException"),
        ] {
            let body = format!(r#"{{"error":"access_denied","reason":"{key}"}}"#);
            let error = refresh(("400 Bad Request", header(name), body));
            assert_eq!(reason_of(&error), Some(PortalRefusal::EncryptionKey), "{key}");
        }
    }

    #[test]
    fn unknown_start_url_means_another_region() {
        let answer = || {
            let body = r#"{"error":"invalid_request","error_description":"Invalid start url provided"}"#;
            TestIdentityCenter::answering(vec![("400 Bad Request", header("InvalidRequestException"), body.into())])
        };
        let server = answer();
        let error = block_on(server.client().register_client(START_URL, REDIRECT_URI, NOW)).unwrap_err();
        assert_eq!(reason_of(&error), Some(PortalRefusal::WrongRegion));
        let error = block_on(server.client().request_device_code(&build_registration(), START_URL)).unwrap_err();
        assert_eq!(reason_of(&error), Some(PortalRefusal::WrongRegion));
        let error = block_on(server.client().register_device_client(NOW)).unwrap_err();
        assert_eq!(reason_of(&error), Some(PortalRefusal::InvalidRequest), "it contains no start URL");
    }

    #[test]
    fn portal_refusal_is_known_by_its_type() {
        use PortalRefusal as R;
        for (status, name, reason, attempts) in [
            ("401 Unauthorized", "UnauthorizedException", R::Unauthorized, 1),
            ("403 Forbidden", "ForbiddenException", R::NoAssignment, 1),
            ("403 Forbidden", "AccessDeniedException", R::NoAssignment, 1),
            ("404 Not Found", "ResourceNotFoundException", R::NoAssignment, 1),
            ("400 Bad Request", "InvalidRequestException", R::InvalidRequest, 1),
            ("405 Method Not Allowed", "MethodNotAllowedException", R::Other, 1),
            ("429 Too Many Requests", "TooManyRequestsException", R::Throttled, 3),
            ("500 Internal Server Error", "InternalFailure", R::Server, 3),
        ] {
            let body = format!(r#"{{"message":"No access","__type":"com.amazonaws.switchboard.portal#{name}"}}"#);
            for headers in ["", header(name)] {
                let (error, asked) = fetch((status, headers, body.clone()));
                assert_eq!((reason_of(&error), asked), (Some(reason), attempts), "{name}");
                let IdentityCenterError::Refused { details, .. } = error else { panic!("{name} is no refusal") };
                assert_eq!(details.message, UntrustedText::new("No access"));
            }
        }
    }

    #[test]
    fn page_of_somebody_else_counts_as_network() {
        for (status, attempts) in [("200 OK", 1), ("302 Found", 1), ("403 Forbidden", 1), ("502 Bad Gateway", 3)] {
            let page = "<html>Welcome to the lounge</html>".to_owned();
            let (error, asked) = fetch((status, "Content-Type: text/html\r\n", page.clone()));
            let content_type = Some(UntrustedText::new("text/html"));
            let code = status.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(error, IdentityCenterError::Unexpected { status: code, content_type });
            assert!(error.is_network());
            assert_eq!(asked, attempts, "{status}");
            assert_eq!(refresh((status, "Content-Type: text/html\r\n", page)), error);
        }
        for body in ["", "[]", "null", r#"{"message":"Forbidden"}"#] {
            let error = refresh(("403 Forbidden", "", body.into()));
            assert_eq!(error, IdentityCenterError::Unexpected { status: 403, content_type: None }, "{body}");
        }
        assert!(refresh(("200 OK", "", String::new())).is_network(), "an empty answer is not AWS's");
    }

    #[test]
    fn oversized_answer_is_rejected() {
        let body = format!(r#"{{"accessToken":"{}"}}"#, "x".repeat(1 << 20));
        let error = refresh(("200 OK", "Content-Type: application/json\r\n", body));
        assert!(matches!(error, IdentityCenterError::Network(http::Error::TooLarge { .. })), "{error:?}");
    }

    #[test]
    fn message_never_quotes_a_secret() {
        let body = r#"{"error":"invalid_grant","error_description":"refresh of client-secret"}"#;
        let error = refresh(("400 Bad Request", "", body.into()));
        let IdentityCenterError::Refused { details, .. } = error else { panic!("{error:?}") };
        assert_eq!(details.message, UntrustedText::new("[secret] of [secret]"));
        let body = r#"{"message":"portal-token is bad","__type":"UnauthorizedException"}"#;
        let IdentityCenterError::Refused { details, .. } = fetch(("401 Unauthorized", "", body.into())).0 else {
            panic!("nothing was refused")
        };
        assert_eq!(details.message, UntrustedText::new("[secret] is bad"));
    }

    #[test]
    fn broken_connection_is_retried_for_reads_only() {
        let server = LoopbackServer::start_plain(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        });
        let mut client = TestIdentityCenter::granting("{}").client();
        let base = crate::url::SecureUrl::parse(&server.base_url("http")).unwrap();
        client.endpoints.sign_in.clone_from(&base);
        client.endpoints.portal = base;
        let token = access_token();
        let error = block_on(client.list_accounts(&token)).unwrap_err();
        assert!(matches!(error, IdentityCenterError::Network(http::Error::Interrupted { .. })), "{error:?}");
        assert_eq!(server.requests.try_iter().count(), 3);
        assert!(block_on(client.refresh(&build_registration(), &token, NOW)).unwrap_err().is_network());
        assert_eq!(server.requests.try_iter().count(), 1);
    }

    #[test]
    fn timeout_of_a_read_is_not_retried() {
        let silence = http::Error::Timeout { host: "portal.example".into(), after: Duration::from_secs(30) };
        let error = IdentityCenterError::Network(silence);
        assert!(!error.is_transient() && error.is_network());
    }
}
