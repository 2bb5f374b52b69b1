//! Serves the callback's address: every connection is answered, one answer counts, and the browser learns the end.
//!
//! What a request means is `judge`'s business; here are time, number and order.
//!
//! The right answer is met with a 303 to an address of our own, at once, and it is that address whose connection is
//! held until the end is known. So the code leaves the address bar and never enters the history, a reload shows the
//! end instead of sending the code again, and nothing depends on a script. The price is one request more: `finish`
//! waits a moment for it where the browser has not made it yet.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot, watch},
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};
use zeroize::Zeroizing;

use super::{
    AnswerError, Awaited, Event, Reason, Verdict,
    judge::{Places, judge},
    peer,
    request::{Malformed, Method, Request, parse},
    respond::Response,
};
use crate::{
    oidc::page::{self, Page},
    race::{First, race},
    secret::Secret,
};

/// Entra's codes and chatty providers' queries stay far below; more is no browser.
const LONGEST_HEAD: usize = 64 * 1024;
/// Below macOS's 256 files a process, with room for everything else.
const MOST_CONNECTIONS: usize = 160;
/// Tabs that wait for the end; a tab closed while waiting counts until then.
pub(super) const MOST_VIEWERS: usize = 16;
/// What is read of a client's leftovers before its connection is closed.
const MOST_LEFTOVERS: usize = 1024 * 1024;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From connection to complete head.
    pub(super) read: Duration,
    /// For the client to take the whole answer.
    pub(super) write: Duration,
    /// For the client to close once it has the answer.
    pub(super) linger: Duration,
    /// From the answer to the browser's request for the page that tells the end.
    pub(super) follow: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            read: Duration::from_secs(10),
            write: Duration::from_secs(5),
            linger: Duration::from_secs(1),
            follow: Duration::from_secs(2),
        }
    }
}

/// What all connections share.
pub(super) struct Desk {
    pub(super) places: Places,
    /// Unknown until the provider has described itself.
    pub(super) awaited: watch::Sender<Option<Arc<Awaited>>>,
    pub(super) for_own_user: AtomicBool,
    /// Whether somebody has opened the start address.
    pub(super) has_begun: AtomicBool,
    /// Taken by the one answer that counts.
    pub(super) answer: Mutex<Option<oneshot::Sender<Result<Secret, AnswerError>>>>,
    pub(super) ending: watch::Sender<Option<Page>>,
    /// At the start address, before anybody can be sent on.
    pub(super) beginners: watch::Sender<Viewers>,
    pub(super) viewers: watch::Sender<Viewers>,
    pub(super) seats: Semaphore,
    pub(super) report: Arc<dyn Fn(Event) + Send + Sync>,
    pub(super) patience: Patience,
}

/// Connections that wait, or were told what they waited for.
#[derive(Default)]
pub(super) struct Viewers {
    pub(super) arrived: usize,
    pub(super) told: usize,
}

/// Accepts for ever. When too many wait, the one that has been silent longest makes room.
pub(super) async fn keep_door(socket: TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    let mut silent: VecDeque<oneshot::Sender<Infallible>> = VecDeque::new();
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            // Out of files, or a client that left before it was let in: neither ends the sign-in.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= MOST_CONNECTIONS {
            // First let those speak whose request is here already.
            yield_now().await;
            silent.retain(|connection| !connection.is_closed());
            if silent.pop_front().is_some() {
                (desk.report)(Event::Crowded);
            }
            connections.join_next().await;
        }
        silent.retain(|connection| !connection.is_closed());
        let (keep, evicted) = oneshot::channel();
        silent.push_back(keep);
        connections.spawn(serve(stream, evicted, Arc::clone(&desk)));
    }
}

