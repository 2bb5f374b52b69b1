//! Selects the commands that are compared: this program with each storage of the key, minimal C programs, and
//! alternatives.
//!
//! A command that is not installed is left out, and the output says so.

use std::{
    cell::RefCell,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use testworld::{Desk, World};

use super::{
    contender::Contender,
    session::Session,
    turns::{Turns, installed},
};

const CREDENTIALS: &str = "credentials";
const HEADERS: &str = "otel-headers";

/// A build of this program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub build: &'static str,
    pub path: PathBuf,
    pub is_shipped: bool,
}

/// Two desks, one for each storage of the key, and the credentials document that they print.
pub(super) struct Selection {
    // A desk searches for secrets when it is dropped, so it must be dropped before the world.
    file: Desk<'static>,
    keyring: Option<(Desk<'static>, Session)>,
    world: &'static World,
    requests: usize,
    folder: TempDir,
    programs: Vec<Program>,
    /// Whether the kernel stores a copy of the key on this machine.
    has_copy: bool,
    left_out: RefCell<Vec<String>>,
}

/// Programs that do similar work, if they are installed.
pub(super) struct Alternatives(Vec<(&'static str, Option<PathBuf>, &'static [&'static str])>);

impl Selection {
    pub(super) fn new() -> Self {
        let world: &'static World = Box::leak(Box::new(World::new()));
        let built = Path::new(env!("CARGO_BIN_EXE_bedrock-sso")).parent().expect("target/release");
        let folder = TempDir::with_prefix_in("bench-", built).unwrap();
        // A desk of a copied program expects the `person` example here.
        std::os::unix::fs::symlink(built.join("examples"), folder.path().join("examples")).unwrap();
        let (programs, mut left_out) = programs(folder.path());
        let file = desk(world);
        let document = file.run(["credentials"]).expect_code(0).stdout;
        std::fs::write(folder.path().join("document.json"), document).unwrap();
        let keyring = has_keyring().then(|| {
            let session = Session::unlocked();
            let desk = desk(world);
            let text = std::fs::read_to_string(desk.config_file()).unwrap();
            desk.configure(&text.replace("storage = \"file\"", "storage = \"keyring\""));
            desk.set_variable("DBUS_SESSION_BUS_ADDRESS", session.address());
            desk.run(["credentials"]).expect_code(0);
            (desk, session)
        });
        if keyring.is_none() {
            left_out.push(
                "left out: the keyring, because gnome-keyring-daemon, dbus-daemon or dbus-send is not installed".into(),
            );
        }
        let has_copy = keyring.as_ref().is_some_and(|(desk, _)| has_kernel_copy(desk));
        if keyring.is_some() && !has_copy {
            left_out
                .push("left out: the kernel's keyring, because this kernel does not store keys for the test".into());
        }
        file.settle();
        let requests = world.ledger().total();
        Self { file, keyring, world, requests, folder, programs, has_copy, left_out: left_out.into() }
    }

    pub(super) fn programs(&self) -> &[Program] {
        &self.programs
    }

    pub(super) fn sent_no_request(&self) -> bool {
        self.world.ledger().total() == self.requests
    }

    pub(super) fn left_out(&self) -> Vec<String> {
        self.left_out.borrow().clone()
    }

    /// The commands that take a few milliseconds. All are compared with the first one.
    pub(super) fn warm(&self, turns: &Turns) -> Vec<Contender> {
        let cat = Contender { in_crowd: true, ..self.cat() };
        let document = self.document();
        let mut all = vec![
            cat,
            Contender::new("/bin/true", "/bin/true", &[]),
            Contender::new("a static C program that reads and writes it", turns.program("cat"), &[&document]),
        ];
        for program in &self.programs {
            let limit = if program.is_shipped { 1.1 } else { 1.4 };
            let ours = self.ours(program, CREDENTIALS, "storage = \"file\"", &self.file, Some(limit));
            all.push(Contender { in_crowd: true, ..ours });
        }
        let Some((desk, _)) = &self.keyring else { return all };
        for program in self.programs.iter().filter(|_| self.has_copy) {
            let limit = program.is_shipped.then_some(1.3);
            let what = "keyring, copy of the key in the kernel";
            all.push(self.ours(program, CREDENTIALS, what, desk, limit));
        }
        for program in &self.programs {
            let ours = self.ours(program, CREDENTIALS, "keyring over D-Bus alone", desk, Some(3.0));
            all.push(Contender { without_kernel_keyring: true, ..ours });
        }
        let floor = Contender::new("a static C program that reads the key over D-Bus", turns.program("secret"), &[]);
        all.push(Contender { environment: environment(desk), ..floor });
        all
    }

    /// For each build, `otel-headers` and the warm `credentials` that it is compared with. From now on the provider,
    /// AWS and every other network are unreachable.
    pub(super) fn headers(&self) -> Vec<[Contender; 2]> {
        self.world.stop_provider();
        self.world.stop_sts();
        let nowhere = ("HTTPS_PROXY".into(), "http://127.0.0.1:9".into());
        let pair = |program| {
            let measure = self.ours(program, CREDENTIALS, CREDENTIALS, &self.file, None);
            let mut headers = self.ours(program, HEADERS, HEADERS, &self.file, Some(1.2));
            headers.environment.push(nowhere.clone());
            [measure, headers]
        };
        self.programs.iter().map(pair).collect()
    }

    /// The slow commands, which are measured apart from the fast ones, with a `cat` to compare with.
    pub(super) fn slow(&self, turns: &Turns, alternatives: Alternatives) -> Vec<Contender> {
        let mut all = vec![self.cat()];
        if let Some((desk, _)) = &self.keyring {
            let words = ["lookup", "service", "bedrock-sso"];
            let lookup = Contender::new("secret-tool lookup", "/usr/bin/secret-tool", &words);
            self.add(turns, &mut all, Contender { environment: environment(desk), ..lookup });
        }
        for (name, program, words) in alternatives.0 {
            match program {
                Some(program) => self.add(turns, &mut all, Contender::new(name, program, words)),
                None => self.leave_out(name, "is not installed"),
            }
        }
        all
    }

    fn add(&self, turns: &Turns, all: &mut Vec<Contender>, mut contender: Contender) {
        // With these the AWS CLI needs no network.
        for (name, value) in [("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "example")] {
            contender.environment.push((name.into(), value.into()));
        }
        match turns.works(&contender) {
            true => all.push(contender),
            false => self.leave_out(&contender.name, "does not work here"),
        }
    }

    fn leave_out(&self, name: &str, why: &str) {
        self.left_out.borrow_mut().push(format!("left out: {name} {why}"));
    }

    fn ours(&self, program: &Program, verb: &str, what: &str, desk: &Desk<'_>, limit: Option<f64>) -> Contender {
        let name = format!("bedrock-sso, {}: {what}", program.build);
        let ours = Contender::new(&name, &program.path, &[verb]);
        Contender { environment: environment(desk), limit, is_ours: true, is_shipped: program.is_shipped, ..ours }
    }

    fn cat(&self) -> Contender {
        Contender::new("/bin/cat of the same document", "/bin/cat", &[&self.document()])
    }

    fn document(&self) -> String {
        self.folder.path().join("document.json").to_str().unwrap().to_owned()
    }
}

impl Alternatives {
    pub(super) fn found() -> Self {
        Self(vec![
            ("python3 -c pass", found("python3"), &["-c", "pass"]),
            ("node -e 0", found("node"), &["-e", "0"]),
            ("aws configure export-credentials", found("aws"), &["configure", "export-credentials"]),
        ])
    }
}

/// Finds a program. Debian's comes first, because a version manager's is a script that has to search for the real one.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = ["/usr/bin".into()].into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder: PathBuf| folder.join(name)).find(|program| program.is_file())
}

fn has_keyring() -> bool {
    ["gnome-keyring-daemon", "dbus-daemon", "dbus-send"].iter().all(|name| found(name).is_some())
}

fn desk(world: &'static World) -> Desk<'static> {
    let desk = Desk::new(world, env!("CARGO_BIN_EXE_bedrock-sso"));
    desk.unset_variable("BEDROCK_SSO_LOG");
    desk.unset_variable("BEDROCK_SSO_LOG_FILE");
    desk
}

/// Whether the kernel stores a copy of the key. Some containers forbid it.
fn has_kernel_copy(desk: &Desk<'_>) -> bool {
    desk.set_variable("BEDROCK_SSO_LOG", "keyring=debug");
    let log = desk.run(["credentials"]).expect_code(0).stderr;
    desk.unset_variable("BEDROCK_SSO_LOG");
    !log.contains("asked: it has a key")
}

fn environment(desk: &Desk<'_>) -> Vec<(OsString, OsString)> {
    let command: Command = desk.command();
    command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

/// The default build, and the static build that ships if `packaging/linux/build` has made it.
fn programs(folder: &Path) -> (Vec<Program>, Vec<String>) {
    let built = Path::new(env!("CARGO_BIN_EXE_bedrock-sso"));
    let target = built.ancestors().nth(2).expect("target/release/bedrock-sso");
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let shipped = target.join("linux").join(triple).join("release/bedrock-sso");
    let (mut programs, mut left_out) = (Vec::new(), Vec::new());
    for (build, path, is_shipped) in [("dynamic", built, false), ("static", &shipped, true)] {
        if !path.exists() {
            left_out.push(format!("left out: the {build} build, which packaging/linux/build makes"));
            continue;
        }
        let to = folder.join(format!("bedrock-sso-{build}"));
        installed(path, &to);
        programs.push(Program { build, path: to, is_shipped });
    }
    (programs, left_out)
}
