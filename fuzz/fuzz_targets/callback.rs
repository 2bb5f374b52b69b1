//! Any bytes, and any query, at the address that waits for the provider's answer.
//!
//! Run with `cargo +nightly fuzz run callback -- -max_total_time=300 -dict=fuzz/callback.dict`.
#![no_main]

use bedrock_sso::{
    oidc::callback::{AnswerError, Awaited, Places, Request, Verdict, judge, parse},
    secret::Secret,
};
use libfuzzer_sys::fuzz_target;
use url::form_urlencoded;

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    match mode % 2 {
        0 => at_the_door(rest),
        _ => {
            let mut request = b"GET /callback?".to_vec();
            request.extend_from_slice(rest);
            request.extend_from_slice(b" HTTP/1.1\r\nHost: 127.0.0.1:8400\r\n\r\n");
            at_the_door(&request);
        }
    }
});

/// Whatever arrives, only the right state ends the wait.
fn at_the_door(bytes: &[u8]) {
    let Ok(Some(request)) = parse(bytes) else { return };
    let places = Places {
        port: 8400,
        callback: "/callback".into(),
        start: Secret::new("/start"),
        result: Secret::new("/done"),
    };
    for iss_required in [false, true] {
        let awaited = Awaited {
            authorize_url: "https://id.example/authorize".into(),
            state: Secret::new("right"),
            issuer: "https://id.example".into(),
            iss_required,
        };
        if let Verdict::Answer(outcome) = judge(&request, &places, Some(&awaited)) {
            check(&request, outcome.as_ref(), iss_required);
        }
    }
}

/// The query of a believed answer, read a second time by another library.
fn check(request: &Request, outcome: Result<&Secret, &AnswerError>, iss_required: bool) {
    assert_eq!(request.path, "/callback");
    let query = request.query.as_ref().expect("an answer stands in the query").expose();
    let sent = |name: &str| -> Vec<String> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    };
    assert_eq!(sent("state"), ["right"]);
    let is_right = match sent("iss").as_slice() {
        [] => !iss_required,
        named => named.iter().all(|iss| iss == "https://id.example"),
    };
    assert_eq!(is_right, !matches!(outcome, Err(AnswerError::WrongIssuer { .. })));
    match outcome {
        Ok(code) => assert_eq!((sent("code"), sent("error")), (vec![code.expose().to_owned()], vec![])),
        Err(AnswerError::WrongIssuer { .. }) => {}
        Err(AnswerError::Refused(_)) => assert_eq!((sent("code").len(), sent("error").len()), (0, 1)),
    }
}
