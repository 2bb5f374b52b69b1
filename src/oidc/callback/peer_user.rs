//! Detects connections from other users of this machine, by the owner of the peer's socket in `/proc/net/tcp`.
//!
//! It protects the start address, which every user of the machine can read in the arguments of the browser's process.
//! A peer whose owner is unknown is accepted: on other systems than Linux, and behind a relay.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::socket_table::{self, SocketEntry};

/// Returns whether another user owns the other end of the connection. Call it before the response is sent: after the
/// peer closes, the system no longer lists its owner.
pub(super) fn is_other_user(stream: &TcpStream) -> bool {
    let (Ok(own), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return false };
    has_other_owner(&socket_table::read_sockets(), to_canonical_address(own), to_canonical_address(peer))
}

/// The owners of the connections of one port, at one moment. To read them takes a tenth of a second where the system has
/// many connections, so a server uses one reading for all connections that existed before it.
#[derive(Debug)]
pub struct ConnectionOwners(Vec<SocketEntry>);

impl ConnectionOwners {
    pub fn read(port: u16) -> Self {
        let mut sockets = socket_table::read_sockets();
        sockets.retain(|socket| socket.local.port() == port || socket.remote.port() == port);
        sockets.shrink_to_fit();
        Self(sockets)
    }

    /// Whether another user owns the other end of the connection.
    pub fn is_other_user(&self, own: SocketAddr, peer: SocketAddr) -> bool {
        has_other_owner(&self.0, to_canonical_address(own), to_canonical_address(peer))
    }
}

fn to_canonical_address(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Compares the owners of both ends.
///
/// This user's number comes from the same table, so that a user namespace maps both numbers in the same way. Root is
/// accepted, because it can read everything anyway and runs relays for other users. The state of the connection does
/// not matter: a peer that has closed its sending half can still read the response.
fn has_other_owner(sockets: &[SocketEntry], own: SocketAddr, peer: SocketAddr) -> bool {
    const ROOT: u32 = 0;
    let user = |local: SocketAddr, remote: SocketAddr| {
        let socket = sockets.iter().find(|socket| (socket.local, socket.remote) == (local, remote))?;
        Some(socket.uid)
    };
    match (user(own, peer), user(peer, own)) {
        (Some(ours), Some(theirs)) => theirs != ours && theirs != ROOT,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20D0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100 1 0 100 0 0 10 0
   1: 0100007F:20D0 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 100 0 0 10 0
   2: 0100007F:C001 0100007F:20D0 01 00000000:00000000 00:00000000 00000000  1000        0 102 1 0 100 0 0 10 0
   3: 0100007F:20D0 0100007F:C002 08 00000000:00000000 00:00000000 00000000  1000        0 103 1 0 100 0 0 10 0
   4: 0100007F:C002 0100007F:20D0 05 00000000:00000000 00:00000000 00000000  1001        0 104 1 0 100 0 0 10 0
   5: 0100007F:20D0 0100007F:C003 01 00000000:00000000 00:00000000 00000000  1000        0 105 1 0 100 0 0 10 0
   6: 0100007F:C003 0100007F:20D0 01 00000000:00000000 00:00000000 00000000     0        0 106 1 0 100 0 0 10 0
   7: 0100007F:20D0 0100007F:C004 01 00000000:00000000 00:00000000 00000000  1000        0 107 1 0 100 0 0 10 0
   8: 0100007F:C005 0100007F:20D0 01 00000000:00000000 00:00000000 00000000  1001        0 108 1 0 100 0 0 10 0";
    /// A client may use IPv4 through an IPv6 socket.
    const TABLE_6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20D0 0100007F:C006 01 00000000:00000000 00:00000000 00000000  1000        0 200 1 0 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:C006 0000000000000000FFFF00000100007F:20D0 01 00000000:00000000 00:00000000 00000000  1001        0 201 1
   2: 00000000000000000000000001000000:20D0 00000000000000000000000001000000:C007 01 00000000:00000000 00:00000000 00000000  1000        0 202 1
   3: 00000000000000000000000001000000:C007 00000000000000000000000001000000:20D0 01 00000000:00000000 00:00000000 00000000  1001        0 203 1";

    fn stranger(table: &str, address: &str, port: u16) -> bool {
        let at = |port| to_canonical_address(SocketAddr::new(address.parse().unwrap(), port));
        has_other_owner(&socket_table::parse_table(table), at(8400), at(port))
    }

    #[test]
    fn other_user_is_detected_after_closing_its_half() {
        assert!(stranger(TABLE, "127.0.0.1", 0xC002));
    }

    #[test]
    fn same_user_and_root_are_accepted_peers() {
        assert!(!stranger(TABLE, "127.0.0.1", 0xC001));
        assert!(!stranger(TABLE, "127.0.0.1", 0xC003));
    }

    #[test]
    fn unknown_peer_owner_is_accepted() {
        for port in [0xC004, 0xC005, 0xC009] {
            assert!(!stranger(TABLE, "127.0.0.1", port), "{port:X}");
        }
        assert!(!stranger("", "127.0.0.1", 0xC002));
    }

    #[test]
    fn other_user_is_detected_in_both_ip_families() {
        assert!(stranger(TABLE_6, "127.0.0.1", 0xC006));
        assert!(stranger(TABLE_6, "::ffff:127.0.0.1", 0xC006));
        assert!(stranger(TABLE_6, "::1", 0xC007));
    }
}
