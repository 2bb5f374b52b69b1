//! A listener at work: told what to expect as soon as that is known, and asked for the answer.
//!
//! The start address may be opened before the provider has described itself; whoever is there then is kept waiting.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use openidconnect::url::Url;
use tokio::{
    sync::{Semaphore, oneshot, watch},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{
    AnswerError, Awaited, Listener, Method, Reason, Request, Verdict,
    judge::{Places, judge},
    serve::{Desk, MOST_VIEWERS, Viewers, keep_door},
};
use crate::{
    oidc::page::{Ending, Page},
    secret::Secret,
};

impl Listener {
    /// Answers from now on. Dropped, it closes the port and every connection.
    pub fn open(self) -> Open {
        let (sender, receiver) = oneshot::channel();
        let start_address = self.start_address();
        let desk = Arc::new(Desk {
            places: Places {
                port: self.port,
                callback: self.redirect.path,
                start: self.start,
                result: self.result,
            },
            awaited: watch::Sender::new(None),
            for_own_user: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            answer: Mutex::new(Some(sender)),
            ending: watch::Sender::new(None),
            beginners: watch::Sender::new(Viewers::default()),
            viewers: watch::Sender::new(Viewers::default()),
            seats: Semaphore::new(MOST_VIEWERS),
            report: self.report,
            patience: self.patience,
        });
        let mut doors = JoinSet::new();
        for socket in self.sockets {
            doors.spawn(keep_door(socket, Arc::clone(&desk)));
        }
        Open { desk, start_address, receiver, doors }
    }
}

/// A listener that answers. Everything without the right `state` is answered and ignored.
pub struct Open {
    desk: Arc<Desk>,
    start_address: String,
    receiver: oneshot::Receiver<Result<Secret, AnswerError>>,
    /// Dropped, it closes the port and every connection.
    doors: JoinSet<()>,
}

/// Why a pasted text is not the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No address at all.
    NoAddress,
    /// An address, but of no consequence.
    Ignored(Reason),
}

impl Open {
    pub fn start_address(&self) -> &str {
        &self.start_address
    }

    /// Nobody but our own user need open the start address once our own browser was given it: where the system tells
    /// whose a connection is, another user who read it from the process list does not learn the state.
    pub fn for_own_user(&self) {
        self.desk.for_own_user.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has opened the start address.
    pub fn has_begun(&self) -> bool {
        self.desk.has_begun.load(Ordering::Relaxed)
    }

    /// What the answer must carry, and where whoever opens the start address is sent.
    pub fn expect(&self, awaited: Awaited) {
        self.desk.awaited.send_replace(Some(Arc::new(awaited)));
    }

    /// The one request with the right `state`, or what was pasted in its place.
    pub async fn answer(&mut self) -> Result<Secret, AnswerError> {
        (&mut self.receiver).await.expect("the desk, which holds the sender, lives as long as this")
    }

    /// Weighs an address that a person brought by hand, as if their browser had come with it; but who has copied too little,
    /// and so lost the issuer, may try again.
    pub fn pasted(&self, text: &str) -> Result<(), Unfit> {
        let request = requested(text).ok_or(Unfit::NoAddress)?;
        let awaited = self.desk.awaited.borrow().clone();
        match judge(&request, &self.desk.places, awaited.as_deref()) {
            Verdict::Answer(Err(AnswerError::WrongIssuer { actual: None, .. })) => {
                Err(Unfit::Ignored(Reason::Incomplete))
            }
            Verdict::Answer(outcome) => {
                self.desk.take(outcome);
                Ok(())
            }
            Verdict::Start | Verdict::Result => Err(Unfit::Ignored(Reason::Elsewhere)),
            Verdict::Ignored(reason) => Err(Unfit::Ignored(reason)),
        }
    }

    /// The page on which the end will be told. A browser that brought the answer is on its way there; `by_browser` says
    /// whether one did.
    pub fn page(self, by_browser: bool) -> OpenPage {
        let patience = if by_browser { self.desk.patience.follow } else { std::time::Duration::ZERO };
        OpenPage { desk: self.desk, follow_by: Instant::now() + patience, _doors: self.doors }
    }

    /// There is nothing to wait for: whoever has opened the start address already is told why.
    pub async fn fail(self, ending: &Ending) {
        self.desk.ending.send_replace(Some(Page::ending(ending)));
        let mut beginners = self.desk.beginners.subscribe();
        let told = beginners.wait_for(|seen| seen.told == seen.arrived);
        drop(timeout(self.desk.patience.linger, told).await);
    }
}

/// The address as a browser's request. Some browsers hide the scheme, and then do not copy it either.
fn requested(text: &str) -> Option<Request> {
    let text = text.trim_matches(|part: char| part.is_whitespace() || matches!(part, '"' | '\'' | '<' | '>'));
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() => url,
        _ => Url::parse(&format!("http://{text}")).ok().filter(|_| text.contains('/'))?,
    };
    let host = url.host_str()?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some(Request {
        method: Method::Get,
        path: url.path().to_owned(),
        query: url.query().map(Secret::new),
        host: Some(host),
    })
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

#[cfg(test)]
impl Open {
    /// Returns once that many wait at the start address.
    pub(super) async fn beginners(&self, count: usize) {
        drop(self.desk.beginners.subscribe().wait_for(|seen| seen.arrived >= count).await);
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenPage").finish_non_exhaustive()
    }
}
