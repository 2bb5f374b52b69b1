//! The program under test with a relay.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use serde_json::json;
use testworld::{Browser, CLIENT_ID, Got, World};

use crate::upstream::StandInUpstream;

/// A running server. Its credentials of AWS are planted secrets.
pub(crate) struct RelayProgram {
    child: Child,
    url: String,
    log: Option<JoinHandle<String>>,
    _folder: tempfile::TempDir,
}

/// All texts that no log may contain.
pub(crate) const PLANTED: [&str; 3] = ["planted-aws-secret", "planted-aws-token", "planted-body"];

impl RelayProgram {
    /// `relay` has the lines of the table.
    pub(crate) fn start(world: &World, upstream: &StandInUpstream, relay: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "version = 1\nlisten = \"127.0.0.1:0\"\nstore = \"file:usage.redb\"\n[[issuer]]\nissuer = {}\n\
             audience = [{}]\nperson = [\"email\"]\n[relay]\n{relay}\n",
            json!(world.issuer()),
            json!(CLIENT_ID),
        );
        std::fs::write(folder.path().join("server.toml"), text).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the child gets pipes of its own")]
        let mut child = Command::new(env!("CARGO_BIN_EXE_bedrock-sso-server"))
            .args(["serve", "--config"])
            .arg(folder.path().join("server.toml"))
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", PLANTED[0])
            .env("AWS_SESSION_TOKEN", PLANTED[1])
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ENDPOINT_URL", &upstream.url)
            .env("BEDROCK_SSO_LOG", "debug")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut before) = (String::new(), String::new());
        let url = loop {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the program has ended: {before}");
            if let Some(url) = line.trim_end().strip_prefix("bedrock-sso-server: listening on ") {
                break url.to_owned();
            }
            before.push_str(&line);
        };
        // The pipe is read to its end, so that the program never waits for a reader.
        let log = thread::spawn(move || {
            lines.read_to_string(&mut before).unwrap();
            before
        });
        Self { child, url, log: Some(log), _folder: folder }
    }

    pub(crate) fn post(&self, path: &str, token: Option<&str>, headers: &[(&str, &str)], body: &[u8]) -> Got {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut all = headers.to_vec();
        all.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        Browser::new(None).fetch("POST", &format!("{}{path}", self.url), &all, body).unwrap()
    }

    pub(crate) fn post_json(&self, path: &str, token: &str, body: &serde_json::Value) -> Got {
        self.post(path, Some(token), &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Got {
        Browser::new(None).fetch("GET", &format!("{}{path}", self.url), &[], b"").unwrap()
    }

    /// Ends the program, and returns all lines of its log.
    pub(crate) fn end(mut self) -> String {
        testworld::terminate(self.child.id().cast_signed());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for RelayProgram {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
