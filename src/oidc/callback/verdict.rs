//! What a request means to the sign-in that waits: the answer, the way to the provider, or nothing at all.
//!
//! Pure and without memory: that an answer counts once is `server`'s business.

use ::http::Method;
use ring::hmac;

use super::{AwaitedCallback, CallbackError, IgnoreReason, http_request::CallbackRequest, query::CallbackParameters};
use crate::{secret::Secret, text::UntrustedText};

/// The addresses that mean something while one sign-in waits.
#[derive(Clone, Debug)]
pub struct CallbackAddresses {
    pub port: u16,
    /// The registered path at which the provider sends the browser back.
    pub callback_path: String,
    /// Leads to the provider; not to be guessed, since it gives away the state.
    pub start_path: Secret,
    /// Shows the end; not to be guessed, since it names the person.
    pub result_path: Secret,
}

#[derive(Debug, PartialEq, Eq)]
pub enum RequestVerdict {
    /// Send the browser on to the provider.
    Start,
    /// The provider's answer.
    Answer(Result<Secret, CallbackError>),
    /// The browser asks how it ended.
    Result,
    /// Answered with a page, and of no consequence.
    Ignored(IgnoreReason),
}

/// Weighs one request. Nothing but the right `state` is believed, so it is compared before anything else is read; while
/// nothing is awaited yet, none is right.
pub fn classify_request(
    request: &CallbackRequest,
    places: &CallbackAddresses,
    awaited: Option<&AwaitedCallback>,
) -> RequestVerdict {
    if !is_own_host(request.host.as_deref(), places.port) {
        return RequestVerdict::Ignored(IgnoreReason::ForeignHost);
    }
    let path = request.path.expose();
    let is_callback = path == places.callback_path;
    let is_start = equals_in_constant_time(path, &places.start_path);
    let is_result = equals_in_constant_time(path, &places.result_path);
    if !(is_callback || is_start || is_result) {
        return RequestVerdict::Ignored(IgnoreReason::UnknownPath);
    }
    match request.method {
        Method::GET if is_callback => awaited
            .ok_or(IgnoreReason::WrongState)
            .and_then(|awaited| parse_callback(request.query.as_ref(), awaited))
            .map_or_else(RequestVerdict::Ignored, RequestVerdict::Answer),
        Method::GET if is_start => RequestVerdict::Start,
        Method::GET => RequestVerdict::Result,
        Method::HEAD => RequestVerdict::Ignored(IgnoreReason::HeadRequest),
        _ => RequestVerdict::Ignored(IgnoreReason::Method),
    }
}

