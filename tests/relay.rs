//! `otel-relay` and what `otel-headers` does with it: who gets a token, who may send, what reaches CloudWatch, and what
//! an exporter sees when something fails.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, and another user is another process"
)]

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, World, kill, wait_until};

use crate::{PROGRAM, SPENT};

const GROUP: &str = "/bedrock-sso/telemetry";

/// A home whose profile uses a relay on this port, before any sign-in.
fn desk_with_port(world: &World, port: u16) -> Desk<'_> {
    let desk = Desk::with(world, PROGRAM, &relay_keys(world, port));
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"));
    desk
}

fn relay_keys(world: &World, port: u16) -> String {
    format!(
        "telemetry.relay = \"laptop\"\ntelemetry.relay_port = {port}\ntelemetry.log_group = \"{GROUP}\"\n\
         telemetry.relay_endpoint = \"{}\"\n",
        world.telemetry_endpoint()
    )
}

/// An exporter: the port of the relay and the headers that `otel-headers` has printed.
struct Exporter {
    port: u16,
    headers: Value,
}

/// An answer of the relay.
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Exporter {
    /// Starts the relay if necessary, as Claude Code does. On a busy machine the command gives up before the relay
    /// answers, as a user needs it, and is repeated here.
    #[track_caller]
    fn new(desk: &Desk<'_>, port: u16) -> Self {
        let call = || desk.command().arg("otel-headers").stdin(Stdio::null()).output().unwrap();
        let mut output = call();
        wait_until("the relay answers", || {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let gave_up = ["[relay/silent]", "[relay/not_started]"].iter().any(|slug| text.contains(slug));
            if gave_up {
                output = call();
            }
            !gave_up
        });
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
        Self { port, headers: serde_json::from_slice(&output.stdout).unwrap() }
    }

    fn signed_in(world: &World) -> (Desk<'_>, Self) {
        let port = world.free_port();
        let desk = desk_with_port(world, port);
        desk.credentials();
        let exporter = Self::new(&desk, port);
        (desk, exporter)
    }

    fn send(&self, path: &str, body: &Value) -> Got {
        self.try_send(path, body).expect("the relay answers")
    }

    /// `None` if the relay closed the connection without an answer.
    fn try_send(&self, path: &str, body: &Value) -> Option<Got> {
        let whole = self.request(path, body);
        let (head, body) = whole.split_once("\r\n\r\n").unwrap();
        request(self.port, &format!("{head}\r\n"), body.as_bytes())
    }

    /// The whole request.
    fn request(&self, path: &str, body: &Value) -> String {
        let headers: String = self
            .headers
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.as_str().unwrap()))
            .collect();
        let body = body.to_string();
        let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        format!("POST {path} HTTP/1.1\r\n{}{headers}{length}\r\n{body}", host(self.port))
    }
}

fn host(port: u16) -> String {
    format!("Host: 127.0.0.1:{port}\r\n")
}

/// Sends a request as it stands, and reads the answer to its end.
fn request(port: u16, head: &str, body: &[u8]) -> Option<Got> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The relay may answer and close before it has read everything.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"\r\n")));
    drop(stream.write_all(body));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Got { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// Metrics as Claude Code sends them, with a forged identity in every place.
fn metrics(session: &str) -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    json!({ "resourceMetrics": [{
        "resource": { "attributes": [text("service.name", "claude-code"), text("user.email", "boss@example.com")] },
        "scopeMetrics": [{ "scope": { "name": "com.anthropic.claude_code" }, "metrics": [{
            "name": "claude_code.token.usage",
            "sum": { "aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [{
                "attributes": [text("session.id", session), text("user.email", "boss@example.com")],
                "startTimeUnixNano": "1800000000000000000", "timeUnixNano": "1800000060000000000", "asInt": "7",
            }] },
        }] }],
    }] })
}

fn events() -> Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": [] },
        "scopeLogs": [{ "scope": { "name": "com.anthropic.claude_code.events" }, "logRecords": [{
            "timeUnixNano": "1800000000000000000", "body": { "stringValue": "claude_code.tool_result" },
            "attributes": [{ "key": "enduser.id", "value": { "stringValue": "boss" } }],
        }] }],
    }] })
}

