//! Claude Code, as it calls its hooks: it passes the commands that `setup` wrote to a shell, with sockets as streams
//! and without a terminal.
//!
//! It calls and accepts what Claude Code was observed to call and accept. It does not pause between retries.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::Read,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use chrono::Utc;
use serde_json::{Map, Value};

use crate::{
    client::Browser,
    desk::{CapturedOutput, Desk},
    processes, sigv4,
    wait::retry_interrupted,
};

const DEADLINE: Duration = Duration::from_secs(40);

/// The only hook whose stdout the user sees.
const REFRESH: &str = "awsAuthRefresh";

/// The number of concurrent callers of credentials.
const BURST: usize = 3;

/// One installation of Claude Code at a desk.
pub struct Host<'d, 'w> {
    desk: &'d Desk<'w>,
    hooks: Map<String, Value>,
    /// The session's environment: the desk's variables, overridden by the `env` of the settings.
    session: BTreeMap<OsString, OsString>,
    /// The `credential_process` of the profile that `AWS_PROFILE` names.
    process: Option<String>,
}

/// A hook that runs.
pub struct Call {
    child: Child,
    hook: &'static str,
    began: Instant,
    pieces: Receiver<(bool, Vec<u8>)>,
    captured: CapturedOutput,
    /// Claude Code leaves the hook's stdin open and never writes to it.
    _stdin: UnixStream,
}

/// The result of a hook.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// When the first line on stdout was complete.
    pub first_line_after: Option<Duration>,
    pub took: Duration,
}

/// The result of starting a session.
#[derive(Debug)]
pub struct Session {
    /// The credentials that AWS accepted, if there are any. Without them Claude Code cannot work.
    pub credentials: Option<Value>,
    /// The result of `awsAuthRefresh`, if it had to run.
    pub refreshed: Option<Answer>,
}

impl<'d, 'w> Host<'d, 'w> {
    /// Reads the settings that `setup` has written at this desk.
    pub fn at(desk: &'d Desk<'w>) -> Self {
        let read = |name: &str| fs::read_to_string(desk.home().join(name)).unwrap_or_default();
        let settings = serde_json::from_str(&read(".claude/settings.json")).expect("setup wrote settings");
        let mut host = Self::with(desk, settings);
        let profile = host.session.get(&OsString::from("AWS_PROFILE")).and_then(|name| name.to_str());
        host.process = profile.and_then(|name| process(&read(".aws/config"), name));
        host
    }

    /// Takes these settings, as a policy for all users provides them. There is no AWS configuration file.
    pub fn with(desk: &'d Desk<'w>, settings: Map<String, Value>) -> Self {
        let mut session = desk.variables();
        session.insert("AWS_ENDPOINT_URL_STS".into(), desk.world().sts_endpoint().into());
        session.insert("CLAUDECODE".into(), "1".into());
        let mut host = Self { desk, hooks: settings, session, process: None };
        let own: Vec<_> = host.hooks.get("env").and_then(Value::as_object).into_iter().flatten().collect();
        let own: Vec<_> =
            own.into_iter().filter_map(|(name, value)| Some((name.into(), value.as_str()?.into()))).collect();
        host.session.extend(own);
        host
    }

    /// Adds the settings of a repository, which override the user's.
    pub fn in_project(mut self, variables: &[(&str, &str)]) -> Self {
        self.session.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Starts a session as Claude Code does: it reads `awsCredentialExport`, or else the profile's process with several
    /// concurrent callers, and checks the result with GetCallerIdentity. Only if that fails it runs `awsAuthRefresh`
    /// and reads again.
    pub fn begin(&self) -> Session {
        if let Some(credentials) = self.accepted_credentials() {
            return Session { credentials: Some(credentials), refreshed: None };
        }
        let refreshed = self.refresh().map(Call::finish);
        Session { credentials: self.accepted_credentials(), refreshed }
    }

    fn accepted_credentials(&self) -> Option<Value> {
        let exported = self.hook("awsCredentialExport").map(Call::finish);
        let exported = exported.filter(|answer| answer.code == Some(0)).map(|answer| answer.document());
        let credentials = match exported {
            Some(document) => document["Credentials"].clone(),
            None => self.burst().into_iter().find(|answer| answer.code == Some(0))?.document(),
        };
        (self.status_of(&credentials) == 200).then_some(credentials)
    }

    /// Several concurrent calls of the profile's `credential_process`.
    pub fn burst(&self) -> Vec<Answer> {
        let calls: Vec<_> = (0..BURST).filter_map(|_| self.credentials()).collect();
        calls.into_iter().map(Call::finish).collect()
    }

    /// One call of the profile's `credential_process`.
    pub fn credentials(&self) -> Option<Call> {
        Some(self.call("credential_process", self.process.as_deref()?))
    }

    /// `awsAuthRefresh`.
    pub fn refresh(&self) -> Option<Call> {
        self.hook(REFRESH)
    }

    /// Calls `otelHeadersHelper` and judges its answer as Claude Code does: an object of strings in time, or no
    /// telemetry.
    pub fn telemetry(&self) -> Option<Map<String, Value>> {
        let answer = self.hook("otelHeadersHelper")?.finish();
        let object = serde_json::from_str::<Map<String, Value>>(&answer.stdout).ok()?;
        let is_taken = answer.code == Some(0)
            && answer.stderr.is_empty()
            && answer.took < Duration::from_secs(2)
            && object.values().all(Value::is_string);
        is_taken.then_some(object)
    }

    fn hook(&self, name: &'static str) -> Option<Call> {
        Some(self.call(name, self.hooks.get(name)?.as_str()?))
    }

    fn call(&self, hook: &'static str, line: &str) -> Call {
        let (stdin, theirs) = UnixStream::pair().expect("the system has sockets");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).env_clear().envs(&self.session).current_dir(self.desk.home());
        command.process_group(0).stdin(OwnedFd::from(theirs));
        let (say, pieces) = channel();
        command.stdout(capture_stream(true, say.clone())).stderr(capture_stream(false, say));
        let began = Instant::now();
        let child = command.spawn().expect("every Unix has a shell");
        Call { child, hook, began, pieces, captured: self.desk.captured(), _stdin: stdin }
    }

