//! The program as a function of AWS Lambda, with a runtime API on loopback that hands out events and takes the answers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use testworld::expect_bytes;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso-server");

/// A configuration in which the bearer `secret` may send records, and users of one permission set may ask.
fn configuration(folder: &Path) -> String {
    let (store, token) = (folder.join("usage.redb"), folder.join("ingest.token"));
    fs::write(&token, "secret").unwrap();
    format!(
        "version = 1\nstore = \"file:{}\"\ncontact = \"it-help@example.com\"\n\
         [[issuer]]\nissuer = \"https://acme.okta.com\"\naudience = [\"0oa1\"]\n\
         [[identity_center]]\naccount_id = \"123456789012\"\npermission_set = \"claude\"\n\
         [ingest]\ntoken_file = \"{}\"\n",
        store.display(),
        token.display()
    )
}

#[expect(clippy::disallowed_methods, reason = "the program under test, with its own environment only")]
fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().stdin(Stdio::null());
    command
}

/// A running function. Its runtime API is a socket on loopback.
struct Function {
    runtime: TcpListener,
    process: Child,
}

/// A request of the function to its runtime API.
struct RuntimeRequest {
    stream: TcpStream,
    line: String,
    body: Vec<u8>,
}

impl Function {
    fn start(role: &str, folder: &Path) -> Self {
        Self::start_with(role, folder, &[])
    }

    fn start_with(role: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let runtime = TcpListener::bind("127.0.0.1:0").unwrap();
        let process = program()
            .env("AWS_LAMBDA_RUNTIME_API", runtime.local_addr().unwrap().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "limits")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("BEDROCK_SSO_SERVER_ROLE", role)
            .env("BEDROCK_SSO_SERVER_CONFIG", configuration(folder))
            .envs(variables.iter().copied())
            .spawn()
            .unwrap();
        Self { runtime, process }
    }

    fn next_request(&self) -> RuntimeRequest {
        let (stream, _) = self.runtime.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let (mut header, mut length) = (String::new(), 0);
        while reader.read_line(&mut header).unwrap() > 2 {
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            header.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        RuntimeRequest { stream, line, body }
    }

    /// Hands the event to the function. Returns whether it succeeded, and its answer.
    fn invoke(&self, event: &Value) -> (bool, Value) {
        let next = self.next_request();
        assert!(next.line.starts_with("GET /2018-06-01/runtime/invocation/next "), "{}", next.line);
        let headers = "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
                       Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
                       Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:limits\r\n\
                       Content-Type: application/json\r\n";
        next.answer("200 OK", headers, &event.to_string());
        let answer = self.next_request();
        let succeeded = answer.line.contains("/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response ");
        assert!(succeeded || answer.line.contains("/error "), "{}", answer.line);
        let body = serde_json::from_slice(&answer.body).unwrap();
        answer.answer("202 Accepted", "", "");
        (succeeded, body)
    }

    fn request(&self, method: &str, path: &str) -> Value {
        self.request_with(method, path, &json!({}), "")
    }

    /// Sends a request as an HTTP API does, in format 2.0.
    fn request_with(&self, method: &str, path: &str, headers: &Value, body: &str) -> Value {
        let (succeeded, answer) = self.invoke(&json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012", "apiId": "api", "domainName": "limits.example.com", "domainPrefix": "limits",
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test" },
                "requestId": "id", "routeKey": "$default", "stage": "$default",
                "time": "30/Nov/2026:12:00:00 +0000", "timeEpoch": 1_796_040_000_000_u64,
            },
            "body": STANDARD.encode(body), "isBase64Encoded": true,
        }));
        assert!(succeeded, "{answer}");
        answer
    }
}

impl RuntimeRequest {
    fn answer(mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        write!(
            self.stream,
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().unwrap();
    }
}

fn record(id: &str, input: u64) -> Value {
    json!({
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": "2026-11-30T12:00:00Z",
        "accountId": "123456789012", "requestId": id, "operation": "InvokeModel", "region": "us-east-1",
        "identity": { "arn": "arn:aws:sts::123456789012:assumed-role/BedrockUser/alice@example.com" },
        "modelId": "us.anthropic.claude-opus-4-6-v1", "input": { "inputTokenCount": input },
        "output": { "outputTokenCount": 0 },
    })
}

/// What the subscription of a log group delivers.
fn subscription(records: &[Value]) -> Value {
    let events: Vec<_> =
        records.iter().map(|record| json!({ "id": "1", "timestamp": 1, "message": record.to_string() })).collect();
    let envelope = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "bedrock", "logStream": "s",
        "subscriptionFilters": ["limits"], "logEvents": events,
    });
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(envelope.to_string().as_bytes()).unwrap();
    json!({ "awslogs": { "data": STANDARD.encode(encoder.finish().unwrap()) } })
}

