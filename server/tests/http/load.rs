//! How fast the server is: 200 checks a second, each on a connection of its own, as clients send them, and a stream of
//! records.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bedrock_sso_server::limits::Scope;
use serde_json::json;
use testworld::{Knob, World};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::server::{INGEST_TOKEN, PERSON, Server, record};

const PEOPLE: usize = 50;
const REQUESTS_PER_SECOND: u32 = 200;
const SECONDS: u32 = 20;

/// Sends one request, and returns how long the answer took.
async fn measure(address: String, token: String) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /check HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("within_quota"), "{answer}");
    begun.elapsed()
}

#[test]
#[ignore = "a measurement; run it in a release build on a machine that does nothing else"]
fn check_is_fast_at_200_requests_a_second() {
    let world = World::new();
    let server = Server::start(&world);
    server.set_limit(Scope::Default, "month 1M");
    server.set_limit(Scope::Default, "day 100USD");
    let tokens: Vec<String> = (0..PEOPLE)
        .map(|number| {
            world.next(1, Knob::Claims, json!({ "email": format!("person{number}@example.com") }));
            world.issue_id_token()
        })
        .collect();
    tokens.iter().for_each(|token| assert_eq!(server.get("/check", token).0, 200));
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut times: Vec<Duration> = server.runtime.block_on(async {
        let begun = Instant::now();
        let mut requests = JoinSet::new();
        for number in 0..REQUESTS_PER_SECOND * SECONDS {
            // Requests are not delayed by slow answers.
            sleep_until(begun + Duration::from_secs(1) * number / REQUESTS_PER_SECOND).await;
            let token = tokens[number as usize % PEOPLE].clone();
            requests.spawn(measure(address.clone(), token));
        }
        requests.join_all().await
    });
    times.sort();
    let share = |percent: usize| times[times.len() * percent / 100];
    println!("p50 {:?}, p90 {:?}, p99 {:?}, max {:?}", share(50), share(90), share(99), times[times.len() - 1]);
    assert!(share(99) < Duration::from_millis(20), "p99 {:?}", share(99));
}

const SENDERS: usize = 4;
const RECORDS_PER_DELIVERY: usize = 500;
const PEOPLE_WITH_RECORDS: usize = 1000;

/// The memory of this process in MiB, with the server, its store and the senders.
fn resident_mib() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096 / (1 << 20)
}

fn delivery(first: usize) -> Vec<u8> {
    let lines = (first..first + RECORDS_PER_DELIVERY).map(|number| {
        let person = format!("person{}@example.com", number % PEOPLE_WITH_RECORDS);
        record(&format!("request-{number}"), 10).replace(PERSON, &person)
    });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

#[test]
#[ignore = "a measurement; RECORDS is their number, 100,000 by default"]
fn records_are_counted_fast_and_memory_stays_flat() {
    #[expect(clippy::disallowed_methods, reason = "the one setting of a measurement")]
    let records: usize = std::env::var("RECORDS").map_or(100_000, |text| text.parse().unwrap());
    let server = Server::start(&World::new());
    let (next, begun) = (AtomicUsize::new(0), std::time::Instant::now());
    let (memory, bearer) = (resident_mib(), format!("Bearer {INGEST_TOKEN}"));
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(RECORDS_PER_DELIVERY, Ordering::Relaxed);
                    if first >= records {
                        break;
                    }
                    let (status, summary) = server.ingest(&bearer, &delivery(first));
                    assert_eq!((status, &summary["accepted"]), (200, &json!(RECORDS_PER_DELIVERY)));
                    if first.is_multiple_of(records / 10) {
                        println!("{first} records: {} MiB", resident_mib());
                    }
                }
            });
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let rate = next.load(Ordering::Relaxed) as f64 / seconds;
    println!("{records} records in {seconds:.1} s: {rate:.0} records/s; memory {memory} -> {} MiB", resident_mib());
    assert!(rate > 3000.0, "{rate:.0} records/s");
}
