//! A desktop session's bus and keyring, made for one test and ended with it, and the kernel's copy of the key.
//!
//! The bus activates no services: everything on it was started here.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread,
};

use tempfile::TempDir;
use testworld::wait_until;

const PASSWORD: &[u8] = b"a password";
const COPY: &str = "bedrock-sso:sealing-key";

pub(crate) struct Session {
    dir: TempDir,
    bus: Child,
    keyring: Option<Child>,
}

/// Records the calls on the bus until it is read.
pub(crate) struct Monitor {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Session {
    /// A session after the user has logged in.
    pub(crate) fn unlocked() -> Self {
        let mut session = Self::without_service();
        session.start_keyring(&["--unlock"], PASSWORD);
        wait_until("the login collection is there", || {
            let alias = session.call("ReadAlias", &["string:default"]);
            alias.contains("collection/login")
        });
        session
    }

    /// A keyring that has no collection yet.
    pub(crate) fn never_used() -> Self {
        let mut session = Self::without_service();
        session.start_keyring(&[], b"");
        session
    }

    /// A bus without a Secret Service.
    pub(crate) fn without_service() -> Self {
        let dir = TempDir::with_prefix("bedrock-sso-session-").unwrap();
        let config = dir.path().join("bus.conf");
        let bus = format!(
            "<busconfig><type>session</type><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/></policy></busconfig>",
            dir.path().display()
        );
        fs::write(&config, bus).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address"]);
        let mut bus = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:path="), "{line}");
        Self { dir, bus, keyring: None }
    }

    /// KDE's session, with or without a wallet.
    pub(crate) fn kwallet(has_wallet: bool) -> Self {
        let mut session = Self::without_service();
        session.start_kwallet();
        if has_wallet {
            session.open_wallet();
            // KWallet offers its secrets to other programs only after the next start.
            session.end_keyring();
            session.start_kwallet();
        }
        session
    }

    /// Opens the wallet as the login does, with the password.
    pub(crate) fn open_wallet(&self) {
        let password: Vec<_> = (1..=56).map(|byte: u8| byte.to_string()).collect();
        let password = format!("array:byte:{}", password.join(","));
        self.ask_kwallet("pamOpen", &["string:kdewallet", &password, "int32:0"]);
        wait_until("the wallet is open", || self.ask_kwallet("isOpen", &["string:kdewallet"]).contains("boolean true"));
    }

    fn ask_kwallet(&self, method: &str, words: &[&str]) -> String {
        let mut ask = self.command("dbus-send");
        ask.args(["--session", "--print-reply", "--dest=org.kde.kwalletd5", "/modules/kwalletd5"]);
        let output = ask.arg(format!("org.kde.KWallet.{method}")).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn start_kwallet(&mut self) {
        let mut command = self.command("kwalletd5");
        command.env("QT_QPA_PLATFORM", "offscreen").env("XDG_CONFIG_HOME", self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.keyring = Some(command.spawn().unwrap());
        wait_until("KWallet is on the bus", || self.has_secrets());
    }

    fn end_keyring(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            drop(keyring.kill());
            drop(keyring.wait());
        }
        wait_until("no service owns the name", || !self.has_secrets());
    }

    fn has_secrets(&self) -> bool {
        self.ask_bus("NameHasOwner", "string:org.freedesktop.secrets").contains("boolean true")
    }

    fn ask_bus(&self, method: &str, word: &str) -> String {
        let mut ask = self.command("dbus-send");
        ask.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]);
        let output = ask.args([&format!("org.freedesktop.DBus.{method}"), word]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}/bus", self.dir.path().display())
    }

    pub(crate) fn lock(&self) {
        let login = "array:objpath:/org/freedesktop/secrets/collection/login";
        assert!(self.call("Lock", &[login]).contains("collection/login"));
    }

    /// Unlocks the keyring as the next login does.
    pub(crate) fn unlock_again(&mut self) {
        let before = self.keyring.take();
        self.start_keyring(&["--replace", "--unlock"], PASSWORD);
        // The new daemon ends the old one.
        drop(before.expect("the session has a keyring").wait());
        wait_until("the login collection is open", || {
            self.call("SearchItems", &["dict:string:string:service,bedrock-sso"]).contains("collection/login")
        });
    }

    /// Records from now on the calls that ask the keyring to unlock or to prompt.
    pub(crate) fn monitor(&self) -> Monitor {
        let mut command = self.command("dbus-monitor");
        for member in ["Unlock", "Prompt", "NameHasOwner"] {
            command.arg(format!("type='method_call',member='{member}'"));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The monitor receives its own name first. It records once it has seen a call of ours.
        let first = thread::scope(|scope| {
            let listening = scope.spawn(|| lines.find(|line| line.as_ref().unwrap().contains("NameHasOwner")));
            while !listening.is_finished() {
                self.has_secrets();
            }
            listening.join().unwrap()
        });
        assert!(first.is_some(), "the monitor does not see the calls on the bus");
        Monitor { child, lines }
    }

    /// The recorded calls that ask the keyring to unlock or to prompt.
    pub(crate) fn recorded_calls(&self, mut monitor: Monitor) -> Vec<String> {
        self.ask_bus("NameHasOwner", "string:that.is.all");
        let until_now = monitor.lines.by_ref().map(Result::unwrap).take_while(|line| !line.contains("that.is.all"));
        let calls = until_now.filter(|line| line.contains("member=Unlock") || line.contains("member=Prompt"));
        calls.collect()
    }

    pub(crate) fn secret_tool<const N: usize>(&self, words: [&str; N]) -> Output {
        self.command("secret-tool").args(words).output().unwrap()
    }

    fn start_keyring(&mut self, words: &[&str], password: &[u8]) {
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]).args(words).stdin(Stdio::piped());
        let mut keyring = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        keyring.stdin.take().unwrap().write_all(password).unwrap();
        self.keyring = Some(keyring);
        wait_until("the keyring is on the bus", || self.has_secrets());
    }

    /// Calls a method of the Secret Service.
    pub(crate) fn call(&self, method: &str, words: &[&str]) -> String {
        let mut ask = self.command("dbus-send");
        ask.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"]);
        let output = ask.arg(format!("org.freedesktop.Secret.Service.{method}")).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("DBUS_SESSION_BUS_ADDRESS", self.address());
        for name in ["HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env(name, self.dir.path());
        }
        command
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in self.keyring.iter_mut().chain([&mut self.bus]) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Deletes the kernel's copy of the key, as a reboot does.
pub(crate) fn forget_copy() {
    keyctl(&["purge", "-s", "user", COPY]);
    assert!(!has_copy(), "the copy is gone");
}

pub(crate) fn has_copy() -> bool {
    keyctl(&["search", "@u", "user", COPY]).status.success()
}

pub(crate) fn plant_copy(text: &str) {
    forget_copy();
    assert!(keyctl(&["add", "user", COPY, text, "@u"]).status.success());
}

fn keyctl(words: &[&str]) -> Output {
    Command::new("keyctl").args(words).output().unwrap()
}

/// The names of the programs that run with this home.
pub(crate) fn processes_in(home: &Path) -> Vec<String> {
    let wanted = [b"HOME=", home.as_os_str().as_encoded_bytes()].concat();
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let at_home = entries.filter(|process| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
    });
    at_home.filter_map(|process| fs::read_to_string(process.join("comm")).ok()).collect()
}
