//! The running callback server, as its callers use it: set the expected response, wait for it, show the result.
//!
//! The browser may open the start address before discovery has finished. Its request then waits, so that the browser
//! can start while the program still fetches the provider's metadata.

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
    /// Starts to answer requests. Dropping the result closes the port and every connection.
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

/// A running callback server. Requests without the right `state` get a page and change nothing.
pub struct OpenListener {
    server: Arc<CallbackServer>,
    start_address: String,
    receiver: oneshot::Receiver<Result<Secret, CallbackError>>,
    /// How long after the response the browser may take to request the result page.
    follow_timeout: Duration,
    follow_by: Instant,
    /// Dropping the tasks closes the port and every connection.
    _accept_tasks: JoinSet<()>,
}

/// Why a pasted text is not the expected response. The user may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasteRejection {
    NotAnAddress,
    /// The text is an address, but not the expected response.
    Ignored(IgnoreReason),
}

impl OpenListener {
    pub fn start_address(&self) -> &str {
        &self.start_address
    }

    /// From now on, only this user may open the start address. Callers use it once they have started this user's
    /// browser. Another user who read the address from the process list then cannot learn the state, on systems that
    /// show the owner of a connection.
    pub fn restrict_to_own_user(&self) {
        self.server.own_user_only.store(true, Ordering::Relaxed);
    }

    pub fn was_start_opened(&self) -> bool {
        self.server.start_opened.load(Ordering::Relaxed)
    }

    /// Sets the expected response and the authorization request that the start address redirects to.
    pub fn set_awaited_callback(&self, awaited: AwaitedCallback) {
        self.server.awaited.send_replace(Some(Arc::new(awaited)));
    }

    /// Waits for the authorization response, from the browser or pasted. The caller sets the timeout.
    pub async fn wait_for_answer(&mut self) -> Result<Secret, CallbackError> {
        let answer = (&mut self.receiver).await.expect("the server holds the sender and lives as long as this value");
        self.follow_by = Instant::now() + self.follow_timeout;
        answer
    }

    /// Handles an address that the user pasted, with the checks of a browser's request. There is one difference: an
    /// address without a promised `iss` is rejected but does not end the sign-in, because the user probably copied
    /// only a part.
    pub fn submit_pasted_address(&mut self, text: &str) -> Result<(), PasteRejection> {
        let request = parse_pasted_address(text).ok_or(PasteRejection::NotAnAddress)?;
        let awaited = self.server.awaited.borrow().clone();
        match classify_request(&request, &self.server.addresses, awaited.as_deref()) {
            RequestVerdict::Answer(Err(CallbackError::WrongIssuer { actual: None, .. })) => {
                Err(PasteRejection::Ignored(IgnoreReason::Incomplete))
            }
            RequestVerdict::Answer(outcome) => {
                self.server.accept_answer(outcome);
                // No browser will request the result page.
                self.follow_timeout = Duration::ZERO;
                Ok(())
            }
            RequestVerdict::Start | RequestVerdict::Result => Err(PasteRejection::Ignored(IgnoreReason::UnknownPath)),
            RequestVerdict::Ignored(reason) => Err(PasteRejection::Ignored(reason)),
        }
    }

    /// Shows the result in every waiting tab and returns when they have received it: within about one second, or two
    /// if the browser has not requested the page yet. A closed browser does not delay the program any longer.
    pub async fn show_ending(self, ending: &SignInEnding) {
        self.publish_ending(ending);
        let mut viewers = self.server.result_waiters.subscribe();
        let arrived = timeout_at(self.follow_by, viewers.wait_for(|seen| seen.arrived > 0)).await.is_ok();
        if arrived {
            let finished = viewers.wait_for(|seen| seen.finished == seen.arrived);
            // The program continues, whether the tabs received the page or not.
            drop(timeout(self.server.timeouts.linger, finished).await);
        }
    }

    pub(super) fn publish_ending(&self, ending: &SignInEnding) {
        self.server.final_page.send_replace(Some(HtmlPage::from_ending(ending)));
    }

    /// Ends a sign-in that failed before the provider was contacted. Browsers that wait at the start address get the
    /// reason.
    pub async fn finish_with_failure(self, ending: &SignInEnding) {
        self.publish_ending(ending);
        let mut beginners = self.server.start_waiters.subscribe();
        let answered = beginners.wait_for(|seen| seen.finished == seen.arrived);
        drop(timeout(self.server.timeouts.linger, answered).await);
    }
}

/// Converts a pasted address into the request that a browser would send. Some browsers copy the address without its
/// scheme, and mail or chat programs add quotes or angle brackets.
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
    /// Returns once that many tabs wait for the result.
    pub(super) async fn wait_for_result_waiters(&self, count: usize) {
        drop(self.server.result_waiters.subscribe().wait_for(|seen| seen.arrived >= count).await);
    }

    /// Returns once that many requests wait at the start address.
    pub(super) async fn wait_for_start_waiters(&self, count: usize) {
        drop(self.server.start_waiters.subscribe().wait_for(|seen| seen.arrived >= count).await);
    }
}

impl_debug!(OpenListener, |_| "OpenListener { .. }");
