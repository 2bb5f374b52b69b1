//! A desk: a home folder, a configuration that names a test world, and the program to run there.
//!
//! When a desk is dropped, it searches its files and all captured output for the world's secrets. Only the stdout of
//! commands that print credentials may have any.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

#[cfg(unix)]
use crate::executable::copy_program;
use crate::{
    golden::{expect_wording, repository},
    ledger::Leak,
    outcome::Outcome,
    placeholders::{Placeholders, replace_variable_parts},
    processes,
    wait::retry_interrupted,
    world::World,
};

/// Commands whose stdout is a secret by design.
const PROTOCOL: [&str; 8] = ["worker", "credentials", "export", "token", "bearer", "env", "exec", "console"];
const DEADLINE: Duration = Duration::from_secs(30);

/// Captured output: a description of the stream, and its bytes.
pub(crate) type CapturedOutput = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

pub struct Desk<'w> {
    world: &'w World,
    /// A path of the program that only this desk uses. A process that protects its memory shows nothing but its
    /// arguments, so the path identifies this desk's processes.
    program: PathBuf,
    /// The program that plays the browser and its user.
    person_program: PathBuf,
    _program_dir: TempDir,
    dir: TempDir,
    environment: Mutex<BTreeMap<OsString, OsString>>,
    captured: CapturedOutput,
}

/// A call of the program that has not ended yet.
pub struct Running {
    child: Child,
    name: String,
    started: Instant,
    pieces: Receiver<(bool, Vec<u8>)>,
    /// Pieces of output that were read before the end.
    seen: Vec<(bool, Vec<u8>)>,
    captured: CapturedOutput,
    stdout_is_secret: bool,
    placeholders: Placeholders,
}

impl<'w> Desk<'w> {
    /// `program` is `env!("CARGO_BIN_EXE_bedrock-sso")`. The `person` example must be in the folder beside it, or is
    /// built.
    pub fn new(world: &'w World, program: impl Into<PathBuf>) -> Self {
        Self::with(world, program, "")
    }

    /// With these further lines of TOML for the profile.
    pub fn with(world: &'w World, program: impl Into<PathBuf>, more: &str) -> Self {
        let dir = TempDir::with_prefix("bedrock-sso-desk-").expect("the system's temporary folder can be written");
        let shared: PathBuf = program.into();
        let (program_dir, program) = link_program(&shared);
        Self::assemble(world, dir, program_dir, program, &person(&shared), &|browser| {
            world.configuration(&format!("{browser}{more}"))
        })
    }

    /// With a profile for IAM Identity Center: see [`World::identity_center_configuration`] for `more`.
    pub fn with_identity_center(world: &'w World, program: impl Into<PathBuf>, more: &str) -> Self {
        let dir = TempDir::with_prefix("bedrock-sso-desk-").expect("the system's temporary folder can be written");
        let shared: PathBuf = program.into();
        let (program_dir, program) = link_program(&shared);
        Self::assemble(world, dir, program_dir, program, &person(&shared), &|browser| {
            world.identity_center_configuration(&format!("{browser}{more}"))
        })
    }

    /// With home, program and person in this folder, for a test in which another user runs them. Other users may not be
    /// allowed to enter cargo's target folder or `$TMPDIR`.
    #[cfg(unix)]
    pub fn in_folder(world: &'w World, program: impl Into<PathBuf>, folder: &Path) -> Self {
        let folder_in = |prefix| TempDir::with_prefix_in(prefix, folder).expect("the folder can be written");
        let (dir, program_dir, shared) =
            (folder_in("bedrock-sso-desk-"), folder_in("bedrock-sso-program-"), program.into());
        let [own, own_person] = ["bedrock-sso", "person"].map(|name| program_dir.path().join(name));
        copy_program(&shared, &own);
        copy_program(&person(&shared), &own_person);
        Self::assemble(world, dir, program_dir, own, &own_person, &|browser| world.configuration(browser))
    }

