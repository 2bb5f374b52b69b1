//! Parses Linux's tables of TCP sockets, `/proc/net/tcp` and `/proc/net/tcp6`.
//!
//! Other systems have no such files and yield no rows. A line of unexpected form is skipped.

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct SocketEntry {
    /// An IPv4 address that is mapped into IPv6 is stored as IPv4, so that both tables compare equal.
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) listens: bool,
    pub(super) uid: u32,
    pub(super) inode: u64,
}

pub(super) fn read_sockets() -> Vec<SocketEntry> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().filter_map(|table| fs::read_to_string(table).ok()).flat_map(|table| parse_table(&table)).collect()
}

/// Parses a table. After a header line, the columns 1, 2, 3, 7 and 9 hold local end, remote end, state, user and inode.
pub(super) fn parse_table(table: &str) -> Vec<SocketEntry> {
    table.lines().skip(1).filter_map(parse_row).collect()
}

fn parse_row(line: &str) -> Option<SocketEntry> {
    const LISTEN: &str = "0A";
    let mut columns = line.split_whitespace().skip(1);
    Some(SocketEntry {
        local: parse_end(columns.next()?)?,
        remote: parse_end(columns.next()?)?,
        listens: columns.next()? == LISTEN,
        uid: columns.nth(3)?.parse().ok()?,
        inode: columns.nth(1)?.parse().ok()?,
    })
}

fn parse_end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':').filter(|(_, port)| port.len() == 4)?;
    let address = match address.len() {
        8 => Ipv4Addr::from(parse_hex_group(address)?).into(),
        32 => Ipv6Addr::from(parse_ipv6_bytes(address)?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

fn parse_ipv6_bytes(address: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
        four.copy_from_slice(&parse_hex_group(address.get(at * 8..at * 8 + 8)?)?);
    }
    Some(bytes)
}

/// Parses four bytes. The kernel prints them, in network byte order, as one number in this machine's byte order.
fn parse_hex_group(text: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    const REST: &str = "00000000:00000000 00:00000000 00000000";

    fn one(ends_and_state: &str) -> Option<SocketEntry> {
        parse_table(&format!("{HEADER}   0: {ends_and_state} {REST}  1000        0 4711 1 0 100 0 0 10 0\n")).pop()
    }

    fn at(address: &str, port: u16) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), port)
    }

    #[test]
    fn socket_rows_of_ipv4_and_ipv6_are_parsed() {
        let four = one("0100007F:20D0 0200007F:C001 01").unwrap();
        assert_eq!((four.local, four.remote), (at("127.0.0.1", 8400), at("127.0.0.2", 49153)));
        assert_eq!((four.uid, four.inode, four.listens), (1000, 4711, false));
        let six = one("00000000000000000000000001000000:20D0 B80D0120000000000000000001000000:C001 0A").unwrap();
        assert_eq!((six.local, six.remote), (at("::1", 8400), at("2001:db8::1", 49153)));
        assert!(six.listens);
    }

    #[test]
    fn ipv4_mapped_address_is_parsed_as_ipv4() {
        let mapped = one("0000000000000000FFFF00000100007F:20D0 0000000000000000FFFF00000100007F:C001 01").unwrap();
        assert_eq!((mapped.local, mapped.remote), (at("127.0.0.1", 8400), at("127.0.0.1", 49153)));
    }

    #[test]
    fn malformed_socket_line_is_skipped() {
        for line in [
            "",
            "x",
            "0100007F:20D0",
            "0100007F:20D0 0200007F 01",
            "0100007F:20D00 0200007F:C001 01",
            "0100007F:20D0 0200007G:C001 01",
            "0100007F:20D0 0200007F0:C001 01",
            ":20D0 0200007F:C001 01",
            "ééééé:20D0 0200007F:C001 01",
            "éééé:20D0 0200007F:C001 01",
            "ééééééééééééééééé:20D0 0200007F:C001 01",
            "x00000000000000éFFFF0000éé100007F:20D0 0200007F:C001 01",
        ] {
            assert_eq!(one(line), None, "{line}");
        }
    }

    #[test]
    fn truncated_socket_table_yields_no_wrong_row() {
        let whole = format!("{HEADER}   0: 0100007F:20D0 0200007F:C001 01 {REST}  1000        0 4711 1\n");
        for cut in 0..whole.len() {
            for socket in parse_table(&whole[..cut]) {
                assert_eq!((socket.uid, socket.remote), (1000, at("127.0.0.2", 49153)));
            }
        }
        assert_eq!(parse_table(&whole).len(), 1);
    }
}
