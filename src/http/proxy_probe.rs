//! A second question to a proxy that refused: what it says, and how it wants people to sign in.
//!
//! The client keeps nothing of a proxy's answer. It is asked only after a failure, briefly, and over plain http only.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{ProxyFault, proxy::ProxyEndpoint};
use crate::{text::UntrustedText, url::SecureUrl};

const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
const HEAD_LIMIT: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;

/// A proxy's refusal, as its first lines put it.
#[derive(Debug, PartialEq, Eq)]
struct ProxyReply {
    status: u16,
    reason: UntrustedText,
    /// The ways to sign in that it offers, in its order.
    auth_schemes: Vec<String>,
}

/// The fault once more, with what the proxy says of it where it says anything.
pub(super) async fn explain_proxy_fault(fault: ProxyFault, proxy: &ProxyEndpoint, target: &SecureUrl) -> ProxyFault {
    // A refused password is not sent again: some directories lock an account after a few.
    let authorization = match fault {
        ProxyFault::Refused(_) => proxy.authorization.as_ref().map(|it| it.expose()),
        ProxyFault::PasswordMissing | ProxyFault::PasswordRefused => None,
        ProxyFault::Unreachable | ProxyFault::Timeout(_) | ProxyFault::UnsupportedSchemes(_) => return fault,
    };
    if !proxy.over_http {
        return fault;
    }
    let asked = timeout(PROBE_TIMEOUT, send_connect(proxy, target, authorization)).await;
    match (fault, asked.ok().flatten()) {
        // Tinyproxy's answer to a wrong password, as if it were the host itself.
        (_, Some(said)) if said.status == 401 && authorization.is_some() => ProxyFault::PasswordRefused,
        (ProxyFault::Refused(_), Some(said)) if said.status != 200 => {
            let words = format!("{} {}", said.status, said.reason.to_safe_line());
            ProxyFault::Refused(Some((said.status, UntrustedText::new(words))))
        }
        (_, Some(said)) if said.status == 407 && !said.offers_basic() => {
            ProxyFault::UnsupportedSchemes(UntrustedText::new(said.auth_schemes.join(", ")))
        }
        (fault, _) => fault,
    }
}

async fn send_connect(proxy: &ProxyEndpoint, target: &SecureUrl, authorization: Option<&str>) -> Option<ProxyReply> {
    let url = target.as_url();
    let host = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let authorization = authorization.map_or_else(String::new, |value| format!("Proxy-Authorization: {value}\r\n"));
    let mut stream = TcpStream::connect(proxy.socket_address()).await.ok()?;
    let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < HEAD_LIMIT {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            break;
        }
    }
    ProxyReply::parse(&head)
}

impl ProxyReply {
    fn parse(head: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(head).ok()?;
        let (status, reason) = (response.code?, UntrustedText::new(response.reason.unwrap_or_default()));
        let challenges = response.headers.iter().filter(|it| it.name.eq_ignore_ascii_case("proxy-authenticate"));
        let scheme = |value: &[u8]| {
            let text = String::from_utf8_lossy(value).into_owned();
            text.split([' ', ',']).next().map(str::to_owned)
        };
        let mut schemes: Vec<_> = challenges.filter_map(|it| scheme(it.value)).collect();
        schemes.dedup();
        Some(Self { status, reason, auth_schemes: schemes })
    }

    /// An answer without any offer says nothing about what it would take.
    fn offers_basic(&self) -> bool {
        self.auth_schemes.is_empty() || self.auth_schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"))
    }
}

#[cfg(test)]
mod tests {
    use ::http::StatusCode;

    use super::*;
    use crate::http::{
        Error,
        testing::{LoopbackServer, block_on, get_request, proxied_client, write_response},
    };

    fn through(proxy: &str) -> Error {
        block_on(proxied_client(proxy).send(get_request("https://a.example/"))).unwrap_err()
    }

    fn fault(proxy: &LoopbackServer, user: &str) -> ProxyFault {
        match through(&format!("http://{user}{}", proxy.address)) {
            Error::Proxy { fault: what, .. } => what,
            other => panic!("not the proxy's fault: {other:?}"),
        }
    }

    /// An address where nothing listens, nor will: a port that was just free may be the next test's.
    fn silent() -> String {
        "127.0.0.77:1".to_owned()
    }

