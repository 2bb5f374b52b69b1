//! Calls against a server on loopback that answers as AWS does.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request as AxumRequest,
    http::{Response, StatusCode},
};
use bedrock_sso::http::HttpSettings;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};

use super::*;

const POLICY: &str = "arn:aws:iam::123456789012:policy/limits-1";

/// A request as the server has seen it: method and path, its headers, and its body.
#[derive(Clone, Debug)]
struct SeenRequest {
    line: String,
    headers: axum::http::HeaderMap,
    body: String,
}

type Answer = (u16, &'static str, String);

/// A server that gives these answers, one after the other, and the last of them again. Returns a client for it.
async fn start(answers: Vec<Answer>) -> (AwsClient, Arc<Mutex<Vec<SeenRequest>>>) {
    let seen = Arc::new(Mutex::new(Vec::<SeenRequest>::new()));
    let sink = Arc::clone(&seen);
    let handler = async move |request: AxumRequest| {
        let (parts, body) = request.into_parts();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        let line = format!("{} {}", parts.method, parts.uri.path());
        let mut seen = sink.lock().unwrap();
        let (status, kind, text) = answers[seen.len().min(answers.len() - 1)].clone();
        seen.push(SeenRequest { line, headers: parts.headers, body });
        let builder = Response::builder().status(StatusCode::from_u16(status).unwrap());
        builder.header("x-amzn-errortype", kind).body(Body::from(text)).unwrap()
    };
    let router = Router::new().fallback(handler);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "planted-secret"),
        ("AWS_SESSION_TOKEN", "planted-token"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    let environment =
        Environment::Fixed(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect());
    let http = Client::new(HttpSettings::from_environment(&Environment::Fixed(BTreeMap::new()))).unwrap();
    (AwsClient::from_environment(http, &environment, || Timestamp::from_unix(1_796_040_000)).unwrap(), seen)
}

fn ok(text: &str) -> Answer {
    (200, "", text.to_owned())
}

fn refusal(status: u16, code: &str) -> Answer {
    let text = format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>it\u{9b}2J\u{202e} says &lt;no&gt;</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    );
    (status, "", text)
}

fn policy() -> PolicyArn {
    POLICY.parse().unwrap()
}