/// Only a loopback name with our own port: a browser sends the name it was told, whatever that resolves to.
pub(super) fn is_own_host(host: Option<&str>, port: u16) -> bool {
    let Some(host) = host else { return false };
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        None if port == 80 => host,
        None => return false,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

fn parse_callback(
    query: Option<&Secret>,
    awaited: &AwaitedCallback,
) -> Result<Result<Secret, CallbackError>, IgnoreReason> {
    let query = query.filter(|query| !query.expose().is_empty()).ok_or(IgnoreReason::NoQuery)?;
    let sent = CallbackParameters::parse_query(query.expose())?;
    if !sent.state.as_ref().is_some_and(|state| equals_in_constant_time(state.expose(), &awaited.state)) {
        return Err(IgnoreReason::WrongState);
    }
    let answer = match (sent.code, sent.error) {
        (Some(code), None) if !code.expose().is_empty() => Ok(code),
        (None, Some(error)) => {
            let said = |text: Option<&Secret>| UntrustedText::new(text.map_or("", Secret::expose));
            let description = said(sent.error_description.as_ref());
            Err(CallbackError::Refused { error: said(Some(&error)), description })
        }
        _ => return Err(IgnoreReason::Incomplete),
    };
    Ok(check_issuer(sent.iss.as_ref(), awaited).and(answer))
}

/// RFC 9207 §2.4: the answer, an error included, must come from the provider that was asked. One that does not ends the
/// sign-in: it has the right `state`, so that no better answer will come.
fn check_issuer(sent: Option<&Secret>, awaited: &AwaitedCallback) -> Result<(), CallbackError> {
    let is_right = sent.map_or(!awaited.iss_required, |iss| iss.expose() == awaited.issuer);
    match is_right {
        true => Ok(()),
        false => Err(CallbackError::WrongIssuer {
            expected: awaited.issuer.clone(),
            actual: sent.map(|iss| UntrustedText::new(iss.expose())),
        }),
    }
}

/// Compares without telling, by the time it takes, how much of a guess was right.
pub(super) fn equals_in_constant_time(guess: &str, secret: &Secret) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, secret.expose().as_bytes());
    hmac::verify(&key, guess.as_bytes(), tag.as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::callback::http_request::parse_request;

    fn verdict(line: &str) -> RequestVerdict {
        verdict_of(line, "127.0.0.1:8400", &awaited(false))
    }

    fn verdict_of(line: &str, host: &str, awaited: &AwaitedCallback) -> RequestVerdict {
        let request = parse_request(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap().unwrap();
        let places = CallbackAddresses {
            port: 8400,
            callback_path: "/callback".into(),
            start_path: Secret::new("/k3v9x2qa"),
            result_path: Secret::new("/done-k3v9x2qa"),
        };
        classify_request(&request, &places, Some(awaited))
    }

    fn awaited(iss_required: bool) -> AwaitedCallback {
        AwaitedCallback {
            authorize_url: Secret::new("https://idp.example/authorize?state=right"),
            state: Secret::new("right"),
            issuer: "https://idp.example".into(),
            iss_required,
        }
    }

    fn ignored(reason: IgnoreReason) -> RequestVerdict {
        RequestVerdict::Ignored(reason)
    }

    #[test]
    fn a_code_with_the_right_state_is_the_answer() {
        assert_eq!(verdict("GET /callback?code=a%2Bb&state=right"), RequestVerdict::Answer(Ok(Secret::new("a+b"))));
    }

    #[test]
    fn an_error_with_the_right_state_is_a_refusal_and_without_it_nothing() {
        let refusal = CallbackError::Refused {
            error: UntrustedText::new("access_denied"),
            description: UntrustedText::new("not assigned"),
        };
        let query = "error=access_denied&error_description=not+assigned";
        assert_eq!(verdict(&format!("GET /callback?{query}&state=right")), RequestVerdict::Answer(Err(refusal)));
        assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(IgnoreReason::WrongState));
        assert_eq!(verdict(&format!("GET /callback?{query}&state=wrong")), ignored(IgnoreReason::WrongState));
    }

    #[test]
    fn a_state_that_is_missing_empty_longer_or_another_is_ignored() {
        for state in ["", "&state=", "&state=righ", "&state=right1", "&state=RIGHT", "&state"] {
            assert_eq!(verdict(&format!("GET /callback?code=c{state}")), ignored(IgnoreReason::WrongState), "{state}");
        }
    }

    #[test]
    fn a_parameter_that_comes_twice_is_ignored() {
        for query in ["code=c&state=right&state=right", "code=c&code=d&state=right", "state=wrong&code=c&state=right"] {
            assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(IgnoreReason::Repeated), "{query}");
        }
    }

    #[test]
    fn neither_code_nor_error_or_both_is_ignored() {
        for query in ["state=right", "state=right&code=", "state=right&code=c&error=e"] {
            assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(IgnoreReason::Incomplete), "{query}");
        }
    }

    #[test]
    fn a_callback_without_a_query_received_nothing() {
        assert_eq!(verdict("GET /callback"), ignored(IgnoreReason::NoQuery));
        assert_eq!(verdict("GET /callback?"), ignored(IgnoreReason::NoQuery));
    }

    #[test]
    fn only_get_acts() {
        for method in ["POST", "OPTIONS", "PUT", "DELETE", "get"] {
            let line = format!("{method} /callback?code=c&state=right");
            assert_eq!(verdict(&line), ignored(IgnoreReason::Method), "{method}");
        }
        assert_eq!(verdict("HEAD /callback?code=c&state=right"), ignored(IgnoreReason::HeadRequest));
    }

    #[test]
    fn other_paths_are_elsewhere() {
        for path in ["/", "/favicon.ico", "/callback/", "/Callback?code=c&state=right", "//callback", "/k3v9x2q"] {
            assert_eq!(verdict(&format!("GET {path}")), ignored(IgnoreReason::UnknownPath), "{path}");
        }
    }

    #[test]
    fn the_start_and_the_result_have_addresses() {
        assert_eq!(verdict("GET /k3v9x2qa"), RequestVerdict::Start);
        assert_eq!(verdict("GET /done-k3v9x2qa"), RequestVerdict::Result);
    }

    #[test]
    fn only_a_loopback_name_with_our_port_is_our_host() {
        let line = "GET /callback?code=c&state=right";
        for host in ["127.0.0.1:8400", "localhost:8400", "LocalHost:8400", "[::1]:8400"] {
            assert!(matches!(verdict_of(line, host, &awaited(false)), RequestVerdict::Answer(Ok(_))), "{host}");
        }
        for host in ["evil.example:8400", "127.0.0.1", "127.0.0.1:8401", "localhost.evil.example:8400", "::1:8400", ""]
        {
            assert_eq!(verdict_of(line, host, &awaited(false)), ignored(IgnoreReason::ForeignHost), "{host}");
        }
    }

    fn wrong(actual: Option<&str>) -> RequestVerdict {
        let expected = "https://idp.example".to_owned();
        RequestVerdict::Answer(Err(CallbackError::WrongIssuer { expected, actual: actual.map(UntrustedText::new) }))
    }

    #[test]
    fn an_answer_that_names_another_provider_is_an_error() {
        let line = "GET /callback?code=c&state=right&iss=";
        assert_eq!(verdict(&format!("{line}https%3A%2F%2Fevil.example")), wrong(Some("https://evil.example")));
        assert_eq!(verdict(&format!("{line}https%3A%2F%2Fidp.example%2F")), wrong(Some("https://idp.example/")));
        let forged = "GET /callback?code=c&state=wrong&iss=https%3A%2F%2Fevil.example";
        assert_eq!(verdict(forged), ignored(IgnoreReason::WrongState), "nobody without the state can end the sign-in");
        assert!(matches!(verdict(&format!("{line}https%3A%2F%2Fidp.example")), RequestVerdict::Answer(Ok(_))));
    }

    #[test]
    fn a_provider_that_promises_to_name_itself_must() {
        let line = "GET /callback?code=c&state=right";
        let host = "127.0.0.1:8400";
        assert_eq!(verdict_of(line, host, &awaited(true)), wrong(None));
        let named = format!("{line}&iss=https://idp.example");
        assert!(matches!(verdict_of(&named, host, &awaited(true)), RequestVerdict::Answer(Ok(_))));
    }

    #[test]
    fn text_that_is_none_is_ignored() {
        assert_eq!(verdict("GET /callback?code=%ff&state=right"), ignored(IgnoreReason::Encoding));
    }
}
