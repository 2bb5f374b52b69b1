//! What a request means to the sign-in that waits: the answer, the way to the provider, or nothing at all.
//!
//! Pure and without memory: that an answer counts once is `serve`'s business.

use ring::hmac;

use super::{
    AnswerError, Awaited, Refusal,
    query::{Fault, Parameters},
    request::{Method, Request},
};
use crate::{secret::Secret, text::Foreign};

/// The addresses that mean something while one sign-in waits.
#[derive(Clone, Debug)]
pub struct Places {
    pub port: u16,
    /// The registered path at which the provider sends the browser back.
    pub callback: String,
    /// Leads to the provider; not to be guessed, since it gives away the state.
    pub start: Secret,
    /// Shows the end; not to be guessed, since it names the person.
    pub result: Secret,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send the browser on to the provider.
    Start,
    /// The provider's answer.
    Answer(Result<Secret, AnswerError>),
    /// The browser asks how it ended.
    Result,
    /// Answered with a page, and of no consequence.
    Ignored(Reason),
}

/// Why a request is of no consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `Host` is missing or names another machine: a page elsewhere pointed its own name here (DNS rebinding).
    ForeignHost,
    /// Neither GET nor HEAD.
    Method,
    /// HEAD of an address that acts: a link scanner, not the person.
    Probe,
    /// No address of ours: a favicon, a stray tab, a port scan.
    Elsewhere,
    /// The callback without a query: nothing was sent, or in a fragment, which never leaves the browser.
    Bare,
    Encoding,
    Repeated,
    /// `state` is missing or another one: an older tab, or a forgery.
    State,
    /// The right state with neither code nor error, or with both.
    Incomplete,
    /// Another user of this machine opens the start address, which only our own browser was given.
    Stranger,
}

/// Weighs one request. Nothing but the right `state` is believed, so it is compared before anything else is read; while
/// nothing is awaited yet, none is right.
pub fn judge(request: &Request, places: &Places, awaited: Option<&Awaited>) -> Verdict {
    if !names_us(request.host.as_deref(), places.port) {
        return Verdict::Ignored(Reason::ForeignHost);
    }
    let place = match request.path.as_str() {
        path if path == places.callback => Place::Callback,
        path if same(path, &places.start) => Place::Start,
        path if same(path, &places.result) => Place::Result,
        _ => return Verdict::Ignored(Reason::Elsewhere),
    };
    match (request.method, place) {
        (Method::Other, _) => Verdict::Ignored(Reason::Method),
        (Method::Head, _) => Verdict::Ignored(Reason::Probe),
        (Method::Get, Place::Start) => Verdict::Start,
        (Method::Get, Place::Result) => Verdict::Result,
        (Method::Get, Place::Callback) => awaited
            .ok_or(Reason::State)
            .and_then(|awaited| answer(request.query.as_ref(), awaited))
            .map_or_else(Verdict::Ignored, Verdict::Answer),
    }
}

enum Place {
    Callback,
    Start,
    Result,
}

