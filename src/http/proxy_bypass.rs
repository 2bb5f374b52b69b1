//! Decides which hosts need no proxy, by `NO_PROXY` in its usual spellings and by the lists of Windows and macOS.
//!
//! It compares names and addresses as they are written. It resolves no name, because behind many proxies only the
//! proxy can resolve external names.

use std::net::IpAddr;

/// The entries of the list, each with the port that it is limited to, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProxyBypass(Vec<(HostPattern, Option<u16>)>);

/// The hosts that one entry covers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    /// `<local>` on Windows and macOS: names without a dot.
    Dotless,
    /// `10.0.0.0/8`, or one address, which is a network of one host.
    Network(IpAddr, u32),
    /// `acme.com`, `.acme.com` or `*.acme.com`: the domain and every name in it, as curl interprets all three.
    Domain(String),
    /// `*` alone, or a star elsewhere, as on Windows: `10.*`, `intra*.acme.com`.
    Pattern(String),
}

impl ProxyBypass {
    /// Parses a list whose entries are separated by commas, semicolons or white space. There is no invalid entry: an
    /// unknown form counts as a host name.
    pub(super) fn parse(text: &str) -> Self {
        let entries = text.split(|part: char| matches!(part, ',' | ';') || part.is_whitespace());
        Self(entries.filter(|entry| !entry.is_empty()).map(|entry| parse_entry(&entry.to_lowercase())).collect())
    }

    /// Returns whether the list covers this host and port. `host` has the form of a URL, with brackets around IPv6.
    pub(super) fn covers(&self, host: &str, port: u16) -> bool {
        let host = strip_brackets(host).trim_end_matches('.').to_lowercase();
        self.0.iter().any(|(hosts, only)| only.is_none_or(|only| only == port) && hosts.matches_host(&host))
    }
}

fn parse_entry(entry: &str) -> (HostPattern, Option<u16>) {
    match entry.rsplit_once(':') {
        // Several colons are an IPv6 address, unless brackets separate the port.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (parse_host_pattern(host), Some(port)),
            Err(_) => (parse_host_pattern(entry), None),
        },
        _ => (parse_host_pattern(entry), None),
    }
}

fn parse_host_pattern(entry: &str) -> HostPattern {
    let bare = strip_brackets(entry);
    let domain = bare.strip_prefix('*').unwrap_or(bare);
    match bare {
        "<local>" => HostPattern::Dotless,
        _ => parse_network(bare).unwrap_or_else(|| match domain.strip_prefix('.') {
            Some(domain) if !domain.contains('*') => HostPattern::Domain(domain.trim_end_matches('.').to_owned()),
            _ if bare.contains('*') => HostPattern::Pattern(bare.to_owned()),
            _ => HostPattern::Domain(bare.trim_end_matches('.').to_owned()),
        }),
    }
}

fn strip_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Parses an address or a network. macOS omits trailing zeros: `169.254/16`.
fn parse_network(entry: &str) -> Option<HostPattern> {
    let Some((address, length)) = entry.split_once('/') else {
        let address: IpAddr = entry.parse().ok()?;
        return Some(HostPattern::Network(address, to_address_bits(address).1));
    };
    let zeros = ".0".repeat(3_usize.saturating_sub(address.matches('.').count()));
    let address: IpAddr = address.parse().or_else(|_| format!("{address}{zeros}").parse()).ok()?;
    let length = length.parse().ok().filter(|length| *length <= to_address_bits(address).1)?;
    Some(HostPattern::Network(address, length))
}

/// The address as a number, and the number of its bits.
fn to_address_bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(four) => (four.to_bits().into(), u32::BITS),
        IpAddr::V6(six) => (six.to_bits(), u128::BITS),
    }
}

impl HostPattern {
    fn matches_host(&self, host: &str) -> bool {
        let address = host.parse::<IpAddr>();
        match self {
            Self::Dotless => address.is_err() && !host.contains('.'),
            Self::Network(network, length) => address.is_ok_and(|address| is_in_network(address, *network, *length)),
            Self::Domain(domain) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Self::Pattern(pattern) => matches_wildcard(host, pattern),
        }
    }
}

/// Compares the first `length` bits. A shift by all bits yields `None` and means that `0.0.0.0/0` covers every address.
fn is_in_network(address: IpAddr, network: IpAddr, length: u32) -> bool {
    let ((one, size), (other, theirs)) = (to_address_bits(address), to_address_bits(network));
    let differ = (one ^ other).checked_shr(size.saturating_sub(length)).unwrap_or(0);
    size == theirs && differ == 0
}

/// Matches a pattern with stars: the first and the last piece at the ends, the others in their order.
fn matches_wildcard(host: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return host == pattern };
    let Some(mut left) = host.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some((_, after)) = left.split_once(piece) else { return false };
        left = after;
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_spellings_cover_exactly_their_hosts() {
        for (list, covered, others) in [
            ("acme.com", &["acme.com", "sso.acme.com", "SSO.Acme.COM."][..], &["notacme.com", "acme.com.evil"][..]),
            (".acme.com", &["acme.com", "sso.acme.com"], &["notacme.com"]),
            ("*.acme.com", &["sso.acme.com", "a.b.acme.com"], &["acme.org"]),
            ("*", &["acme.com", "10.1.2.3", "[2001:db8::1]"], &[]),
            ("10.0.0.0/8,192.168.7.1", &["10.255.0.1", "192.168.7.1"], &["11.0.0.1", "192.168.7.2", "10.acme.com"]),
            ("169.254/16", &["169.254.9.9"], &["169.253.9.9"]),
            ("2001:db8::/32, ::ffff", &["[2001:db8:1::1]", "[::ffff]"], &["[2001:db9::1]", "32.1.13.184"]),
            ("0.0.0.0/0", &["8.8.8.8"], &["[::1]", "acme.com"]),
            ("10.*;<local>", &["10.1.2.3", "intranet"], &["sso.acme.com", "11.1.1.1"]),
            ("a*c*e.com", &["abcde.com", "ace.com"], &["abde.com", "acex.com"]),
            ("one.example two.example", &["one.example", "two.example"], &["three.example"]),
            (" , ;", &[], &["acme.com"]),
        ] {
            let bypass = ProxyBypass::parse(list);
            for host in covered {
                assert!(bypass.covers(host, 443), "{list} covers {host}");
            }
            for host in others {
                assert!(!bypass.covers(host, 443), "{list} does not cover {host}");
            }
        }
    }

    #[test]
    fn no_proxy_entry_with_a_port_covers_only_that_port() {
        let bypass = ProxyBypass::parse("acme.com:8443,[2001:db8::1]:444,10.0.0.1:445");
        assert!(bypass.covers("sso.acme.com", 8443) && !bypass.covers("sso.acme.com", 443));
        assert!(bypass.covers("[2001:db8::1]", 444) && !bypass.covers("[2001:db8::1]", 443));
        assert!(bypass.covers("10.0.0.1", 445) && !bypass.covers("10.0.0.1", 443));
    }
}
