//! The callback server over real sockets, as the user's browser sees it.
//!
//! `strangers` has hostile and broken clients, `open` early requests and pasted addresses, `one_time` the one-time
//! redirect.

mod one_time;
mod open;
mod strangers;

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{connections::ServerTimeouts, *};
use crate::{
    config::{RedirectHost, RedirectUri},
    time::Timestamp,
};

/// How often a test lets the runtime's other tasks run before it gives up.
const MAX_TURNS: usize = 1_000;

const RIGHT: &str = "/callback?code=s3cr3t-code&state=s3cr3t-state";

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn redirect(host: RedirectHost, ports: &[u16]) -> RedirectUri {
    RedirectUri { host, ports: ports.to_vec(), path: "/callback".into() }
}

/// The authorization response, and the listener that will show the result.
struct Answered {
    outcome: Result<Secret, CallbackError>,
    page: OpenListener,
}

async fn answer(mut open: OpenListener) -> Answered {
    Answered { outcome: open.wait_for_answer().await, page: open }
}

/// A waiting sign-in, and the events that its listener reported.
struct SignIn {
    port: u16,
    start: String,
    answer: JoinHandle<Answered>,
    events: Arc<Mutex<Vec<CallbackEvent>>>,
}

impl SignIn {
    async fn waiting() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut CallbackListener)) -> Self {
        Self::opened(change, |_| {}).await
    }

    async fn opened(change: impl FnOnce(&mut CallbackListener), then: impl FnOnce(&OpenListener)) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let mut listener = CallbackListener::bind(&redirect(RedirectHost::LoopbackIp, &[]))
            .await
            .unwrap()
            .with_reporter(move |event| seen.lock().unwrap().push(event));
        // So long that a busy machine does not reach them. A test of a timeout sets its own.
        listener.server.timeouts = ServerTimeouts {
            read: Duration::from_secs(600),
            write: Duration::from_secs(600),
            linger: Duration::from_secs(60),
            follow: Duration::from_secs(60),
        };
        change(&mut listener);
        let (port, start) = (listener.server.addresses.port, listener.server.addresses.start_path.expose().to_owned());
        assert_eq!(listener.start_address(), format!("http://127.0.0.1:{port}{start}"));
        let open = listener.start_serving();
        open.set_awaited_callback(awaited());
        then(&open);
        Self { port, start, answer: tokio::spawn(answer(open)), events }
    }

    async fn get(&self, target: &str) -> String {
        get(self.port, target).await
    }

    /// Sends the right response. Returns it, the port, and the path that the browser is redirected to.
    async fn answered(self) -> (Answered, u16, String) {
        let reply = self.get(RIGHT).await;
        assert_eq!(status(&reply), "303 See Other");
        (self.answer.await.unwrap(), self.port, header(&reply, "Location").unwrap().to_owned())
    }

    async fn still_waits(self) {
        assert!(!self.answer.is_finished());
        let (answered, ..) = self.answered().await;
        assert_eq!(answered.outcome, Ok(Secret::new("s3cr3t-code")));
    }
}

fn awaited() -> AwaitedCallback {
    AwaitedCallback {
        authorize_url: Secret::new("https://idp.example/authorize?client_id=x&state=s3cr3t-state"),
        state: Secret::new("s3cr3t-state"),
        issuer: Some("https://idp.example".into()),
        iss_required: false,
    }
}

fn signed_in() -> SignInEnding {
    SignInEnding::SignedIn {
        role: Some(("BedrockUser".into(), "123456789012".into())),
        name: "alice@example.com".into(),
        until: Timestamp::from_unix(43_200),
        local_until: "1970-01-01 12:00".into(),
        now: Timestamp::from_unix(0),
    }
}

