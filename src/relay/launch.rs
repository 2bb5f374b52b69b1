//! Starts the relay, once for each user and port, and gives `otel-headers` a token after the relay has proved itself.
//!
//! The relay's process takes a lock, then the port, and then reports that it is ready. The kernel releases both if the
//! process dies, so nothing has to be cleaned up after a crash.

use std::{
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tokio::net::TcpListener;

use super::{
    Error,
    probe::{ProbeOutcome, end_relay, probe_port},
    secret::{self, HEADER_PERIOD_SECONDS, RelaySecret},
    server::RelayServer,
};
use crate::{
    files,
    host::{self, Host},
    http, lock, log,
    oidc::callback::{BindAttempt, BindObstacle, PortHolder, bind_address},
    secret::Secret,
};

/// How long `otel-headers` waits for the relay's process to be ready. It takes a few milliseconds.
const START_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a new relay waits for an older one that is about to end, or for another that is about to listen.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// After this time without work the relay ends: two periods after which Claude Code asks for new headers.
const IDLE_TIME: Duration = Duration::from_secs(2 * HEADER_PERIOD_SECONDS.unsigned_abs());

/// How the relay's process was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayStart {
    /// By `otel-headers`, whose session and folder the relay leaves.
    InBackground,
    /// By a user in a terminal.
    InForeground,
}

/// The line with which a relay in the background reports that it listens. Any other end of its output means that it does
/// not: another relay may run already.
pub const READY_LINE: &str = "ready\n";

/// Returns the token that an exporter of this profile sends. It has checked that the program on the port is a relay of
/// this user, and has started one if necessary.
pub fn connect_relay(host: &Host, profile: &str, port: u16) -> Result<Secret, Error> {
    files::ensure_private_folder(&host.paths.data)?;
    let began = Instant::now();
    let mut has_started = false;
    loop {
        let secret = RelaySecret::load(&host.paths.data)?;
        let is_running = || lock::is_held(&lock_path(&host.paths.data, port));
        match (probe_port(host, port, secret.as_ref()), secret) {
            (ProbeOutcome::Ours(instance), Some(secret)) if instance.is_outdated() && !has_started => {
                log::info("relay", format_args!("a relay of version {} is replaced", instance.version));
                end_relay(port, &instance, &secret);
            }
            (ProbeOutcome::Ours(_), Some(secret)) => return Ok(secret.exporter_token(profile, (host.now)())),
            // A relay of this user has the lock and is about to listen, or to end because its secret was replaced. The
            // system sends no event when it does.
            (ProbeOutcome::Ours(_) | ProbeOutcome::Foreign, _)
                if began.elapsed() < HANDOVER_TIMEOUT && is_running()? =>
            {
                thread::sleep(POLL_INTERVAL);
                continue;
            }
            (ProbeOutcome::Ours(_) | ProbeOutcome::Foreign, _) => return Err(port_taken(port)),
            // On a busy computer a relay may need longer than one question waits.
            (ProbeOutcome::Silent, _) if is_running()? && began.elapsed() < START_TIMEOUT => continue,
            (ProbeOutcome::Silent, _) if is_running()? => return Err(Error::Silent { port }),
            (ProbeOutcome::Silent, _) => return Err(port_taken(port)),
            (ProbeOutcome::Absent, _) if !has_started => {}
            // The relay that was started has not bound its port yet, or another call's relay has. The system sends no event.
            (ProbeOutcome::Absent, _) if began.elapsed() < START_TIMEOUT => {
                thread::sleep(POLL_INTERVAL);
                continue;
            }
            (ProbeOutcome::Absent, _) => return Err(Error::NotStarted(io::ErrorKind::TimedOut.into())),
        }
        start_process(profile)?;
        has_started = true;
    }
}

fn port_taken(port: u16) -> Error {
    Error::PortTaken { port, holder: PortHolder::find_by_port(port) }
}

fn lock_path(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!("relay-{port}.lock"))
}

