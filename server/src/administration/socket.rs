//! How an administrator's command reaches a server that is running: only one process can open the store's file, so the
//! command sends its request to that process, through a socket beside the file.
//!
//! The socket is in a folder that only its owner can enter, so nobody else can connect.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bedrock_sso::files::ensure_private_folder;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::timeout,
};

use super::{AdminAnswer, AdminRequest};
use crate::store::StoreError;

/// The largest request or answer.
const MAX_MESSAGE_BYTES: u64 = 256 * 1024 * 1024;

/// For how long one side waits for the other.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The answer of the server, or the error of its store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketAnswer {
    Done(AdminAnswer),
    Refused(StoreError),
}

/// The socket of the server that has opened this store.
pub fn socket_path(store: &Path) -> PathBuf {
    let mut folder = store.as_os_str().to_owned();
    folder.push(".admin");
    PathBuf::from(folder).join("socket")
}

/// Listens for administrators. The caller holds the store, so a socket that exists belongs to a server that has ended.
pub fn listen(store: &Path) -> io::Result<UnixListener> {
    let path = socket_path(store);
    if let Some(folder) = path.parent() {
        ensure_private_folder(folder).map_err(|error| io::Error::other(format!("{error:?}")))?;
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    UnixListener::bind(&path)
}

/// Connects to the server that has opened this store.
pub async fn connect(store: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(socket_path(store)).await
}

/// Sends a request to the server, and waits for its answer.
pub async fn send(mut stream: UnixStream, request: &AdminRequest) -> io::Result<SocketAnswer> {
    write_message(&mut stream, request).await?;
    stream.shutdown().await?;
    read_message(&mut stream).await
}

/// Receives one request, and answers it.
pub async fn answer<F: Future<Output = SocketAnswer>>(
    mut stream: UnixStream,
    carry_out: impl FnOnce(AdminRequest) -> F,
) -> io::Result<()> {
    let request = read_message(&mut stream).await?;
    write_message(&mut stream, &carry_out(request).await).await
}

/// Reads until the other side ends its message.
async fn read_message<T: for<'de> Deserialize<'de>>(stream: &mut UnixStream) -> io::Result<T> {
    let mut bytes = Vec::new();
    let mut bounded = stream.take(MAX_MESSAGE_BYTES);
    timeout(MESSAGE_TIMEOUT, bounded.read_to_end(&mut bytes)).await??;
    serde_json::from_slice(&bytes).map_err(io::Error::from)
}

async fn write_message<T: Serialize>(stream: &mut UnixStream, message: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    timeout(MESSAGE_TIMEOUT, stream.write_all(&bytes)).await?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_request_is_answered_through_a_private_socket() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("usage.redb");
        let listener = listen(&store).unwrap();
        let mode = std::fs::metadata(socket_path(&store).parent().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            answer(stream, |request| async move {
                assert_eq!(request, AdminRequest::Export);
                SocketAnswer::Done(AdminAnswer::default())
            })
            .await
        });
        let answer = send(connect(&store).await.unwrap(), &AdminRequest::Export).await.unwrap();
        assert!(matches!(answer, SocketAnswer::Done(answer) if answer == AdminAnswer::default()));
        server.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_socket_of_a_server_that_has_ended_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("usage.redb");
        drop(listen(&store).unwrap());
        let refused = connect(&store).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(listen(&store).is_ok());
    }
}