async fn send(port: u16, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

/// Reads until the server closes. An RST in place of a FIN fails here.
async fn reply(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

fn request(port: u16, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/html\r\n\r\n").into_bytes()
}

async fn get(port: u16, target: &str) -> String {
    reply(send(port, &request(port, target)).await).await
}

fn status(reply: &str) -> &str {
    reply.lines().next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).unwrap_or("none")
}

fn header<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    reply.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn start_address_redirects_to_the_provider_every_time() {
    run(async {
        let sign_in = SignIn::waiting().await;
        for _ in 0..2 {
            let reply = sign_in.get(&sign_in.start).await;
            assert_eq!(status(&reply), "302 Found");
            assert_eq!(header(&reply, "Location"), Some(awaited().authorize_url.expose()));
            assert_eq!(header(&reply, "Cache-Control"), Some("no-store"));
            assert_eq!(header(&reply, "Referrer-Policy"), Some("no-referrer"));
        }
        assert_eq!(sign_in.events.lock().unwrap().as_slice(), [CallbackEvent::Started; 2]);
        sign_in.still_waits().await;
    });
}

#[test]
fn result_page_is_sent_once_the_result_is_known() {
    run(async {
        let (answered, port, result) = SignIn::waiting().await.answered().await;
        let mut tab = send(port, &request(port, &result)).await;
        let mut another = send(port, &request(port, &result)).await;
        answered.page.wait_for_result_waiters(2).await;
        assert!(nothing_came(&mut tab) && nothing_came(&mut another), "the result is not known yet");
        let tabs = [tab, another].map(|tab| tokio::spawn(reply(tab)));
        answered.page.show_ending(&signed_in()).await;
        for tab in tabs {
            let page = tab.await.unwrap();
            assert_eq!(status(&page), "200 OK");
            assert!(page.contains("<title>Signed in") && page.contains("alice@example.com"));
            assert!(!page.contains("s3cr3t"), "neither code nor state");
        }
    });
}

fn nothing_came(tab: &mut TcpStream) -> bool {
    tab.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn every_page_has_its_length_and_security_headers() {
    run(async {
        let sign_in = SignIn::waiting().await;
        for target in ["/favicon.ico", "/callback", "/callback?code=c&state=wrong"] {
            let reply = sign_in.get(target).await;
            assert_eq!(header(&reply, "Content-Length"), Some(body(&reply).len().to_string().as_str()));
            for (name, value) in [
                ("Cache-Control", "no-store"),
                ("Connection", "close"),
                ("Content-Type", "text/html; charset=utf-8"),
                ("Referrer-Policy", "no-referrer"),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "DENY"),
            ] {
                assert_eq!(header(&reply, name), Some(value), "{target}");
            }
            let policy = header(&reply, "Content-Security-Policy").unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        }
        sign_in.still_waits().await;
    });
}

#[test]
fn error_with_the_right_state_ends_the_wait() {
    run(async {
        let sign_in = SignIn::waiting().await;
        sign_in.get("/callback?error=access_denied&error_description=not+%3Cassigned%3E&state=s3cr3t-state").await;
        let refusal = sign_in.answer.await.unwrap().outcome.unwrap_err();
        let (error, description) = (UntrustedText::new("access_denied"), UntrustedText::new("not <assigned>"));
        assert_eq!(refusal, CallbackError::Refused { error, description });
    });
}

#[test]
fn repeated_response_gets_a_page_that_leads_to_the_result() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let events = Arc::clone(&sign_in.events);
        let (answered, port, result) = sign_in.answered().await;
        let reply = get(port, RIGHT).await;
        assert_eq!(status(&reply), "200 OK");
        assert!(reply.contains("Completing the sign-in") && !reply.contains("s3cr3t"));
        assert_eq!(header(&reply, "Refresh"), Some(format!("1; url={result}").as_str()));
        assert_eq!(events.lock().unwrap().as_slice(), [CallbackEvent::CodeReceived, CallbackEvent::Duplicate]);
        answered.page.publish_ending(&signed_in());
        assert!(get(port, RIGHT).await.contains("<title>Signed in"), "the same final page once there is one");
    });
}

