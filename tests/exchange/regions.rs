//! STS of another region, when that of the profile's cannot be reached; and nowhere else once somebody has answered.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::json;
use testworld::{Desk, Endpoint, Fault, Knob, ROLE_ARN, World};

use super::{PROGRAM, fails};

const HOME: &str = "sts.us-east-1.amazonaws.com:443";
const NEIGHBOUR: &str = "sts.us-west-2.amazonaws.com:443";

/// A proxy that leads the hosts it knows to ports of this machine, and knows no way to the others.
struct Ways {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Ways {
    fn to(known: &[(&'static str, u16)]) -> Self {
        let known: BTreeMap<_, _> = known.iter().copied().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (known, seen) = (known.clone(), seen.clone());
                thread::spawn(move || lead(stream, &known, &seen));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn lead(client: TcpStream, known: &BTreeMap<&'static str, u16>, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut first, mut line) = (String::new(), String::new());
    reader.read_line(&mut first)?;
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let host = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let port = known.get(host.as_str()).copied();
    seen.lock().unwrap().push(host);
    let mut client = client;
    let Some(port) = port else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    };
    let server = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut up, mut back) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut &server, &mut back).and_then(|_| back.shutdown(Shutdown::Both)));
    io::copy(&mut reader, &mut up)?;
    up.shutdown(Shutdown::Both)
}

fn port(world: &World) -> u16 {
    world.sts_endpoint().rsplit(':').next().unwrap().parse().unwrap()
}

/// A desk that asks AWS's own hosts, through this proxy.
fn desk<'w>(world: &'w World, ways: &Ways, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, more);
    desk.replace_in_config(&format!("sts_endpoint = {}\n", json!(world.sts_endpoint())), "");
    desk.set_variable("HTTPS_PROXY", format!("http://{}", ways.address));
    desk.set_variable("NO_PROXY", "127.0.0.1");
    desk
}

#[test]
fn a_region_that_cannot_be_reached_is_stood_in_for_by_its_neighbour() {
    let world = World::over_tls();
    let ways = Ways::to(&[(NEIGHBOUR, port(&world))]);
    let desk = desk(&world, &ways, "");
    desk.credentials();
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1));
    assert_eq!((ways.asked().first(), ways.asked().last()), (Some(&HOME.to_owned()), Some(&NEIGHBOUR.to_owned())));
    assert!(desk.log().contains("trying its endpoint in us-west-2"));
}

#[test]
fn a_silence_is_waited_for_once_however_many_questions_there_are() {
    let world = World::over_tls();
    let workload = "arn:aws:iam::333333333333:role/Workload";
    world.set(Knob::ChainRoles, json!([{ "arn": workload, "trusts": ROLE_ARN }]));
    let ways = Ways::to(&[(NEIGHBOUR, port(&world))]);
    desk(&world, &ways, &format!("role_chain = [\"{workload}\"]")).credentials();
    assert_eq!((world.count(Endpoint::Assume), world.count(Endpoint::Link)), (1, 1));
    let mut asked = ways.asked();
    asked.dedup();
    assert_eq!(asked, [HOME, NEIGHBOUR], "the second question goes where the first was answered");
}

#[test]
fn the_regions_that_are_named_are_asked_and_no_other() {
    let world = World::over_tls();
    let ways = Ways::to(&[]);
    let failed = fails(&desk(&world, &ways, "sts_fallback_regions = []"), 9, "network/proxy_gateway");
    failed.message_has(&["sts.us-east-1.amazonaws.com"]);
    assert!(ways.asked().iter().all(|host| host == HOME), "{:?}", ways.asked());

    let ways = Ways::to(&[]);
    let desk = desk(&world, &ways, "sts_fallback_regions = [\"eu-west-1\", \"auto\"]");
    // The profile's own region is the one that a user can do something about.
    fails(&desk, 9, "network/proxy_gateway").message_has(&["sts.us-east-1.amazonaws.com"]);
    let mut asked = ways.asked();
    asked.dedup();
    assert_eq!(asked, [HOME, "sts.eu-west-1.amazonaws.com:443", NEIGHBOUR]);
}

#[test]
fn a_fault_of_one_regions_sts_is_not_the_others() {
    let world = World::over_tls();
    let ways = Ways::to(&[(HOME, port(&world)), (NEIGHBOUR, port(&world))]);
    world.next(3, Knob::AssumeFault, json!(Fault::aws(503, "ServiceUnavailable", "wait")));
    desk(&world, &ways, "").credentials();
    assert_eq!(world.count(Endpoint::Assume), 4);
    assert!(ways.asked().contains(&NEIGHBOUR.to_owned()));
}

#[test]
fn a_refusal_is_final_wherever_it_comes_from() {
    for (code, slug) in [("AccessDenied", "aws/access_denied"), ("Throttling", "aws/throttled")] {
        let world = World::over_tls();
        let ways = Ways::to(&[(HOME, port(&world)), (NEIGHBOUR, port(&world))]);
        world.set(Knob::AssumeFault, json!(Fault::aws(400, code, "no")));
        fails(&desk(&world, &ways, ""), 7, slug);
        assert!(!ways.asked().contains(&NEIGHBOUR.to_owned()), "{code}");

        let ways = Ways::to(&[(NEIGHBOUR, port(&world))]);
        fails(&desk(&world, &ways, "sts_fallback_regions = [\"us-west-2\", \"us-east-2\"]"), 7, slug);
        assert!(!ways.asked().iter().any(|host| host.contains("us-east-2")), "{code}");
    }
}

#[test]
fn a_neighbour_that_the_account_has_switched_off_is_passed_over() {
    let world = World::over_tls();
    let ways = Ways::to(&[(NEIGHBOUR, port(&world))]);
    world.set(Knob::AssumeFault, json!(Fault::aws(403, "RegionDisabledException", "STS is not activated")));
    fails(&desk(&world, &ways, ""), 9, "network/proxy_gateway").message_has(&["sts.us-east-1.amazonaws.com"]);
}

#[test]
fn an_endpoint_that_was_named_is_the_only_one() {
    let world = World::new();
    let desk = super::desk(&world);
    world.stop_sts();
    fails(&desk, 9, "network/connect");
    assert!(!desk.log().contains("trying its endpoint in"));
}