/// The texts of the attribute `key` anywhere in an export.
fn find_attributes<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    match value {
        Value::Object(fields) if fields.get("key").is_some_and(|found| found == key) => {
            vec![fields["value"]["stringValue"].as_str().unwrap()]
        }
        Value::Object(fields) => fields.values().flat_map(|each| find_attributes(each, key)).collect(),
        Value::Array(items) => items.iter().flat_map(|each| find_attributes(each, key)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn headers_hold_a_token_for_the_relay_and_no_identity() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    let names: Vec<_> = exporter.headers.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["authorization", "x-bedrock-sso-version"]);
    assert!(!exporter.headers.to_string().contains("demo"), "{}", exporter.headers);
    let relays = desk.processes();
    assert_eq!(relays.len(), 1);
    assert_eq!(Exporter::new(&desk, exporter.port).headers, exporter.headers);
    assert_eq!(desk.processes(), relays, "the second call uses the same relay");
    assert_eq!(world.count(Endpoint::Telemetry), 0);
}

#[test]
fn telemetry_is_stamped_signed_and_forwarded() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    let got = exporter.send("/v1/metrics", &metrics("s1"));
    assert_eq!((got.status, got.body.as_str()), (200, "{}"));
    assert_eq!(exporter.send("/v1/logs", &events()).status, 200);
    let [first, second] = &world.taken_telemetry()[..] else { panic!("{:?}", world.taken_telemetry()) };
    assert_eq!((first.service.as_str(), second.service.as_str()), ("monitoring", "logs"));
    assert_eq!(second.log, format!("{GROUP} laptops"));
    assert!(first.caller.contains(":assumed-role/BedrockUser/"), "{}", first.caller);
    // Once for Claude Code's resource and once for the helper's.
    assert_eq!(find_attributes(&first.body, "user.email"), ["demo@example.com", "demo@example.com"]);
    assert_eq!(find_attributes(&first.body, "session.id"), ["s1"]);
    assert_eq!(find_attributes(&first.body, "version"), [env!("CARGO_PKG_VERSION")]);
    assert_eq!(find_attributes(&first.body, "failure"), ["none"]);
    assert_eq!(find_attributes(&second.body, "user.email"), ["demo@example.com"]);
    assert!(find_attributes(&second.body, "enduser.id").is_empty());
    drop(desk);
}

/// The relay divides a large export, because its tree would take too much memory.
#[test]
fn large_export_is_stamped_in_parts_and_sent_as_one() {
    let world = World::new();
    let (_desk, exporter) = Exporter::signed_in(&world);
    let mut export = metrics("s1");
    let list = &mut export["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    let metric = list[0].clone();
    *list = vec![metric; 400].into();
    assert!(export.to_string().len() > 100_000);
    assert_eq!(exporter.send("/v1/metrics", &export).status, 200);
    let [taken] = &world.taken_telemetry()[..] else { panic!("one export") };
    assert_eq!(find_attributes(&taken.body, "session.id"), vec!["s1"; 400]);
    assert_eq!(find_attributes(&taken.body, "version").len(), 1);
    let resources = taken.body["resourceMetrics"].as_array().unwrap();
    assert!(resources.len() > 3, "{}", resources.len());
    for resource in resources {
        assert_eq!(find_attributes(resource, "user.email"), ["demo@example.com"]);
    }
}

#[test]
fn chunked_export_is_accepted() {
    let world = World::new();
    let (_desk, exporter) = Exporter::signed_in(&world);
    let token = exporter.headers["authorization"].as_str().unwrap();
    let body = metrics("chunked").to_string();
    let (first, second) = body.split_at(100);
    let chunks = format!("{:x}\r\n{first}\r\n{:X};a=b\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\n{}Authorization: {token}\r\nContent-Type: application/json; charset=utf-8\r\n\
         Transfer-Encoding: chunked\r\n",
        host(exporter.port)
    );
    assert_eq!(request(exporter.port, &head, chunks.as_bytes()).unwrap().status, 200);
    assert_eq!(find_attributes(&world.taken_telemetry()[0].body, "session.id"), ["chunked"]);
}

/// What a program of this computer or a web page could send.
#[test]
fn wrong_senders_and_requests_are_refused() {
    let world = World::new();
    let (_desk, exporter) = Exporter::signed_in(&world);
    let port = exporter.port;
    let token = format!("Authorization: {}\r\n", exporter.headers["authorization"].as_str().unwrap());
    let (own, json) = (host(port), "Content-Type: application/json\r\n");
    let body = metrics("s1").to_string();
    let length = format!("Content-Length: {}\r\n", body.len());
    let wrong = token.replacen("Bearer ", "Bearer x", 1);
    for (status, line, headers) in [
        (401, "POST /v1/metrics", format!("{own}{json}{length}")),
        (401, "POST /v1/metrics", format!("{own}{json}{length}{wrong}")),
        (401, "POST /relay/end", format!("{own}{token}")),
        (403, "POST /v1/metrics", format!("Host: evil.example:{port}\r\n{json}{length}{token}")),
        (403, "POST /v1/metrics", format!("Host: 127.0.0.1:{}\r\n{json}{length}{token}", port - 1)),
        (403, "POST /v1/metrics", format!("{json}{length}{token}")),
        (403, "POST /v1/metrics", format!("{own}Origin: https://evil.example\r\n{json}{length}{token}")),
        (403, "GET /relay/proof?00", format!("{own}Origin: null\r\n")),
        (400, "GET /relay/proof?00", own.clone()),
        (404, "POST /v1/traces", format!("{own}{json}{length}{token}")),
        (405, "GET /v1/metrics", format!("{own}{token}")),
        (405, "OPTIONS /v1/metrics", format!("{own}Origin2: x\r\n")),
        (415, "POST /v1/metrics", format!("{own}Content-Type: application/x-protobuf\r\n{length}{token}")),
        (415, "POST /v1/metrics", format!("{own}{json}Content-Encoding: gzip\r\n{length}{token}")),
        (413, "POST /v1/metrics", format!("{own}{json}Content-Length: 99999999\r\n{token}")),
    ] {
        let got = request(port, &format!("{line} HTTP/1.1\r\n{headers}"), body.as_bytes()).unwrap();
        assert_eq!(got.status, status, "{line} {headers}");
        assert!(!got.head.contains("access-control"), "{}", got.head);
    }
    assert_eq!(world.count(Endpoint::Telemetry), 0);
    assert_eq!(exporter.send("/v1/metrics", &json!({ "resourceMetrics": 7 })).status, 400);
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 200, "the relay still works");
}

