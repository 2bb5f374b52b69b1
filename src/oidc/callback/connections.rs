//! Connections to an address on this machine: accepted in a bounded number, read within a deadline, answered politely.
//!
//! What a request means is for the [`RequestHandler`].

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

/// Entra's codes and chatty providers' queries stay far below; more is no browser.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Below macOS's 256 files a process, with room for everything else.
const MAX_CONNECTIONS: usize = 160;
/// What is read of a client's leftovers before its connection is closed.
const MAX_DRAINED_BYTES: usize = 1024 * 1024;

/// What answers the requests of one address.
pub(super) trait RequestHandler: Send + Sync + 'static {
    fn timeouts(&self) -> ServerTimeouts;

    /// Reports what happened, for the log.
    fn report_event(&self, event: CallbackEvent);

    /// Answers one request, by [`send_response`].
    fn handle_request(&self, request: &CallbackRequest, stream: TcpStream) -> impl Future<Output = ()> + Send;
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerTimeouts {
    /// From connection to complete head.
    pub(super) read: Duration,
    /// For the client to take the whole answer.
    pub(super) write: Duration,
    /// For the client to close once it has the answer.
    pub(super) linger: Duration,
    /// From the answer to the browser's request for the page that tells the end.
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

/// Accepts for ever. When too many wait, the one that has been silent longest makes room.
pub(super) async fn accept_connections<H: RequestHandler>(socket: TcpListener, handler: Arc<H>) {
    let mut connections = JoinSet::new();
    let mut silent: VecDeque<oneshot::Sender<Infallible>> = VecDeque::new();
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            // Out of files, or a client that left before it was let in: neither ends the sign-in.
            // A failed `accept`, for want of file descriptors for instance, sends no event when it would succeed.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            // First let those speak whose request is here already.
            yield_now().await;
            silent.retain(|connection| !connection.is_closed());
            if silent.pop_front().is_some() {
                handler.report_event(CallbackEvent::ConnectionEvicted);
            }
            connections.join_next().await;
        }
        silent.retain(|connection| !connection.is_closed());
        let (keep, evicted) = oneshot::channel();
        silent.push_back(keep);
        connections.spawn(serve_connection(stream, evicted, Arc::clone(&handler)));
    }
}

async fn serve_connection<H: RequestHandler>(
    mut stream: TcpStream,
    evicted: oneshot::Receiver<Infallible>,
    handler: Arc<H>,
) {
    let timeouts = handler.timeouts();
    let read = timeout(timeouts.read, read_head(&mut stream));
    // Evicted, when `accept_connections` drops its sender.
    let RaceWinner::Left(read) = race_futures(read, evicted).await else { return };
    match read.unwrap_or(Err((CallbackEvent::TooSlow, "408 Request Timeout"))) {
        Ok(Some(request)) => handler.handle_request(&request, stream).await,
        // A browser's spare connection, or a port scan.
        Ok(None) => {}
        Err((event, status)) => {
            handler.report_event(event);
            let response = CallbackResponse::from_page(status, Notice::Unreadable.to_page());
            send_response(stream, &response, timeouts).await;
        }
    }
}

/// Reads a request's head; `None` where the client closes without a word. What is no request is an event for the log, with
/// the status it is answered by.
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

/// Sends all of it and closes politely: FIN first, then what the client still sends is read away, since closing
/// over unread bytes is an RST, on which a browser throws away the page it already has.
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

async fn drain_stream(stream: &mut TcpStream) {
    let mut scrap = [0; 4096];
    let mut left = MAX_DRAINED_BYTES;
    while let Ok(read @ 1..) = stream.read(&mut scrap).await {
        let Some(rest) = left.checked_sub(read) else { return };
        left = rest;
    }
}
