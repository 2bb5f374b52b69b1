//! Answers every request to the callback server, accepts one authorization response, and shows its result.
//!
//! `verdict` decides what a request means. This module owns the order of events and the shared state.
//!
//! The server answers the authorization response at once with a 303 to its result page, and delays that page until the
//! result is known. So the code leaves the address bar and never enters the browser's history (RFC 9700 §4.3.1), a
//! reload shows the result instead of sending the code again, and no script is needed. The cost is one more request:
//! `show_ending` waits briefly for a browser that has not sent it yet.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use ::http::Method;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, oneshot, watch},
};

use super::{
    AwaitedCallback, CallbackError, CallbackEvent, IgnoreReason, RequestVerdict,
    connections::{RequestHandler, ServerTimeouts, send_response},
    http_request::CallbackRequest,
    http_response::CallbackResponse,
    peer_user,
    verdict::{CallbackAddresses, classify_request},
};
use crate::{
    oidc::page::{HtmlPage, Notice},
    race::{RaceWinner, race_futures},
    secret::Secret,
};

/// The most tabs that may wait for the result. A tab that the user closes counts until the result is known.
const MAX_VIEWERS: usize = 16;

/// The state that all connections share.
///
/// Invariant: `answer` is taken once, by the first request with the right `state`. Later ones cannot replace the code,
/// so an attacker who learns the state afterwards cannot inject another.
pub(super) struct CallbackServer {
    pub(super) addresses: CallbackAddresses,
    /// `None` until discovery has finished. No response is accepted before that.
    pub(super) awaited: watch::Sender<Option<Arc<AwaitedCallback>>>,
    pub(super) own_user_only: AtomicBool,
    /// Whether a browser has opened the start address.
    pub(super) start_opened: AtomicBool,
    /// The channel for the response. `None` after the response was accepted.
    answer: Mutex<Option<oneshot::Sender<Result<Secret, CallbackError>>>>,
    pub(super) final_page: watch::Sender<Option<HtmlPage>>,
    /// Requests at the start address that wait for discovery.
    pub(super) start_waiters: watch::Sender<WaiterCounts>,
    /// Requests for the result page that wait for the result.
    pub(super) result_waiters: watch::Sender<WaiterCounts>,
    waiter_slots: Semaphore,
    pub(super) report: Box<dyn Fn(CallbackEvent) + Send + Sync>,
    pub(super) timeouts: ServerTimeouts,
}

/// How many requests have started to wait, and how many of them have ended.
#[derive(Default)]
pub(super) struct WaiterCounts {
    pub(super) arrived: usize,
    pub(super) finished: usize,
}

impl RequestHandler for CallbackServer {
    fn timeouts(&self) -> ServerTimeouts {
        self.timeouts
    }

    fn report_event(&self, event: CallbackEvent) {
        (self.report)(event);
    }

    async fn handle_request(&self, request: &CallbackRequest, stream: TcpStream) {
        let awaited = self.awaited.borrow().clone();
        let response = match classify_request(request, &self.addresses, awaited.as_deref()) {
            RequestVerdict::Start
                if self.own_user_only.load(Ordering::Relaxed) && peer_user::is_other_user(&stream) =>
            {
                self.report_ignored(IgnoreReason::OtherUser)
            }
            RequestVerdict::Start => return self.handle_start(stream, awaited).await,
            RequestVerdict::Answer(outcome) => self.accept_answer(outcome),
            RequestVerdict::Result => return self.handle_result(stream).await,
            RequestVerdict::Ignored(reason) => self.report_ignored(reason),
        };
        let response = if request.method == Method::HEAD { response.without_body() } else { response };
        self.send_response(stream, &response).await;
    }
}

impl CallbackServer {
    /// Creates a server that sends the accepted response to `sender` and reports no events yet.
    pub(super) fn new(addresses: CallbackAddresses, sender: oneshot::Sender<Result<Secret, CallbackError>>) -> Self {
        Self {
            addresses,
            awaited: watch::Sender::new(None),
            own_user_only: AtomicBool::new(false),
            start_opened: AtomicBool::new(false),
            answer: Mutex::new(Some(sender)),
            final_page: watch::Sender::new(None),
            start_waiters: watch::Sender::default(),
            result_waiters: watch::Sender::default(),
            waiter_slots: Semaphore::new(MAX_VIEWERS),
            report: Box::new(|_| {}),
            timeouts: ServerTimeouts::default(),
        }
    }

    /// Redirects the browser to the provider, after discovery has finished if necessary.
    async fn handle_start(&self, stream: TcpStream, awaited: Option<Arc<AwaitedCallback>>) {
        (self.report)(CallbackEvent::Started);
        self.start_opened.store(true, Ordering::Relaxed);
        if let Some(awaited) = awaited {
            return self.send_response(stream, &self.start_response(&awaited)).await;
        }
        let Ok(_seat) = self.waiter_slots.try_acquire() else {
            return self.send_response(stream, &build_ignored_response(IgnoreReason::UnknownPath)).await;
        };
        let _guard = WaiterGuard::count_arrival(&self.start_waiters);
        let response = match race_futures(wait_for_value(&self.awaited), wait_for_value(&self.final_page)).await {
            RaceWinner::Left(Some(awaited)) => self.start_response(&awaited),
            RaceWinner::Right(Some(page)) => CallbackResponse::from_page("200 OK", page),
            _ => return,
        };
        self.send_response(stream, &response).await;
    }