/// Only a loopback name with our own port: a browser sends the name it was told, whatever that resolves to.
fn names_us(host: Option<&str>, port: u16) -> bool {
    let Some(host) = host else { return false };
    let name = match host.strip_suffix(&format!(":{port}")) {
        Some(name) => name,
        None if port == 80 => host,
        None => return false,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

fn answer(query: Option<&Secret>, awaited: &Awaited) -> Result<Result<Secret, AnswerError>, Reason> {
    let query = query.filter(|query| !query.expose().is_empty()).ok_or(Reason::Bare)?;
    let sent = Parameters::read(query.expose()).map_err(|fault| match fault {
        Fault::Repeated => Reason::Repeated,
        Fault::Encoding => Reason::Encoding,
    })?;
    if !sent.state.as_ref().is_some_and(|state| same(state.expose(), &awaited.state)) {
        return Err(Reason::State);
    }
    let answer = match (sent.code, sent.error) {
        (Some(code), None) if !code.expose().is_empty() => Ok(code),
        (None, Some(error)) => {
            let said = |text: Option<&Secret>| Foreign::new(text.map_or("", Secret::expose));
            let description = said(sent.error_description.as_ref());
            Err(AnswerError::Refused(Refusal { error: said(Some(&error)), description }))
        }
        _ => return Err(Reason::Incomplete),
    };
    Ok(check_issuer(sent.iss.as_ref(), awaited).and(answer))
}

/// RFC 9207 §2.4: the answer, an error included, must come from the provider that was asked. One that does not ends the
/// sign-in: it has the right `state`, so that no better answer will come.
fn check_issuer(sent: Option<&Secret>, awaited: &Awaited) -> Result<(), AnswerError> {
    let is_right = sent.map_or(!awaited.iss_required, |iss| iss.expose() == awaited.issuer);
    match is_right {
        true => Ok(()),
        false => Err(AnswerError::WrongIssuer {
            expected: awaited.issuer.clone(),
            actual: sent.map(|iss| Foreign::new(iss.expose())),
        }),
    }
}

/// Compares without telling, by the time it takes, how much of a guess was right.
fn same(guess: &str, secret: &Secret) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, secret.expose().as_bytes());
    hmac::verify(&key, guess.as_bytes(), tag.as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::callback::request::parse;

    fn verdict(line: &str) -> Verdict {
        verdict_of(line, "127.0.0.1:8400", &awaited(false))
    }

    fn verdict_of(line: &str, host: &str, awaited: &Awaited) -> Verdict {
        let request = parse(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap().unwrap();
        let places = Places {
            port: 8400,
            callback: "/callback".into(),
            start: Secret::new("/k3v9x2qa"),
            result: Secret::new("/done-k3v9x2qa"),
        };
        judge(&request, &places, Some(awaited))
    }

    fn awaited(iss_required: bool) -> Awaited {
        Awaited {
            authorize_url: "https://idp.example/authorize?state=right".into(),
            state: Secret::new("right"),
            issuer: "https://idp.example".into(),
            iss_required,
        }
    }

    fn ignored(reason: Reason) -> Verdict {
        Verdict::Ignored(reason)
    }

    #[test]
    fn a_code_with_the_right_state_is_the_answer() {
        assert_eq!(verdict("GET /callback?code=a%2Bb&state=right"), Verdict::Answer(Ok(Secret::new("a+b"))));
    }

    #[test]
    fn an_error_with_the_right_state_is_a_refusal_and_without_it_nothing() {
        let refusal = AnswerError::Refused(Refusal {
            error: Foreign::new("access_denied"),
            description: Foreign::new("not assigned"),
        });
        let query = "error=access_denied&error_description=not+assigned";
        assert_eq!(verdict(&format!("GET /callback?{query}&state=right")), Verdict::Answer(Err(refusal)));
        assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(Reason::State));
        assert_eq!(verdict(&format!("GET /callback?{query}&state=wrong")), ignored(Reason::State));
    }

    #[test]
    fn a_state_that_is_missing_empty_longer_or_another_is_ignored() {
        for state in ["", "&state=", "&state=righ", "&state=right1", "&state=RIGHT", "&state"] {
            assert_eq!(verdict(&format!("GET /callback?code=c{state}")), ignored(Reason::State), "{state}");
        }
    }

    #[test]
    fn a_parameter_that_comes_twice_is_ignored() {
        for query in
            ["code=c&state=right&state=right", "code=c&code=d&state=right", "state=wrong&code=c&state=right"]
        {
            assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(Reason::Repeated), "{query}");
        }
    }

    #[test]
    fn neither_code_nor_error_or_both_is_ignored() {
        for query in ["state=right", "state=right&code=", "state=right&code=c&error=e"] {
            assert_eq!(verdict(&format!("GET /callback?{query}")), ignored(Reason::Incomplete), "{query}");
        }
    }

    #[test]
    fn a_callback_without_a_query_received_nothing() {
        assert_eq!(verdict("GET /callback"), ignored(Reason::Bare));
        assert_eq!(verdict("GET /callback?"), ignored(Reason::Bare));
    }

    #[test]
    fn only_get_acts() {
        for method in ["POST", "OPTIONS", "PUT", "DELETE", "get"] {
            let line = format!("{method} /callback?code=c&state=right");
            assert_eq!(verdict(&line), ignored(Reason::Method), "{method}");
        }
        assert_eq!(verdict("HEAD /callback?code=c&state=right"), ignored(Reason::Probe));
    }

    #[test]
    fn other_paths_are_elsewhere() {
        for path in
            ["/", "/favicon.ico", "/callback/", "/Callback?code=c&state=right", "//callback", "/k3v9x2q"]
        {
            assert_eq!(verdict(&format!("GET {path}")), ignored(Reason::Elsewhere), "{path}");
        }
    }

    #[test]
    fn the_start_and_the_result_have_addresses() {
        assert_eq!(verdict("GET /k3v9x2qa"), Verdict::Start);
        assert_eq!(verdict("GET /done-k3v9x2qa"), Verdict::Result);
    }

    #[test]
    fn only_a_loopback_name_with_our_port_is_our_host() {
        let line = "GET /callback?code=c&state=right";
        for host in ["127.0.0.1:8400", "localhost:8400", "LocalHost:8400", "[::1]:8400"] {
            assert!(matches!(verdict_of(line, host, &awaited(false)), Verdict::Answer(Ok(_))), "{host}");
        }
        for host in [
            "evil.example:8400",
            "127.0.0.1",
            "127.0.0.1:8401",
            "localhost.evil.example:8400",
            "::1:8400",
            "",
        ] {
            assert_eq!(verdict_of(line, host, &awaited(false)), ignored(Reason::ForeignHost), "{host}");
        }
    }

    fn wrong(actual: Option<&str>) -> Verdict {
        let expected = "https://idp.example".to_owned();
        Verdict::Answer(Err(AnswerError::WrongIssuer { expected, actual: actual.map(Foreign::new) }))
    }

    #[test]
    fn an_answer_that_names_another_provider_is_an_error() {
        let line = "GET /callback?code=c&state=right&iss=";
        assert_eq!(
            verdict(&format!("{line}https%3A%2F%2Fevil.example")),
            wrong(Some("https://evil.example"))
        );
        assert_eq!(
            verdict(&format!("{line}https%3A%2F%2Fidp.example%2F")),
            wrong(Some("https://idp.example/"))
        );
        let forged = "GET /callback?code=c&state=wrong&iss=https%3A%2F%2Fevil.example";
        assert_eq!(verdict(forged), ignored(Reason::State), "nobody without the state can end the sign-in");
        assert!(matches!(verdict(&format!("{line}https%3A%2F%2Fidp.example")), Verdict::Answer(Ok(_))));
    }

    #[test]
    fn a_provider_that_promises_to_name_itself_must() {
        let line = "GET /callback?code=c&state=right";
        let host = "127.0.0.1:8400";
        assert_eq!(verdict_of(line, host, &awaited(true)), wrong(None));
        let named = format!("{line}&iss=https://idp.example");
        assert!(matches!(verdict_of(&named, host, &awaited(true)), Verdict::Answer(Ok(_))));
    }

    #[test]
    fn text_that_is_none_is_ignored() {
        assert_eq!(verdict("GET /callback?code=%ff&state=right"), ignored(Reason::Encoding));
    }
}
