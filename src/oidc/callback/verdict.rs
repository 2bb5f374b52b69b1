//! Decides what a request means to the waiting sign-in: the authorization response, the start, the result page, or
//! nothing.
//!
//! The order of the checks matters. `Host` comes first and stops DNS rebinding. The path and method follow. Then
//! `state` stops cross-site request forgery (RFC 6749 §10.12), and only after it the code or error is read. At last
//! `iss` stops a mix-up of providers (RFC 9207). The module is pure and stateless: `server` ensures that one response
//! counts.

use ::http::Method;
use ring::hmac;

use super::{AwaitedCallback, CallbackError, IgnoreReason, http_request::CallbackRequest, query::CallbackParameters};
use crate::{secret::Secret, text::UntrustedText};

/// The paths of one waiting sign-in.
#[derive(Clone, Debug)]
pub struct CallbackAddresses {
    pub port: u16,
    /// The registered path, to which the provider redirects the browser.
    pub callback_path: String,
    /// Redirects to the provider. It is random, because the redirect reveals the state.
    pub start_path: Secret,
    /// Shows the result. It is random, because the page names the user.
    pub result_path: Secret,
}

/// What the server does with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestVerdict {
    /// Redirect the browser to the provider.
    Start,
    /// Accept the authorization response: its code, or its error.
    Answer(Result<Secret, CallbackError>),
    Result,
    /// Answer with a page and change nothing.
    Ignored(IgnoreReason),
}

/// Classifies one request. Without the right `state` it reads neither code nor error, so that a forged error cannot
/// end the sign-in. While `awaited` is `None`, no state is right.
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

/// Returns whether `Host` is a loopback name with this server's port. A browser sends the name from the page's
/// address, whatever it resolves to, so a page that rebinds its DNS name to 127.0.0.1 fails here.
pub fn is_own_host(host: Option<&str>, port: u16) -> bool {
    let Some(host) = host else { return false };
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        None if port == 80 => host,
        None => return false,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

/// Parses an authorization response. The outer error means that the request is ignored. The inner result ends the
/// sign-in.
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

/// Checks `iss` (RFC 9207 §2.4) of a code and also of an error. It stops a mix-up attack, in which a hostile provider
/// obtains a code of an honest one (RFC 9700 §4.4).
///
/// A wrong issuer ends the sign-in: the browser has used up the right `state`, so no better response will arrive.
fn check_issuer(sent: Option<&Secret>, awaited: &AwaitedCallback) -> Result<(), CallbackError> {
    let Some(issuer) = &awaited.issuer else { return Ok(()) };
    let is_right = sent.map_or(!awaited.iss_required, |iss| iss.expose() == issuer);
    match is_right {
        true => Ok(()),
        false => Err(CallbackError::WrongIssuer {
            expected: issuer.clone(),
            actual: sent.map(|iss| UntrustedText::new(iss.expose())),
        }),
    }
}

/// Compares in constant time. Otherwise a local attacker could guess a secret character by character from the time
/// that the comparison takes.
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
            issuer: Some("https://idp.example".into()),
            iss_required,
        }
    }

    fn ignored(reason: IgnoreReason) -> RequestVerdict {
        RequestVerdict::Ignored(reason)
    }

    #[test]
    fn code_with_the_right_state_is_accepted() {
        assert_eq!(verdict("GET /callback?code=a%2Bb&state=right"), RequestVerdict::Answer(Ok(Secret::new("a+b"))));
    }

    #[test]
    fn error_counts_only_with_the_right_state() {
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
    fn missing_or_different_state_is_ignored() {
        for state in ["", "&state=", "&state=righ", "&state=right1", "&state=RIGHT", "&state"] {
            assert_eq!(verdict(&format!("GET /callback?code=c{state}")), ignored(IgnoreReason::WrongState), "{state}");
        }
    }

    #[test]
    fn repeated_callback_parameter_is_ignored() {
        for query in ["code=c&state=right&state=right", "code=c&code=d&state=right", "state=wrong&code=c&state=right"] {
            assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(IgnoreReason::Repeated), "{query}");
        }
    }

    #[test]
    fn callback_needs_exactly_one_of_code_and_error() {
        for query in ["state=right", "state=right&code=", "state=right&code=c&error=e"] {
            assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(IgnoreReason::Incomplete), "{query}");
        }
    }

    #[test]
    fn callback_without_a_query_is_ignored() {
        assert_eq!(verdict("GET /callback"), ignored(IgnoreReason::NoQuery));
        assert_eq!(verdict("GET /callback?"), ignored(IgnoreReason::NoQuery));
    }

    #[test]
    fn only_get_requests_act() {
        for method in ["POST", "OPTIONS", "PUT", "DELETE", "get"] {
            let line = format!("{method} /callback?code=c&state=right");
            assert_eq!(verdict(&line), ignored(IgnoreReason::Method), "{method}");
        }
        assert_eq!(verdict("HEAD /callback?code=c&state=right"), ignored(IgnoreReason::HeadRequest));
    }

    #[test]
    fn unknown_path_is_ignored() {
        for path in ["/", "/favicon.ico", "/callback/", "/Callback?code=c&state=right", "//callback", "/k3v9x2q"] {
            assert_eq!(verdict(&format!("GET {path}")), ignored(IgnoreReason::UnknownPath), "{path}");
        }
    }

    #[test]
    fn start_and_result_paths_are_recognised() {
        assert_eq!(verdict("GET /k3v9x2qa"), RequestVerdict::Start);
        assert_eq!(verdict("GET /done-k3v9x2qa"), RequestVerdict::Result);
    }

    #[test]
    fn host_must_be_a_loopback_name_with_the_servers_port() {
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
    fn callback_with_another_issuer_is_an_error() {
        let line = "GET /callback?code=c&state=right&iss=";
        assert_eq!(verdict(&format!("{line}https%3A%2F%2Fevil.example")), wrong(Some("https://evil.example")));
        assert_eq!(verdict(&format!("{line}https%3A%2F%2Fidp.example%2F")), wrong(Some("https://idp.example/")));
        let forged = "GET /callback?code=c&state=wrong&iss=https%3A%2F%2Fevil.example";
        assert_eq!(verdict(forged), ignored(IgnoreReason::WrongState), "only the right state can end the sign-in");
        assert!(matches!(verdict(&format!("{line}https%3A%2F%2Fidp.example")), RequestVerdict::Answer(Ok(_))));
    }

    #[test]
    fn promised_iss_parameter_is_required() {
        let line = "GET /callback?code=c&state=right";
        let host = "127.0.0.1:8400";
        assert_eq!(verdict_of(line, host, &awaited(true)), wrong(None));
        let named = format!("{line}&iss=https://idp.example");
        assert!(matches!(verdict_of(&named, host, &awaited(true)), RequestVerdict::Answer(Ok(_))));
    }

    #[test]
    fn query_that_is_not_utf8_is_ignored() {
        assert_eq!(verdict("GET /callback?code=%ff&state=right"), ignored(IgnoreReason::Encoding));
    }
}
