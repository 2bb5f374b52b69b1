//! A small HTTP/1.1 server on loopback, with or without TLS. Each connection has a thread and carries one request.
//!
//! It can be stopped and started again on the same port. Its callers define what requests mean.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    port::{Port, stop_listening},
    wait::retry_interrupted,
};

pub type Fields = Vec<(String, String)>;

/// The first value of a field.
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    pub headers: Fields,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Fields,
    pub body: Vec<u8>,
}

pub(crate) enum Ending {
    Answer(Reply),
    Close,
    Hang,
    Flood,
    /// These bytes, with a pause between the parts, and then the end of the connection.
    Raw(Vec<Vec<u8>>, Duration),
}

pub(crate) type Serve = Arc<dyn Fn(&Request) -> Ending + Send + Sync>;

pub(crate) struct Server {
    /// Reserved, so that no other program listens there while the server is stopped.
    port: Port,
    tls: Option<Arc<ServerConfig>>,
    serve: Serve,
    live: Mutex<Option<Live>>,
    /// Microseconds spent between the arrival of requests and the sending of their answers.
    spent: Arc<AtomicU64>,
}

struct Live {
    stopped: Arc<AtomicBool>,
    accepting: JoinHandle<TcpListener>,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> Fields {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The fields of a form; `None` if the content type is another one.
    pub(crate) fn form(&self) -> Option<Fields> {
        let declared = self.header("content-type")?.to_ascii_lowercase();
        declared
            .starts_with("application/x-www-form-urlencoded")
            .then(|| form_urlencoded::parse(&self.body).into_owned().collect())
    }
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![
            ("Content-Type".to_owned(), content_type.to_owned()),
            ("Cache-Control".to_owned(), "no-store".to_owned()),
        ];
        Self { status, headers, body: body.as_bytes().to_vec() }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", &value.to_string())
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        Self::new(status, "text/plain", "").with("Location", to)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Server {
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>, serve: Serve) -> Self {
        let server = Self { port: Port::reserve(), tls, serve, live: Mutex::new(None), spent: Arc::default() };
        server.start_again();
        server
    }

    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The time spent on requests so far.
    pub(crate) fn time_serving(&self) -> Duration {
        Duration::from_micros(self.spent.load(Ordering::SeqCst))
    }

    /// Refuses connections from now on, and closes those with a hanging request.
    pub(crate) fn stop(&self) {
        let Some(live) = self.live.lock().unwrap().take() else { return };
        live.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number())));
        stop_listening(live.accepting.join().expect("the accepting thread does not panic"));
    }

    /// Listens on the same port as before.
    pub(crate) fn start_again(&self) {
        let mut live = self.live.lock().unwrap();
        if live.is_none() {
            *live = Some(self.run(self.port.listen()));
        }
    }

    fn run(&self, listener: TcpListener) -> Live {
        let stopped = Arc::new(AtomicBool::new(false));
        let (tls, flag) = (self.tls.clone(), stopped.clone());
        let (serve, spent) = (self.serve.clone(), self.spent.clone());
        let accepting = thread::spawn(move || {
            for socket in listener.incoming() {
                if flag.load(Ordering::SeqCst) {
                    break;
                }
                let (serve, tls, flag, spent) = (serve.clone(), tls.clone(), flag.clone(), spent.clone());
                if let Ok(socket) = socket {
                    thread::spawn(move || serve_connection(socket, tls, &serve, &flag, &spent));
                }
            }
            listener
        });
        Live { stopped, accepting }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Serves one connection. An error ends it.
fn serve_connection(
    socket: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    serve: &Serve,
    stopped: &AtomicBool,
    spent: &AtomicU64,
) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let watch = socket.try_clone().ok()?;
    match tls {
        None => exchange(&mut &socket, &watch, serve, stopped, spent).ok(),
        Some(config) => {
            let connection = ServerConnection::new(config).ok()?;
            let mut stream = StreamOwned::new(connection, socket);
            exchange(&mut stream, &watch, serve, stopped, spent).ok()?;
            stream.conn.send_close_notify();
            stream.flush().ok()
        }
    }
}

fn exchange(
    stream: &mut (impl Read + Write),
    watch: &TcpStream,
    serve: &Serve,
    stopped: &AtomicBool,
    spent: &AtomicU64,
) -> io::Result<()> {
    let Some(request) = receive(stream)? else { return Ok(()) };
    let began = Instant::now();
    match serve(&request) {
        Ending::Answer(reply) => {
            // Counted before the last byte is sent, so that a client with the answer finds it counted.
            spent.fetch_add(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
            send(stream, &reply, request.method == "HEAD")
        }
        Ending::Close => Ok(()),
        Ending::Hang => hang(watch, stopped),
        Ending::Flood => flood(stream),
        Ending::Raw(parts, pause) => {
            for part in parts {
                stream.write_all(&part)?;
                stream.flush()?;
                // The slow server is what the test is about.
                thread::sleep(pause);
            }
            Ok(())
        }
    }
}

/// Reads a request; `None` if the peer closed the connection first.
fn receive(stream: &mut impl Read) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        let read = retry_interrupted(|| stream.read(&mut piece))?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece[..read]);
        if let Some(request) = parse(&bytes).map_err(io::Error::other)? {
            return Ok(Some(request));
        }
    }
}

/// Parses a request; `None` while it is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<Request>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(start) = parsed.parse(bytes)? else { return Ok(None) };
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: owned(parsed.headers),
        body: Vec::new(),
    };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let Some(body) = bytes.get(start..start + length) else { return Ok(None) };
    request.body = body.to_vec();
    Ok(Some(request))
}

pub(crate) fn owned(headers: &[httparse::Header<'_>]) -> Fields {
    let text =
        |header: &httparse::Header<'_>| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned());
    headers.iter().map(text).collect()
}

fn send(stream: &mut impl Write, reply: &Reply, head_only: bool) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status)).into_bytes();
    for (name, value) in &reply.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let length = reply.body.len();
    bytes.extend_from_slice(format!("Content-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes());
    if !head_only {
        bytes.extend_from_slice(&reply.body);
    }
    stream.write_all(&bytes)?;
    retry_interrupted(|| stream.flush())
}

fn hang(watch: &TcpStream, stopped: &AtomicBool) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(300);
    watch.set_read_timeout(Some(Duration::from_millis(50)))?;
    while !stopped.load(Ordering::SeqCst) && Instant::now() < until {
        match retry_interrupted(|| watch.peek(&mut [0])) {
            Ok(0) => break,
            Ok(_) => thread::sleep(Duration::from_millis(50)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn flood(stream: &mut impl Write) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"a\":\"")?;
    let mebibyte = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        stream.write_all(&mebibyte)?;
    }
    stream.write_all(b"\"}")
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        303 => "See Other",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
