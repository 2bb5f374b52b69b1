//! Finds the process that listens on a port, so that an error message can name it.
//!
//! It reads Linux's `/proc` and sees only processes of the same user. In every other case it finds nothing, and the
//! message names only the port.

use std::{fs, path::Path};

use super::socket_table::{self, SocketEntry};
use crate::text::UntrustedText;

/// The process that listens on a port that the program needs. Its name is its own choice, and so untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    pub name: UntrustedText,
    pub pid: u32,
}

impl PortHolder {
    /// Finds the process. `None` if it is unknown, for example that of another user.
    pub fn find_by_port(port: u16) -> Option<Self> {
        let socket = find_listening_socket(&socket_table::read_sockets(), port)?;
        let pid = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .find(|pid| has_socket_open(*pid, &socket))?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some(Self { name: UntrustedText::new(name.trim()), pid })
    }
}

/// Returns the name of the socket that listens on `port`, as links in `/proc/PID/fd` show it.
fn find_listening_socket(sockets: &[SocketEntry], port: u16) -> Option<String> {
    let socket = sockets.iter().find(|socket| socket.listens && socket.local.port() == port)?;
    Some(format!("socket:[{}]", socket.inode))
}

/// Returns whether the process has the socket open. Files of another user's process are unreadable and count as absent.
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
    fn listening_socket_is_found_beside_a_connection() {
        let sockets = socket_table::parse_table(TABLE);
        assert_eq!(find_listening_socket(&sockets, 8400).as_deref(), Some("socket:[222]"));
        assert_eq!(find_listening_socket(&sockets, 8401), None);
    }
}
