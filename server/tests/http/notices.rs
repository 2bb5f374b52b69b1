//! Notices about limits that are nearly spent: each is sent once, however many deliveries arrive at a time.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use bedrock_sso_server::{limits::Scope, store::file_store::FileStore};
use serde_json::Value;
use testworld::{World, wait_until};

use crate::server::{INGEST_TOKEN, Server, read_log, record};

/// A webhook on loopback with what it has received. It refuses the first `failures` messages.
fn start_webhook(mut failures: usize) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hooks/planted-webhook-secret", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&received);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
            let message = loop {
                let count = stream.read(&mut part).unwrap_or(0);
                bytes.extend(part.iter().take(count));
                let text = String::from_utf8_lossy(&bytes);
                let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                match serde_json::from_str::<Value>(body) {
                    Ok(message) => break message,
                    Err(_) => assert!(count > 0, "the request broke off"),
                }
            };
            let status = if failures > 0 { "503 Service Unavailable" } else { "204 No Content" };
            match failures {
                0 => sink.lock().unwrap().push(message),
                _ => failures -= 1,
            }
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (address, received)
}

fn start_server(world: &World, webhook: &str) -> Server {
    let more = format!("notify = {{ webhook = \"{webhook}\" }}");
    Server::with_store(world, &more, |path| Arc::new(FileStore::open(path).unwrap()))
}

/// Sends these records from eight threads, each in a delivery of its own.
fn ingest_at_once(server: &Server, records: &[String]) {
    thread::scope(|scope| {
        for share in records.chunks(records.len().div_ceil(8)) {
            let (url, bearer) = (&server.url, format!("Bearer {INGEST_TOKEN}"));
            scope.spawn(move || {
                for record in share {
                    let headers = [("Authorization", bearer.as_str())];
                    let browser = testworld::Browser::new(None);
                    let got = browser.fetch("POST", &format!("{url}/ingest"), &headers, record.as_bytes()).unwrap();
                    assert_eq!(got.status, 200);
                }
            });
        }
    });
}

#[test]
fn concurrent_deliveries_cause_one_notice_for_each_threshold() {
    let world = World::new();
    let (webhook, received) = start_webhook(0);
    let server = start_server(&world, &webhook);
    server.set_limit(Scope::Default, "month 1000");
    let records = |name: &str, count: u64| -> Vec<String> {
        (0..count).map(|number| record(&format!("{name}{number}"), 10)).collect()
    };
    let thresholds = || -> Vec<Value> { received.lock().unwrap().iter().map(|one| one["threshold"].clone()).collect() };
    ingest_at_once(&server, &records("first", 79));
    assert_eq!(thresholds(), [] as [Value; 0]);
    ingest_at_once(&server, &records("second", 16));
    wait_until("a notice arrives", || !received.lock().unwrap().is_empty());
    ingest_at_once(&server, &records("third", 24));
    wait_until("the second notice arrives", || received.lock().unwrap().len() >= 2);
    ingest_at_once(&server, &records("fourth", 16));
    server.ingest(&format!("Bearer {INGEST_TOKEN}"), record("last", 1).as_bytes());
    assert_eq!(thresholds(), [80, 100]);
    let text = received.lock().unwrap()[1]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("demo@example.com has used 1,") && text.contains("and is refused"), "{text}");
    let (log, host) = (read_log(), webhook.trim_start_matches("http://").split('/').next().unwrap());
    assert!(log.contains(&format!("POST {host}: 204")), "the log has the request");
    assert!(!log.contains("planted-webhook-secret"), "the path of a webhook is a secret");
}

#[test]
fn one_delivery_that_passes_both_thresholds_is_one_notice() {
    let world = World::new();
    // The second attempt succeeds.
    let (webhook, received) = start_webhook(1);
    let server = start_server(&world, &webhook);
    server.set_limit(Scope::Default, "month 1000");
    // The limit that is nearest to being spent decides.
    server.set_limit(Scope::Default, "month 1000000USD");
    server.set_limit(Scope::Default, "day 1M");
    let bearer = format!("Bearer {INGEST_TOKEN}");
    server.ingest(&bearer, record("one", 1000).as_bytes());
    wait_until("the notice arrives", || !received.lock().unwrap().is_empty());
    server.ingest(&bearer, record("two", 1000).as_bytes());
    // A notice for the day follows, so one for the month would have arrived before.
    server.ingest(&bearer, record("three", 998_000).as_bytes());
    wait_until("the notice for the day arrives", || received.lock().unwrap().len() >= 2);
    let received = received.lock().unwrap();
    let sent: Vec<_> = received.iter().map(|one| (&one["period"], &one["threshold"])).collect();
    assert_eq!(sent, [(&Value::from("month"), &Value::from(100)), (&Value::from("day"), &Value::from(100))]);
}