/// Starts the relay's process, and waits until it listens or has ended.
fn start_process(profile: &str) -> Result<(), Error> {
    let mut command = host::build_self_command().map_err(Error::NotStarted)?;
    command.args(["otel-relay", "--background", "--profile", profile]).stdout(Stdio::piped());
    let child = command.spawn().map_err(Error::NotStarted)?;
    log::info("relay", format_args!("started process {}", child.id()));
    wait_until_ready(child)
}

fn wait_until_ready(mut child: Child) -> Result<(), Error> {
    let output = child.stdout.take().expect("the output is a pipe");
    let (sender, receiver) = mpsc::channel();
    // A pipe has no timeout, so a thread reads it.
    thread::spawn(move || {
        let mut line = String::new();
        let _ = sender.send(BufReader::new(output).read_line(&mut line).map(|_| line));
    });
    match receiver.recv_timeout(START_TIMEOUT) {
        Ok(Ok(line)) if line == READY_LINE => Ok(()),
        // The process has ended or is about to. If another relay runs or a program has the port, the next probe shows
        // it.
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Error::NotStarted(error)),
        Err(_) => Err(Error::NotStarted(io::ErrorKind::TimedOut.into())),
    }
}

/// Runs the relay until it has had no work for two header periods, or a newer version takes over. Calls `report_ready`
/// when it listens.
pub fn run_relay(host: &Host, port: u16, start: RelayStart, report_ready: impl FnOnce()) -> Result<(), Error> {
    files::ensure_private_folder(&host.paths.data)?;
    let lock = lock::acquire_within(&lock_path(&host.paths.data, port), HANDOVER_TIMEOUT)?;
    let lock = lock.ok_or(Error::Running { port })?;
    let secret = RelaySecret::load_or_create(&host.paths.data, host.fill_random)?;
    let server = Arc::new(RelayServer::new(host.clone(), port, secret));
    if start == RelayStart::InBackground {
        host::detach_session();
        // The caller's folder may be one that the user wants to remove while the relay runs.
        host::leave_current_folder(&host.paths.data);
    }
    let serving = async {
        let listener = bind_port(port).await?;
        report_ready();
        log::info("relay", format_args!("the relay listens on port {port}"));
        server.serve(listener, IDLE_TIME, lock).await;
        Ok(())
    };
    http::block_on(serving).map_err(Error::NotStarted)?
}

/// Whether a relay of this user runs on this port. It does not connect, and creates no file.
pub fn is_relay_running(host: &Host, port: u16) -> bool {
    let path = lock_path(&host.paths.data, port);
    path.exists() && lock::is_held(&path).unwrap_or(false)
}

/// Ends the relays of this user and deletes their secret, so that no token is valid any more.
pub fn forget_relays(host: &Host) -> Result<(), files::Error> {
    let folder = &host.paths.data;
    if !folder.is_dir() {
        return Ok(());
    }
    let secret = RelaySecret::load(folder)?;
    let parse_port = |name: &String| name.strip_prefix("relay-")?.strip_suffix(".lock")?.parse::<u16>().ok();
    let ports: Vec<u16> = files::list_files(folder)?.iter().filter_map(parse_port).collect();
    for port in &ports {
        if let Some(secret) = &secret
            && let ProbeOutcome::Ours(instance) = probe_port(host, *port, Some(secret))
        {
            end_relay(*port, &instance, secret);
        }
    }
    secret::remove_secret(folder)?;
    for port in ports {
        let path = lock_path(folder, port);
        drop(lock::acquire_within(&path, HANDOVER_TIMEOUT)?);
        lock::remove_if_free(&path);
    }
    Ok(())
}

/// Binds the port. An older relay has released its lock after its port, so the port is free unless another program has
/// it.
async fn bind_port(port: u16) -> Result<TcpListener, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    bind_address(address).await.map_err(|attempt| match attempt {
        BindAttempt { obstacle: BindObstacle::InUse(holder), .. } => Error::PortTaken { port, holder },
        attempt => Error::NoPort(attempt),
    })
}
