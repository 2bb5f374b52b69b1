//! Claude Code as it calls its hooks: the very strings that `setup` wrote, through a shell, with sockets for streams and no
//! terminal.
//!
//! It calls and judges as the host was seen to do; what must come of it is for the tests to say. Nothing in it waits: three
//! minutes of retries come as fast as they can.

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
    desk::{Desk, Heard},
    processes, sigv4,
};

const DEADLINE: Duration = Duration::from_secs(40);

/// The one hook whose stdout people see.
const REFRESH: &str = "awsAuthRefresh";

/// How many callers of credentials come at once.
const BURST: usize = 3;

/// One installation of Claude Code at a desk.
pub struct Host<'d, 'w> {
    desk: &'d Desk<'w>,
    hooks: Map<String, Value>,
    /// The session's variables: those of the desk, and over them what the settings say.
    session: BTreeMap<OsString, OsString>,
    /// What the AWS SDK finds under `AWS_PROFILE`.
    process: Option<String>,
}

/// A hook under way.
pub struct Call {
    child: Child,
    hook: &'static str,
    began: Instant,
    pieces: Receiver<(bool, Vec<u8>)>,
    heard: Heard,
    /// Held open as the host does, and never written to.
    _stdin: UnixStream,
}

/// What a hook came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// When the first line on stdout was whole.
    pub first_line_after: Option<Duration>,
    pub took: Duration,
}

/// How a session began.
#[derive(Debug)]
pub struct Session {
    /// With which AWS said whom it sees; none, and nobody can work.
    pub credentials: Option<Value>,
    /// What `awsAuthRefresh` said, if it had to run.
    pub refreshed: Option<Answer>,
}

impl<'d, 'w> Host<'d, 'w> {
    /// Reads what `setup` has written at this desk.
    pub fn at(desk: &'d Desk<'w>) -> Self {
        let read = |name: &str| fs::read_to_string(desk.home().join(name)).unwrap_or_default();
        let settings = serde_json::from_str(&read(".claude/settings.json")).expect("setup wrote settings");
        let mut host = Self::with(desk, settings);
        let profile = host.session.get(&OsString::from("AWS_PROFILE")).and_then(|name| name.to_str());
        host.process = profile.and_then(|name| process(&read(".aws/config"), name));
        host
    }

    /// With these settings, as a policy for all users brings them, and no file of AWS's.
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

    /// In a repository whose own settings say this too; they win.
    pub fn in_project(mut self, variables: &[(&str, &str)]) -> Self {
        self.session.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The order of a start: `awsCredentialExport`, else the profile's process, by a burst of callers; AWS is asked who that
    /// is; only if that fails `awsAuthRefresh` runs, and all is read again.
    pub fn begin(&self) -> Session {
        if let Some(credentials) = self.credentials_that_aws_knows() {
            return Session { credentials: Some(credentials), refreshed: None };
        }
        let refreshed = self.refresh().map(Call::finish);
        Session { credentials: self.credentials_that_aws_knows(), refreshed }
    }

    fn credentials_that_aws_knows(&self) -> Option<Value> {
        let exported = self.hook("awsCredentialExport").map(Call::finish);
        let exported = exported.filter(|answer| answer.code == Some(0)).map(|answer| answer.document());
        let credentials = match exported {
            Some(document) => document["Credentials"].clone(),
            None => self.burst().into_iter().find(|answer| answer.code == Some(0))?.document(),
        };
        (self.status_of(&credentials) == 200).then_some(credentials)
    }

    /// Several callers of the profile's credentials at once.
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

    /// `otelHeadersHelper`, its answer taken as the host takes it: an object of strings in time, or no telemetry at all.
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
        command.stdout(listened_to(true, say.clone())).stderr(listened_to(false, say));
        let began = Instant::now();
        let child = command.spawn().expect("every Unix has a shell");
        Call { child, hook, began, pieces, heard: self.desk.heard(), _stdin: stdin }
    }

    /// What AWS answers to GetCallerIdentity with these credentials.
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
    /// Waits for the first line on stdout, and gives it.
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

    /// As the host ends a hook after three minutes: its shell alone.
    pub fn end_the_shell(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// As a terminal that is closed, or another host, ends it: with all that it started and that stayed in its group.
    pub fn end_the_group(mut self) {
        processes::kill_group(self.child.id().cast_signed());
        drop(self.child.wait());
    }

    /// Waits until it has ended and its streams are closed, as the host does.
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
        assert!(took < DEADLINE, "`{}` did not let go of its streams", self.hook);
        let code = self.child.wait().expect("the child is ours").code();
        let mut heard = self.heard.lock().unwrap();
        heard.push((format!("stderr of {}", self.hook), stderr.clone()));
        if self.hook == REFRESH {
            heard.push((format!("stdout of {}", self.hook), stdout.clone()));
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

/// A socket's end for the hook, and somebody who listens at the other.
fn listened_to(is_stdout: bool, say: Sender<(bool, Vec<u8>)>) -> Stdio {
    let (mut ours, theirs) = UnixStream::pair().expect("the system has sockets");
    thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(read @ 1..) = ours.read(&mut piece) {
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
