//! Accepts connections on a loopback port, reads one request from each, and sends one response.
//!
//! Any local program and any web page can connect, so number, size and time of the connections are bounded. A flood of
//! silent connections cannot block the browser's request: the oldest silent one is closed. The [`RequestHandler`]
//! decides what a request means.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};
use zeroize::Zeroizing;

use super::{
    CallbackEvent,
    http_request::{CallbackRequest, MalformedRequest, parse_request},
    http_response::CallbackResponse,
};
use crate::{
    oidc::page::Notice,
    race::{RaceWinner, race_futures},
};

/// The largest request head. The longest known responses, Entra's, stay far below it.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most connections at a time. macOS allows 256 open files per process, and the program needs some for itself.
pub(super) const MAX_CONNECTIONS: usize = 160;
/// The most bytes that are read and discarded before a connection is closed.
const MAX_DRAINED_BYTES: usize = 1024 * 1024;

/// Handles the requests that arrive on one port.
pub(super) trait RequestHandler: Send + Sync + 'static {
    fn timeouts(&self) -> ServerTimeouts;

    fn report_event(&self, event: CallbackEvent);

    /// Answers one request with [`send_response`].
    fn handle_request(&self, request: &CallbackRequest, stream: TcpStream) -> impl Future<Output = ()> + Send;
}

/// The timeouts of one connection. Tests shorten them.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerTimeouts {
    /// From the connection to the complete request head.
    pub(super) read: Duration,
    pub(super) write: Duration,
    /// For the client to close the connection after the response.
    pub(super) linger: Duration,
    /// From the authorization response to the browser's request for the result page.
    pub(super) follow: Duration,
}

impl Default for ServerTimeouts {
    fn default() -> Self {
        Self {
            read: Duration::from_secs(10),
            write: Duration::from_secs(5),
            linger: Duration::from_secs(1),
            follow: Duration::from_secs(2),
        }
    }
}

/// Accepts connections until the task is dropped. At the limit it closes the one that has been silent longest.
pub(super) async fn accept_connections<H: RequestHandler>(socket: TcpListener, handler: Arc<H>) {
    let mut connections = JoinSet::new();
    let mut silent: VecDeque<oneshot::Sender<Infallible>> = VecDeque::new();
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            // The process has no free file descriptor, or the client closed first. Neither may end the sign-in. The
            // system sends no event when `accept` would work again, so wait briefly and retry.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            // Let connections proceed whose request has already arrived, so that none of those is closed.
            yield_now().await;
            silent.retain(|connection| !connection.is_closed());
            if silent.pop_front().is_some() {
                handler.report_event(CallbackEvent::ConnectionEvicted);
            }
            connections.join_next().await;
        }
        silent.retain(|connection| !connection.is_closed());
        let (eviction, evicted) = oneshot::channel();
        silent.push_back(eviction);
        connections.spawn(serve_connection(stream, evicted, Arc::clone(&handler)));
    }
}

/// Reads one request and answers it. `evicted` completes when the server needs the connection's place.
async fn serve_connection<H: RequestHandler>(
    mut stream: TcpStream,
    evicted: oneshot::Receiver<Infallible>,
    handler: Arc<H>,
) {
    let timeouts = handler.timeouts();
    let read = timeout(timeouts.read, read_head(&mut stream));
    // `accept_connections` drops its sender to close this connection.
    let RaceWinner::Left(read) = race_futures(read, evicted).await else { return };
    match read.unwrap_or(Err((CallbackEvent::TooSlow, "408 Request Timeout"))) {
        Ok(Some(request)) => handler.handle_request(&request, stream).await,
        // The client closed without a request: a browser's speculative connection, or a port scan.
        Ok(None) => {}
        Err((event, status)) => {
            handler.report_event(event);
            let response = CallbackResponse::from_page(status, Notice::Unreadable.to_page());
            send_response(stream, &response, timeouts).await;
        }
    }
}

/// Reads the head of a request. `None` means that the client closed without sending anything. An invalid request is an
/// event for the log and the status to answer with. The buffer is erased afterwards, because it may hold the code.
async fn read_head(stream: &mut TcpStream) -> Result<Option<CallbackRequest>, (CallbackEvent, &'static str)> {
    const TOO_LARGE: &str = "431 Request Header Fields Too Large";
    let malformed = |fault| match fault {
        MalformedRequest::TooManyHeaders => (CallbackEvent::Malformed(fault), TOO_LARGE),
        MalformedRequest::Syntax | MalformedRequest::Target | MalformedRequest::Host => {
            (CallbackEvent::Malformed(fault), "400 Bad Request")
        }
    };
    let mut head = Zeroizing::new(Vec::with_capacity(16 * 1024));
    loop {
        match stream.read_buf(&mut *head).await {
            Ok(1..) => {}
            Ok(0) if !head.is_empty() => return Err(malformed(MalformedRequest::Syntax)),
            Ok(0) | Err(_) => return Ok(None),
        }
        match parse_request(&head).map_err(malformed)? {
            Some(request) => return Ok(Some(request)),
            None if head.len() < MAX_HEAD_BYTES => {}
            None => return Err((CallbackEvent::TooLarge, TOO_LARGE)),
        }
    }
}

/// Sends the response, closes the sending side, and then reads what the client still sends. Closing a socket that has
/// unread bytes sends an RST, and a browser then discards the page that it has already received.
pub(super) async fn send_response(mut stream: TcpStream, response: &CallbackResponse, timeouts: ServerTimeouts) {
    let bytes = response.to_bytes();
    let sending = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    if matches!(timeout(timeouts.write, sending).await, Ok(Ok(()))) {
        drop(timeout(timeouts.linger, drain_stream(&mut stream)).await);
    }
}

/// Reads and discards until the client closes or the limit is reached.
async fn drain_stream(stream: &mut TcpStream) {
    let mut scrap = [0; 4096];
    let mut left = MAX_DRAINED_BYTES;
    while let Ok(read @ 1..) = stream.read(&mut scrap).await {
        let Some(rest) = left.checked_sub(read) else { return };
        left = rest;
    }
}
