//! Measures warm calls one after the other, many warm calls at once, and renewals, and then reports the exceeded
//! limits.
//!
//! Each command runs once per round, so that a machine whose speed changes affects all commands alike. Only ratios
//! within one run are printed.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark starts what it compares, may panic, and prints its table"
)]

mod contender;
mod cost;
mod renewal;
mod selection;
#[path = "../../../tests/keyring/session.rs"]
#[expect(dead_code, reason = "the keyring's tests need more of it")]
mod session;
mod turns;

use contender::Contender;
use cost::Limits;
use selection::{Alternatives, Selection};
use turns::Turns;

/// Rounds for commands that take a millisecond, and for those that take a hundred.
const ROUNDS: usize = 400;
const SLOW_ROUNDS: usize = 10;
const CROWD: usize = 50;
const CROWD_ROUNDS: usize = 10;
/// Other programs can disturb a measurement, so one that exceeds a limit is repeated. This is the number of attempts.
const TRIES: usize = 3;

pub(super) fn measure() {
    let selection = Selection::new();
    let turns = Turns::compiled();
    let mut limits = Limits::default();
    let warm = selection.warm(&turns);
    wall(&turns, &warm, ROUNDS, &mut limits);
    let slow = selection.slow(&turns, Alternatives::found());
    wall(&turns, &slow, SLOW_ROUNDS, &mut limits);
    crowd(&turns, &warm, &mut limits);
    renewal::measure(selection.programs(), &mut limits);
    for pair in selection.headers() {
        wall(&turns, &pair, ROUNDS, &mut limits);
    }
    println!("\n{}", selection.left_out().join("\n"));
    assert!(selection.sent_no_request(), "a warm call sent a request");
    limits.assert_held();
}

/// Measures the commands in turn and prints one table: wall time, and the other costs of a call.
fn wall(turns: &Turns, contenders: &[Contender], rounds: usize, limits: &mut Limits) {
    let calls = turns.calls(contenders);
    for attempt in 1..=TRIES {
        let costs = turns.wall(contenders, rounds);
        let violations = cost::find_violations(contenders, &costs, &calls);
        if violations.is_empty() || attempt == TRIES {
            cost::table(contenders, &costs, &calls, rounds);
            limits.add_violations(violations);
            return;
        }
        println!("(measured again: {})", violations.join("; "));
    }
}

/// Measures many concurrent calls, as from tools that run in parallel.
fn crowd(turns: &Turns, contenders: &[Contender], limits: &mut Limits) {
    let crowd: Vec<_> = contenders.iter().filter(|one| one.in_crowd).cloned().collect();
    for attempt in 1..=TRIES {
        let costs = turns.crowd(&crowd, CROWD, CROWD_ROUNDS);
        let violations = cost::find_crowd_violations(&crowd, &costs);
        if violations.is_empty() || attempt == TRIES {
            cost::crowd_table(&crowd, &costs, CROWD, CROWD_ROUNDS);
            limits.add_violations(violations);
            return;
        }
        println!("(measured again: {})", violations.join("; "));
    }
}
