//! Exchanges credentials for an address that signs a browser in to the AWS console.
//!
//! The address is a credential. The caller must pass it to one browser only, and never to a log or a process list.

use ::http::{Request, StatusCode, header};
use openidconnect::url::{Url, form_urlencoded};
use serde::Deserialize;

use super::Error;
use crate::{
    config::{Partition, Profile},
    credentials::AwsCredentials,
    http::{self, Client, FullResponse},
    secret::Secret,
    text::UntrustedText,
};

/// The origin of the sign-in that AWS shows after the session has ended.
const ISSUER: &str = "bedrock-sso";

/// The longest accepted token, many times the usual length. The token becomes a part of a `Location` header, for which
/// browsers have limits.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A page of the console: the home page of one service, or of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsolePage<'p> {
    pub region: &'p str,
    /// The first path segment of a service's pages, for example `bedrock`.
    pub service: Option<&'p str>,
}

/// Why AWS returned no sign-in token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleError {
    /// The endpoint rejected the credentials or failed. Only the status says which; the body is a page for browsers.
    Refused { status: u16 },
    /// No answer of the endpoint arrived, or something else answered.
    NoAnswer(Error),
}

/// Requests an address that opens this page with the credentials' role. The address is valid for fifteen minutes, and
/// the console session ends when the credentials expire.
///
/// The request has no `SessionDuration`: AWS rejects it for credentials of a chained role, and for others the console
/// session could end at another time than the credentials.
pub async fn request_console_address(
    client: &Client,
    profile: &Profile,
    page: ConsolePage<'_>,
    credentials: &AwsCredentials,
) -> Result<Secret, ConsoleError> {
    let endpoint = page.federation_endpoint(profile);
    let answer = client.send(build_token_request(&endpoint, credentials)).await;
    let token = parse_token(&answer.map_err(|error| ConsoleError::NoAnswer(Error::Network(error)))?)?;
    Ok(page.sign_in_address(&endpoint, &token))
}

impl ConsolePage<'_> {
    fn url(self) -> String {
        let Self { region, service } = self;
        let domain = Partition::from_region(region).console_domain;
        format!("https://{region}.console.{domain}/{}/home?region={region}", service.unwrap_or("console"))
    }

    /// The federation endpoint: the configured one, or the region's, by the rule of the AWS SDKs. The global endpoint
    /// would send the credentials to another country, and opt-in regions do not accept its sign-ins.
    fn federation_endpoint(self, profile: &Profile) -> Url {
        let Self { region, service: _ } = self;
        if let Some(named) = &profile.aws_endpoints.console {
            return named.as_url().clone();
        }
        let domain = Partition::from_region(region).console_domain;
        let text = format!("https://{region}.signin.{domain}/federation");
        Url::parse(&text).expect("a region is a valid part of a host name")
    }

    /// Builds the sign-in address from AWS's token. The result is a [`Secret`], so it cannot be logged by mistake.
    fn sign_in_address(self, endpoint: &Url, token: &Secret) -> Secret {
        let mut address = endpoint.clone();
        let fields =
            [("Action", "login"), ("Issuer", ISSUER), ("Destination", &self.url()), ("SigninToken", token.expose())];
        address.query_pairs_mut().extend_pairs(fields);
        Secret::new(address.as_str())
    }
}

/// Puts the credentials into the body, because servers and proxies log addresses.
fn build_token_request(endpoint: &Url, credentials: &AwsCredentials) -> Request<Vec<u8>> {
    let session = serde_json::json!({
        "sessionId": credentials.access_key_id,
        "sessionKey": credentials.secret_access_key,
        "sessionToken": credentials.session_token,
    });
    let fields = [("Action", "getSigninToken"), ("Session", &session.to_string())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into_bytes())
        .expect("a parsed address forms a valid request")
}

/// Parses the token. It must be visible ASCII of limited length, because it becomes a part of a header.
fn parse_token(answer: &FullResponse) -> Result<Secret, ConsoleError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct SigninTokenResponse {
        signin_token: Secret,
    }
    let is_token = |token: &Secret| {
        let text = token.expose();
        (1..=MAX_TOKEN_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match answer.status {
        StatusCode::OK => http::parse_json_object::<SigninTokenResponse>(&answer.body)
            .map(|response| response.signin_token)
            .filter(is_token)
            .ok_or_else(|| report_unexpected(answer)),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            Err(ConsoleError::Refused { status: answer.status.as_u16() })
        }
        status if status.is_server_error() => Err(ConsoleError::Refused { status: status.as_u16() }),
        _ => Err(report_unexpected(answer)),
    }
}