#[test]
fn upstream_failures_reach_the_exporter_as_retries() {
    let world = World::new();
    let (_desk, exporter) = Exporter::signed_in(&world);
    for (fault, status) in [
        (Fault::Status(429), 429),
        (Fault::Status(503), 503),
        (Fault::Status(500), 503),
        (Fault::Status(403), 503),
        (Fault::Status(400), 400),
        (Fault::Close, 503),
        (Fault::Redirect("https://evil.example/".to_owned()), 503),
        (Fault::Portal, 503),
    ] {
        world.next(1, Knob::TelemetryFault, serde_json::to_value(&fault).unwrap());
        let got = exporter.send("/v1/metrics", &metrics("s1"));
        assert_eq!(got.status, status, "{fault:?}");
        assert_eq!(got.head.contains("retry-after: "), matches!(status, 429 | 503), "{fault:?}: {}", got.head);
    }
    assert!(world.taken_telemetry().is_empty());
    world.revoke_credentials();
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 503);
}

/// The exporter of a user who has not signed in yet tries again, and its telemetry is not lost.
#[test]
fn telemetry_waits_for_the_sign_in() {
    let world = World::new();
    let port = world.free_port();
    let desk = desk_with_port(&world, port);
    let exporter = Exporter::new(&desk, port);
    let got = exporter.send("/v1/metrics", &metrics("s1"));
    assert_eq!((got.status, got.head.contains("retry-after: ")), (503, true));
    assert_eq!(desk.tabs(), 0, "the relay never prompts");
    desk.credentials();
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 200);
    desk.run(["logout"]).expect_code(0);
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 503, "a sign-out counts at once");
}

#[test]
fn expired_credentials_are_renewed_in_the_background() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let (desk, exporter) = Exporter::signed_in(&world);
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 503);
    wait_until("the worker has renewed the credentials", || exporter.send("/v1/metrics", &metrics("s1")).status == 200);
    assert_eq!((desk.tabs(), world.taken_telemetry().len()), (1, 1));
    // The relay waits for the worker, so no ended process is left.
    wait_until("the worker has ended", || desk.processes().len() == 1);
}

/// How far an export has come when the relay is killed.
const STEPS: [&str; 4] = ["connected", "half of the head", "half of the body", "held by CloudWatch"];

