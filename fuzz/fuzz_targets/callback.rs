//! Fuzzes the callback listener, which waits for the provider's answer, with any bytes and any query.
//!
//! Run with `cargo +nightly fuzz run callback -- -max_total_time=300 -dict=fuzz/callback.dict`.
#![no_main]

use bedrock_sso::{
    oidc::callback::{
        AwaitedCallback, CallbackAddresses, CallbackError, CallbackRequest, RequestVerdict, classify_request,
        parse_request,
    },
    secret::Secret,
};
use libfuzzer_sys::fuzz_target;
use url::form_urlencoded;

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    match mode % 2 {
        0 => classify_bytes(rest),
        _ => {
            let mut request = b"GET /callback?".to_vec();
            request.extend_from_slice(rest);
            request.extend_from_slice(b" HTTP/1.1\r\nHost: 127.0.0.1:8400\r\n\r\n");
            classify_bytes(&request);
        }
    }
});

/// Only a request with the right state may end the wait.
fn classify_bytes(bytes: &[u8]) {
    let Ok(Some(request)) = parse_request(bytes) else { return };
    let places = CallbackAddresses {
        port: 8400,
        callback_path: "/callback".into(),
        start_path: Secret::new("/start"),
        result_path: Secret::new("/done"),
    };
    for iss_required in [false, true] {
        let awaited = AwaitedCallback {
            authorize_url: Secret::new("https://id.example/authorize"),
            state: Secret::new("right"),
            issuer: Some("https://id.example".into()),
            iss_required,
        };
        if let RequestVerdict::Answer(outcome) = classify_request(&request, &places, Some(&awaited)) {
            check(&request, outcome.as_ref(), iss_required);
        }
    }
}

/// Checks the query of an accepted answer, which another library parses again.
fn check(request: &CallbackRequest, outcome: Result<&Secret, &CallbackError>, iss_required: bool) {
    assert_eq!(request.path.expose(), "/callback");
    let query = request.query.as_ref().expect("an accepted answer has a query").expose();
    let sent = |name: &str| -> Vec<String> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    };
    assert_eq!(sent("state"), ["right"]);
    let is_right = match sent("iss").as_slice() {
        [] => !iss_required,
        named => named.iter().all(|iss| iss == "https://id.example"),
    };
    assert_eq!(is_right, !matches!(outcome, Err(CallbackError::WrongIssuer { .. })));
    match outcome {
        Ok(code) => assert_eq!((sent("code"), sent("error")), (vec![code.expose().to_owned()], vec![])),
        Err(CallbackError::WrongIssuer { .. }) => {}
        Err(CallbackError::Refused { .. }) => assert_eq!((sent("code").len(), sent("error").len()), (0, 1)),
    }
}