#[test]
fn the_function_of_clients_answers_requests() {
    let folder = tempfile::tempdir().unwrap();
    let function = Function::start("check", folder.path());
    let health = function.request("GET", "/healthz");
    assert_eq!(health["statusCode"], 200);
    assert_eq!(serde_json::from_str::<Value>(health["body"].as_str().unwrap()).unwrap(), json!({ "status": "ok" }));
    assert_eq!(health["headers"]["cache-control"], "no-store");
    assert_eq!(function.request("GET", "/check")["statusCode"], 401);
    assert_eq!(function.request("POST", "/ingest")["statusCode"], 401);
    assert_eq!(function.request("GET", "/other")["statusCode"], 404);
    let bearer = json!({ "authorization": "Bearer secret" });
    let counted = function.request_with("POST", "/ingest", &bearer, &record("1", 10).to_string());
    assert_eq!(counted["statusCode"], 200);
    let summary: Value = serde_json::from_str(counted["body"].as_str().unwrap()).unwrap();
    assert_eq!(summary, json!({ "accepted": 1, "repeated": 0, "rejected": 0 }));
}

#[test]
fn the_function_of_a_log_group_counts_each_record_once() {
    let folder = tempfile::tempdir().unwrap();
    let function = Function::start("ingest", folder.path());
    let events = [
        (subscription(&[record("1", 10), record("2", 20)]), json!({ "accepted": 2, "repeated": 0, "rejected": 0 })),
        (subscription(&[record("2", 20), json!({})]), json!({ "accepted": 0, "repeated": 1, "rejected": 1 })),
        (json!({ "records": [record("3", 300)] }), json!({ "accepted": 1, "repeated": 0, "rejected": 0 })),
        (json!({ "source": "aws.events" }), json!({ "accepted": 0, "repeated": 0, "rejected": 1 })),
    ];
    for (event, expected) in events {
        assert_eq!(function.invoke(&event), (true, expected));
    }
    drop(function);
    let file = folder.path().join("server.toml");
    fs::write(&file, configuration(folder.path())).unwrap();
    let usage = program().args(["usage", "--month", "2026-11", "--json", "--config"]).arg(file).output().unwrap();
    let usage: Value = serde_json::from_slice(&usage.stdout).unwrap();
    assert_eq!(usage["rows"][0]["person"], "alice@example.com");
    assert_eq!(usage["rows"][0]["input_tokens"], 330);
}

/// Runs a command on the store, before a function opens it.
fn administer(folder: &Path, arguments: &[&str]) {
    let file = folder.join("server.toml");
    fs::write(&file, configuration(folder)).unwrap();
    let ended = program().args(arguments).arg("--config").arg(file).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

/// The event of a signed request, as API Gateway's IAM authorizer leaves it, for this path and by this signer.
fn signed_event(path: &str, signer: Option<&str>) -> Value {
    let text = include_str!("events/signed_by_identity_center.json").replace("/signed/check", path);
    let mut event: Value = serde_json::from_str(&text).unwrap();
    match signer {
        Some(arn) => {
            let account = arn.split(':').nth(4).unwrap();
            event["requestContext"]["authorizer"]["iam"]["userArn"] = json!(arn);
            event["requestContext"]["authorizer"]["iam"]["accountId"] = json!(account);
        }
        None => event["requestContext"]["authorizer"] = Value::Null,
    }
    event
}

const ALICE: &str = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_claude_0123456789abcdef/alice@example.com";

#[test]
fn users_of_identity_center_get_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    administer(folder.path(), &["limits", "set", "--group", "ml", "--month", "0"]);
    administer(folder.path(), &["block", "--person", "bob@example.com", "--until", "2100-01-01", "--reason", "left"]);
    let function = Function::start("check", folder.path());
    let bob = ALICE.replace("alice", "bob");
    for (name, path, signer) in [
        ("check", "/signed/check", ALICE),
        ("check of a blocked person", "/signed/check", bob.as_str()),
        ("me", "/signed/me", ALICE),
    ] {
        let (succeeded, answer) = function.invoke(&signed_event(path, Some(signer)));
        assert!(succeeded, "{answer}");
        assert_eq!((&answer["statusCode"], &answer["headers"]["cache-control"]), (&json!(200), &json!("no-store")));
        let mut document: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        // The block began a moment ago.
        if let Some((before, (_, after))) = document["message"].as_str().and_then(|message| {
            message.split_once("since ").and_then(|(before, rest)| Some((before, rest.split_once(", until")?)))
        }) {
            document["message"] = json!(format!("{before}since {{time}}, until{after}"));
        }
        let text = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
        expect_bytes(&format!("server/tests/expected/signed/{name}.json"), text.as_bytes());
    }
}