fn form_of(request: &SeenRequest) -> BTreeMap<String, String> {
    form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn versions_are_listed_oldest_first() {
    let list = "<ListPolicyVersionsResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListPolicyVersionsResult>\
        <Versions><member><VersionId>v10</VersionId><IsDefaultVersion>true</IsDefaultVersion></member>\
        <member><VersionId>v9</VersionId><IsDefaultVersion>false</IsDefaultVersion></member></Versions>\
        <IsTruncated>false</IsTruncated></ListPolicyVersionsResult></ListPolicyVersionsResponse>";
    let (client, seen) = start(vec![ok(list)]).await;
    let versions = client.list_policy_versions(&policy()).await.unwrap();
    let expected = [(9, false), (10, true)].map(|(number, is_default)| PolicyVersion { number, is_default });
    assert_eq!(versions, expected);
    let request = seen.lock().unwrap()[0].clone();
    let form = form_of(&request);
    assert_eq!((form["Action"].as_str(), form["PolicyArn"].as_str()), ("ListPolicyVersions", POLICY));
    let authorization = request.headers["authorization"].to_str().unwrap().to_owned();
    assert!(authorization.contains("/us-east-1/iam/aws4_request"), "{authorization}");
    assert_eq!(request.headers["x-amz-security-token"], "planted-token");
}

#[tokio::test]
async fn a_list_that_is_not_whole_is_an_error() {
    for list in [
        "<A><Versions/><IsTruncated>true</IsTruncated></A>",
        "<A><Versions><member><VersionId>1</VersionId><IsDefaultVersion>true</IsDefaultVersion></member></Versions></A>",
        "<A><Versions><member><VersionId>v1</VersionId></member></Versions></A>",
        "<A/>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><A><Versions/></A>",
        "nonsense",
    ] {
        let (client, _) = start(vec![ok(list)]).await;
        let error = client.list_policy_versions(&policy()).await.unwrap_err();
        assert!(matches!(error, AwsCallError::Unreadable { .. }), "{list}: {error}");
    }
}

#[tokio::test]
async fn a_document_returns_as_it_was_written() {
    let written = r#"{"Version":"2012-10-17","Statement":[{"a":"x+y@example.com"}]}"#;
    let encoded = percent_encoding::utf8_percent_encode(written, percent_encoding::NON_ALPHANUMERIC);
    let answer = format!("<R><PolicyVersion><Document>{encoded}</Document></PolicyVersion></R>");
    let (client, seen) = start(vec![ok(&answer), ok("<R/>")]).await;
    let version = PolicyVersion { number: 3, is_default: true };
    assert_eq!(client.get_policy_document(&policy(), &version).await.unwrap(), written);
    client.create_policy_version(&policy(), written).await.unwrap();
    client.delete_policy_version(&policy(), &version).await.unwrap();
    let seen = seen.lock().unwrap();
    let forms: Vec<_> = seen.iter().map(form_of).collect();
    assert_eq!(forms[0]["VersionId"], "v3");
    assert_eq!((forms[1]["PolicyDocument"].as_str(), forms[1]["SetAsDefault"].as_str()), (written, "true"));
    assert_eq!((forms[2]["Action"].as_str(), forms[2]["VersionId"].as_str()), ("DeletePolicyVersion", "v3"));
}

#[tokio::test]
async fn only_what_may_succeed_later_is_repeated() {
    for (first, requests) in [
        (refusal(400, "Throttling"), 2),
        (refusal(409, "ConcurrentModification"), 2),
        (refusal(500, "ServiceFailure"), 2),
        (refusal(403, "AccessDenied"), 1),
        (refusal(404, "NoSuchEntity"), 1),
        (refusal(409, "LimitExceeded"), 1),
        (refusal(400, "MalformedPolicyDocument"), 1),
    ] {
        let (client, seen) = start(vec![first, ok("<R/>")]).await;
        let outcome = client.create_policy_version(&policy(), "{}").await;
        assert_eq!((outcome.is_ok(), seen.lock().unwrap().len()), (requests == 2, requests), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_service_that_stays_busy_is_given_up() {
    let (client, seen) = start(vec![refusal(503, "ServiceUnavailable")]).await;
    let client = AwsClient { deadline: Duration::from_millis(400), ..client };
    let error = client.create_policy_version(&policy(), "{}").await.unwrap_err();
    assert!(error.has_code("ServiceUnavailable"), "{error}");
    assert!(seen.lock().unwrap().len() > 1);
}

#[tokio::test]
async fn foreign_text_and_secrets_stay_out_of_errors() {
    let (client, _) = start(vec![refusal(403, "AccessDenied")]).await;
    let error = client.delete_policy_version(&policy(), &PolicyVersion { number: 1, is_default: false }).await;
    let text = error.unwrap_err().to_string();
    assert!(!text.contains('\u{9b}') && !text.contains('\u{202e}'), "{text:?}");
    assert!(text.contains("IAM DeletePolicyVersion") && text.contains("says <no>"), "{text}");
    assert!(!format!("{client:?}").contains("planted"), "{client:?}");
}

#[tokio::test]
async fn a_notice_is_published_with_its_attributes() {
    let (client, seen) = start(vec![ok("<PublishResponse/>")]).await;
    let topic = "arn:aws:sns:us-west-2:123456789012:limits".parse().unwrap();
    let long = format!("Limit\n{}", "x".repeat(200));
    client.publish(&topic, &long, "ä & b", &[("threshold", "80"), ("period", "month")]).await.unwrap();
    let request = seen.lock().unwrap()[0].clone();
    let form = form_of(&request);
    assert_eq!((form["Message"].as_str(), form["TopicArn"].as_str()), ("ä & b", topic.to_string().as_str()));
    assert_eq!((form["Subject"].len(), form["Subject"].contains('\n')), (100, false));
    assert_eq!(form["MessageAttributes.entry.2.Value.StringValue"], "month");
    assert!(request.headers["authorization"].to_str().unwrap().contains("/us-west-2/sns/aws4_request"));
}

#[tokio::test]
async fn a_function_is_started_without_waiting() {
    let missing = (404, "ResourceNotFoundException:http://x", r#"{"Message":"no function"}"#.to_owned());
    let (client, seen) = start(vec![(202, "", String::new()), missing]).await;
    let function = "limits-enforce".parse().unwrap();
    client.invoke_function(&function, "{}").await.unwrap();
    let request = seen.lock().unwrap()[0].clone();
    assert_eq!(request.line, "POST /2015-03-31/functions/limits-enforce/invocations");
    assert_eq!(request.headers["x-amz-invocation-type"], "Event");
    let error = client.invoke_function(&function, "{}").await.unwrap_err();
    assert!(error.has_code("ResourceNotFoundException") && error.to_string().contains("no function"), "{error}");
}

#[tokio::test]
async fn an_object_is_read_by_its_encoded_key() {
    let missing = (404, "", "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>".to_owned());
    let (client, seen) = start(vec![ok("content"), missing]).await;
    let key = "AWSLogs/1/a b+c=d/ü.json.gz";
    assert_eq!(client.get_object("us-west-2", "my.bucket", key).await.unwrap(), b"content");
    let request = seen.lock().unwrap()[0].clone();
    assert_eq!(request.line, "GET /my.bucket/AWSLogs/1/a%20b%2Bc%3Dd/%C3%BC.json.gz");
    assert!(request.headers["authorization"].to_str().unwrap().contains("/us-west-2/s3/aws4_request"));
    assert!(request.headers.contains_key("x-amz-content-sha256"));
    assert!(client.get_object("us-west-2", "my.bucket", key).await.unwrap_err().has_code("NoSuchKey"));
}
