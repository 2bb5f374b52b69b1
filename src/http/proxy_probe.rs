//! Asks a proxy that refused a request for the reason: its status line and its authentication schemes.
//!
//! `reqwest` discards the proxy's answer, so this module sends one more CONNECT request itself. It does so only after
//! a failure, with a short timeout, and only to proxies that speak plain http.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{ProxyFault, proxy::ProxyEndpoint};
use crate::{text::UntrustedText, url::SecureUrl};

/// The user already waits for a failed request, so the probe may not take long.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// The most bytes that are read of the proxy's answer.
const HEAD_LIMIT: usize = 16 * 1024;
const MAX_HEADERS: usize = 100;

/// The head of the proxy's answer.
#[derive(Debug, PartialEq, Eq)]
struct ProxyReply {
    status: u16,
    reason: UntrustedText,
    /// The authentication schemes that the proxy offers, in its order.
    auth_schemes: Vec<String>,
}

/// Adds to the fault what the proxy answers to a second request. Returns the fault unchanged if the proxy does not
/// answer.
pub(super) async fn explain_proxy_fault(fault: ProxyFault, proxy: &ProxyEndpoint, target: &SecureUrl) -> ProxyFault {
    // Do not send a rejected password again: some directories lock the account after a few attempts.
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
        // Tinyproxy answers a wrong password with 401, as a host would.
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

/// Sends CONNECT and reads the head of the answer. Sends nothing through the tunnel.
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

    /// Returns whether the proxy may accept a user name and password. A proxy that offers no scheme may accept them.
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

    /// An address where nothing listens. A port that was free a moment ago could belong to the next test.
    fn silent() -> String {
        "127.0.0.77:1".to_owned()
    }

    #[test]
    fn proxy_gets_its_password_and_its_refusal_is_classified() {
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

    /// A proxy closes the tunnel if it rejects the host's name in the TLS handshake, or if it never connected.
    #[test]
    fn collapsed_tunnel_is_a_fault_of_the_proxy() {
        let server = LoopbackServer::start_plain(|_, out| {
            let _ = out.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
        });
        let error = through(&format!("http://{}", server.address));
        assert!(matches!(error, Error::Proxy { fault: ProxyFault::Refused(None), .. }), "{error}");
    }

    #[test]
    fn unreachable_proxy_differs_from_unreachable_host() {
        for (scheme, proxy) in [("http", silent()), ("http", "nothing.invalid:3128".to_owned()), ("socks5h", silent())]
        {
            let error = through(&format!("{scheme}://{proxy}"));
            let host = "a.example".to_owned();
            assert_eq!(error, Error::Proxy { proxy, host, fault: ProxyFault::Unreachable });
        }
    }

    #[test]
    fn loopback_is_reached_without_a_proxy() {
        let server = LoopbackServer::start_plain(|_, out| write_response(out, "204 No Content", "", ""));
        let client = proxied_client(&format!("http://{}", silent()));
        for host in ["localhost", "127.0.0.1"] {
            let address = format!("http://{host}:{}/", server.address.port());
            assert_eq!(block_on(client.send(get_request(&address))).unwrap().status, StatusCode::NO_CONTENT);
        }
    }

    #[test]
    fn proxy_refusal_contains_the_reason_but_no_page() {
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
    fn proxy_status_401_counts_as_a_wrong_password() {
        let proxy = LoopbackServer::start_plain(|_, out| write_response(out, "401 Unauthorized", "", ""));
        assert_eq!(fault(&proxy, "me:pa55@"), ProxyFault::PasswordRefused);
        let said = Some((401, UntrustedText::new("401 Unauthorized")));
        assert_eq!(fault(&proxy, ""), ProxyFault::Refused(said));
    }

    #[test]
    fn proxy_without_basic_authentication_is_reported() {
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
