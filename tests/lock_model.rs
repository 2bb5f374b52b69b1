//! A model of the two locks: a search runs it in every interleaving and kills a process at every step.
//!
//! Profiles of one application share a sign-in, which is a refresh token and an ID token. Each role has credentials of
//! its own. Both records have a lock, and a process that needs both takes the lock of the sign-in first. The model has
//! the steps of `worker::process`, `session` and `cache::locked` as moves of a state machine with two or three
//! processes and two roles. Processes can be killed, the provider accepts each refresh token once, AWS can refuse a
//! cached ID token, and another user can sign in. The search visits every reachable state and checks each [`Property`]
//! in it.
//!
//! The model contains:
//! - callers that wait for the worker of another caller, and callers that replace a killed worker,
//! - forced sign-ins, background refreshes, requests for the ID token, sign-outs, and sign-outs of one role,
//! - bounded waits that end without the lock.
//!
//! It leaves out:
//! - time: tokens and credentials never expire during a run, and every ID token was stored a moment ago, so that a role
//!   for which it was not exchanged yet needs no refresh,
//! - the network: a lost answer of the provider has the same effect as a kill at that moment,
//! - failures of the storage, the quota service, the prompt backoff, the record of version 0.1, a refresh that a caller
//!   waits for, and the removal of lock files,
//! - a second application, because two applications share nothing.
//!
//! The model is written by hand. If the code changes the order of its steps, change the order here, too.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic and says how many states it visited"
)]

#[path = "lock_model/world.rs"]
mod world;
#[path = "lock_model/protocol.rs"]
mod protocol;
#[path = "lock_model/worker.rs"]
mod worker;
#[path = "lock_model/sign_out.rs"]
mod sign_out;
#[path = "lock_model/removal.rs"]
mod removal;
#[path = "lock_model/properties.rs"]
mod properties;
#[path = "lock_model/search.rs"]
mod search;

use self::{
    properties::Property,
    protocol::{Model, Protocol, Stored, build_world},
    removal::OpenCase,
    search::{Report, search},
    world::{Budget, Costs, Task},
};

const NO_DISTURBANCE: Budget = Budget { kills: 0, refusals: 0, other_users: 0, timeouts: 0 };
const ONE_KILL: Budget = Budget { kills: 1, ..NO_DISTURBANCE };
const ONE_REFUSAL: Budget = Budget { refusals: 1, ..NO_DISTURBANCE };
const ONE_TIMEOUT: Budget = Budget { timeouts: 1, ..NO_DISTURBANCE };
const OTHER_USER: Budget = Budget { other_users: 1, ..NO_DISTURBANCE };
const OTHER_USER_AND_TIMEOUT: Budget = Budget { timeouts: 1, ..OTHER_USER };

const SIGNED_IN: Stored = Stored::SignIn { is_fresh: false };
/// The credentials of role 1 come from the cache.
const ROLE_1_FRESH: Stored = Stored::SignIn { is_fresh: true };

/// Three callers of two roles.
const THREE_CALLS: [Task; 3] = [Task::Call(0), Task::Call(0), Task::Call(1)];

/// Which processes run, on what, and what can happen to them.
#[derive(Clone, Copy)]
struct Configuration<'a> {
    tasks: &'a [Task],
    stored: Stored,
    budget: Budget,
    expected_costs: Option<fn(Costs) -> bool>,
}

impl<'a> Configuration<'a> {
    const fn new(tasks: &'a [Task], stored: Stored, budget: Budget) -> Self {
        Self { tasks, stored, budget, expected_costs: None }
    }

    /// Adds a condition on what all callers cost together.
    const fn expecting(self, expected_costs: fn(Costs) -> bool) -> Self {
        Self { expected_costs: Some(expected_costs), ..self }
    }

