//! The callback address: which port and path the program uses, and how it treats requests of strangers.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    os::unix::{fs::MetadataExt, process::CommandExt},
    process::{Command, Stdio},
};

use openidconnect::url::form_urlencoded;
use serde_json::json;
use testworld::{Browser, Endpoint, Knob, Port, World, stop_listening};

use super::{Pending, authorization_requests, desk, desk_with, final_page, pending};

#[test]
fn callback_uses_the_first_free_registered_port() {
    let world = World::new();
    let (first, second) = (Port::reserve(), Port::reserve());
    let other = first.listen();
    let desk = desk_with(&world, &format!("redirect_ports = [{first}, {second}]"));
    desk.credentials();
    stop_listening(other);
    desk.run(["login", "--force"]).expect_code(0);
    let used: Vec<_> =
        authorization_requests(&world).into_iter().map(|request| request["redirect_uri"].clone()).collect();
    assert_eq!(used, [second, first].map(|port| format!("http://127.0.0.1:{port}/callback")));
}

#[test]
fn busy_registered_ports_are_named_with_their_holders() {
    let world = World::new();
    let ports = [Port::reserve(), Port::reserve()];
    let _others = ports.each_ref().map(Port::listen);
    let desk = desk_with(&world, &format!("redirect_ports = [{}, {}]", ports[0], ports[1]));
    // This process holds the ports.
    let failed = desk.run(["credentials"]).fails_without_golden(4, "sign-in/port");
    failed.message_has(&ports.each_ref().map(|port| format!("127.0.0.1:{port}")).each_ref().map(String::as_str));
    failed.hint_has(&["`redirect_ports`"]);
    if cfg!(target_os = "linux") {
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        failed.message_has(&[&format!("{} (process {})", name.trim(), std::process::id())]);
    }
    assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (0, 0), "no browser is opened");
}

#[test]
fn callback_uses_the_registered_path() {
    let world = World::new();
    let port = world.free_port();
    let registered = format!("http://127.0.0.1:{port}/oauth2/done");
    world.set(Knob::RedirectUris, json!([registered]));
    let desk = desk_with(&world, &format!("redirect_ports = [{port}]\nredirect_path = \"/oauth2/done\""));
    desk.credentials();
    assert_eq!(authorization_requests(&world)[0]["redirect_uri"], registered);
}

#[test]
fn localhost_callback_listens_on_ipv4_and_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    for family in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        let world = World::new();
        let desk = desk_with(&world, "redirect_host = \"localhost\"");
        let Pending { call, start } = pending(&desk);
        assert!(start.starts_with("http://localhost:"), "{start}");
        let authorize = redirect_target(&get_over(family, &start));
        let callback = sign_in_up_to_callback(&authorize);
        assert!(callback.starts_with("http://localhost:"), "{callback}");
        let end = redirect_target(&get_over(family, &callback));
        let page = get_over(family, &format!("{}{end}", origin(&callback)));
        assert!(page.contains("123456789012"), "{page}");
        assert_eq!(call.finish().expect_code(0).document()["Version"], 1, "{family}");
    }
}

#[test]
fn localhost_callback_skips_a_port_busy_on_ipv6() {
    let (busy, other) = (Port::reserve(), Port::reserve());
    let Some(_stranger) = busy.listen_on(Ipv6Addr::LOCALHOST) else { return };
    let world = World::new();
    let more = format!("redirect_host = \"localhost\"\nredirect_ports = [{busy}, {other}]");
    desk_with(&world, &more).credentials();
    assert_eq!(authorization_requests(&world)[0]["redirect_uri"], format!("http://localhost:{other}/callback"));
}

#[test]
fn callback_ignores_forged_answers() {
    let world = World::new();
    // Every forged answer has the correct issuer, which is public, so the program must recognise it by its state.
    let iss: String = form_urlencoded::byte_serialize(world.issuer().as_bytes()).collect();
    let forged = [
        format!("code=stolen&state=guessed&iss={iss}"),
        format!("code=stolen&iss={iss}"),
        format!("state=guessed&iss={iss}"),
        format!("error=access_denied&error_description=go+away&state=guessed&iss={iss}"),
        format!("error=access_denied&iss={iss}"),
        format!("code=stolen&state=&iss={iss}"),
        String::new(),
    ];
    world.set(Knob::Forged, json!(forged));
    let desk = desk(&world);
    desk.credentials();
    assert_eq!((world.count(Endpoint::Code), desk.tabs()), (1, 1));
    assert!(final_page(&desk).contains("123456789012"));
}

