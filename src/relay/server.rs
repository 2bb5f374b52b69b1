//! The relay's server: accepts connections on loopback, decides who may send, and passes exports on.
//!
//! Every program and every web page of the computer can connect. So `Host` must name this port on loopback, a request
//! with an `Origin` is refused, and an export needs a token of this user. Where the system says so, exports of other
//! users are refused even with a token. Number, size and duration of everything are bounded: the size together
//! and not for each connection, so that a hundred exporters need no more memory than one large export.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::http::{Method, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore, oneshot},
    task::{JoinSet, spawn_blocking, yield_now},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    export::Export,
    probe::{END_PATH, PROOF_PATH, ProofAnswer},
    request::{ArrivedRequest, BodyLength, read_head},
    response::RelayResponse,
    secret::RelaySecret,
    upstream::UpstreamClient,
};
use crate::{
    host::Host,
    lock::ExclusiveLock,
    log,
    oidc::callback::{ConnectionOwners, is_own_host},
    race::{RaceWinner, race_futures},
    secret::Secret,
    telemetry::otlp::{HelperState, OtlpSignal},
    text::encode_hex,
};

/// The largest export. CloudWatch takes one megabyte of events; Claude Code sends some ten kilobytes a minute.
pub(super) const MAX_BODY_BYTES: usize = 512 * 1024;
/// All bodies that the relay holds at one time.
const BODY_BUDGET: usize = 1024 * 1024;
/// What the smallest body takes of the budget, so that it also bounds the number of exports.
const MIN_BODY_SHARE: usize = 16 * 1024;
/// The most connections at a time.
const MAX_CONNECTIONS: usize = 200;

/// From the connection to the complete head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// From the head to the complete body.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an export waits for its share of the budget.
const BUDGET_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// For the client to close the connection after the answer.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// At the end, for the exports that have arrived.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_DRAINED_BYTES: usize = 1024 * 1024;

/// The relay of one user on one port.
pub(super) struct RelayServer {
    host: Host,
    port: u16,
    secret: RelaySecret,
    /// The random name of this process.
    instance: String,
    upstream: UpstreamClient,
    /// The latest reading of who owns the connections, and when it began.
    owners: Mutex<Option<(Instant, ConnectionOwners)>>,
    /// The bytes that bodies may still take.
    budget: Semaphore,
    /// One export is prepared at a time: its JSON tree takes several times the memory of its text.
    preparing: Semaphore,
    last_work: Mutex<Instant>,
    end: Notify,
}

/// The connection of an exporter.
struct Connection {
    own: SocketAddr,
    peer: SocketAddr,
    /// When it existed already.
    known_at: Instant,
}

impl RelayServer {
    pub(super) fn new(host: Host, port: u16, secret: RelaySecret) -> Self {
        let mut name = [0; 16];
        (host.fill_random)(&mut name);
        Self {
            host,
            port,
            secret,
            instance: encode_hex(&name),
            upstream: UpstreamClient::default(),
            owners: Mutex::default(),
            budget: Semaphore::new(BODY_BUDGET),
            preparing: Semaphore::new(1),
            last_work: Mutex::new(Instant::now()),
            end: Notify::new(),
        }
    }

    /// Serves until no work has arrived for the time `idle`, or until a newer version takes over. Then it closes the
    /// port and releases the lock, which the next relay may take, and answers what has arrived.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, idle: Duration, lock: ExclusiveLock) {
        let mut connections = JoinSet::new();
        let mut silent: VecDeque<oneshot::Sender<Infallible>> = VecDeque::new();
        loop {
            let deadline = *self.last_work() + idle;
            let ended = race_futures(self.end.notified(), sleep_until(deadline));
            let stream = match race_futures(listener.accept(), ended).await {
                RaceWinner::Left(Ok((stream, _))) => stream,
                RaceWinner::Left(Err(_)) => {
                    // The process has no free file descriptor, or the client closed first. The system sends no event
                    // when `accept` would work again, so wait briefly and retry.
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
                RaceWinner::Right(RaceWinner::Left(())) => break,
                RaceWinner::Right(RaceWinner::Right(())) if *self.last_work() + idle <= Instant::now() => break,
                RaceWinner::Right(RaceWinner::Right(())) => continue,
            };
            while connections.try_join_next().is_some() {}
            if connections.len() >= MAX_CONNECTIONS {
                // Let connections proceed whose request has already arrived, so that none of those is closed.
                yield_now().await;
                silent.retain(|connection| !connection.is_closed());
                silent.pop_front();
                connections.join_next().await;
            }
            silent.retain(|connection| !connection.is_closed());
            let (eviction, evicted) = oneshot::channel();
            silent.push_back(eviction);
            connections.spawn(serve_connection(stream, evicted, Arc::clone(&self)));
        }
        log::info("relay", format_args!("the relay on port {} ends", self.port));
        drop((listener, lock));
        // What is left after the timeout was not acknowledged, so its exporter sends it again.
        let _ = timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    }