    fn search(&self, protocol: Protocol) -> Report {
        let model = Model {
            protocol,
            issues_refresh_tokens: self.stored != Stored::IdTokenOnly,
            counts_costs: self.expected_costs.is_some(),
        };
        let report = search(&model, build_world(self.tasks, self.stored, self.budget), self.expected_costs);
        println!(
            "{protocol:?}, {:?}, {:?}: {} states, {} moves, {} after a lost answer, {} after a reused token, open: {:?}",
            self.tasks,
            self.stored,
            report.states,
            report.moves,
            report.states_with_lost_answer,
            report.states_with_replaced_token,
            report.open_cases.keys(),
        );
        report
    }
}

#[track_caller]
fn assert_no_violation(report: &Report) {
    let ways = report.violations.iter().map(|(property, way)| format!("{property:?}:\n  {}", way.join("\n  ")));
    assert!(report.violations.is_empty(), "{}", ways.collect::<Vec<_>>().join("\n"));
}

#[test]
fn two_processes_hold_all_properties_under_disturbances() {
    let budget = Budget { kills: 1, refusals: 1, other_users: 1, timeouts: 2 };
    let firsts =
        [Task::Call(0), Task::ForcedLogin(0), Task::Renewal(0), Task::TokenCall, Task::SignOut, Task::RoleSignOut(0)];
    let seconds = [
        Task::Call(0),
        Task::Call(1),
        Task::ForcedLogin(1),
        Task::Renewal(1),
        Task::TokenCall,
        Task::SignOut,
        Task::RoleSignOut(1),
    ];
    for first in firsts {
        for second in seconds {
            for stored in [Stored::Nothing, SIGNED_IN, ROLE_1_FRESH, Stored::IdTokenOnly] {
                assert_no_violation(&Configuration::new(&[first, second], stored, budget).search(Protocol::Current));
            }
        }
    }
}

#[test]
fn two_callers_hold_all_properties_under_two_kills() {
    let budget = Budget { kills: 2, ..NO_DISTURBANCE };
    for stored in [Stored::Nothing, SIGNED_IN, Stored::IdTokenOnly] {
        let tasks = [Task::Call(0), Task::Call(1)];
        assert_no_violation(&Configuration::new(&tasks, stored, budget).search(Protocol::Current));
    }
}

#[test]
fn three_processes_hold_all_properties() {
    for (tasks, stored, budget) in [
        (THREE_CALLS, Stored::Nothing, ONE_KILL),
        (THREE_CALLS, SIGNED_IN, ONE_KILL),
        (THREE_CALLS, Stored::IdTokenOnly, ONE_REFUSAL),
        ([Task::Call(0), Task::Call(1), Task::TokenCall], SIGNED_IN, ONE_KILL),
        ([Task::Renewal(0), Task::Renewal(1), Task::ForcedLogin(0)], SIGNED_IN, OTHER_USER_AND_TIMEOUT),
        ([Task::ForcedLogin(0), Task::Call(1), Task::TokenCall], SIGNED_IN, OTHER_USER_AND_TIMEOUT),
        (
            [Task::ForcedLogin(0), Task::Call(1), Task::SignOut],
            SIGNED_IN,
            Budget { kills: 1, timeouts: 2, ..OTHER_USER },
        ),
        ([Task::Call(0), Task::Call(1), Task::SignOut], SIGNED_IN, ONE_KILL),
        ([Task::Call(0), Task::Call(1), Task::RoleSignOut(1)], SIGNED_IN, ONE_KILL),
        ([Task::ForcedLogin(0), Task::Call(1), Task::RoleSignOut(1)], SIGNED_IN, OTHER_USER_AND_TIMEOUT),
    ] {
        assert_no_violation(&Configuration::new(&tasks, stored, budget).search(Protocol::Current));
    }
}

#[test]
fn callers_of_two_roles_share_one_prompt_or_refresh() {
    let cold = |costs| costs == Costs { prompts: 1, refreshes: 0, exchanges: 2 };
    let expired = |costs| costs == Costs { prompts: 0, refreshes: 1, exchanges: 2 };
    for (stored, expected) in [(Stored::Nothing, cold as fn(Costs) -> bool), (SIGNED_IN, expired)] {
        let callers = Configuration::new(&THREE_CALLS, stored, NO_DISTURBANCE).expecting(expected);
        assert_no_violation(&callers.search(Protocol::Current));
    }
}

