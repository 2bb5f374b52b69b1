//! The one-time address.

use super::*;
use crate::oidc::page::{HtmlPage, PageTone};
use crate::race::{RaceWinner, race_futures};

const TARGET: &str = "https://signin.example/federation?Action=login&SigninToken=s3cr3t";

/// A running redirect: its port, its path and the events that it reported.
struct Waiting {
    redirect: OneTimeAddress,
    port: u16,
    path: String,
    events: Arc<Mutex<Vec<CallbackEvent>>>,
}

async fn waiting() -> Waiting {
    waiting_with(OneTimeAnswer::Redirect(Secret::new(TARGET))).await
}

async fn waiting_with(answer: OneTimeAnswer) -> Waiting {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let report = move |event| seen.lock().unwrap().push(event);
    let redirect = OneTimeAddress::start(answer, report).await.unwrap();
    let (port, path) = redirect.address().strip_prefix("http://127.0.0.1:").unwrap().split_once('/').unwrap();
    let (port, path) = (port.parse().unwrap(), format!("/{path}"));
    Waiting { redirect, port, path, events }
}

#[test]
fn one_time_redirect_serves_only_the_first_browser() {
    run(async {
        let Waiting { mut redirect, port, path, events } = waiting().await;
        assert!(is_start_address(redirect.address()), "{}", redirect.address());
        let first = get(port, &path).await;
        assert_eq!((status(&first), header(&first, "Location")), ("303 See Other", Some(TARGET)));
        for (name, value) in [("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")] {
            assert_eq!(header(&first, name), Some(value));
        }
        redirect.wait_until_used().await;
        let second = get(port, &path).await;
        assert_eq!((status(&second), header(&second, "Location")), ("410 Gone", None));
        assert!(!second.contains("s3cr3t"), "{second}");
        assert_eq!(*events.lock().unwrap(), [CallbackEvent::Redirected, CallbackEvent::RedirectReused]);
    });
}

#[test]
fn one_time_page_is_served_once_with_its_own_policy() {
    run(async {
        let page =
            HtmlPage::from_body(PageTone::Success, "Limits", "lead", "<p class=\"own\">body</p>", ".own{color:red}");
        let policy = page.security_policy();
        let Waiting { mut redirect, port, path, events } = waiting_with(OneTimeAnswer::Page(page)).await;
        let first = get(port, &path).await;
        assert_eq!((status(&first), header(&first, "Content-Security-Policy")), ("200 OK", Some(policy.as_str())));
        assert!(body(&first).contains("<p class=\"own\">body</p>"), "{first}");
        redirect.wait_until_used().await;
        let second = get(port, &path).await;
        assert_eq!(status(&second), "410 Gone");
        assert_ne!(header(&second, "Content-Security-Policy"), Some(policy.as_str()));
        assert_eq!(*events.lock().unwrap(), [CallbackEvent::ResultShown, CallbackEvent::RedirectReused]);
    });
}

#[test]
fn one_time_redirect_serves_one_of_two_browsers() {
    run(async {
        let Waiting { redirect: _redirect, port, path, .. } = waiting().await;
        let [left, right] = [path.clone(), path].map(|path| tokio::spawn(async move { get(port, &path).await }));
        let replies = [left.await.unwrap(), right.await.unwrap()];
        assert_eq!(replies.iter().filter(|reply| reply.contains("s3cr3t")).count(), 1, "{replies:?}");
    });
}

#[test]
fn refused_request_does_not_consume_the_redirect() {
    run(async {
        let Waiting { mut redirect, port, path, events } = waiting().await;
        let host = format!("Host: 127.0.0.1:{port}\r\n");
        for (request, reason) in [
            (format!("GET / HTTP/1.1\r\n{host}\r\n"), IgnoreReason::UnknownPath),
            (format!("GET {path}x HTTP/1.1\r\n{host}\r\n"), IgnoreReason::UnknownPath),
            (format!("GET {path} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"), IgnoreReason::ForeignHost),
            (format!("GET {path} HTTP/1.1\r\n\r\n"), IgnoreReason::ForeignHost),
            (format!("HEAD {path} HTTP/1.1\r\n{host}\r\n"), IgnoreReason::HeadRequest),
            (format!("POST {path} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"), IgnoreReason::Method),
        ] {
            let reply = reply(send(port, request.as_bytes()).await).await;
            assert_eq!((status(&reply), header(&reply, "Location")), ("404 Not Found", None), "{request}");
            assert_eq!(body(&reply).is_empty(), request.starts_with("HEAD"), "{request}");
            assert_eq!(events.lock().unwrap().pop(), Some(CallbackEvent::Ignored(reason)), "{request}");
        }
        let early = race_futures(redirect.wait_until_used(), std::future::ready(())).await;
        assert!(matches!(early, RaceWinner::Right(())));
        assert_eq!(status(&get(port, &path).await), "303 See Other");
        redirect.wait_until_used().await;
    });
}

/// Another test may have bound the port meanwhile, so the test watches a connection from before the drop.
#[test]
fn dropped_redirect_closes_its_connections() {
    run(async {
        let Waiting { redirect, port, .. } = waiting().await;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        drop(redirect);
        let ended = stream.read(&mut [0; 16]).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    });
}