#[test]
fn callback_survives_unrelated_and_malformed_requests() {
    let world = World::new();
    let desk = desk(&world);
    let Pending { call, start } = pending(&desk);
    let base = origin(&start).to_owned();
    let browser = Browser::new(None);
    let long = format!("/callback?state=x&code={}", "y".repeat(20_000));
    for (method, path, status) in [
        ("GET", "/favicon.ico", 404),
        ("GET", "/", 404),
        ("HEAD", &start[base.len()..], 200),
        ("HEAD", "/callback?code=x&state=x", 200),
        ("POST", "/callback", 405),
        ("GET", "/callback", 400),
        ("GET", &long, 400),
        ("GET", "/done-aaaaaaaa", 404),
        ("OPTIONS", "/callback?state=x", 405),
    ] {
        let got = browser.fetch(method, &format!("{base}{path}"), &[], b"").unwrap();
        assert_eq!(got.status, status, "{method} {}", &path[..path.len().min(40)]);
        assert!(got.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
        assert_eq!(got.header("cache-control"), Some("no-store"));
    }
    let rebound = browser.fetch("GET", &format!("{base}/callback?state=x"), &[("Host", "evil.example")], b"");
    assert_eq!(rebound.unwrap().status, 400, "a request with two Host headers is rejected");
    assert!(testworld::visit(&start, false).unwrap().text().contains("123456789012"));
    call.finish().expect_code(0).document();
    assert_eq!(world.count(Endpoint::Code), 1);
}

#[test]
fn start_address_rejects_another_local_user() {
    if !can_act_as_another_user() {
        return;
    }
    for host in ["127.0.0.1", "localhost"] {
        let world = World::new();
        let desk = desk_with(&world, &format!("redirect_host = \"{host}\""));
        let Pending { call, start } = pending(&desk);
        let answer = fetch_as_another_user(&start);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(!answer.contains("Location:") && !answer.contains("state"), "{answer}");
        let own = get_over(Ipv4Addr::LOCALHOST.into(), &start);
        assert!(own.starts_with("HTTP/1.1 302 ") && own.contains("state="), "{own}");
        assert!(testworld::visit(&start, false).unwrap().text().contains("123456789012"));
        call.finish().expect_code(0).document();
    }
}

#[test]
fn no_browser_address_can_be_opened_by_another_user() {
    if !can_act_as_another_user() {
        return;
    }
    let world = World::new();
    let desk = desk(&world);
    let mut login = desk.command();
    let mut child = login.args(["login", "--no-browser"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut output) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    stdout.read_line(&mut output).unwrap();
    let start = output.trim_end().rsplit(' ').next().unwrap();
    let answer = fetch_as_another_user(start);
    assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
    assert!(testworld::visit(start, false).unwrap().text().contains("123456789012"));
    stdout.read_to_string(&mut output).unwrap();
    assert_eq!((child.wait().unwrap().code(), desk.tabs()), (Some(0), 0));
}

#[test]
fn callback_with_a_wrong_or_missing_issuer_is_rejected() {
    for (iss, named) in [
        (json!("https://attacker.example"), "https://attacker.example"),
        (json!("https://a.example/\u{1b}[2J"), "https://a.example/\\u{1b}[2J"),
        (json!(null), "no issuer"),
    ] {
        for denies in [false, true] {
            let world = World::new();
            let desk = desk(&world);
            let Pending { call, start } = pending(&desk);
            world.next(1, Knob::CallbackQuery, json!({ "iss": iss }));
            let page = testworld::visit(&start, denies).unwrap().text();
            assert!(page.contains("<code>sign-in/wrong_issuer</code>"), "{page}");
            let failed = call.finish().fails(6, "sign-in/wrong_issuer");
            failed.message_has(&[named, &world.issuer()]);
            assert_eq!(world.count(Endpoint::Code), 0, "the code is not redeemed");
        }
    }
}

#[test]
fn callback_without_issuer_is_accepted_if_not_advertised() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "authorization_response_iss_parameter_supported": null }));
    world.set(Knob::CallbackQuery, json!({ "iss": null }));
    desk(&world).credentials();
}

/// The answer to a request over this address family.
fn get_over(family: IpAddr, url: &str) -> String {
    read_answer(send_request(family, url))
}

/// Sends a request, and does not wait for the answer.
pub(super) fn send_request(family: IpAddr, url: &str) -> TcpStream {
    let host = origin(url).trim_start_matches("http://");
    let port: u16 = host.rsplit_once(':').unwrap().1.parse().unwrap();
    let path = url.strip_prefix(origin(url)).unwrap();
    let mut stream = TcpStream::connect((family, port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

pub(super) fn read_answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Only root can send a request as another user, and only on Linux can the program see which user has connected.
pub(crate) fn can_act_as_another_user() -> bool {
    fs::metadata("/proc/self/net/tcp").is_ok() && fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The answer that another user of this machine gets from an address.
#[expect(clippy::disallowed_methods, reason = "another user is another process")]
pub(crate) fn fetch_as_another_user(url: &str) -> String {
    const FETCH: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n' "$2" "$3" "$1" >&3
        cat <&3"#;
    const NOBODY: u32 = 65534;
    let (name, port) = origin(url).trim_start_matches("http://").rsplit_once(':').unwrap();
    let path = url.strip_prefix(origin(url)).unwrap();
    let mut fetch = Command::new("bash");
    fetch.args(["-c", FETCH, "fetch", port, path, name]).uid(NOBODY).current_dir("/");
    String::from_utf8(fetch.output().unwrap().stdout).unwrap()
}

fn origin(url: &str) -> &str {
    let host = url.find("://").unwrap() + 3;
    &url[..url[host..].find('/').map_or(url.len(), |slash| host + slash)]
}

fn redirect_target(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("Location: "));
    line.unwrap_or_else(|| panic!("no redirect: {answer}")).to_owned()
}

/// Signs in with a browser, but does not open the callback; returns its address.
fn sign_in_up_to_callback(authorize: &str) -> String {
    let mut browser = Browser::new(None);
    let mut here = authorize.to_owned();
    while !here.contains("/callback?") {
        let to = browser.get(&here).unwrap().header("location").unwrap().to_owned();
        here = if to.starts_with('/') { format!("{}{to}", origin(&here)) } else { to };
    }
    here
}
