//! STS of another region is used when the region of the profile cannot be reached, and never after a refusal.

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

/// A proxy that connects the hosts it knows to ports of this machine, and answers 502 for all others.
struct TunnelProxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TunnelProxy {
    fn new(known: &[(&'static str, u16)]) -> Self {
        let known: BTreeMap<_, _> = known.iter().copied().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (known, seen) = (known.clone(), seen.clone());
                thread::spawn(move || serve_tunnel(stream, &known, &seen));
            }
        });
        Self { address, asked }
    }

    fn requested_hosts(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve_tunnel(client: TcpStream, known: &BTreeMap<&'static str, u16>, seen: &Mutex<Vec<String>>) -> io::Result<()> {
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

/// A home whose profile uses the real AWS endpoints, through this proxy.
fn desk<'w>(world: &'w World, proxy: &TunnelProxy, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, more);
    desk.replace_in_config(&format!("sts_endpoint = {}\n", json!(world.sts_endpoint())), "");
    desk.set_variable("HTTPS_PROXY", format!("http://{}", proxy.address));
    desk.set_variable("NO_PROXY", "127.0.0.1");
    desk
}

#[test]
fn unreachable_region_falls_back_to_the_next_region() {
    let world = World::over_tls();
    let proxy = TunnelProxy::new(&[(NEIGHBOUR, port(&world))]);
    let desk = desk(&world, &proxy, "");
    desk.credentials();
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1));
    assert_eq!(
        (proxy.requested_hosts().first(), proxy.requested_hosts().last()),
        (Some(&HOME.to_owned()), Some(&NEIGHBOUR.to_owned()))
    );
    assert!(desk.log().contains("us-west-2"));
}

#[test]
fn role_chain_stays_in_the_fallback_region_that_answered() {
    let world = World::over_tls();
    let workload = "arn:aws:iam::333333333333:role/Workload";
    world.set(Knob::ChainRoles, json!([{ "arn": workload, "trusts": ROLE_ARN }]));
    let proxy = TunnelProxy::new(&[(NEIGHBOUR, port(&world))]);
    desk(&world, &proxy, &format!("role_chain = [\"{workload}\"]")).credentials();
    assert_eq!((world.count(Endpoint::Assume), world.count(Endpoint::Link)), (1, 1));
    let mut asked = proxy.requested_hosts();
    asked.dedup();
    assert_eq!(asked, [HOME, NEIGHBOUR], "the second request goes to the region that answered the first");
}

#[test]
fn only_configured_fallback_regions_are_tried() {
    let world = World::over_tls();
    let proxy = TunnelProxy::new(&[]);
    let failed = fails(&desk(&world, &proxy, "sts_fallback_regions = []"), 9, "network/proxy_gateway");
    failed.message_has(&["sts.us-east-1.amazonaws.com"]);
    assert!(proxy.requested_hosts().iter().all(|host| host == HOME), "{:?}", proxy.requested_hosts());

    let proxy = TunnelProxy::new(&[]);
    let desk = desk(&world, &proxy, "sts_fallback_regions = [\"eu-west-1\", \"auto\"]");
    // The message names the region of the profile, because the user can change something there.
    fails(&desk, 9, "network/proxy_gateway").message_has(&["sts.us-east-1.amazonaws.com"]);
    let mut asked = proxy.requested_hosts();
    asked.dedup();
    assert_eq!(asked, [HOME, "sts.eu-west-1.amazonaws.com:443", NEIGHBOUR]);
}

#[test]
fn server_errors_of_one_region_lead_to_the_next_region() {
    let world = World::over_tls();
    let proxy = TunnelProxy::new(&[(HOME, port(&world)), (NEIGHBOUR, port(&world))]);
    world.next(3, Knob::AssumeFault, json!(Fault::aws(503, "ServiceUnavailable", "wait")));
    desk(&world, &proxy, "").credentials();
    assert_eq!(world.count(Endpoint::Assume), 4);
    assert!(proxy.requested_hosts().contains(&NEIGHBOUR.to_owned()));
}

#[test]
fn sts_refusal_is_final_in_every_region() {
    for (code, slug) in [("AccessDenied", "aws/access_denied"), ("Throttling", "aws/throttled")] {
        let world = World::over_tls();
        let proxy = TunnelProxy::new(&[(HOME, port(&world)), (NEIGHBOUR, port(&world))]);
        world.set(Knob::AssumeFault, json!(Fault::aws(400, code, "no")));
        fails(&desk(&world, &proxy, ""), 7, slug);
        assert!(!proxy.requested_hosts().contains(&NEIGHBOUR.to_owned()), "{code}");

        let proxy = TunnelProxy::new(&[(NEIGHBOUR, port(&world))]);
        fails(&desk(&world, &proxy, "sts_fallback_regions = [\"us-west-2\", \"us-east-2\"]"), 7, slug);
        assert!(!proxy.requested_hosts().iter().any(|host| host.contains("us-east-2")), "{code}");
    }
}

#[test]
fn disabled_fallback_region_is_skipped() {
    let world = World::over_tls();
    let proxy = TunnelProxy::new(&[(NEIGHBOUR, port(&world))]);
    world.set(Knob::AssumeFault, json!(Fault::aws(403, "RegionDisabledException", "STS is not activated")));
    fails(&desk(&world, &proxy, ""), 9, "network/proxy_gateway").message_has(&["sts.us-east-1.amazonaws.com"]);
}

#[test]
fn configured_sts_endpoint_has_no_fallback() {
    let world = World::new();
    let desk = super::desk(&world);
    world.stop_sts();
    fails(&desk, 9, "network/connect");
    assert!(!desk.log().contains("us-west-2"));
}
