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
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot, watch},
    task::{JoinSet, yield_now},
    time::{Instant, sleep, timeout, timeout_at},
};
use zeroize::Zeroizing;

use super::{
    Answered, Awaited, Event, Listener, Reason, Refusal, Verdict,
    judge::{Places, judge},
    peer,
    request::{Malformed, Method, Request, parse},
    respond::Response,
};
use crate::{
    oidc::page::{self, Ending, Page},
    race::{First, race},
    secret::Secret,
};

/// Entra's codes and chatty providers' queries stay far below; more is no browser.
const LONGEST_HEAD: usize = 64 * 1024;
/// Below macOS's 256 files a process, with room for everything else.
const MOST_CONNECTIONS: usize = 160;
/// Tabs that wait for the end; a tab closed while waiting counts until then.
const MOST_VIEWERS: usize = 16;
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

impl Listener {
    /// Serves until one request carries the right `state`; everything else is answered and ignored.
    ///
    /// Dropped before that, it closes the port and every connection.
    pub async fn answer(self, awaited: Awaited) -> Answered {
        let (sender, mut receiver) = oneshot::channel();
        let desk = Arc::new(Desk {
            places: Places {
                port: self.port,
                callback: self.redirect.path,
                start: self.start,
                result: self.result,
            },
            awaited,
            for_own_user: self.for_own_user,
            answer: Mutex::new(Some(sender)),
            ending: watch::Sender::new(None),
            viewers: watch::Sender::new(Viewers::default()),
            seats: Semaphore::new(MOST_VIEWERS),
            report: self.report,
            patience: self.patience,
        });
        let mut doors = JoinSet::new();
        for socket in self.sockets {
            doors.spawn(keep_door(socket, Arc::clone(&desk)));
        }
        let outcome =
            (&mut receiver).await.expect("the desk, which holds the sender, lives in this function");
        let follow_by = Instant::now() + desk.patience.follow;
        Answered { outcome, page: OpenPage { desk, follow_by, _doors: doors } }
    }
}

/// The browser's page, still waiting for the truth. Others go on being answered until it has been told.
pub struct OpenPage {
    desk: Arc<Desk>,
    follow_by: Instant,
    /// Dropped, it closes the port and every connection.
    _doors: JoinSet<()>,
}

impl OpenPage {
    /// Tells every waiting tab how it ended, and returns once they have it: within about a second, or two where the
    /// browser has yet to ask. A browser that has gone away costs nothing more.
    pub async fn finish(self, ending: &Ending) {
        self.desk.ending.send_replace(Some(Page::ending(ending)));
        let mut viewers = self.desk.viewers.subscribe();
        let arrived = timeout_at(self.follow_by, viewers.wait_for(|seen| seen.arrived > 0)).await.is_ok();
        if arrived {
            let told = viewers.wait_for(|seen| seen.told == seen.arrived);
            // Whether they took it or not, the program goes on.
            drop(timeout(self.desk.patience.linger, told).await);
        }
    }
}

#[cfg(test)]
impl OpenPage {
    /// Returns once that many tabs wait for the end.
    pub(super) async fn viewers(&self, count: usize) {
        drop(self.desk.viewers.subscribe().wait_for(|seen| seen.arrived >= count).await);
    }

    /// The end is known, and nobody has been told yet.
    pub(super) fn know(&self, ending: &Ending) {
        self.desk.ending.send_replace(Some(Page::ending(ending)));
    }
}

impl fmt::Debug for OpenPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenPage").finish_non_exhaustive()
    }
}

/// What all connections share.
struct Desk {
    places: Places,
    awaited: Awaited,
    for_own_user: bool,
    /// Taken by the one answer that counts.
    answer: Mutex<Option<oneshot::Sender<Result<Secret, Refusal>>>>,
    ending: watch::Sender<Option<Page>>,
    viewers: watch::Sender<Viewers>,
    seats: Semaphore,
    report: Arc<dyn Fn(Event) + Send + Sync>,
    patience: Patience,
}

/// Connections that wait for the end, or were told it.
#[derive(Default)]
struct Viewers {
    arrived: usize,
    told: usize,
}

/// Accepts for ever. When too many wait, the one that has been silent longest makes room.
async fn keep_door(socket: TcpListener, desk: Arc<Desk>) {
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
        let response = match judge(request, &self.places, &self.awaited) {
            Verdict::Start if self.for_own_user && peer::is_stranger(&stream) => {
                self.ignore(Reason::Stranger)
            }
            Verdict::Start => self.start(),
            Verdict::Answer(outcome) => self.take(outcome),
            Verdict::Result => return self.show_ending(stream).await,
            Verdict::Ignored(reason) => self.ignore(reason),
        };
        self.send(stream, &response, request.method != Method::Head).await;
    }

    /// Sends the browser to the provider; once the answer is here, there is nothing left to ask there.
    fn start(&self) -> Response {
        (self.report)(Event::Started);
        if self.waiting() {
            Response::redirect("302 Found", &self.awaited.authorize_url)
        } else {
            self.to_ending("303 See Other")
        }
    }

    fn ignore(&self, reason: Reason) -> Response {
        (self.report)(Event::Ignored(reason));
        ignored(reason)
    }

    /// Takes the first answer; a second one meets a calm page that leads to the end.
    fn take(&self, outcome: Result<Secret, Refusal>) -> Response {
        let event = if outcome.is_ok() { Event::Answered } else { Event::Refused };
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
        self.viewers.send_modify(|seen| seen.arrived += 1);
        let _told = Told(&self.viewers);
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
        Reason::Issuer | Reason::NoIssuer => Response::page("400 Bad Request", page::another_provider()),
    }
}