    #[test]
    fn a_proxy_is_asked_with_its_password_and_blamed_without() {
        let forbidden = ProxyFault::Refused(Some((403, UntrustedText::new("403 Forbidden"))));
        for (status, fault) in
            [("407 Proxy Authentication Required", ProxyFault::PasswordRefused), ("403 Forbidden", forbidden)]
        {
            let server = LoopbackServer::start_plain(move |_, out| write_response(out, status, "", ""));
            let error = through(&format!("http://me:pa55@{}", server.address));
            let (proxy, host) = (server.address.to_string(), "a.example".to_owned());
            assert_eq!(error, Error::Proxy { proxy, host, fault });
            let request = server.requests.recv().unwrap().to_lowercase();
            assert!(request.starts_with("connect a.example:443 "), "{request}");
            assert!(request.contains("proxy-authorization: basic bwu6cge1nq=="), "{request}");
        }
    }

    /// What a proxy does that dislikes the host's name, or that only pretended to connect.
    #[test]
    fn a_tunnel_that_collapses_is_the_proxys_doing() {
        let server = LoopbackServer::start_plain(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        });
        let error = through(&format!("http://{}", server.address));
        assert!(matches!(error, Error::Proxy { fault: ProxyFault::Refused(None), .. }), "{error}");
    }

    #[test]
    fn an_absent_proxy_is_told_from_an_absent_host() {
        for (scheme, proxy) in [("http", silent()), ("http", "nothing.invalid:3128".to_owned()), ("socks5h", silent())]
        {
            let error = through(&format!("{scheme}://{proxy}"));
            let host = "a.example".to_owned();
            assert_eq!(error, Error::Proxy { proxy, host, fault: ProxyFault::Unreachable });
        }
    }

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        let server = LoopbackServer::start_plain(|_, out| write_response(out, "204 No Content", "", ""));
        let client = proxied_client(&format!("http://{}", silent()));
        for host in ["localhost", "127.0.0.1"] {
            let address = format!("http://{host}:{}/", server.address.port());
            assert_eq!(block_on(client.send(get_request(&address))).unwrap().status, StatusCode::NO_CONTENT);
        }
    }

    #[test]
    fn its_own_words_are_told_and_its_page_is_not() {
        let page = "<html>Access denied by <b>Acme</b></html>";
        for (line, status) in [("403 Filtered", 403), ("502 Bad Gateway", 502), ("503 Service Unavailable", 503)] {
            let proxy = LoopbackServer::start_plain(move |_, out| {
                write_response(out, line, "Content-Type: text/html\r\n", page);
            });
            let said = match fault(&proxy, "") {
                ProxyFault::Refused(Some(said)) => said,
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(said, (status, UntrustedText::new(line)));
        }
    }

    #[test]
    fn a_wrong_password_is_recognised_by_the_hosts_own_status_too() {
        let proxy = LoopbackServer::start_plain(|_, out| write_response(out, "401 Unauthorized", "", ""));
        assert_eq!(fault(&proxy, "me:pa55@"), ProxyFault::PasswordRefused);
        let said = Some((401, UntrustedText::new("401 Unauthorized")));
        assert_eq!(fault(&proxy, ""), ProxyFault::Refused(said));
    }

    #[test]
    fn a_proxy_that_lets_nobody_in_by_password_is_told_by_what_it_takes() {
        for (offers, user, expected) in [
            (
                "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n",
                "me:pa55@",
                ProxyFault::UnsupportedSchemes(UntrustedText::new("Negotiate, NTLM")),
            ),
            (
                "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=\"a\"\r\n",
                "me:pa55@",
                ProxyFault::PasswordRefused,
            ),
            ("Proxy-Authenticate: Basic realm=\"a\"\r\n", "", ProxyFault::PasswordMissing),
            ("", "", ProxyFault::PasswordMissing),
        ] {
            let proxy = LoopbackServer::start_plain(move |_, out| write_response(out, "407 Who are you", offers, ""));
            assert_eq!(fault(&proxy, user), expected, "{offers}");
            let passwords = proxy.requests.try_iter().filter(|it| it.to_lowercase().contains("authorization")).count();
            assert_eq!(passwords, usize::from(!user.is_empty()), "a refused password was sent again");
        }
    }
}
