//! Who holds a port, where that is cheap to know: Linux's /proc, for processes of the same person.
//!
//! Elsewhere nothing is found, and nothing is said.

use std::{fs, path::Path};

use super::socket_table::{self, SocketEntry};
use crate::text::UntrustedText;

/// The process that listens on a port we wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    pub name: UntrustedText,
    pub pid: u32,
}

impl PortHolder {
    pub(super) fn find_by_port(port: u16) -> Option<Self> {
        let socket = find_listening_socket(&socket_table::read_sockets(), port)?;
        let pid = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .find(|pid| has_socket_open(*pid, &socket))?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some(Self { name: UntrustedText::new(name.trim()), pid })
    }
}

/// The name that /proc gives the socket listening on `port`.
fn find_listening_socket(sockets: &[SocketEntry], port: u16) -> Option<String> {
    let socket = sockets.iter().find(|socket| socket.listens && socket.local.port() == port)?;
    Some(format!("socket:[{}]", socket.inode))
}

/// Another person's process does not show its files, and counts as having none.
fn has_socket_open(pid: u32, socket: &str) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|files| {
        files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).any(|link| link == Path::new(socket))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20D0 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 0100007F:20D0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
";

    #[test]
    fn the_listening_socket_is_found_not_a_connection_on_the_same_port() {
        let sockets = socket_table::parse_table(TABLE);
        assert_eq!(find_listening_socket(&sockets, 8400).as_deref(), Some("socket:[222]"));
        assert_eq!(find_listening_socket(&sockets, 8401), None);
    }
}
