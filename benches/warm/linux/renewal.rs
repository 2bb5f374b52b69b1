//! Measures our own time in a renewal: the time of a call that renews, minus the time that its two servers took.
//!
//! Starting the worker, connecting and waking up count as our own time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use testworld::{Desk, Knob, World};

use super::{
    TRIES,
    cost::{Limits, latitude},
    selection::Program,
};

const ROUNDS: usize = 40;
const LIMIT: Duration = Duration::from_millis(15);
const REQUESTS: usize = 2;
/// Seconds. Credentials with this lifetime are renewed by each call before they are served.
const SHORT: u32 = 240;

/// Measures on the disk for the table only, and then in memory, where only our own time remains, for the limit.
pub(super) fn measure(programs: &[Program], limits: &mut Limits) {
    println!("\n{:<58} {:>9} {:>9} {:>9}", format!("a renewal, {ROUNDS} rounds"), "ours, ms", "p10", "p90");
    for program in programs {
        row(program, "the disk's time included");
    }
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() || tempfile::env::override_temp_dir(memory).is_err() {
        println!("left out: a renewal without the disk's time, because there is no /dev/shm");
        return;
    }
    for program in programs {
        let mut undisturbed = row(program, "without the disk's time");
        for _ in 1..TRIES {
            if undisturbed > LIMIT.mul_f64(latitude()) {
                undisturbed = row(program, "the same once more");
            }
        }
        if undisturbed > LIMIT.mul_f64(latitude()) {
            let build = program.build;
            limits.add_violations(vec![format!("{build}: {undisturbed:?} of our own in a renewal, at most {LIMIT:?}")]);
        }
    }
}

/// Returns the tenth percentile, which a busy machine disturbs least.
fn row(program: &Program, how: &str) -> Duration {
    let mut ours = rounds(program);
    ours.sort_unstable();
    let [median, low, high] = [50, 10, 90].map(|percent| ours[ROUNDS * percent / 100]);
    let [m, l, h] = [median, low, high].map(|time| time.as_secs_f64() * 1e3);
    println!("{:<58} {m:>9.2} {l:>9.2} {h:>9.2}", format!("bedrock-sso, {}: {how}", program.build));
    low
}

fn rounds(program: &Program) -> Vec<Duration> {
    let world = World::new();
    world.set(Knob::CredentialLifetime, SHORT);
    let desk = Desk::new(&world, &program.path);
    desk.unset_variable("BEDROCK_SSO_LOG");
    desk.unset_variable("BEDROCK_SSO_LOG_FILE");
    desk.run(["credentials"]).expect_code(0);
    desk.settle();
    (0..ROUNDS).map(|_| round(&world, &desk)).collect()
}

fn round(world: &World, desk: &Desk<'_>) -> Duration {
    let (requests, served) = (world.ledger().total(), world.time_serving());
    let mut command = desk.command();
    command.arg("credentials");
    let began = Instant::now();
    let output = command.output().unwrap();
    let took = began.elapsed();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    desk.settle();
    assert_eq!(world.ledger().total() - requests, REQUESTS, "a renewal must send two requests");
    took.saturating_sub(world.time_serving() - served)
}