    /// After the response has arrived, the start address leads to the result instead of starting a second sign-in.
    fn start_response(&self, awaited: &AwaitedCallback) -> CallbackResponse {
        if self.is_waiting() {
            CallbackResponse::redirect_to("302 Found", awaited.authorize_url.expose())
        } else {
            self.redirect_to_result()
        }
    }

    fn report_ignored(&self, reason: IgnoreReason) -> CallbackResponse {
        (self.report)(CallbackEvent::Ignored(reason));
        build_ignored_response(reason)
    }

    /// Accepts the first response. A repeated one, for example after a reload, gets a page that leads to the result.
    pub(super) fn accept_answer(&self, outcome: Result<Secret, CallbackError>) -> CallbackResponse {
        let event = match &outcome {
            Ok(_) => CallbackEvent::CodeReceived,
            Err(CallbackError::Refused { .. }) => CallbackEvent::ErrorReceived,
            Err(CallbackError::WrongIssuer { .. }) => CallbackEvent::WrongIssuer,
        };
        let Some(answer) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            (self.report)(CallbackEvent::Duplicate);
            return self.already_answered_response();
        };
        (self.report)(event);
        // Sending fails if the sign-in's timeout ended at this moment. The port then closes as well.
        drop(answer.send(outcome));
        self.redirect_to_result()
    }

    fn is_waiting(&self) -> bool {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn redirect_to_result(&self) -> CallbackResponse {
        CallbackResponse::redirect_to("303 See Other", self.addresses.result_path.expose())
    }

    fn already_answered_response(&self) -> CallbackResponse {
        match self.final_page.borrow().clone() {
            Some(ending) => CallbackResponse::from_page("200 OK", ending),
            None => CallbackResponse::from_page("200 OK", Notice::AlreadyAnswered.to_page())
                .with_header("Refresh", format!("1; url={}", self.addresses.result_path.expose())),
        }
    }

    async fn handle_result(&self, stream: TcpStream) {
        if self.is_waiting() {
            return self.send_response(stream, &build_ignored_response(IgnoreReason::UnknownPath)).await;
        }
        let Ok(_seat) = self.waiter_slots.try_acquire() else {
            return self.send_response(stream, &self.already_answered_response()).await;
        };
        let _guard = WaiterGuard::count_arrival(&self.result_waiters);
        if let Some(page) = wait_for_value(&self.final_page).await {
            self.send_response(stream, &CallbackResponse::from_page("200 OK", page)).await;
            (self.report)(CallbackEvent::ResultShown);
        }
    }

    async fn send_response(&self, stream: TcpStream, response: &CallbackResponse) {
        send_response(stream, response, self.timeouts).await;
    }
}

/// Counts a waiting request as ended when it is dropped, also when its connection breaks.
struct WaiterGuard<'a>(&'a watch::Sender<WaiterCounts>);

impl<'a> WaiterGuard<'a> {
    fn count_arrival(viewers: &'a watch::Sender<WaiterCounts>) -> Self {
        viewers.send_modify(|seen| seen.arrived += 1);
        Self(viewers)
    }
}

impl Drop for WaiterGuard<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|seen| seen.finished += 1);
    }
}

async fn wait_for_value<T: Clone>(sender: &watch::Sender<Option<T>>) -> Option<T> {
    let mut receiver = sender.subscribe();
    receiver.wait_for(Option::is_some).await.ok()?.clone()
}

/// The page for a request that is ignored. Another user gets the same 404 as a wrong path, so that the answer does not
/// confirm a guessed path.
fn build_ignored_response(reason: IgnoreReason) -> CallbackResponse {
    let (status, notice) = match reason {
        IgnoreReason::ForeignHost => ("403 Forbidden", Notice::Unreadable),
        IgnoreReason::Method => {
            let response = CallbackResponse::from_page("405 Method Not Allowed", Notice::Unreadable.to_page());
            return response.with_header("Allow", "GET, HEAD");
        }
        IgnoreReason::HeadRequest => ("200 OK", Notice::NotFound),
        IgnoreReason::UnknownPath | IgnoreReason::OtherUser => ("404 Not Found", Notice::NotFound),
        IgnoreReason::NoQuery | IgnoreReason::Incomplete => ("400 Bad Request", Notice::NoAnswer),
        IgnoreReason::Encoding | IgnoreReason::Repeated => ("400 Bad Request", Notice::Unreadable),
        IgnoreReason::WrongState => ("400 Bad Request", Notice::OtherSignIn),
    };
    CallbackResponse::from_page(status, notice.to_page())
}