#[test]
fn killed_relay_loses_nothing_that_it_acknowledged() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    for step in STEPS {
        assert_eq!(exporter.send("/v1/metrics", &metrics("before")).status, 200);
        let pid = desk.processes()[0];
        let received = world.count(Endpoint::Telemetry);
        let kill_relay = || {
            kill(pid);
            wait_until("the relay has ended", || desk.processes().is_empty());
        };
        if step == "held by CloudWatch" {
            world.next(1, Knob::TelemetryFault, serde_json::to_value(Fault::Hold).unwrap());
            thread::scope(|scope| {
                let sending = scope.spawn(|| exporter.try_send("/v1/metrics", &metrics(step)).map(|got| got.status));
                wait_until("CloudWatch has it", || world.count(Endpoint::Telemetry) == received + 1);
                kill_relay();
                assert_eq!(sending.join().unwrap(), None, "a killed relay acknowledges nothing");
            });
            world.release();
        } else {
            let whole = exporter.request("/v1/metrics", &metrics(step));
            let sent = match step {
                "connected" => 0,
                "half of the head" => 40,
                _ => whole.len() - 100,
            };
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, exporter.port)).unwrap();
            stream.write_all(&whole.as_bytes()[..sent]).unwrap();
            kill_relay();
            let mut answer = Vec::new();
            // The kernel may reset the connection of the killed process.
            drop(stream.read_to_end(&mut answer));
            assert!(answer.is_empty(), "{step}");
        }
        let next = Exporter::new(&desk, exporter.port);
        assert_ne!(desk.processes(), [pid], "another relay runs");
        assert_eq!(next.headers, exporter.headers);
        assert_eq!(exporter.send("/v1/metrics", &metrics(step)).status, 200, "{step}: the old token is still valid");
    }
    let taken = world.taken_telemetry();
    let sessions: BTreeSet<_> = taken.iter().flat_map(|export| find_attributes(&export.body, "session.id")).collect();
    assert_eq!(sessions, STEPS.into_iter().chain(["before"]).collect());
}

#[test]
fn user_of_an_identity_center_is_known_by_name() {
    let world = World::new();
    let port = world.free_port();
    let desk = Desk::with_identity_center(&world, PROGRAM, &relay_keys(&world, port));
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"));
    desk.credentials();
    let name = desk.run(["status", "--json"]).expect_code(0).document()["identity"]["session_name"].clone();
    assert_eq!(Exporter::new(&desk, port).send("/v1/metrics", &metrics("s1")).status, 200);
    let [taken] = &world.taken_telemetry()[..] else { panic!("one export") };
    assert_eq!(find_attributes(&taken.body, "user.name"), [name.as_str().unwrap(); 2]);
    assert!(!find_attributes(&taken.body, "user.email").contains(&"boss@example.com"));
}

#[test]
fn hundred_exporters_lose_nothing() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    let large = "x".repeat(20_000);
    let count = |number: usize| format!("{number}-{large}");
    thread::scope(|scope| {
        for number in 0..100 {
            let exporter = &exporter;
            scope.spawn(move || {
                // An exporter tries again after 503, as OTLP asks of it. The number bounds a test that fails; on a busy
                // machine each turn takes seconds.
                let taken = (0..100).any(|_| {
                    let got = exporter.send("/v1/metrics", &metrics(&count(number)));
                    assert!(matches!(got.status, 200 | 408 | 503), "{}", got.status);
                    got.status == 200
                });
                assert!(taken, "{number}");
            });
        }
    });
    let taken = world.taken_telemetry();
    let sessions: BTreeSet<_> = taken.iter().flat_map(|export| find_attributes(&export.body, "session.id")).collect();
    assert_eq!(sessions.len(), 100);
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{}/status", desk.processes()[0])).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kilobytes: u32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        // A program without optimisation needs twice as much.
        let most = if cfg!(debug_assertions) { 40_000 } else { 15_000 };
        assert!(kilobytes <= most, "the relay used {kilobytes} kB");
    }
    drop(desk);
}

/// A program that took the port first, and what it has received.
struct Stranger {
    received: mpsc::Receiver<String>,
}