async fn serve(mut stream: TcpStream, evicted: oneshot::Receiver<Infallible>, desk: Arc<Desk>) {
    // Evicted, when the door drops its sender.
    let First::Left(read) = race(read_request(&mut stream, desk.patience.read), evicted).await else {
        return;
    };
    match read {
        Ok(request) => desk.meet(&request, stream).await,
        Err(Unread::Gone) => {}
        Err(Unread::Fault(event, status)) => {
            (desk.report)(event);
            desk.send(stream, &Response::page(status, page::unreadable()), true).await;
        }
    }
}

/// Why there is no request to meet.
enum Unread {
    /// The client closed: a browser's spare connection, or a port scan.
    Gone,
    Fault(Event, &'static str),
}

async fn read_request(stream: &mut TcpStream, patience: Duration) -> Result<Request, Unread> {
    timeout(patience, read_head(stream))
        .await
        .unwrap_or(Err(Unread::Fault(Event::TooSlow, "408 Request Timeout")))
}

async fn read_head(stream: &mut TcpStream) -> Result<Request, Unread> {
    let mut head = Zeroizing::new(Vec::with_capacity(16 * 1024));
    loop {
        match stream.read_buf(&mut *head).await {
            Ok(1..) => {}
            Ok(0) if !head.is_empty() => {
                return Err(Unread::Fault(Event::Malformed(Malformed::Syntax), "400 Bad Request"));
            }
            Ok(0) | Err(_) => return Err(Unread::Gone),
        }
        match parse(&head) {
            Ok(Some(request)) => return Ok(request),
            Ok(None) if head.len() < LONGEST_HEAD => {}
            Ok(None) => return Err(Unread::Fault(Event::TooLarge, TOO_LARGE)),
            Err(Malformed::TooManyHeaders) => {
                return Err(Unread::Fault(Event::Malformed(Malformed::TooManyHeaders), TOO_LARGE));
            }
            Err(fault) => return Err(Unread::Fault(Event::Malformed(fault), "400 Bad Request")),
        }
    }
}

const TOO_LARGE: &str = "431 Request Header Fields Too Large";

impl Desk {
    async fn meet(&self, request: &Request, stream: TcpStream) {
        let awaited = self.awaited.borrow().clone();
        let response = match judge(request, &self.places, awaited.as_deref()) {
            Verdict::Start if self.for_own_user.load(Ordering::Relaxed) && peer::is_stranger(&stream) => {
                self.ignore(Reason::Stranger)
            }
            Verdict::Start => return self.begin(stream, awaited).await,
            Verdict::Answer(outcome) => self.take(outcome),
            Verdict::Result => return self.show_ending(stream).await,
            Verdict::Ignored(reason) => self.ignore(reason),
        };
        self.send(stream, &response, request.method != Method::Head).await;
    }

    /// Sends the browser to the provider, as soon as it is known where that is.
    async fn begin(&self, stream: TcpStream, awaited: Option<Arc<Awaited>>) {
        (self.report)(Event::Started);
        self.has_begun.store(true, Ordering::Relaxed);
        if let Some(awaited) = awaited {
            return self.send(stream, &self.start(&awaited), true).await;
        }
        let Ok(_seat) = self.seats.try_acquire() else {
            return self.send(stream, &ignored(Reason::Elsewhere), true).await;
        };
        let _told = Told::arrived(&self.beginners);
        let (mut awaited, mut ending) = (self.awaited.subscribe(), self.ending.subscribe());
        let known =
            async { awaited.wait_for(Option::is_some).await.ok().and_then(|awaited| awaited.clone()) };
        let failed = async { ending.wait_for(Option::is_some).await.ok().and_then(|page| page.clone()) };
        let response = match race(known, failed).await {
            First::Left(Some(awaited)) => self.start(&awaited),
            First::Right(Some(page)) => Response::page("200 OK", page),
            _ => return,
        };
        self.send(stream, &response, true).await;
    }

    /// Once the answer is here, there is nothing left to ask at the provider.
    fn start(&self, awaited: &Awaited) -> Response {
        if self.waiting() {
            Response::redirect("302 Found", &awaited.authorize_url)
        } else {
            self.to_ending("303 See Other")
        }
    }

