//! A listener at work: told what to expect as soon as that is known, and asked for the answer.
//!
//! The start address may be opened before the provider has described itself; whoever is there then is kept waiting.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ::http::Method;
use openidconnect::url::Url;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{
    AwaitedCallback, CallbackError, CallbackListener, CallbackRequest, IgnoreReason, RequestVerdict,
    connections::accept_connections, server::CallbackServer, verdict::classify_request,
};
use crate::{
    oidc::page::{HtmlPage, SignInEnding},
    secret::Secret,
    trait_impls::impl_debug,
};

impl CallbackListener {
    /// Answers from now on. Dropped, it closes the port and every connection.
    pub fn start_serving(self) -> OpenListener {
        let start_address = self.start_address();
        let server = Arc::new(self.server);
        let mut accept_tasks = JoinSet::new();
        for socket in self.sockets {
            accept_tasks.spawn(accept_connections(socket, Arc::clone(&server)));
        }
        OpenListener {
            follow_timeout: server.timeouts.follow,
            follow_by: Instant::now(),
            server,
            start_address,
            receiver: self.receiver,
            _accept_tasks: accept_tasks,
        }
    }
}

/// A listener that answers. Everything without the right `state` is answered and ignored.
pub struct OpenListener {
    server: Arc<CallbackServer>,
    start_address: String,
    receiver: oneshot::Receiver<Result<Secret, CallbackError>>,
    /// How long after the answer a browser may take to ask for the page with the result.
    follow_timeout: Duration,
    /// When that time ends.
    follow_by: Instant,
    /// Dropped, it closes the port and every connection.
    _accept_tasks: JoinSet<()>,
}

/// Why a pasted text is not the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasteRejection {
    /// No address at all.
    NotAnAddress,
    /// An address, but of no consequence.
    Ignored(IgnoreReason),
}

impl OpenListener {
    pub fn start_address(&self) -> &str {
        &self.start_address
    }

    /// Nobody but our own user need open the start address once our own browser was given it: where the system tells
    /// whose a connection is, another user who read it from the process list does not learn the state.
    pub fn restrict_to_own_user(&self) {
        self.server.own_user_only.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has opened the start address.
    pub fn was_start_opened(&self) -> bool {
        self.server.start_opened.load(Ordering::Relaxed)
    }

    /// What the answer must carry, and where whoever opens the start address is sent.
    pub fn set_awaited_callback(&self, awaited: AwaitedCallback) {
        self.server.awaited.send_replace(Some(Arc::new(awaited)));
    }

    /// The one request with the right `state`, or what was pasted in its place.
    pub async fn wait_for_answer(&mut self) -> Result<Secret, CallbackError> {
        let answer = (&mut self.receiver).await.expect("the server, which holds the sender, lives as long as this");
        self.follow_by = Instant::now() + self.follow_timeout;
        answer
    }

    /// Weighs an address that a person brought by hand, as if their browser had come with it; but who has copied too little,
    /// and so lost the issuer, may try again.
    pub fn submit_pasted_address(&mut self, text: &str) -> Result<(), PasteRejection> {
        let request = parse_pasted_address(text).ok_or(PasteRejection::NotAnAddress)?;
        let awaited = self.server.awaited.borrow().clone();
        match classify_request(&request, &self.server.addresses, awaited.as_deref()) {
            RequestVerdict::Answer(Err(CallbackError::WrongIssuer { actual: None, .. })) => {
                Err(PasteRejection::Ignored(IgnoreReason::Incomplete))
            }
            RequestVerdict::Answer(outcome) => {
                self.server.accept_answer(outcome);
                // No browser is on its way to the page with the result.
                self.follow_timeout = Duration::ZERO;
                Ok(())
            }
            RequestVerdict::Start | RequestVerdict::Result => Err(PasteRejection::Ignored(IgnoreReason::UnknownPath)),
            RequestVerdict::Ignored(reason) => Err(PasteRejection::Ignored(reason)),
        }
    }

    /// Shows every waiting tab how the sign-in ended, and returns once they have it: within about a second, or two where
    /// the browser that brought the answer has yet to ask. A browser that has gone away costs nothing more.
    pub async fn show_ending(self, ending: &SignInEnding) {
        self.publish_ending(ending);
        let mut viewers = self.server.result_waiters.subscribe();
        let arrived = timeout_at(self.follow_by, viewers.wait_for(|seen| seen.arrived > 0)).await.is_ok();
        if arrived {
            let finished = viewers.wait_for(|seen| seen.finished == seen.arrived);
            // Whether they took it or not, the program goes on.
            drop(timeout(self.server.timeouts.linger, finished).await);
        }
    }

    pub(super) fn publish_ending(&self, ending: &SignInEnding) {
        self.server.final_page.send_replace(Some(HtmlPage::from_ending(ending)));
    }

    /// There is nothing to wait for: whoever has opened the start address already is told why.
    pub async fn finish_with_failure(self, ending: &SignInEnding) {
        self.publish_ending(ending);
        let mut beginners = self.server.start_waiters.subscribe();
        let told = beginners.wait_for(|seen| seen.finished == seen.arrived);
        drop(timeout(self.server.timeouts.linger, told).await);
    }
}

/// The address as a browser's request. Some browsers hide the scheme, and then do not copy it either.
fn parse_pasted_address(text: &str) -> Option<CallbackRequest> {
    let text = text.trim_matches(|part: char| part.is_whitespace() || matches!(part, '"' | '\'' | '<' | '>'));
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() => url,
        _ => Url::parse(&format!("http://{text}")).ok().filter(|_| text.contains('/'))?,
    };
    let host = url.host_str()?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some(CallbackRequest {
        method: Method::GET,
        path: Secret::new(url.path()),
        query: url.query().map(Secret::new),
        host: Some(host),
    })
}

#[cfg(test)]
impl OpenListener {
    /// Returns once that many tabs wait for the end.
    pub(super) async fn wait_for_result_waiters(&self, count: usize) {
        drop(self.server.result_waiters.subscribe().wait_for(|seen| seen.arrived >= count).await);
    }

    /// Returns once that many wait at the start address.
    pub(super) async fn wait_for_start_waiters(&self, count: usize) {
        drop(self.server.start_waiters.subscribe().wait_for(|seen| seen.arrived >= count).await);
    }
}

impl_debug!(OpenListener, |_| "OpenListener { .. }");
