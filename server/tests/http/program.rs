//! The program itself: the line that it prints, and how it ends.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::json;
use testworld::{Browser, CLIENT_ID, Endpoint, Fault, Knob, World, wait_until};

use crate::server::INGEST_TOKEN;

/// Starts the program, and returns its address from the line that it prints.
fn start(folder: &Path, world: &World) -> (Child, String) {
    std::fs::write(folder.join("ingest.token"), INGEST_TOKEN).unwrap();
    let text = format!(
        "version = 1\nlisten = \"127.0.0.1:0\"\nstore = \"file:usage.redb\"\n[[issuer]]\nissuer = {}\n\
         audience = [{}]\nperson = [\"email\"]\n[ingest]\ntoken_file = \"ingest.token\"\n",
        json!(world.issuer()),
        json!(CLIENT_ID),
    );
    std::fs::write(folder.join("server.toml"), text).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the child gets pipes of its own")]
    let mut child = Command::new(env!("CARGO_BIN_EXE_bedrock-sso-server"))
        .args(["serve", "--config"])
        .arg(folder.join("server.toml"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim_end().strip_prefix("bedrock-sso-server: listening on ");
    (child, url.unwrap_or_else(|| panic!("{line}")).to_owned())
}

#[test]
fn program_prints_its_port_and_ends_on_a_signal() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    for signal in [testworld::terminate, testworld::interrupt] {
        let (mut child, url) = start(folder.path(), &world);
        assert!(!url.ends_with(":0"), "{url}");
        let header = format!("Bearer {}", world.issue_id_token());
        let headers = [("Authorization", header.as_str())];
        let got = Browser::new(None).fetch("GET", &format!("{url}/check"), &headers, b"").unwrap();
        assert_eq!(got.status, 200, "{}", got.text());
        signal(child.id().cast_signed());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn open_request_is_finished_before_the_program_ends() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let (mut child, url) = start(folder.path(), &world);
    let header = format!("Bearer {}", world.issue_id_token());
    world.set(Knob::KeysFault, Fault::Hold);
    let address = url.trim_start_matches("http://").to_owned();
    let open = thread::spawn(move || {
        Browser::new(None).fetch("GET", &format!("{url}/check"), &[("Authorization", header.as_str())], b"").unwrap()
    });
    wait_until("the request has reached the provider", || world.count(Endpoint::Keys) > 0);
    testworld::terminate(child.id().cast_signed());
    wait_until("new connections are refused", || TcpStream::connect(&address).is_err());
    assert_eq!(child.try_wait().unwrap(), None);
    world.release();
    assert_eq!(open.join().unwrap().status, 200);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