#[test]
fn only_the_authorizer_says_who_has_signed() {
    let folder = tempfile::tempdir().unwrap();
    let function = Function::start("check", folder.path());
    let status = |event: &Value| {
        let (succeeded, answer) = function.invoke(event);
        assert!(succeeded && !answer["body"].as_str().unwrap().contains("allowed"), "{answer}");
        answer["statusCode"].as_u64().unwrap()
    };
    for path in ["/signed/check", "/signed/me"] {
        for (from, to) in [
            ("123456789012", "210987654321"),
            ("_claude_", "_claude_admin_"),
            ("AWSReservedSSO_claude_0123456789abcdef", "BedrockUser"),
            ("sts::123456789012:assumed-role/AWSReservedSSO_claude_0123456789abcdef", "iam::123456789012:user"),
        ] {
            assert_eq!(status(&signed_event(path, Some(&ALICE.replace(from, to)))), 403, "{path} {to}");
        }
        let mut forged = signed_event(path, None);
        assert_eq!(status(&forged), 401);
        let context = signed_event(path, Some(ALICE))["requestContext"].clone();
        for (header, value) in [
            ("authorization", "Bearer secret".to_owned()),
            ("x-amzn-request-context", context.to_string()),
            ("x-amz-user-arn", ALICE.to_owned()),
            ("x-amzn-iam-user-arn", ALICE.to_owned()),
        ] {
            forged["headers"][header] = json!(value);
        }
        forged["body"] = json!(signed_event(path, Some(ALICE)).to_string());
        assert_eq!(status(&forged), 401);
        // A token that a JWT authorizer has accepted names a person of another kind.
        forged["requestContext"]["authorizer"] = json!({ "jwt": { "claims": { "userArn": ALICE }, "scopes": null } });
        assert_eq!(status(&forged), 401);
    }
    // A signature does not replace the token of the other routes.
    assert_eq!(status(&signed_event("/check", Some(ALICE))), 401);
}

/// A bucket on loopback with these objects. It refuses a request without a signature.
fn serve_bucket(objects: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let path = head.split(' ').nth(1).unwrap();
            let is_signed =
                head.contains("authorization: AWS4-HMAC-SHA256") && head.contains("/eu-west-1/s3/aws4_request");
            let object = objects.iter().find(|(key, _)| path == *key).filter(|_| is_signed);
            let missing = b"<Error><Code>NoSuchKey</Code></Error>".to_vec();
            let (status, body) = object.map_or(("404 Not Found", missing), |(_, body)| ("200 OK", body.clone()));
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    endpoint
}

#[test]
fn objects_of_a_bucket_are_counted_like_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    write!(encoder, "{}\n{}\n", record("1", 10), record("2", 20)).unwrap();
    let object = encoder.finish().unwrap();
    let endpoint =
        serve_bucket(vec![("/logs/AWSLogs/a%20b.json.gz", object), ("/logs/data/c.json.gz", b"{}".to_vec())]);
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_S3", &endpoint),
    ];
    let function = Function::start_with("ingest", folder.path(), &variables);
    let notification = |key: &str| {
        let s3 = json!({ "bucket": { "name": "logs" }, "object": { "key": key } });
        json!({ "Records": [{ "eventSource": "aws:s3", "awsRegion": "eu-west-1", "s3": s3 }] })
    };
    let summary = |accepted, repeated, rejected| {
        (true, json!({ "accepted": accepted, "repeated": repeated, "rejected": rejected }))
    };
    assert_eq!(function.invoke(&notification("AWSLogs/a+b.json.gz")), summary(2, 0, 0));
    // The same object, as EventBridge reports it.
    let detail = json!({ "bucket": { "name": "logs" }, "object": { "key": "AWSLogs/a b.json.gz" } });
    let event = json!({ "source": "aws.s3", "detail-type": "Object Created", "region": "eu-west-1", "detail": detail });
    assert_eq!(function.invoke(&event), summary(0, 2, 0));
    // Prompts are not read, and what is gone is not asked for again.
    assert_eq!(function.invoke(&notification("data/c.json.gz")), summary(0, 0, 0));
    assert_eq!(function.invoke(&notification("absent.json.gz")), summary(0, 0, 1));
}

#[test]
fn the_enforcing_function_needs_no_policies_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let function = Function::start("enforce", folder.path());
    let report = json!({ "refused": 0, "blocked": 0, "left_out": 0, "written": 0 });
    assert_eq!(function.invoke(&json!({ "source": "aws.events" })), (true, report));
}

#[test]
fn a_function_without_a_role_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut function = Function::start("", folder.path());
    assert_eq!(function.process.wait().unwrap().code(), Some(3));
}
