//! Access to the program's memory: no core file, no other process of the same user, and no secret left when it ends.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and starts programs")]

use std::{
    env, fs,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use testworld::{Desk, Running, World, wait_until};

/// The number of the user `nobody`, who exists on every system.
const NOBODY: u32 = 65534;

fn desk(world: &World) -> Desk<'_> {
    Desk::new(world, env!("CARGO_BIN_EXE_bedrock-sso"))
}

/// Starts a sign-in whose user has not answered yet; returns the caller and the process of its worker.
fn start_pending_sign_in(desk: &Desk<'_>, command: Command) -> (Running, i32) {
    let caller = desk.start_command(command);
    wait_until("a tab is open", || desk.tabs() > 0);
    let pid = i32::try_from(caller.pid()).unwrap();
    let worker = desk.processes().into_iter().find(|process| *process != pid).unwrap();
    (caller, worker)
}

#[test]
fn crash_writes_no_core_file_despite_unlimited_cores() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let program = desk.command();
    let mut shell = command_in_home(&desk, "sh");
    shell.args(["-c", "ulimit -c unlimited; exec \"$0\" login"]).arg(program.get_program());
    let (caller, worker) = start_pending_sign_in(&desk, shell);
    let both = format!("kill -ABRT {} {worker}", caller.pid());
    assert!(Command::new("sh").args(["-c", &both]).status().unwrap().success());
    assert_eq!(caller.finish().code, None, "a signal ends the caller");
    desk.settle();
    let files = fs::read_dir(desk.home()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.filter(|name| name.contains("core")).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn child_process_inherits_the_core_file_limit() {
    let world = World::new();
    let desk = desk(&world);
    let limits = desk.home().join("limits");
    let browser = serde_json::json!(["sh", "-c", "ulimit -c > limits", "{url}"]);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let line = text.lines().find(|line| line.starts_with("browser")).unwrap();
    desk.configure(&text.replace(line, &format!("browser = {browser}")));
    let mut shell = command_in_home(&desk, "sh");
    shell.args(["-c", "ulimit -c 77; exec \"$0\" login"]).arg(desk.command().get_program());
    let caller = desk.start_command(shell);
    wait_until("the browser has written its limit", || fs::read_to_string(&limits).is_ok_and(|text| text == "77\n"));
    caller.kill();
}

#[test]
fn process_memory_is_hidden_from_the_same_user() {
    let world = World::new();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let desk = if is_root { desk_of_nobody(&world) } else { desk(&world) };
    desk.person("closes-the-tab");
    let mut login = command_in_home(&desk, desk.program());
    login.arg("login");
    if is_root {
        login.uid(NOBODY).gid(NOBODY);
    }
    let (caller, worker) = start_pending_sign_in(&desk, login);
    let can_read = |pid: &str, view: &str| {
        let mut reader = Command::new("head");
        reader.args(["-c1", &format!("/proc/{pid}/{view}")]);
        if is_root {
            reader.uid(NOBODY).gid(NOBODY);
        }
        reader.output().unwrap().status.success()
    };
    for view in ["environ", "maps", "auxv"] {
        assert!(can_read("self", view), "{view}");
        assert!(!can_read(&caller.pid().to_string(), view), "the caller's {view}");
        assert!(!can_read(&worker.to_string(), view), "the worker's {view}");
    }
    desk.kill_all();
    caller.finish();
}

/// A home that belongs to `nobody`, in the first folder from which `nobody` can run the program.
fn desk_of_nobody(world: &World) -> Desk<'_> {
    let folders = [env::temp_dir(), "/tmp".into(), "/var/tmp".into(), "/dev/shm".into()];
    let desk_in = |folder: &PathBuf| {
        let desk = Desk::in_folder(world, env!("CARGO_BIN_EXE_bedrock-sso"), folder);
        give_to_nobody(desk.home().parent().unwrap());
        give_to_nobody(desk.program().parent().unwrap());
        let mut version = command_in_home(&desk, desk.program());
        let runs = version.arg("--version").uid(NOBODY).gid(NOBODY).output();
        runs.is_ok_and(|output| output.status.success()).then_some(desk)
    };
    folders.iter().filter(|folder| folder.is_dir()).find_map(desk_in).expect("user 65534 can enter one of them")
}

/// Gives a file, or a folder and all that is in it, to `nobody`.
fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give_to_nobody(&entry.unwrap().path()));
    }
}

/// Another program that runs in this home with its environment.
fn command_in_home(desk: &Desk<'_>, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let call = desk.command();
    let mut command = Command::new(program);
    let variables = call.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(variables).current_dir(desk.home());
    command
}

/// The debugger. Root runs it, because only root can attach to a protected process.
fn gdb(desk: &Desk<'_>) -> Command {
    let mut gdb = command_in_home(desk, "gdb");
    gdb.args(["--batch", "-nx", "-ex", "catch syscall exit_group"]);
    gdb
}

const CORE: [&str; 4] = ["-ex", "generate-core-file core", "-ex", "kill"];

/// Asserts that the core file holds no sealing key. The desk searches every file, the core included, for other secrets.
#[track_caller]
fn expect_no_key(desk: &Desk<'_>) {
    let core = without_empty_pages(&fs::read(desk.home().join("core")).unwrap());
    fs::write(desk.home().join("core"), &core).unwrap();
    let key = fs::read(desk.home().join(".local/share/bedrock-sso/key")).unwrap();
    assert!(
        core.len() > 1 << 20 && !core.windows(key.len()).any(|part| part == key),
        "the core file contains the sealing key"
    );
    let leaks: Vec<_> = desk.leaks().iter().map(ToString::to_string).collect();
    assert_eq!(leaks, Vec::<String>::new());
}

/// The core without empty pages, which are most of it and slow to search.
fn without_empty_pages(core: &[u8]) -> Vec<u8> {
    core.chunks(4096).filter(|page| page.iter().any(|byte| *byte != 0)).flatten().copied().collect()
}

#[test]
#[ignore = "needs gdb and root: tests/keyring/run"]
fn memory_has_no_secrets_after_a_cached_call() {
    let world = World::new();
    let desk = desk(&world);
    let document = desk.run(["credentials"]).expect_code(0).document();
    desk.settle();
    let mut gdb = gdb(&desk);
    gdb.args(["-ex", "run"]).args(CORE).arg("--args").arg(desk.command().get_program()).arg("credentials");
    let outcome = desk.start_command(gdb).finish();
    assert!(
        outcome.stdout.contains(document["SecretAccessKey"].as_str().unwrap()),
        "the secret was in memory during the call: {outcome:?}"
    );
    expect_no_key(&desk);
}

#[test]
#[ignore = "needs gdb and root: tests/keyring/run"]
fn memory_has_no_secrets_after_a_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("PERSON_THINKS", "3");
    let caller = desk.start(["credentials"]);
    wait_until("a tab is open", || desk.tabs() > 0);
    let pid = i32::try_from(caller.pid()).unwrap();
    let worker = desk.processes().into_iter().find(|process| *process != pid).unwrap();
    let mut gdb = gdb(&desk);
    gdb.args(["-p", &worker.to_string(), "-ex", "continue"]).args(CORE);
    desk.start_command(gdb).finish().expect_code(0);
    caller.finish().expect_code(0);
    expect_no_key(&desk);
}
