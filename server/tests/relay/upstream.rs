//! The next places of an export on loopback: CloudWatch, Firehose, and an endpoint of somebody else. All requests are
//! remembered.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// A request as it has arrived.
#[derive(Clone, Debug)]
pub(crate) struct SeenRequest {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// One answer: status, headers in lines, and body.
#[derive(Clone, Debug)]
pub(crate) enum NextAnswer {
    Full(u16, &'static str, String),
    /// The connection ends without an answer.
    Close,
}

#[derive(Debug, Default)]
struct UpstreamState {
    seen: Vec<SeenRequest>,
    /// Answers to exports, in their order. Afterwards all are accepted.
    exports: VecDeque<NextAnswer>,
    /// Answers to rows.
    rows: VecDeque<NextAnswer>,
}

/// The next places, at one address.
pub(crate) struct StandInUpstream {
    pub(crate) url: String,
    state: Arc<Mutex<UpstreamState>>,
}

impl SeenRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The rows of a request to Firehose.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let records = self.json()["Records"].clone();
        let texts = records
            .as_array()
            .unwrap()
            .iter()
            .map(|record| String::from_utf8(STANDARD.decode(record["Data"].as_str().unwrap()).unwrap()).unwrap());
        let lines: String = texts.inspect(|text| assert!(text.ends_with('\n'))).collect();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn is_of_rows(&self) -> bool {
        self.header("x-amz-target") == Some("Firehose_20150804.PutRecordBatch")
    }
}

impl StandInUpstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<UpstreamState>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &shared));
            }
        });
        Self { url, state }
    }

    pub(crate) fn next_exports(&self, answers: impl IntoIterator<Item = NextAnswer>) {
        self.state.lock().unwrap().exports.extend(answers);
    }

    pub(crate) fn next_rows(&self, answers: impl IntoIterator<Item = NextAnswer>) {
        self.state.lock().unwrap().rows.extend(answers);
    }

    /// The requests since the last call.
    pub(crate) fn take_seen(&self) -> Vec<SeenRequest> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

fn serve(stream: &TcpStream, state: &Mutex<UpstreamState>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader) {
        let answer = {
            let mut state = state.lock().unwrap();
            let accepted_rows = accept_rows(&request);
            let scripted = match request.is_of_rows() {
                true => state.rows.pop_front(),
                false => state.exports.pop_front(),
            };
            state.seen.push(request);
            scripted.unwrap_or(NextAnswer::Full(200, "", accepted_rows))
        };
        let NextAnswer::Full(status, headers, body) = answer else { return };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n");
        (&mut &*stream).write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
    }
}

/// What an accepted request is answered.
fn accept_rows(request: &SeenRequest) -> String {
    match request.is_of_rows() {
        true => {
            let records = request.json()["Records"].as_array().unwrap().len();
            json!({ "FailedPutCount": 0, "RequestResponses": vec![json!({ "RecordId": "1" }); records] }).to_string()
        }
        false => "{}".to_owned(),
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<SeenRequest> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(SeenRequest { path, headers, body })
}
