//! Requests before discovery has finished, and pasted addresses.

use super::*;

/// A listener without an expected response.
async fn early() -> (OpenListener, u16, String) {
    let listener = CallbackListener::bind(&redirect(RedirectHost::LoopbackIp, &[])).await.unwrap();
    let (port, start) = (listener.server.addresses.port, listener.server.addresses.start_path.expose().to_owned());
    (listener.start_serving(), port, start)
}

#[test]
fn early_request_waits_until_the_provider_is_known() {
    run(async {
        let (open, port, start) = early().await;
        let visit = tokio::spawn(async move { get(port, &start).await });
        open.wait_for_start_waiters(1).await;
        assert!(!visit.is_finished());
        open.set_awaited_callback(awaited());
        let reply = visit.await.unwrap();
        assert_eq!((status(&reply), header(&reply, "Location")), ("302 Found", Some(awaited().authorize_url.expose())));
    });
}

#[test]
fn early_request_gets_the_reason_if_discovery_fails() {
    run(async {
        let (open, port, start) = early().await;
        let visit = tokio::spawn(async move { get(port, &start).await });
        open.wait_for_start_waiters(1).await;
        open.finish_with_failure(&SignInEnding::Failed {
            what: "no answer".into(),
            hint: "wait".into(),
            slug: "network/x".into(),
        })
        .await;
        let reply = visit.await.unwrap();
        assert!(status(&reply) == "200 OK" && reply.contains("network/x"), "{reply}");
    });
}

#[test]
fn response_before_the_request_is_ignored() {
    run(async {
        let (mut open, port, _) = early().await;
        for query in ["code=c&state=s3cr3t-state", "code=c&state=", "code=c"] {
            assert_eq!(status(&get(port, &format!("/callback?{query}")).await), "400 Bad Request", "{query}");
        }
        assert_eq!(
            open.submit_pasted_address(&format!("http://127.0.0.1:{port}{RIGHT}")),
            Err(PasteRejection::Ignored(IgnoreReason::WrongState))
        );
    });
}

#[test]
fn pasted_address_passes_the_same_checks_as_a_request() {
    run(async {
        let (mut open, port, start) = early().await;
        open.set_awaited_callback(awaited());
        for (text, why) in [
            ("hello".to_owned(), PasteRejection::NotAnAddress),
            (String::new(), PasteRejection::NotAnAddress),
            (format!("http://127.0.0.1:{port}{start}"), PasteRejection::Ignored(IgnoreReason::UnknownPath)),
            (format!("http://127.0.0.1:{port}/callback"), PasteRejection::Ignored(IgnoreReason::NoQuery)),
            (format!("http://127.0.0.1:1{RIGHT}"), PasteRejection::Ignored(IgnoreReason::ForeignHost)),
            (format!("https://idp.example{RIGHT}"), PasteRejection::Ignored(IgnoreReason::ForeignHost)),
            (
                format!("127.0.0.1:{port}/callback?code=c&state=wrong"),
                PasteRejection::Ignored(IgnoreReason::WrongState),
            ),
        ] {
            assert_eq!(open.submit_pasted_address(&text), Err(why), "{text}");
        }
        assert_eq!(open.submit_pasted_address(&format!(" \"localhost:{port}{RIGHT}\" ")), Ok(()));
        assert_eq!(open.wait_for_answer().await, Ok(Secret::new("s3cr3t-code")));
        // No browser will request the result page, so the call returns at once.
        open.show_ending(&signed_in()).await;
    });
}