#[test]
fn start_address_leads_to_the_result_after_the_response() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let start = sign_in.start.clone();
        let (_answered, port, result) = sign_in.answered().await;
        assert_eq!(header(&get(port, &start).await, "Location"), Some(result.as_str()));
    });
}

#[test]
fn other_requests_are_answered_while_the_result_waits() {
    run(async {
        let (answered, port, result) = SignIn::waiting().await.answered().await;
        let tab = tokio::spawn(reply(send(port, &request(port, &result)).await));
        assert_eq!(status(&get(port, "/favicon.ico").await), "404 Not Found");
        answered.page.show_ending(&signed_in()).await;
        assert!(tab.await.unwrap().contains("<title>Signed in"));
    });
}

#[test]
fn program_waits_for_the_request_for_the_result_page() {
    run(async {
        let (answered, port, result) = SignIn::waiting().await.answered().await;
        let finish = tokio::spawn(async move { answered.page.show_ending(&signed_in()).await });
        assert!(get(port, &result).await.contains("<title>Signed in"));
        finish.await.unwrap();
    });
}

#[test]
fn closed_browser_does_not_break_the_sign_in() {
    run(async {
        let sign_in = SignIn::with(|listener| listener.server.timeouts.follow = Duration::from_millis(50)).await;
        let (answered, port, result) = sign_in.answered().await;
        let tab = send(port, &request(port, &result)).await;
        answered.page.wait_for_result_waiters(1).await;
        drop(tab);
        answered.page.show_ending(&signed_in()).await;

        let sign_in = SignIn::with(|listener| listener.server.timeouts.follow = Duration::from_millis(50)).await;
        let (answered, ..) = sign_in.answered().await;
        answered.page.show_ending(&signed_in()).await;
    });
}

#[test]
fn slow_reader_of_the_result_page_is_not_awaited() {
    run(async {
        let sign_in = SignIn::with(|listener| listener.server.timeouts.linger = Duration::from_millis(50)).await;
        let (answered, port, result) = sign_in.answered().await;
        let _never_closes = send(port, &request(port, &result)).await;
        answered.page.wait_for_result_waiters(1).await;
        answered.page.show_ending(&signed_in()).await;
    });
}

#[test]
fn abandoned_sign_in_frees_its_port() {
    run(async {
        let port = testworld::Port::reserve();
        let redirect = redirect(RedirectHost::LoopbackIp, &[port.number()]);
        let open = CallbackListener::bind(&redirect).await.unwrap().start_serving();
        open.set_awaited_callback(awaited());
        let answer = tokio::spawn(answer(open));
        let silent = send(port.number(), b"GET").await;
        answer.abort();
        assert!(answer.await.is_err());
        // The runtime drops the tasks that hold the sockets one by one, in the turns that this test gives it.
        drop(reply(silent).await);
        for _ in 0..MAX_TURNS {
            if CallbackListener::bind(&redirect).await.is_ok() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("port {} is still in use", port.number());
    });
}

#[test]
fn localhost_is_served_on_ipv4_and_ipv6() {
    run(async {
        if !has_ipv6().await {
            return;
        }
        let listener = CallbackListener::bind(&redirect(RedirectHost::Localhost, &[])).await.unwrap();
        let port = listener.server.addresses.port;
        assert_eq!(listener.redirect_uri(), format!("http://localhost:{port}/callback"));
        assert!(listener.start_address().starts_with("http://localhost:"));
        let open = listener.start_serving();
        open.set_awaited_callback(awaited());
        let answer = tokio::spawn(answer(open));
        assert_eq!(status(&get(port, "/").await), "404 Not Found");
        let mut stream = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.unwrap();
        let request = format!("GET {RIGHT} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(answer.await.unwrap().outcome, Ok(Secret::new("s3cr3t-code")));
    });
}

async fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok()
}