impl Stranger {
    /// Answers every request like a web server that knows the protocol but not the secret.
    fn listen(listener: TcpListener) -> Self {
        let (sender, received) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).unwrap_or_default();
                let proof = json!({ "version": "9.9.9", "instance": "00", "proof": "00" }).to_string();
                drop(write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{proof}"));
                if sender.send(String::from_utf8_lossy(&bytes[..read]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { received }
    }
}

#[test]
fn program_that_took_the_port_gets_nothing() {
    let world = World::new();
    let (desk, Exporter { port, .. }) = Exporter::signed_in(&world);
    desk.kill_all();
    wait_until("the relay has ended", || desk.processes().is_empty());
    let stranger = Stranger::listen(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    let outcome = desk.run(["otel-headers"]);
    assert_eq!(outcome.stdout, "", "Claude Code sends nothing if the command fails");
    outcome.fails_without_golden(3, "relay/port_taken").message_has(&[&port.to_string()]);
    let received: Vec<_> = stranger.received.try_iter().collect();
    let [question] = &received[..] else { panic!("{received:?}") };
    assert!(question.starts_with("GET /relay/proof?") && !question.to_lowercase().contains("authorization"));
    assert!(!question.contains("demo") && !question.contains("bedrock-sso"), "{question}");
    assert_eq!(desk.processes(), Vec::<i32>::new());
}

#[test]
fn silent_program_on_the_port_gets_nothing() {
    let world = World::new();
    let port = world.free_port();
    let desk = desk_with_port(&world, port);
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    desk.run(["otel-headers"]).fails_without_golden(3, "relay/port_taken");
}

#[test]
fn relay_of_another_user_is_not_used() {
    let world = World::new();
    let (first, exporter) = Exporter::signed_in(&world);
    let second = desk_with_port(&world, exporter.port);
    second.credentials();
    second.run(["otel-headers"]).fails_without_golden(3, "relay/port_taken");
    second.run(["otel-relay"]).fails_without_golden(3, "relay/port_taken");
    let free = world.free_port();
    second.replace_in_config(&exporter.port.to_string(), &free.to_string());
    second.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{free}"));
    let other = Exporter::new(&second, free);
    let stolen = Exporter { port: free, headers: exporter.headers };
    assert_eq!(stolen.send("/v1/metrics", &metrics("s1")).status, 401, "a token is worth nothing at another relay");
    assert_eq!(other.send("/v1/metrics", &metrics("s1")).status, 200);
    drop(first);
}

/// Sends the request as another user of this computer, and returns the answer.
fn send_as_another_user(port: u16, request: &str) -> String {
    const SEND: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1"; printf '%s' "$2" >&3; cat <&3"#;
    const NOBODY: u32 = 65534;
    let mut send = Command::new("bash");
    send.args(["-c", SEND, "send", &port.to_string(), request]).uid(NOBODY).current_dir("/");
    String::from_utf8(send.output().unwrap().stdout).unwrap()
}

#[test]
fn another_user_of_the_computer_cannot_send() {
    if !crate::sign_in::address::can_act_as_another_user() {
        return;
    }
    let world = World::new();
    let (_desk, exporter) = Exporter::signed_in(&world);
    let request = exporter.request("/v1/metrics", &metrics("s1"));
    assert!(send_as_another_user(exporter.port, &request).starts_with("HTTP/1.1 403 "), "although the token is right");
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 200);
    assert_eq!(world.taken_telemetry().len(), 1);
}

/// An untrusted repository can set the variable.
#[test]
fn headers_for_another_destination_are_empty() {
    let world = World::new();
    let port = world.free_port();
    let desk = desk_with_port(&world, port);
    for destination in ["https://evil.example", "http://127.0.0.1:1", "http://localhost"] {
        desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", destination);
        let outcome = desk.run(["otel-headers"]).expect_code(0);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("{}\n", ""), "{destination}");
    }
    assert_eq!(desk.processes(), Vec::<i32>::new());
}

#[test]
fn second_relay_and_missing_relay_are_failures() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    desk.run(["otel-relay"]).fails(11, "relay/running").message_has(&[&exporter.port.to_string()]);
    desk.kill_all();
    desk.replace_in_config("telemetry.relay = \"laptop\"", "telemetry.relay = \"none\"");
    desk.run(["otel-relay"]).fails(3, "relay/not_configured");
}

#[test]
fn many_first_calls_start_one_relay() {
    let world = World::new();
    let port = world.free_port();
    let desk = desk_with_port(&world, port);
    let headers: BTreeSet<String> = thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| Exporter::new(&desk, port).headers.to_string())).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(headers.len(), 1, "all have the same token");
    wait_until("one relay is left", || desk.processes().len() == 1);
}

#[test]
fn deleted_secret_ends_the_relay() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    std::fs::remove_file(desk.data().join("relay.secret")).unwrap();
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 401);
    wait_until("the relay has ended", || desk.processes().is_empty());
    let next = Exporter::new(&desk, exporter.port);
    assert_ne!(next.headers, exporter.headers);
    assert_eq!(next.send("/v1/metrics", &metrics("s1")).status, 200);
}