    /// The status of GetCallerIdentity with these credentials.
    pub fn status_of(&self, credentials: &Value) -> u16 {
        const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";
        let address = self.desk.world().sts_endpoint();
        let host = address.split_once("://").map_or("", |(_, host)| host.trim_end_matches('/'));
        let date = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let signed = sigv4::headers(credentials, host, &date, BODY);
        let headers: Vec<_> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = Browser::new(self.desk.world().ca_bundle()).request("POST", &address, &headers, BODY);
        answer.map_or(0, |got| got.status)
    }
}

impl Call {
    /// Waits for the first line on stdout, and returns it.
    pub fn first_line(&mut self) -> String {
        let mut said = Vec::new();
        while !said.contains(&b'\n') {
            match self.pieces.recv_timeout(DEADLINE) {
                Ok((true, piece)) => said.extend(piece),
                Ok((false, _)) => {}
                Err(_) => panic!("`{}` said only {:?}", self.hook, String::from_utf8_lossy(&said)),
            }
        }
        String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned()
    }

    /// Kills only the hook's shell, as Claude Code does after three minutes.
    pub fn kill_shell(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Kills the hook's whole process group, as a closing terminal does.
    pub fn kill_process_group(mut self) {
        processes::kill_group(self.child.id().cast_signed());
        drop(self.child.wait());
    }

    /// Waits, as Claude Code does, until the hook has ended and its streams are closed.
    pub fn finish(mut self) -> Answer {
        let (mut stdout, mut stderr, mut first_line_after) = (Vec::new(), Vec::new(), None);
        while let Ok((is_stdout, piece)) = self.pieces.recv_timeout(DEADLINE) {
            if is_stdout {
                stdout.extend(piece)
            } else {
                stderr.extend(piece)
            }
            if first_line_after.is_none() && stdout.contains(&b'\n') {
                first_line_after = Some(self.began.elapsed());
            }
        }
        let took = self.began.elapsed();
        assert!(took < DEADLINE, "`{}` did not close its streams", self.hook);
        let code = self.child.wait().expect("the child is ours").code();
        let mut captured = self.captured.lock().unwrap();
        captured.push((format!("stderr of {}", self.hook), stderr.clone()));
        if self.hook == REFRESH {
            captured.push((format!("stdout of {}", self.hook), stdout.clone()));
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Answer { code, stdout: text(stdout), stderr: text(stderr), first_line_after, took }
    }
}

impl Answer {
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("no JSON on stdout ({why}): {self:?}"))
    }
}

/// Returns a socket for the hook's stream, and forwards what arrives at its other end.
fn capture_stream(is_stdout: bool, say: Sender<(bool, Vec<u8>)>) -> Stdio {
    let (mut ours, theirs) = UnixStream::pair().expect("the system has sockets");
    thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(read @ 1..) = retry_interrupted(|| ours.read(&mut piece)) {
            let _ = say.send((is_stdout, piece[..read].to_vec()));
        }
    });
    OwnedFd::from(theirs).into()
}

/// The `credential_process` of a profile in AWS's configuration.
fn process(text: &str, profile: &str) -> Option<String> {
    let section = text.split('[').find_map(|part| part.strip_prefix(&format!("profile {profile}]")))?;
    let line = section.lines().find_map(|line| line.strip_prefix("credential_process"))?;
    Some(line.trim_start_matches([' ', '=']).to_owned())
}