    fn assemble(
        world: &'w World,
        dir: TempDir,
        program_dir: TempDir,
        program: PathBuf,
        person: &Path,
        configuration: &dyn Fn(&str) -> String,
    ) -> Self {
        let desk = Self {
            world,
            dir,
            environment: Mutex::default(),
            captured: Arc::default(),
            program,
            person_program: person.to_owned(),
            _program_dir: program_dir,
        };
        fs::create_dir_all(desk.home()).expect("a new folder");
        fs::create_dir_all(desk.outside()).expect("a new folder");
        desk.set_environment();
        let browser = json!([desk.person_program, "{url}"]);
        desk.configure(&configuration(&format!("browser = {browser}\n")));
        desk
    }

    /// Its name has a space, an apostrophe and letters outside ASCII, to find code that cannot handle them.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("Zoë Ünal's home")
    }

    pub fn config_file(&self) -> PathBuf {
        if cfg!(target_os = "macos") {
            return self.home().join("Library/Application Support/bedrock-sso/config.toml");
        }
        self.home().join(".config/bedrock-sso/config.toml")
    }

    /// The folder in which the program stores its records.
    pub fn data(&self) -> PathBuf {
        if cfg!(target_os = "macos") {
            return self.home().join("Library/Application Support/bedrock-sso");
        }
        self.home().join(".local/share/bedrock-sso")
    }

    /// Replaces the configuration.
    pub fn configure(&self, text: &str) {
        let file = self.config_file();
        fs::create_dir_all(file.parent().expect("it has a folder")).expect("the home can be written");
        fs::write(file, text).expect("the home can be written");
    }

    /// Sets a key of the profile `claude` in the configuration, with a value in TOML.
    pub fn set_key(&self, key: &str, value: &str) {
        let text = fs::read_to_string(self.config_file()).expect("the desk is configured");
        let begin = format!("{key} = ");
        let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with(&begin)).map(str::to_owned).collect();
        let profile = lines.iter().position(|line| line == "[profiles.claude]").expect("the usual profile");
        lines.insert(profile + 1, format!("{begin}{value}"));
        self.configure(&(lines.join("\n") + "\n"));
    }

    /// Removes the configuration file and defines the usual profile by variables alone, as in a container.
    pub fn configure_by_variables(&self) {
        fs::remove_file(self.config_file()).expect("the desk is configured");
        let browser = json!([self.person_program, "{url}"]).to_string();
        for (key, value) in self.world.facts() {
            self.set_variable(&format!("BEDROCK_SSO_{}", key.to_uppercase()), value);
        }
        self.set_variable("BEDROCK_SSO_BROWSER", browser);
        self.set_variable("BEDROCK_SSO_PROFILE", "claude");
    }

    /// The result of opening an address a second time: a status, or the kind of a connection error.
    pub fn second_visit(&self) -> Option<String> {
        fs::read_to_string(self.outside().join("page.second.html")).ok()
    }

    /// What the program has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.outside().join("log.txt")
    }

    /// The folder beside the home with the files of the test.
    fn outside(&self) -> PathBuf {
        self.dir.path().join("seen")
    }

    /// Sets a variable for later calls.
    pub fn set_variable(&self, name: &str, value: impl Into<OsString>) {
        self.environment.lock().unwrap().insert(name.into(), value.into());
    }

    pub fn unset_variable(&self, name: &str) {
        self.environment.lock().unwrap().remove(&OsString::from(name));
    }

    /// Sets how the user behaves from now on: see [`crate::person`].
    pub fn person(&self, act: &str) {
        self.set_variable("PERSON_ACT", act);
    }

    /// How often a browser was opened.
    pub fn tabs(&self) -> usize {
        fs::read_to_string(self.outside().join("tabs.txt")).unwrap_or_default().lines().count()
    }

    /// The address with which a browser was last opened.
    pub fn last_tab(&self) -> Option<String> {
        let tabs = fs::read_to_string(self.outside().join("tabs.txt")).ok()?;
        tabs.lines().last().map(str::to_owned)
    }

    /// The last page that the user saw.
    pub fn page(&self) -> Option<String> {
        fs::read_to_string(self.outside().join("page.html")).ok()
    }

    fn set_environment(&self) {
        let home = self.home();
        for (name, value) in [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_DATA_HOME", home.join(".local/share")),
            ("XDG_STATE_HOME", home.join(".local/state")),
            ("XDG_CACHE_HOME", home.join(".cache")),
            ("PATH", "/usr/bin:/bin".into()),
            ("BEDROCK_SSO_LOG", "debug".into()),
            ("BEDROCK_SSO_LOG_FILE", self.log_file()),
            ("PERSON_TABS", self.outside().join("tabs.txt")),
            ("PERSON_SIGHT", self.outside().join("sight.bin")),
            ("PERSON_PAGE", self.outside().join("page.html")),
        ] {
            self.set_variable(name, value);
        }
        if let Some(authorities) = self.world.ca_bundle() {
            self.set_variable("PERSON_CA", authorities);
        }
        // Windows cannot open a socket without it.
        if let Some(root) = std::env::var_os("SystemRoot") {
            self.set_variable("SystemRoot", root);
            self.set_variable("LOCALAPPDATA", home.join("AppData/Local"));
            self.set_variable("APPDATA", home.join("AppData/Roaming"));
            self.set_variable("USERPROFILE", home);
        }
    }

    /// Runs the program to its end.
    pub fn run<const N: usize>(&self, arguments: [&str; N]) -> Outcome {
        self.start(arguments).finish()
    }

    /// Runs the program to its end, with this input on its stdin.
    pub fn run_with<const N: usize>(&self, arguments: [&str; N], input: &str) -> Outcome {
        let mut command = self.command();
        command.args(arguments);
        self.run_command_with(command, "", input)
    }

    /// Runs any command to its end, and writes the input to its stdin once its stdout contains `cue`.
    pub fn run_command_with(&self, mut command: Command, cue: &str, input: &str) -> Outcome {
        command.stdin(Stdio::piped());
        let mut running = self.start_as_it_is(command);
        let mut stdin = running.child.stdin.take().expect("it was piped");
        running.wait_for(cue);
        // The program may have ended without reading its stdin.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        running.finish()
    }

    /// Starts the program without waiting for it.
    pub fn start<const N: usize>(&self, arguments: [&str; N]) -> Running {
        let mut command = self.command();
        command.args(arguments);
        self.start_command(command)
    }

    /// The path of the program, as the program itself sees it.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A command that starts the program, for a test that adds to it or wraps it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(&*self.environment.lock().unwrap()).current_dir(self.home());
        // A background job may not use the terminal in which the tests run.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }

    #[cfg(unix)]
    pub(crate) fn variables(&self) -> BTreeMap<OsString, OsString> {
        self.environment.lock().unwrap().clone()
    }

    /// The captured output, which is searched for secrets at the end.
    #[cfg(unix)]
    pub(crate) fn captured(&self) -> CapturedOutput {
        self.captured.clone()
    }

    #[cfg(unix)]
    pub(crate) fn world(&self) -> &'w World {
        self.world
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn ledger(&self) -> &crate::ledger::Ledger {
        self.world.ledger()
    }

    /// Placeholders for text that differs from run to run in this home. A path stands before the paths above it.
    fn placeholders(&self) -> Placeholders {
        let path = |path: &Path, name| (path.display().to_string(), name);
        let mut placeholders = vec![
            path(&self.home(), "{home}"),
            path(self.dir.path(), "{desk}"),
            path(&self.program, "{program}"),
            path(&self.person_program, "{person}"),
        ];
        placeholders.extend(self.world.placeholders());
        placeholders.push(path(&repository(), "{repository}"));
        placeholders
    }

    /// Compares text that the program wrote with the golden list of a topic, see [`expect_listed`](crate::expect_listed).
    #[track_caller]
    pub fn expect_wording(&self, topic: &str, heading: &str, text: &str) {
        expect_wording(topic, heading, &self.without_variable_parts(text));
    }

    /// The text with placeholders for what differs from run to run.
    pub fn without_variable_parts(&self, text: &str) -> String {
        replace_variable_parts(text, &self.placeholders())
    }

    /// Signs in if necessary, and returns the document that an SDK reads. Asserts that stderr is empty.
    #[track_caller]
    pub fn credentials(&self) -> Value {
        let outcome = self.run(["credentials"]).expect_code(0);
        assert_eq!(outcome.stderr, "");
        outcome.document()
    }

    /// Writes a file in the home, and creates its folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().expect("it lies in the home")).expect("the home can be written");
        fs::write(&path, text).expect("the home can be written");
        path
    }

    /// Reads a file in the home.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Replaces text in the configuration.
    #[track_caller]
    pub fn replace_in_config(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config_file()).expect("the desk is configured");
        assert!(text.contains(from), "{text}");
        self.configure(&text.replace(from, to));
    }

    /// Starts any command, and captures its output.
    pub fn start_command(&self, mut command: Command) -> Running {
        command.stdin(Stdio::null());
        self.start_as_it_is(command)
    }

    fn start_as_it_is(&self, mut command: Command) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let arguments: Vec<_> = command.get_args().map(|each| each.to_string_lossy().into_owned()).collect();
        let stdout_is_secret = arguments.iter().any(|each| PROTOCOL.contains(&each.as_str()));
        let mut child = command.spawn().unwrap_or_else(|why| panic!("{}: {why}", self.program.display()));
        let (sender, pieces) = channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("it was piped")),
            Box::new(child.stderr.take().expect("it was piped")),
        ];
        for (stream, is_stdout) in streams.into_iter().zip([true, false]) {
            let sender = sender.clone();
            thread::spawn(move || forward_output(stream, |piece| drop(sender.send((is_stdout, piece)))));
        }
        let (name, captured) = (arguments.join(" "), self.captured.clone());
        Running {
            child,
            name,
            started: Instant::now(),
            pieces,
            seen: Vec::new(),
            captured,
            stdout_is_secret,
            placeholders: self.placeholders(),
        }
    }

    /// Waits until none of the program's processes runs in this home, detached ones included.
    pub fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.processes().is_empty() {
            assert!(Instant::now() < deadline, "the program still runs in its home after 20 s: {:?}", self.processes());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The program's processes in this home.
    pub fn processes(&self) -> Vec<i32> {
        processes::called_by_path(&self.program)
    }

    /// Kills every process in this home, as a power failure would.
    pub fn kill_all(&self) {
        let home = self.home();
        processes::kill_at_once(|| [self.processes(), processes::in_home(&home)].concat());
    }

    /// Every secret of this world that is in the captured output, or in a file or file name of this desk.
    pub fn leaks(&self) -> Vec<Leak> {
        let ledger = self.world.ledger();
        let mut leaks = Vec::new();
        for (place, bytes) in self.captured.lock().unwrap().iter() {
            leaks.extend(ledger.leaks(place, bytes));
        }
        for file in files_under(self.dir.path()) {
            let bytes = fs::read(&file).unwrap_or_default();
            leaks.extend(ledger.leaks(&file.display().to_string(), &bytes));
            leaks.extend(ledger.leaks("a file's name", file.as_os_str().as_encoded_bytes()));
        }
        leaks
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.processes().is_empty() && Instant::now() < deadline && !thread::panicking() {
            thread::sleep(Duration::from_millis(20));
        }
        self.kill_all();
        if !thread::panicking() {
            let leaks: Vec<_> = self.leaks().iter().map(Leak::to_string).collect();
            assert!(leaks.is_empty(), "secrets in forbidden places:\n{}", leaks.join("\n"));
        }
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for this many complete lines of stdout, while the call continues.
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        let deadline = self.started + DEADLINE;
        loop {
            let said = self.stdout_so_far();
            if said.matches('\n').count() >= count {
                return said.lines().take(count).map(str::to_owned).collect();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.seen.push(piece),
                Err(_) => panic!("`{}` printed only {said:?}", self.name),
            }
        }
    }

    /// Sends SIGKILL, as the kernel or a host does.
    pub fn kill(mut self) -> Outcome {
        drop(self.child.kill());
        self.finish()
    }

    /// Waits until stdout contains the cue, or is closed.
    fn wait_for(&mut self, cue: &str) {
        while !self.stdout_so_far().contains(cue) {
            let Ok(piece) = self.pieces.recv_timeout(DEADLINE) else { break };
            self.seen.push(piece);
        }
    }

    /// The stdout that was read so far.
    fn stdout_so_far(&self) -> String {
        let pieces = self.seen.iter().filter(|(is_stdout, _)| *is_stdout);
        let bytes: Vec<u8> = pieces.flat_map(|(_, piece)| piece.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for the end, at most half a minute. A process that exceeds its deadline fails the test. So does one whose
    /// streams stay open after its end, because a caller would wait for them.
    pub fn finish(mut self) -> Outcome {
        let deadline = self.started + DEADLINE;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut ended = None;
        let mut collect = |(is_stdout, piece): (bool, Vec<u8>)| {
            if is_stdout { stdout.extend(piece) } else { stderr.extend(piece) }
        };
        self.seen.drain(..).for_each(&mut collect);
        let mut streams_closed = None;
        while ended.is_none() || streams_closed.is_none() {
            match self.pieces.recv_timeout(Duration::from_millis(if streams_closed.is_some() { 1 } else { 20 })) {
                Ok(piece) => collect(piece),
                Err(RecvTimeoutError::Disconnected) => {
                    streams_closed.get_or_insert_with(Instant::now);
                    thread::sleep(Duration::from_millis(1));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ended.is_none() {
                ended = self.child.try_wait().expect("the child is ours").map(|status| (status, Instant::now()));
            }
            if Instant::now() > deadline {
                drop(self.child.kill());
                panic!("`{}` did not end within {DEADLINE:?}", self.name);
            }
            if let (Some((_, at)), None) = (ended, streams_closed) {
                let held = at.elapsed() > Duration::from_secs(3);
                assert!(!held, "`{}` has ended, but a child of it still holds its streams", self.name);
            }
        }
        let (status, at) = ended.expect("the loop ends with it");
        let outcome = Outcome {
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            code: status.code(),
            took: at - self.started,
            placeholders: self.placeholders,
        };
        let mut captured = self.captured.lock().unwrap();
        captured.push((format!("stderr of `{}`", self.name), stderr));
        if !self.stdout_is_secret {
            captured.push((format!("stdout of `{}`", self.name), stdout));
        }
        drop(captured);
        outcome
    }
}

fn forward_output(mut stream: impl Read, mut forward: impl FnMut(Vec<u8>)) {
    let mut piece = [0; 8192];
    while let Ok(read @ 1..) = retry_interrupted(|| stream.read(&mut piece)) {
        forward(piece[..read].to_vec());
    }
}

/// Makes a link to the program in a new folder on the same disk, or copies it where links are not possible.
fn link_program(program: &Path) -> (TempDir, PathBuf) {
    let program = program.canonicalize().expect("cargo has built it");
    let name = program.file_name().expect("a program has a name");
    let beside = program.parent().expect("a program lives in a folder");
    let dir = TempDir::with_prefix_in("desk-", beside).expect("cargo writes there");
    let own = dir.path().join(name);
    if fs::hard_link(&program, &own).is_err() {
        fs::copy(&program, &own).expect("the program can be copied");
    }
    (dir, own)
}

/// The `person` example beside the program. `cargo test --test NAME` builds no examples, so it may have to be built.
fn person(program: &Path) -> PathBuf {
    let folder = program.parent().expect("a program lives in a folder");
    let person = folder.join("examples").join(format!("person{}", std::env::consts::EXE_SUFFIX));
    if !person.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let target = folder.parent().expect("a profile's folder lies in the target folder");
        let profile = if folder.ends_with("release") { "release" } else { "dev" };
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--example", "person", "--profile", profile, "--target-dir"]).arg(target);
        let built = build.status();
        assert!(built.is_ok_and(|status| status.success()), "the person could not be built");
    }
    person
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_under(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}