fn is_cheap(costs: Costs) -> bool {
    costs.prompts <= 1 && costs.exchanges == 2
}

/// If a process is killed between the provider's answer and storing it, the next process presents the replaced token.
/// In states without a lost answer no process does that, which is a property that all tests above check.
#[test]
fn replaced_token_is_presented_only_after_a_lost_answer() {
    let tasks = [Task::Call(0), Task::TokenCall];
    let report = Configuration::new(&tasks, SIGNED_IN, ONE_KILL).search(Protocol::Current);
    assert!(
        report.states_with_replaced_token > 0 && report.states_with_replaced_token < report.states_with_lost_answer
    );
    let report = Configuration::new(&tasks, SIGNED_IN, NO_DISTURBANCE).search(Protocol::Current);
    assert_eq!((report.states_with_lost_answer, report.states_with_replaced_token), (0, 0));
}

/// Two single disturbances can leave credentials of an earlier user: the kill of a sign-out, and a worker that is
/// stopped for seconds between its last check and storing. [`OpenCase`] describes the order of the steps in each case.
#[test]
fn credentials_of_an_earlier_user_stay_only_in_known_cases() {
    let (login, sign_out) = (Task::ForcedLogin(0), Task::SignOut);
    let other_user = |kills, timeouts| Budget { kills, timeouts, ..OTHER_USER };
    let same_user = |kills, timeouts| Budget { kills, timeouts, ..NO_DISTURBANCE };
    let all_of_prompt = [OpenCase::HolderStopped, OpenCase::HolderKilled, OpenCase::PromptKilled];
    let all_of_sign_out = [OpenCase::SignOutKilled, OpenCase::HolderStopped, OpenCase::HolderKilled];
    for (first, budget, expected) in [
        // Two kills, one of them between storing another user's sign-in and the second removal.
        (login, other_user(2, 0), &[][..]),
        // One removal times out, but the other one still removes the credentials.
        (login, other_user(0, 1), &[]),
        (login, other_user(0, 2), &[OpenCase::HolderStopped]),
        (login, other_user(1, 1), &[OpenCase::PromptKilled]),
        (login, other_user(1, 2), &all_of_prompt),
        (sign_out, same_user(0, 0), &[]),
        // An exchange ends after the removal. Its worker empties the record, unless it had checked the user before.
        (sign_out, same_user(0, 1), &[OpenCase::HolderStopped]),
        (sign_out, same_user(1, 0), &[OpenCase::SignOutKilled]),
        (sign_out, same_user(1, 1), &all_of_sign_out),
    ] {
        for second in [Task::Call(1), Task::Renewal(1)] {
            let report = Configuration::new(&[first, second], SIGNED_IN, budget).search(Protocol::Current);
            assert_no_violation(&report);
            for (case, way) in &report.open_cases {
                println!("{case:?}:\n  {}", way.join("\n  "));
            }
            assert_eq!(
                report.open_cases.keys().copied().collect::<Vec<_>>(),
                expected,
                "{first:?} {second:?} {budget:?}"
            );
        }
    }
}

