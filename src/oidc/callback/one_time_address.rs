//! A short loopback address that answers one browser, once: with a redirect to a secret address, or with a page.
//!
//! `console` redirects: its sign-in address contains a token, and the arguments of the browser's process are visible to
//! every user of the machine. The arguments contain the short address instead. `quota` shows a page, which many browsers
//! could not read from a hidden folder. The server reveals either to the first request of this user, and refuses other
//! users, other hosts and later requests.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use ::http::Method;
use tokio::{net::TcpStream, sync::oneshot, task::JoinSet};

use super::{
    BindAttempt, CallbackEvent, IgnoreReason,
    connections::{RequestHandler, ServerTimeouts, accept_connections, send_response},
    http_request::CallbackRequest,
    http_response::CallbackResponse,
    listener::{bind_address, generate_path_segment},
    peer_user,
    verdict::{equals_in_constant_time, is_own_host},
};
use crate::{
    oidc::page::{HtmlPage, Notice},
    secret::Secret,
};

/// What the first request gets.
#[derive(Debug)]
pub enum OneTimeAnswer {
    /// A redirect to this address, which is a secret.
    Redirect(Secret),
    Page(HtmlPage),
}

/// An address that is answered now. Dropping it closes the port.
pub struct OneTimeAddress {
    address: String,
    used: oneshot::Receiver<()>,
    _accept_task: JoinSet<()>,
}

impl OneTimeAddress {
    /// Binds a free port of 127.0.0.1 and starts to answer. `report` receives every event, for the log.
    pub async fn start(
        answer: OneTimeAnswer,
        report: impl Fn(CallbackEvent) + Send + Sync + 'static,
    ) -> Result<Self, BindAttempt> {
        let socket = bind_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let port = socket.local_addr().map_or(0, |address| address.port());
        let path = Secret::new(format!("/{}", generate_path_segment()));
        let address = format!("http://127.0.0.1:{port}{}", path.expose());
        let (sender, used) = oneshot::channel();
        let server = OneTimeServer { port, path, answer: Mutex::new(Some((answer, sender))), report: Box::new(report) };
        let mut accept_task = JoinSet::new();
        accept_task.spawn(accept_connections(socket, Arc::new(server)));
        Ok(Self { address, used, _accept_task: accept_task })
    }

    /// The short address. It is not a credential: only this user's browser gets the answer from it, once.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns after a browser got the answer.
    pub async fn wait_until_used(&mut self) {
        (&mut self.used).await.expect("the server holds the sender and lives as long as this value");
    }
}

struct OneTimeServer {
    port: u16,
    path: Secret,
    /// The first valid request takes it, so that a second one finds nothing to reveal.
    answer: Mutex<Option<(OneTimeAnswer, oneshot::Sender<()>)>>,
    report: Box<dyn Fn(CallbackEvent) + Send + Sync>,
}

impl RequestHandler for OneTimeServer {
    fn timeouts(&self) -> ServerTimeouts {
        ServerTimeouts::default()
    }

    fn report_event(&self, event: CallbackEvent) {
        (self.report)(event);
    }

    async fn handle_request(&self, request: &CallbackRequest, stream: TcpStream) {
        if let Err(reason) = self.check_request(request, &stream) {
            self.report_event(CallbackEvent::Ignored(reason));
            let response = CallbackResponse::from_page("404 Not Found", Notice::NoRedirect.to_page());
            let response = if request.method == Method::HEAD { response.without_body() } else { response };
            return send_response(stream, &response, self.timeouts()).await;
        }
        let Some((answer, used)) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            self.report_event(CallbackEvent::RedirectReused);
            let response = CallbackResponse::from_page("410 Gone", Notice::RedirectUsed.to_page());
            return send_response(stream, &response, self.timeouts()).await;
        };
        let response = match answer {
            OneTimeAnswer::Redirect(target) => {
                self.report_event(CallbackEvent::Redirected);
                CallbackResponse::redirect_to("303 See Other", target.expose())
            }
            OneTimeAnswer::Page(page) => {
                self.report_event(CallbackEvent::ResultShown);
                CallbackResponse::from_page("200 OK", page)
            }
        };
        send_response(stream, &response, self.timeouts()).await;
        // Sending fails if the caller's timeout ended at this moment. The browser has the answer either way.
        let _ = used.send(());
    }
}

impl OneTimeServer {
    /// Checks that this user's browser requests the short address. A refused request does not consume it, so a scanner
    /// or another user cannot break the sign-in. The checks are the same as for the start address: see `verdict`.
    fn check_request(&self, request: &CallbackRequest, stream: &TcpStream) -> Result<(), IgnoreReason> {
        if !is_own_host(request.host.as_deref(), self.port) {
            return Err(IgnoreReason::ForeignHost);
        }
        if !equals_in_constant_time(request.path.expose(), &self.path) {
            return Err(IgnoreReason::UnknownPath);
        }
        match request.method {
            Method::GET if peer_user::is_other_user(stream) => Err(IgnoreReason::OtherUser),
            Method::GET => Ok(()),
            Method::HEAD => Err(IgnoreReason::HeadRequest),
            _ => Err(IgnoreReason::Method),
        }
    }
}

impl fmt::Debug for OneTimeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeAddress").field("address", &self.address).finish_non_exhaustive()
    }
}