fn report_unexpected(answer: &FullResponse) -> ConsoleError {
    let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (status, content_type) = (answer.status.as_u16(), content_type.map(UntrustedText::new));
    ConsoleError::NoAnswer(Error::Unexpected { status, content_type })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::testing::{build_credentials, build_profile},
        config::AwsEndpoints,
        http::{
            TrustConfig,
            testing::{LoopbackServer, block_on, test_client, write_response},
        },
        url::SecureUrl,
    };

    fn page<'p>(region: &'p str, service: Option<&'p str>) -> ConsolePage<'p> {
        ConsolePage { region, service }
    }

    fn profile_of(server: &LoopbackServer) -> Profile {
        let console = SecureUrl::parse(&format!("{}federation", server.base_url("http"))).ok();
        Profile { aws_endpoints: AwsEndpoints { console, ..AwsEndpoints::default() }, ..build_profile() }
    }

    fn request_from(server: &LoopbackServer) -> Result<Secret, ConsoleError> {
        let (client, credentials) = (test_client(&TrustConfig::default()), build_credentials());
        let page = page("eu-west-1", Some("bedrock"));
        block_on(request_console_address(&client, &profile_of(server), page, &credentials))
    }

    fn answering(status: &'static str, kind: &'static str, body: &str) -> LoopbackServer {
        let body = body.to_owned();
        LoopbackServer::start_plain(move |_, out| {
            write_response(out, status, &format!("Content-Type: {kind}\r\n"), &body);
        })
    }

    #[test]
    fn each_partition_has_its_own_sign_in_and_console() {
        for (region, sign_in, console) in [
            ("us-east-1", "us-east-1.signin.aws.amazon.com", "us-east-1.console.aws.amazon.com"),
            ("eu-central-2", "eu-central-2.signin.aws.amazon.com", "eu-central-2.console.aws.amazon.com"),
            ("cn-north-1", "cn-north-1.signin.amazonaws.cn", "cn-north-1.console.amazonaws.cn"),
            (
                "us-gov-west-1",
                "us-gov-west-1.signin.amazonaws-us-gov.com",
                "us-gov-west-1.console.amazonaws-us-gov.com",
            ),
            ("eusc-de-east-1", "eusc-de-east-1.signin.amazonaws-eusc.eu", "eusc-de-east-1.console.amazonaws-eusc.eu"),
            ("us-iso-east-1", "us-iso-east-1.signin.c2shome.ic.gov", "us-iso-east-1.console.c2shome.ic.gov"),
            ("us-isob-east-1", "us-isob-east-1.signin.sc2shome.sgov.gov", "us-isob-east-1.console.sc2shome.sgov.gov"),
            ("eu-isoe-west-1", "eu-isoe-west-1.signin.csphome.adc-e.uk", "eu-isoe-west-1.console.csphome.adc-e.uk"),
            (
                "us-isof-south-1",
                "us-isof-south-1.signin.csphome.hci.ic.gov",
                "us-isof-south-1.console.csphome.hci.ic.gov",
            ),
        ] {
            let endpoint = page(region, None).federation_endpoint(&build_profile());
            assert_eq!(endpoint.as_str(), format!("https://{sign_in}/federation"));
            assert_eq!(page(region, None).url(), format!("https://{console}/console/home?region={region}"));
            let bedrock = format!("https://{console}/bedrock/home?region={region}");
            assert_eq!(page(region, Some("bedrock")).url(), bedrock);
        }
    }

    #[test]
    fn console_address_is_built_from_credentials_in_the_body() {
        let server = answering("200 OK", "application/json", r#"{"SigninToken":"tok+en/&="}"#);
        let address = request_from(&server).unwrap();
        let address = Url::parse(address.expose()).unwrap();
        assert_eq!(address.path(), "/federation");
        let fields: Vec<_> = address.query_pairs().into_owned().collect();
        let expected = [
            ("Action", "login"),
            ("Issuer", "bedrock-sso"),
            ("Destination", "https://eu-west-1.console.aws.amazon.com/bedrock/home?region=eu-west-1"),
            ("SigninToken", "tok+en/&="),
        ];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let request = server.requests.recv().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /federation HTTP/1.1\r\n") && !head.contains("secret"), "{head}");
        let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let session = r#"{"sessionId":"ASIAEXAMPLE","sessionKey":"secret","sessionToken":"session-token"}"#;
        assert_eq!(form, [("Action", "getSigninToken"), ("Session", session)].map(|(a, b)| (a.into(), b.into())));
    }

    #[test]
    fn console_answer_without_a_valid_token_is_unexpected() {
        let long = format!(r#"{{"SigninToken":"{}"}}"#, "x".repeat(MAX_TOKEN_BYTES + 1));
        for (status, body) in [
            ("200 OK", ""),
            ("200 OK", "{}"),
            ("200 OK", r#"["token"]"#),
            ("200 OK", r#"{"SigninToken":null}"#),
            ("200 OK", r#"{"SigninToken":""}"#),
            ("200 OK", r#"{"SigninToken":"a b"}"#),
            ("200 OK", r#"{"SigninToken":"a\u000db"}"#),
            ("200 OK", r#"{"SigninToken":"a","SigninToken":"b"}"#),
            ("200 OK", r#"{"SigninToken":"a"} and more"#),
            ("200 OK", long.as_str()),
            ("200 OK", "<html>Welcome to the lounge</html>"),
            ("302 Found", ""),
            ("404 Not Found", r#"{"SigninToken":"a"}"#),
        ] {
            let server = answering(status, "text/html", body);
            let content_type = Some(UntrustedText::new("text/html"));
            let status = status.split(' ').next().unwrap().parse().unwrap();
            let unexpected = Error::Unexpected { status, content_type };
            assert_eq!(request_from(&server), Err(ConsoleError::NoAnswer(unexpected)), "{body:.60}");
        }
    }

    #[test]
    fn console_refusal_is_known_by_its_status() {
        for (line, status) in [
            ("400 Bad Request", 400),
            ("401 Unauthorized", 401),
            ("403 Forbidden", 403),
            ("429 Too Many Requests", 429),
            ("503 Service Unavailable", 503),
        ] {
            let server = answering(line, "text/html", "<html>Token Expired</html>");
            assert_eq!(request_from(&server), Err(ConsoleError::Refused { status }));
        }
    }

    #[test]
    fn silent_console_endpoint_is_a_network_error() {
        let server = LoopbackServer::start_plain(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        });
        let error = request_from(&server).unwrap_err();
        assert!(matches!(error, ConsoleError::NoAnswer(Error::Network(http::Error::Interrupted { .. }))), "{error:?}");
    }
}