    fn last_work(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.last_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request, or refuses it.
    async fn answer(self: &Arc<Self>, request: ArrivedRequest, stream: &mut TcpStream) -> RelayResponse {
        // A page that makes its own host name resolve to this computer sends that name (DNS rebinding), and every page
        // that posts to another origin sends its own.
        if !is_own_host(request.head.host.as_deref(), self.port) || request.head.has_origin {
            return RelayResponse::refuse(403, "the relay does not serve web pages");
        }
        let head = &request.head;
        let signal = match (&head.method, head.path.as_str()) {
            (&Method::GET, PROOF_PATH) => return self.prove(&head.query),
            (&Method::POST, END_PATH) => return self.end_for(head.token.as_ref()),
            (&Method::POST, "/v1/metrics") => OtlpSignal::Metrics,
            (&Method::POST, "/v1/logs") => OtlpSignal::Logs,
            (_, PROOF_PATH | END_PATH | "/v1/metrics" | "/v1/logs") => {
                return RelayResponse::refuse(405, "the method is not allowed");
            }
            _ => return RelayResponse::refuse(404, "the relay takes metrics and logs only"),
        };
        self.export(signal, request, stream).await.unwrap_or_else(|refusal| refusal)
    }

    /// Proves to `otel-headers` that this is the user's relay. It asks for every header, so the relay is needed. The answer
    /// helps no other program: it would have to listen on this port to use it.
    fn prove(&self, nonce: &str) -> RelayResponse {
        if nonce.len() != 64 || !nonce.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return RelayResponse::refuse(400, "the question is not valid");
        }
        if !self.has_current_secret() {
            return RelayResponse::refuse(410, "the relay ends");
        }
        *self.last_work() = Instant::now();
        let version = env!("CARGO_PKG_VERSION");
        RelayResponse::json(&ProofAnswer {
            version: version.to_owned(),
            instance: self.instance.clone(),
            proof: self.secret.prove(self.port, nonce, version, &self.instance),
        })
    }

    /// Ends the relay if the request comes from this user's program.
    fn end_for(&self, token: Option<&Secret>) -> RelayResponse {
        if !token.is_some_and(|token| self.secret.is_end_token(token.expose(), self.port, &self.instance)) {
            return RelayResponse::refuse(401, "the token is not valid");
        }
        self.end.notify_one();
        RelayResponse::json(&serde_json::json!({}))
    }

    async fn export(
        self: &Arc<Self>,
        signal: OtlpSignal,
        request: ArrivedRequest,
        stream: &mut TcpStream,
    ) -> Result<RelayResponse, RelayResponse> {
        let head = &request.head;
        let token = head.token.as_ref().map_or("", Secret::expose);
        let profile = self.secret.find_profile(token, (self.host.now)());
        let profile = profile.filter(|_| self.has_current_secret());
        let profile = profile.ok_or_else(|| RelayResponse::refuse(401, "the token is not valid"))?;
        if head.content_type.split(';').next().map(str::trim) != Some("application/json") {
            let message = "the relay takes JSON only: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json";
            return Err(RelayResponse::refuse(415, message));
        }
        if !matches!(head.content_encoding.as_str(), "" | "identity") {
            let message = "the relay takes no compressed data: set OTEL_EXPORTER_OTLP_COMPRESSION=none";
            return Err(RelayResponse::refuse(415, message));
        }
        let arrived = Instant::now();
        *self.last_work() = arrived;
        let length = match head.length {
            BodyLength::Known(length) if length > MAX_BODY_BYTES => return Err(RelayResponse::too_large()),
            BodyLength::Known(length) => length,
            BodyLength::Chunked => MAX_BODY_BYTES,
        };
        let share = u32::try_from(length.max(MIN_BODY_SHARE)).expect("the largest body is smaller than the budget");
        let busy = || RelayResponse::retry_later("the relay is busy");
        let share = timeout(BUDGET_TIMEOUT, self.budget.acquire_many(share)).await.map_err(|_| busy())?;
        let helper = HelperState::from_headers(head.helper_version.as_deref(), head.helper_failure.as_deref());
        let body = timeout(BODY_TIMEOUT, request.read_body(stream, MAX_BODY_BYTES)).await;
        let body = body.unwrap_or_else(|_| Err(RelayResponse::refuse(408, "the body did not arrive in time")))?;
        let ends = stream.local_addr().and_then(|own| Ok((own, stream.peer_addr()?)));
        let connection = ends.ok().map(|(own, peer)| Connection { own, peer, known_at: arrived });
        let answer = self.forward(Export { profile, signal, body, helper }, connection).await;
        drop(share);
        *self.last_work() = Instant::now();
        answer
    }