/// A relay of an older version, as far as this version talks to it: it proves itself, and ends when it is asked to.
fn run_older_relay(listener: TcpListener, secret: Vec<u8>, port: u16) -> thread::JoinHandle<Vec<String>> {
    let sign = move |label: &str, parts: &[&str]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let text = format!("bedrock-sso relay 1\n{label}\n{}", parts.join("\n"));
        let tag = ring::hmac::sign(&key, text.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let port = port.to_string();
    thread::spawn(move || {
        let mut paths = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let target = text.split(' ').nth(1).unwrap().to_owned();
            let (path, nonce) = target.split_once('?').unwrap_or((&target, ""));
            paths.push(path.to_owned());
            let proof = sign("proof", &[&port, nonce, "0.0.1", "old"]);
            let answer = json!({ "version": "0.0.1", "instance": "old", "proof": proof });
            drop(write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{answer}"));
            if path == "/relay/end" {
                assert!(text.contains(&format!("Bearer {}\r\n", sign("end", &[&port, "old"]))), "{text}");
                break;
            }
        }
        paths
    })
}

#[test]
fn newer_version_replaces_an_older_relay() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    desk.kill_all();
    wait_until("the relay has ended", || desk.processes().is_empty());
    let secret = std::fs::read(desk.data().join("relay.secret")).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, exporter.port)).unwrap();
    let older = run_older_relay(listener, secret, exporter.port);
    let next = Exporter::new(&desk, exporter.port);
    assert_eq!(older.join().unwrap(), ["/relay/proof", "/relay/end"]);
    assert_eq!((desk.processes().len(), &next.headers), (1, &exporter.headers));
    assert_eq!(exporter.send("/v1/metrics", &metrics("s1")).status, 200);
}

#[test]
fn sign_out_of_everything_ends_the_relay() {
    let world = World::new();
    let (desk, exporter) = Exporter::signed_in(&world);
    desk.run(["logout", "--all"]).expect_code(0);
    assert_eq!(desk.processes(), Vec::<i32>::new());
    assert!(!desk.data().exists(), "nothing is left of it");
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, exporter.port)).is_err());
}

#[test]
fn status_and_doctor_name_the_relay() {
    let world = World::new();
    let port = world.free_port();
    let desk = desk_with_port(&world, port);
    desk.credentials();
    let running = || desk.run(["status", "--json"]).expect_code(0).document()["telemetry"]["running"].clone();
    let checked = || {
        let mut found = (String::new(), String::new());
        // On a busy machine the relay may need longer than one question waits.
        wait_until("the relay answers", || {
            let document = desk.run(["doctor", "--json"]).document();
            let checks = document["checks"].as_array().unwrap();
            let check = checks.iter().find(|check| check["name"] == "relay").unwrap();
            found = (check["result"].as_str().unwrap().to_owned(), check["message"].as_str().unwrap().to_owned());
            !found.1.contains("does not answer")
        });
        found
    };
    assert_eq!((running(), checked().0.as_str()), (json!(false), "ok"));
    desk.run(["status"]).prints("status: a relay on this computer");
    Exporter::new(&desk, port);
    assert_eq!(running(), json!(true));
    let (result, message) = checked();
    assert!(result == "ok" && message.contains(env!("CARGO_PKG_VERSION")), "{result} {message}");
    desk.set_key("claude_code.env", "{ OTEL_EXPORTER_OTLP_PROTOCOL = \"http/protobuf\" }");
    assert_eq!(checked().0, "warn");
    desk.kill_all();
    wait_until("the relay has ended", || desk.processes().is_empty());
    let _stranger = Stranger::listen(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    assert_eq!(checked().0, "bad");
}

#[test]
fn remote_relay_gets_the_id_token_and_no_other_host_does() {
    let world = World::new();
    let relay = "https://relay.example.com";
    let desk = Desk::with(&world, PROGRAM, &format!("telemetry.relay = \"{relay}\"\n"));
    desk.credentials();
    let headers = || {
        let output = desk.command().arg("otel-headers").stdin(Stdio::null()).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", relay);
    assert!(headers()["authorization"].as_str().unwrap().starts_with("Bearer ey"));
    assert_eq!(headers()["x-bedrock-sso-version"], env!("CARGO_PKG_VERSION"));
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", "https://evil.example");
    assert_eq!(headers(), json!({}));
}
