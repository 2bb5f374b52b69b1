//! How long a request waits for valid credentials, as ratios to `cat` of the same document.
//!
//! `cargo bench` runs every command once a round, in turn, so that a machine whose speed drifts drifts for all alike; the
//! median of each is set against `cat`'s of the same run. A bare number of milliseconds says nothing on a shared machine.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a benchmark starts what it compares, and may panic"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use testworld::{Desk, World};

/// What the warm path may cost: `BEDROCK_SSO_BENCH_LIMIT` in a gate, for machines of another kind.
const LIMIT: f64 = 1.5;
const ROUNDS: usize = 400;
const WARM_UP: usize = 20;

struct Contender {
    name: String,
    command: Box<dyn Fn() -> Command>,
    times: Vec<Duration>,
}

fn main() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    // As it is installed: a file that the linker has just written lies in the page cache in crumbs, and starts slower.
    let installed = folder.path().join("bedrock-sso");
    fs::copy(env!("CARGO_BIN_EXE_bedrock-sso"), &installed).expect("a temporary file");
    let desk = Desk::new(&world, env!("CARGO_BIN_EXE_bedrock-sso"));
    desk.unset_variable("BEDROCK_SSO_LOG");
    desk.unset_variable("BEDROCK_SSO_LOG_FILE");
    let document = desk.run(["credentials"]).expect_code(0).stdout;
    desk.settle();
    let requests = world.ledger().total();
    let file = folder.path().join("document.json");
    fs::write(&file, &document).expect("a temporary file");

    let mut contenders = contenders(&desk, &installed, &file);
    for round in 0..WARM_UP + ROUNDS {
        for contender in &mut contenders {
            let time = run(&mut (contender.command)());
            if round >= WARM_UP {
                contender.times.push(time);
            }
        }
    }
    assert_eq!(world.ledger().total(), requests, "the warm path asks nobody");
    let ratio = table(&mut contenders);
    let limit =
        env::var("BEDROCK_SSO_BENCH_LIMIT").ok().and_then(|limit| limit.parse().ok()).unwrap_or(LIMIT);
    assert!(ratio < limit, "a warm call takes {ratio:.2} x cat; the limit is {limit}");
}

fn contenders(desk: &Desk<'_>, program: &Path, document: &Path) -> Vec<Contender> {
    let (program, environment) = (program.to_owned(), owned(&desk.command()));
    let mut all = vec![
        other("true", "/bin/true", &[]),
        other("cat of the same document", "/bin/cat", &[document.to_str().expect("a plain path")]),
        Contender {
            name: "bedrock-sso credentials, storage = \"file\"".into(),
            command: Box::new(move || {
                let mut command = Command::new(&program);
                command.arg("credentials").env_clear().envs(environment.iter().cloned());
                command
            }),
            times: Vec::new(),
        },
    ];
    for (name, program, arguments) in
        [("python3 -c pass", "/usr/bin/python3", ["-c", "pass"]), ("node -e 0", "/usr/bin/node", ["-e", "0"])]
    {
        if env::var_os("BEDROCK_SSO_BENCH_ALL").is_some() && Path::new(program).exists() {
            all.push(other(name, program, &arguments));
        }
    }
    all
}

fn owned(command: &Command) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

fn other(name: &str, program: &str, arguments: &[&str]) -> Contender {
    let program = PathBuf::from(program);
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Contender {
        name: name.into(),
        command: Box::new(move || {
            let mut command = Command::new(&program);
            command.args(&arguments).env_clear();
            command
        }),
        times: Vec::new(),
    }
}

fn run(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let output = command.output().expect("the command can be started");
    let took = began.elapsed();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

/// Prints the table and returns our ratio to `cat`.
#[expect(clippy::print_stdout, reason = "a table for a person is what a benchmark is for")]
fn table(contenders: &mut [Contender]) -> f64 {
    for contender in &mut *contenders {
        contender.times.sort_unstable();
    }
    let median = |contender: &Contender| contender.times[ROUNDS / 2].as_secs_f64();
    let cat = median(&contenders[1]);
    println!("{:<46} {:>8} {:>8} {:>8}", format!("{ROUNDS} rounds, in turn"), "x cat", "p10", "p90");
    for contender in &*contenders {
        let at = |percent: usize| contender.times[ROUNDS * percent / 100].as_secs_f64() / cat;
        println!("{:<46} {:>8.2} {:>8.2} {:>8.2}", contender.name, median(contender) / cat, at(10), at(90));
    }
    median(&contenders[2]) / cat
}