/// A test of the search itself: each flawed protocol must violate the property that it is meant to violate.
#[test]
fn search_detects_each_broken_protocol() {
    const CALLS: &[Task] = &[Task::Call(0), Task::Call(1)];
    const LOGIN: &[Task] = &[Task::ForcedLogin(0), Task::Call(1)];
    let calls = |stored, budget| Configuration::new(CALLS, stored, budget);
    let login = |stored, budget| Configuration::new(LOGIN, stored, budget);
    let cold = calls(Stored::Nothing, NO_DISTURBANCE).expecting(is_cheap);
    let one_refresh = calls(SIGNED_IN, NO_DISTURBANCE).expecting(|costs| costs.refreshes == 1);
    let one_prompt = calls(Stored::IdTokenOnly, ONE_REFUSAL).expecting(|costs| costs.prompts <= 1);
    let same_role = Configuration::new(&[Task::Call(0), Task::Call(0)], Stored::Nothing, NO_DISTURBANCE);
    let one_exchange = same_role.expecting(|costs| costs.exchanges == 1);
    let sign_out = Configuration::new(&[Task::SignOut, Task::ForcedLogin(0)], SIGNED_IN, NO_DISTURBANCE);
    let during_sign_out = |budget| Configuration::new(&[Task::SignOut, Task::Call(1)], SIGNED_IN, budget);
    let renewal_during_sign_out = Configuration::new(&[Task::SignOut, Task::Renewal(1)], SIGNED_IN, ONE_TIMEOUT);
    let timeout_and_refusal = Budget { refusals: 1, ..ONE_TIMEOUT };
    let two_timeouts = Budget { timeouts: 2, ..OTHER_USER };
    let kill_and_other_user = Budget { kills: 1, ..OTHER_USER };
    for (protocol, violated, configuration) in [
        (Protocol::CredentialsLockedFirst, Property::NoDeadlock, login(SIGNED_IN, OTHER_USER)),
        (Protocol::CredentialsLockedFirst, Property::EndReachable, login(SIGNED_IN, OTHER_USER)),
        (Protocol::CredentialsLockedFirst, Property::SignInLockedFirst, login(SIGNED_IN, OTHER_USER)),
        (Protocol::CredentialsHeldAfterRefusal, Property::SignInLockedFirst, one_prompt),
        (Protocol::RefreshOutsideLock, Property::ReplacedTokenNotPresented, calls(SIGNED_IN, NO_DISTURBANCE)),
        (Protocol::RotatedTokenStoredLate, Property::StoredTokenIsCurrent, calls(SIGNED_IN, NO_DISTURBANCE)),
        (Protocol::RotatedTokenStoredLate, Property::ReplacedTokenNotPresented, calls(SIGNED_IN, ONE_KILL)),
        (Protocol::NoUserCheck, Property::CredentialsOfStoredUser, login(SIGNED_IN, two_timeouts)),
        (Protocol::NoUserCheck, Property::NoCredentialsWithoutSignIn, during_sign_out(ONE_TIMEOUT)),
        (Protocol::NoUserCheckAfterRefusal, Property::NoCredentialsWithoutSignIn, during_sign_out(timeout_and_refusal)),
        (Protocol::AbsentSignInIsUnchanged, Property::NoCredentialsWithoutSignIn, during_sign_out(ONE_TIMEOUT)),
        (Protocol::RecordNotEmptied, Property::NoCredentialsWithoutSignIn, renewal_during_sign_out),
        (Protocol::OthersRemovedBefore, Property::CredentialsOfStoredUser, login(SIGNED_IN, OTHER_USER_AND_TIMEOUT)),
        (Protocol::OthersRemovedAfter, Property::CredentialsOfStoredUser, login(SIGNED_IN, kill_and_other_user)),
        (Protocol::TokenCountIgnored, Property::ExpectedCosts, one_refresh),
        (Protocol::PromptOutsideLock, Property::ExpectedCosts, cold),
        (Protocol::NoSecondLook, Property::ExpectedCosts, one_exchange),
        (Protocol::RefusedTokenNotMarked, Property::EndReachable, calls(Stored::IdTokenOnly, ONE_REFUSAL)),
        (Protocol::AnyTokenMarkedSpent, Property::ExpectedCosts, one_prompt),
        (Protocol::RevocationOutsideLock, Property::StoredTokenIsCurrent, sign_out),
        (Protocol::LocksSurviveKill, Property::NoDeadlock, calls(SIGNED_IN, ONE_KILL)),
    ] {
        let sound = configuration.search(Protocol::Current);
        assert_no_violation(&sound);
        let report = configuration.search(protocol);
        let way =
            report.violations.get(&violated).unwrap_or_else(|| panic!("{protocol:?} does not violate {violated:?}"));
        println!("{protocol:?} violates {violated:?}:\n  {}", way.join("\n  "));
    }
}