    fn ignore(&self, reason: Reason) -> Response {
        (self.report)(Event::Ignored(reason));
        ignored(reason)
    }

    /// Takes the first answer; a second one meets a calm page that leads to the end.
    pub(super) fn take(&self, outcome: Result<Secret, AnswerError>) -> Response {
        let event = match &outcome {
            Ok(_) => Event::Answered,
            Err(AnswerError::Refused(_)) => Event::Refused,
            Err(AnswerError::WrongIssuer { .. }) => Event::WrongIssuer,
        };
        let Some(answer) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            (self.report)(Event::Duplicate);
            return self.already();
        };
        (self.report)(event);
        // Nobody waits any more: the sign-in's time ran out in this very moment, and the port closes with it.
        drop(answer.send(outcome));
        self.to_ending("303 See Other")
    }

    fn waiting(&self) -> bool {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn to_ending(&self, status: &'static str) -> Response {
        Response::redirect(status, self.places.result.expose())
    }

    fn already(&self) -> Response {
        match self.ending.borrow().clone() {
            Some(ending) => Response::page("200 OK", ending),
            None => Response::page("200 OK", page::already())
                .with("Refresh", format!("1; url={}", self.places.result.expose())),
        }
    }

    /// Holds the connection until the end is known, and tells it.
    async fn show_ending(&self, stream: TcpStream) {
        if self.waiting() {
            return self.send(stream, &ignored(Reason::Elsewhere), true).await;
        }
        let Ok(_seat) = self.seats.try_acquire() else {
            return self.send(stream, &self.already(), true).await;
        };
        let _told = Told::arrived(&self.viewers);
        let mut ending = self.ending.subscribe();
        let Ok(page) = ending.wait_for(Option::is_some).await.map(|page| page.clone()) else { return };
        if let Some(page) = page {
            self.send(stream, &Response::page("200 OK", page), true).await;
            (self.report)(Event::Shown);
        }
    }

    /// Sends all of it and closes politely: FIN first, then what the client still sends is read away, since closing
    /// over unread bytes is an RST, on which a browser throws away the page it already has.
    async fn send(&self, mut stream: TcpStream, response: &Response, with_body: bool) {
        let bytes = response.bytes(with_body);
        let sending = async {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        };
        if matches!(timeout(self.patience.write, sending).await, Ok(Ok(()))) {
            drop(timeout(self.patience.linger, drain(&mut stream)).await);
        }
    }
}

/// Counts a viewer as told when its connection ends, however it ends.
struct Told<'a>(&'a watch::Sender<Viewers>);

impl<'a> Told<'a> {
    fn arrived(viewers: &'a watch::Sender<Viewers>) -> Self {
        viewers.send_modify(|seen| seen.arrived += 1);
        Self(viewers)
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|seen| seen.told += 1);
    }
}

async fn drain(stream: &mut TcpStream) {
    let mut scrap = [0; 4096];
    let mut left = MOST_LEFTOVERS;
    while let Ok(read @ 1..) = stream.read(&mut scrap).await {
        let Some(rest) = left.checked_sub(read) else { return };
        left = rest;
    }
}

fn ignored(reason: Reason) -> Response {
    match reason {
        Reason::ForeignHost => Response::page("403 Forbidden", page::unreadable()),
        Reason::Method => {
            Response::page("405 Method Not Allowed", page::unreadable()).with("Allow", "GET, HEAD")
        }
        Reason::Probe => Response::page("200 OK", page::nothing_here()),
        Reason::Elsewhere | Reason::Stranger => Response::page("404 Not Found", page::nothing_here()),
        Reason::Bare | Reason::Incomplete => Response::page("400 Bad Request", page::no_answer()),
        Reason::Encoding | Reason::Repeated => Response::page("400 Bad Request", page::unreadable()),
        Reason::State => Response::page("400 Bad Request", page::another_sign_in()),
    }
}
