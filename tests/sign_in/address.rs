//! The address that waits for the answer: which one is taken, and what it makes of strangers.

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

use super::{Pending, asked, desk, desk_with, page, pending};

#[test]
fn the_first_registered_port_is_taken_and_the_second_when_that_is_busy() {
    let world = World::new();
    let (first, second) = (Port::reserve(), Port::reserve());
    let other = first.listen();
    let desk = desk_with(&world, &format!("redirect_ports = [{first}, {second}]"));
    desk.credentials();
    stop_listening(other);
    desk.run(["login", "--force"]).expect_code(0);
    let used: Vec<_> = asked(&world).into_iter().map(|request| request["redirect_uri"].clone()).collect();
    assert_eq!(used, [second, first].map(|port| format!("http://127.0.0.1:{port}/callback")));
}

#[test]
fn with_every_registered_port_busy_each_is_named_with_its_holder() {
    let world = World::new();
    let ports = [Port::reserve(), Port::reserve()];
    let _others = ports.each_ref().map(Port::listen);
    let desk = desk_with(&world, &format!("redirect_ports = [{}, {}]", ports[0], ports[1]));
    // The process that holds the ports is this one.
    let failed = desk.run(["credentials"]).fails_without_golden(4, "sign-in/port");
    failed.message_has(&ports.each_ref().map(|port| format!("127.0.0.1:{port}")).each_ref().map(String::as_str));
    failed.hint_has(&["`redirect_ports`"]);
    if cfg!(target_os = "linux") {
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        failed.message_has(&[&format!("{} (process {})", name.trim(), std::process::id())]);
    }
    assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (0, 0), "no browser for nothing");
}

#[test]
fn the_registered_path_is_used() {
    let world = World::new();
    let port = world.free_port();
    let registered = format!("http://127.0.0.1:{port}/oauth2/done");
    world.set(Knob::RedirectUris, json!([registered]));
    let desk = desk_with(&world, &format!("redirect_ports = [{port}]\nredirect_path = \"/oauth2/done\""));
    desk.credentials();
    assert_eq!(asked(&world)[0]["redirect_uri"], registered);
}

#[test]
fn for_localhost_both_families_are_listened_on() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    for family in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        let world = World::new();
        let desk = desk_with(&world, "redirect_host = \"localhost\"");
        let Pending { call, start } = pending(&desk);
        assert!(start.starts_with("http://localhost:"), "{start}");
        let authorize = located(&get(family, &start));
        let callback = through_the_provider(&authorize);
        assert!(callback.starts_with("http://localhost:"), "{callback}");
        let end = located(&get(family, &callback));
        let page = get(family, &format!("{}{end}", origin(&callback)));
        assert!(page.contains("123456789012"), "{page}");
        assert_eq!(call.finish().expect_code(0).document()["Version"], 1, "{family}");
    }
}

#[test]
fn a_port_that_a_stranger_holds_in_the_other_family_is_not_used() {
    let (busy, other) = (Port::reserve(), Port::reserve());
    let Some(_stranger) = busy.listen_on(Ipv6Addr::LOCALHOST) else { return };
    let world = World::new();
    let more = format!("redirect_host = \"localhost\"\nredirect_ports = [{busy}, {other}]");
    desk_with(&world, &more).credentials();
    assert_eq!(asked(&world)[0]["redirect_uri"], format!("http://localhost:{other}/callback"));
}

#[test]
fn a_neighbours_forged_answers_are_ignored_and_the_true_one_counts() {
    let world = World::new();
    // The issuer is known to everybody, so that only the state is left to tell a stranger.
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
    assert!(page(&desk).contains("123456789012"));
}

#[test]
fn probes_favicons_posts_and_floods_neither_end_a_sign_in_nor_harm_it() {
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
    assert_eq!(rebound.unwrap().status, 400, "two hosts are none");
    assert!(testworld::visit(&start, false).unwrap().text().contains("123456789012"));
    call.finish().expect_code(0).document();
    assert_eq!(world.count(Endpoint::Code), 1);
}

#[test]
fn another_user_who_reads_the_start_address_from_the_process_list_gets_nothing_there() {
    if !may_be_another_user() {
        return;
    }
    for host in ["127.0.0.1", "localhost"] {
        let world = World::new();
        let desk = desk_with(&world, &format!("redirect_host = \"{host}\""));
        let Pending { call, start } = pending(&desk);
        let answer = as_another_user(&start);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(!answer.contains("Location:") && !answer.contains("state"), "{answer}");
        let own = get(Ipv4Addr::LOCALHOST.into(), &start);
        assert!(own.starts_with("HTTP/1.1 302 ") && own.contains("state="), "{own}");
        assert!(testworld::visit(&start, false).unwrap().text().contains("123456789012"));
        call.finish().expect_code(0).document();
    }
}

#[test]
fn an_address_that_is_opened_by_hand_may_be_opened_by_another_user() {
    if !may_be_another_user() {
        return;
    }
    let world = World::new();
    let desk = desk(&world);
    let mut login = desk.command();
    let mut child = login.args(["login", "--no-browser"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut told) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    stdout.read_line(&mut told).unwrap();
    let start = told.trim_end().rsplit(' ').next().unwrap();
    let answer = as_another_user(start);
    assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
    assert!(testworld::visit(start, false).unwrap().text().contains("123456789012"));
    stdout.read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), desk.tabs()), (Some(0), 0));
}

#[test]
fn an_answer_that_names_another_issuer_or_none_ends_the_sign_in() {
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
            assert_eq!(world.count(Endpoint::Code), 0, "its code goes nowhere");
        }
    }
}

#[test]
fn an_answer_without_an_issuer_is_good_where_none_was_promised() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "authorization_response_iss_parameter_supported": null }));
    world.set(Knob::CallbackQuery, json!({ "iss": null }));
    desk(&world).credentials();
}

/// One request over this family and no other, as from a client that knows no second.
fn get(family: IpAddr, url: &str) -> String {
    answer(request(family, url))
}

/// A request that has been sent, and waits for its answer.
pub(super) fn request(family: IpAddr, url: &str) -> TcpStream {
    let host = origin(url).trim_start_matches("http://");
    let port: u16 = host.rsplit_once(':').unwrap().1.parse().unwrap();
    let path = url.strip_prefix(origin(url)).unwrap();
    let mut stream = TcpStream::connect((family, port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

pub(super) fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Only root may act as somebody else, and only Linux tells whose a connection is.
pub(crate) fn may_be_another_user() -> bool {
    fs::metadata("/proc/self/net/tcp").is_ok() && fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// What another user of this machine is answered who opens an address.
#[expect(clippy::disallowed_methods, reason = "another user is another process")]
pub(crate) fn as_another_user(url: &str) -> String {
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

fn located(answer: &str) -> String {
    let line = answer.lines().find_map(|line| line.strip_prefix("Location: "));
    line.unwrap_or_else(|| panic!("no redirect: {answer}")).to_owned()
}

/// Signs in with a browser and stops before the callback, whose address it returns.
fn through_the_provider(authorize: &str) -> String {
    let mut browser = Browser::new(None);
    let mut here = authorize.to_owned();
    while !here.contains("/callback?") {
        let to = browser.get(&here).unwrap().header("location").unwrap().to_owned();
        here = if to.starts_with('/') { format!("{}{to}", origin(&here)) } else { to };
    }
    here
}
