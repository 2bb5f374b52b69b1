//! A listener before the provider has described itself, and answers that are brought by hand.

use super::*;

/// A listener whose provider has not described itself yet.
async fn early() -> (Open, u16, String) {
    let listener = Listener::bind(&redirect(RedirectHost::Address, &[])).await.unwrap();
    let (port, start) = (listener.port, listener.start.expose().to_owned());
    (listener.open(), port, start)
}

#[test]
fn whoever_comes_before_the_provider_is_known_is_sent_on_once_it_is() {
    run(async {
        let (open, port, start) = early().await;
        let visit = tokio::spawn(async move { get(port, &start).await });
        open.beginners(1).await;
        assert!(!visit.is_finished());
        open.expect(awaited());
        let reply = visit.await.unwrap();
        assert_eq!(
            (status(&reply), header(&reply, "Location")),
            ("302 Found", Some(awaited().authorize_url.as_str()))
        );
    });
}

#[test]
fn whoever_comes_before_the_provider_is_known_is_told_that_it_never_was() {
    run(async {
        let (open, port, start) = early().await;
        let visit = tokio::spawn(async move { get(port, &start).await });
        open.beginners(1).await;
        open.fail(&Ending::Failed {
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
fn nothing_is_the_answer_before_there_was_a_question() {
    run(async {
        let (open, port, _) = early().await;
        for query in ["code=c&state=s3cr3t-state", "code=c&state=", "code=c"] {
            assert_eq!(status(&get(port, &format!("/callback?{query}")).await), "400 Bad Request", "{query}");
        }
        assert_eq!(
            open.pasted(&format!("http://127.0.0.1:{port}{RIGHT}")),
            Err(Unfit::Ignored(Reason::State))
        );
    });
}

#[test]
fn a_pasted_address_is_judged_as_if_a_browser_had_brought_it() {
    run(async {
        let (mut open, port, start) = early().await;
        open.expect(awaited());
        for (text, why) in [
            ("hello".to_owned(), Unfit::NoAddress),
            (String::new(), Unfit::NoAddress),
            (format!("http://127.0.0.1:{port}{start}"), Unfit::Ignored(Reason::Elsewhere)),
            (format!("http://127.0.0.1:{port}/callback"), Unfit::Ignored(Reason::Bare)),
            (format!("http://127.0.0.1:1{RIGHT}"), Unfit::Ignored(Reason::ForeignHost)),
            (format!("https://idp.example{RIGHT}"), Unfit::Ignored(Reason::ForeignHost)),
            (format!("127.0.0.1:{port}/callback?code=c&state=wrong"), Unfit::Ignored(Reason::State)),
        ] {
            assert_eq!(open.pasted(&text), Err(why), "{text}");
        }
        assert_eq!(open.pasted(&format!(" \"localhost:{port}{RIGHT}\" ")), Ok(()));
        assert_eq!(open.answer().await, Ok(Secret::new("s3cr3t-code")));
        // Nobody is on the way to the last page, so nobody is waited for.
        open.page(false).finish(&signed_in()).await;
    });
}