    /// Whether another user sends the export, as far as the system says.
    fn is_other_user(&self, connection: &Connection) -> bool {
        let mut latest = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let known = latest.take().filter(|(began, _)| *began >= connection.known_at);
        let (began, owners) = known.unwrap_or_else(|| (Instant::now(), ConnectionOwners::read(self.port)));
        let is_other = owners.is_other_user(connection.own, connection.peer);
        *latest = Some((began, owners));
        is_other
    }

    /// Whether the stored secret is still the one of this process. `logout --all` deletes it. Then this relay cannot
    /// prove itself to anyone any more, and ends.
    fn has_current_secret(&self) -> bool {
        let is_current = matches!(RelaySecret::load(&self.host.paths.data), Ok(Some(stored)) if stored == self.secret);
        if !is_current {
            self.end.notify_one();
        }
        is_current
    }

    /// Sends the export to CloudWatch, and returns success only if CloudWatch has taken it.
    async fn forward(
        self: &Arc<Self>,
        export: Export,
        connection: Option<Connection>,
    ) -> Result<RelayResponse, RelayResponse> {
        let failed = || RelayResponse::retry_later("the relay failed");
        let prepared = {
            let _turn = self.preparing.acquire().await.map_err(|_| failed())?;
            let server = Arc::clone(self);
            // The keyring may wait, and the relay must still be able to prove itself meanwhile.
            spawn_blocking(move || {
                if connection.is_some_and(|connection| server.is_other_user(&connection)) {
                    return Err(RelayResponse::refuse(403, "the relay serves another user"));
                }
                let prepared = export.prepare(&server.host, server.port)?;
                let client = server.upstream.for_profile(&prepared.profile, &server.host.environment);
                Ok::<_, RelayResponse>((client, prepared.request))
            })
            .await
            .map_err(|_| failed())?
        };
        let (client, request) = prepared?;
        let client = client.map_err(|error| {
            log::warn("relay", format_args!("cannot connect to CloudWatch: {error:?}"));
            RelayResponse::retry_later("the network settings cannot be used")
        })?;
        let answer = client.send(request).await.map_err(|error| {
            log::warn("relay", format_args!("CloudWatch did not answer: {error:?}"));
            RelayResponse::retry_later("CloudWatch did not answer")
        })?;
        let status = answer.status.as_u16();
        if !answer.status.is_success() {
            log::warn("relay", format_args!("CloudWatch answered with {status}"));
        }
        let retry_after = answer.headers.get(header::RETRY_AFTER).and_then(|text| text.to_str().ok());
        Ok(RelayResponse::from_upstream(status, retry_after, answer.body))
    }
}

/// Reads one request and answers it. `evicted` completes when the server needs the connection's place.
async fn serve_connection(mut stream: TcpStream, evicted: oneshot::Receiver<Infallible>, server: Arc<RelayServer>) {
    let RaceWinner::Left(read) = race_futures(timeout(HEAD_TIMEOUT, read_head(&mut stream)), evicted).await else {
        return;
    };
    let answer = match read.unwrap_or_else(|_| Err(RelayResponse::refuse(408, "the request did not arrive in time"))) {
        Ok(Some(request)) => server.answer(request, &mut stream).await,
        Ok(None) => return,
        Err(refusal) => refusal,
    };
    send_response(stream, &answer).await;
}

/// Sends the answer, closes the sending side, and then reads what the client still sends. Closing a socket that has
/// unread bytes sends an RST, and the client could lose the answer.
async fn send_response(mut stream: TcpStream, answer: &RelayResponse) {
    let bytes = answer.to_bytes();
    let sending = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    if matches!(timeout(WRITE_TIMEOUT, sending).await, Ok(Ok(()))) {
        let draining = async {
            let mut scrap = [0; 4096];
            let mut left = MAX_DRAINED_BYTES;
            while let Ok(read @ 1..) = stream.read(&mut scrap).await {
                let Some(rest) = left.checked_sub(read) else { return };
                left = rest;
            }
        };
        drop(timeout(LINGER_TIMEOUT, draining).await);
    }
}
