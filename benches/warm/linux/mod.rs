//! The order of the day: warm calls in turn, many at once, renewals; then what was too much.
//!
//! Every command runs once a round, in turn, so that a machine whose speed drifts drifts for all alike; only ratios of one
//! run are told.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark starts what it compares, may panic, and prints its table"
)]

mod contenders;
mod cost;
mod renewal;
#[path = "../../../tests/keyring/session.rs"]
#[expect(dead_code, reason = "the keyring's tests need more of it")]
mod session;
mod turns;

use contenders::{Contender, Field, Peers};
use cost::Gates;
use turns::Turns;

/// Of those that take a millisecond, and of those that take a hundred.
const ROUNDS: usize = 400;
const SLOW_ROUNDS: usize = 10;
const CROWD: usize = 50;
const CROWD_ROUNDS: usize = 10;
/// Somebody else's burst of work is no regression: what is too slow is measured again, this often altogether.
const TRIES: usize = 3;

pub(super) fn measure() {
    let field = Field::new();
    let turns = Turns::compiled();
    let mut gates = Gates::default();
    let warm = field.warm(&turns);
    wall(&turns, &warm, ROUNDS, &mut gates);
    let slow = field.slow(&turns, Peers::found());
    wall(&turns, &slow, SLOW_ROUNDS, &mut gates);
    crowd(&turns, &warm, &mut gates);
    renewal::measure(field.programs(), &mut gates);
    for pair in field.headers() {
        wall(&turns, &pair, ROUNDS, &mut gates);
    }
    println!("\n{}", field.left_out().join("\n"));
    assert!(field.asked_nobody(), "the warm path asks nobody");
    gates.close();
}

/// One table: everybody's wall time in turn, and what else a call costs.
fn wall(turns: &Turns, contenders: &[Contender], rounds: usize, gates: &mut Gates) {
    let calls = turns.calls(contenders);
    for attempt in 1..=TRIES {
        let costs = turns.wall(contenders, rounds);
        let judged = cost::judged(contenders, &costs, &calls);
        if judged.is_empty() || attempt == TRIES {
            cost::table(contenders, &costs, &calls, rounds);
            gates.fail(judged);
            return;
        }
        println!("(measured again: {})", judged.join("; "));
    }
}

/// Many at once, as tools that run in parallel call it.
fn crowd(turns: &Turns, contenders: &[Contender], gates: &mut Gates) {
    let crowd: Vec<_> = contenders.iter().filter(|one| one.in_crowd).cloned().collect();
    for attempt in 1..=TRIES {
        let costs = turns.crowd(&crowd, CROWD, CROWD_ROUNDS);
        let judged = cost::judged_crowd(&crowd, &costs);
        if judged.is_empty() || attempt == TRIES {
            cost::crowd_table(&crowd, &costs, CROWD, CROWD_ROUNDS);
            gates.fail(judged);
            return;
        }
        println!("(measured again: {})", judged.join("; "));
    }
}
