//! Tests of the relay's end: after its idle time, and at the request of a newer version.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use testworld::Port;

use super::{
    probe::{ProbeOutcome, end_relay, probe_port},
    secret::RelaySecret,
    server::RelayServer,
};
use crate::{
    host::{self, Environment, Host, HostPaths},
    http, lock,
    oidc::callback::bind_address,
    time::Timestamp,
};

fn host_in(folder: &Path) -> Host {
    let paths = HostPaths {
        user_config: folder.join("user.toml"),
        system_config: folder.join("system.toml"),
        data: folder.to_owned(),
        home_data: folder.to_owned(),
    };
    let now = || Timestamp::from_unix(1_800_000_000);
    Host { environment: Environment::fixed([]), paths, now, fill_random: host::fill_random }
}

/// Runs a relay with this idle time on a thread, and returns after its end what `meanwhile` has returned.
fn with_relay<T>(idle: Duration, meanwhile: impl FnOnce(&Host, u16, &RelaySecret) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let (host, port) = (host_in(folder.path()), Port::reserve());
    let secret = RelaySecret::load_or_create(folder.path(), host::fill_random).unwrap();
    let lock_path = folder.path().join("relay.lock");
    let lock = lock::try_acquire(&lock_path).unwrap().expect("free");
    let server = Arc::new(RelayServer::new(host.clone(), port.number(), secret.clone()));
    let (ready, is_ready) = std::sync::mpsc::channel();
    let address = (Ipv4Addr::LOCALHOST, port.number()).into();
    let relay = thread::spawn(move || {
        http::block_on(async {
            let listener = bind_address(address).await.unwrap();
            ready.send(()).unwrap();
            server.serve(listener, idle, lock).await;
        })
        .unwrap();
    });
    is_ready.recv().unwrap();
    let result = meanwhile(&host, port.number(), &secret);
    relay.join().unwrap();
    assert!(lock::try_acquire(&lock_path).unwrap().is_some(), "the next relay can take the lock");
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port.number())).is_err(), "the port is free");
    result
}

#[test]
fn relay_ends_after_its_idle_time() {
    with_relay(Duration::from_millis(20), |_, _, _| {});
}

#[test]
fn relay_proves_itself_and_ends_on_request() {
    with_relay(Duration::from_secs(600), |host, port, secret| {
        let stranger = RelaySecret::generate(host::fill_random);
        assert_eq!(probe_port(host, port, Some(&stranger)), ProbeOutcome::Foreign);
        assert_eq!(probe_port(host, port, None), ProbeOutcome::Foreign);
        let ProbeOutcome::Ours(instance) = probe_port(host, port, Some(secret)) else { panic!("not ours") };
        assert_eq!((instance.version.as_str(), instance.is_outdated()), (env!("CARGO_PKG_VERSION"), false));
        end_relay(port, &instance, &stranger);
        assert!(matches!(probe_port(host, port, Some(secret)), ProbeOutcome::Ours(_)), "another user cannot end it");
        end_relay(port, &instance, secret);
    });
}

#[test]
fn silent_connection_does_not_delay_the_end() {
    with_relay(Duration::from_millis(50), |_, port, _| {
        // Dropped after the relay has ended.
        std::mem::forget(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap());
    });
}
