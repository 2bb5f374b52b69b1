//! Hostile and broken clients: each gets a response, and none can end or change the sign-in.

use super::{connections::MAX_CONNECTIONS, *};

#[test]
fn other_requests_are_answered_and_change_nothing() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let port = sign_in.port;
        let host = format!("Host: 127.0.0.1:{port}\r\n");
        let long = "x".repeat(20_000);
        for (request, expected) in [
            (format!("GET /favicon.ico HTTP/1.1\r\n{host}\r\n"), "404 Not Found"),
            (format!("GET / HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), "404 Not Found"),
            (format!("GET /done-k3v9x2qa HTTP/1.1\r\n{host}\r\n"), "404 Not Found"),
            (format!("HEAD {RIGHT} HTTP/1.1\r\n{host}\r\n"), "200 OK"),
            (format!("POST {RIGHT} HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\na=b"), "405 Method Not Allowed"),
            (format!("OPTIONS {RIGHT} HTTP/1.1\r\n{host}\r\n"), "405 Method Not Allowed"),
            (format!("GET http://127.0.0.1:{port}{RIGHT} HTTP/1.1\r\n{host}\r\n"), "400 Bad Request"),
            (format!("GET /callback?code=c&state=wrong HTTP/1.0\r\n{host}\r\n"), "400 Bad Request"),
            (format!("GET /callback?error=access_denied HTTP/1.1\r\n{host}\r\n"), "400 Bad Request"),
            (format!("GET /callback?code={long}&state=wrong HTTP/1.1\r\n{host}\r\n"), "400 Bad Request"),
            (format!("GET {RIGHT}&state=s3cr3t-state HTTP/1.1\r\n{host}\r\n"), "400 Bad Request"),
            (format!("GET {RIGHT} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"), "403 Forbidden"),
            (format!("GET {RIGHT} HTTP/1.0\r\n\r\n"), "403 Forbidden"),
            ("\x16\x03\x01\x02\0\x01\0".to_owned(), "400 Bad Request"),
        ] {
            let reply = reply(send(port, request.as_bytes()).await).await;
            assert_eq!(status(&reply), expected, "{:.60}", request);
            assert_eq!(body(&reply).is_empty(), request.starts_with("HEAD"));
            assert!(!reply.contains("s3cr3t") && !reply.contains("evil"), "{reply}");
        }
        assert_eq!(sign_in.events.lock().unwrap().len(), 14, "each is reported with its reason");
        sign_in.still_waits().await;
    });
}

#[test]
fn response_of_twenty_kilobytes_is_accepted() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let code = "x".repeat(20_000);
        sign_in.get(&format!("/callback?code={code}&state=s3cr3t-state")).await;
        assert_eq!(sign_in.answer.await.unwrap().outcome, Ok(Secret::new(code)));
    });
}

#[test]
fn request_head_over_the_limit_is_rejected() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let reply = sign_in.get(&format!("/callback?code={}", "x".repeat(70_000))).await;
        assert_eq!(status(&reply), "431 Request Header Fields Too Large");
        assert_eq!(sign_in.events.lock().unwrap().as_slice(), [CallbackEvent::TooLarge]);
        sign_in.still_waits().await;
    });
}

#[test]
fn unfinished_request_times_out() {
    run(async {
        let sign_in = SignIn::with(|listener| listener.server.timeouts.read = Duration::from_millis(50)).await;
        let reply = reply(send(sign_in.port, b"GET /callback?code=").await).await;
        assert_eq!(status(&reply), "408 Request Timeout");
        assert_eq!(sign_in.events.lock().unwrap().as_slice(), [CallbackEvent::TooSlow]);
        sign_in.still_waits().await;
    });
}

#[test]
fn client_that_closes_early_does_not_break_the_sign_in() {
    run(async {
        let sign_in = SignIn::waiting().await;
        drop(send(sign_in.port, b"").await);
        drop(send(sign_in.port, b"GET /callback?co").await);
        let mut half = send(sign_in.port, b"GET /callback?co").await;
        half.shutdown().await.unwrap();
        assert_eq!(status(&reply(half).await), "400 Bad Request");
        sign_in.still_waits().await;
    });
}

#[test]
fn two_hundred_requests_at_once_are_all_answered() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let port = sign_in.port;
        let all: Vec<_> = (0..200).map(|_| tokio::spawn(async move { get(port, "/favicon.ico").await })).collect();
        for one in all {
            assert_eq!(status(&one.await.unwrap()), "404 Not Found");
        }
        sign_in.still_waits().await;
    });
}

#[test]
fn silent_connections_do_not_block_the_response() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(send(sign_in.port, b"").await);
        }
        sign_in.get("/favicon.ico").await;
        let crowded =
            sign_in.events.lock().unwrap().iter().filter(|event| **event == CallbackEvent::ConnectionEvicted).count();
        assert_eq!(crowded, 201 - MAX_CONNECTIONS);
        sign_in.still_waits().await;
    });
}

#[test]
fn unread_body_is_drained_so_that_the_page_arrives() {
    run(async {
        let sign_in = SignIn::waiting().await;
        let head = format!("POST /callback HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", sign_in.port);
        let stream = send(sign_in.port, &[head.as_bytes(), &[b'x'; 300_000]].concat()).await;
        assert_eq!(status(&reply(stream).await), "405 Method Not Allowed");
        sign_in.still_waits().await;
    });
}

#[test]
fn start_address_accepts_the_own_user() {
    run(async {
        let sign_in = SignIn::opened(|_| {}, OpenListener::restrict_to_own_user).await;
        assert_eq!(status(&sign_in.get(&sign_in.start).await), "302 Found");
        sign_in.still_waits().await;
    });
}
