//! The search: every state that can be reached, breadth first, so that the moves to a violation are as few as possible.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

use super::{
    properties::{Property, find_violations},
    protocol::{Model, MoveKind},
    removal::{OpenCase, Removal},
    world::{Costs, ProcessId, Step, World},
};

/// No configuration may have more states than this: the search would take too long.
const MAX_STATES: usize = 200_000;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) states: usize,
    pub(crate) moves: usize,
    /// For each violated property the shortest way to it.
    pub(crate) violations: BTreeMap<Property, Vec<String>>,
    /// In how many states a process was killed before it could store what the provider had answered.
    pub(crate) states_with_lost_answer: usize,
    /// In how many states a replaced refresh token had been presented.
    pub(crate) states_with_replaced_token: usize,
    /// For each open case that leaves credentials of an earlier user the shortest way to it.
    pub(crate) open_cases: BTreeMap<OpenCase, Vec<String>>,
}

/// The states that were found, and how each was found first.
struct Search<'a> {
    model: &'a Model,
    worlds: Vec<World>,
    found: HashMap<World, u32, BuildHasherDefault<WorldHasher>>,
    /// The state before, the process that moved and what it did.
    origins: Vec<Option<(u32, ProcessId, MoveKind, Step)>>,
    /// Pairs of a state and its next state, without the moves on which the protocol must not rely.
    progress: Vec<(u32, u32)>,
    report: Report,
}

/// Searches all states. `is_expected` judges the costs in those in which all processes have ended.
pub(crate) fn search(model: &Model, start: World, is_expected: Option<fn(Costs) -> bool>) -> Report {
    let mut search = Search {
        model,
        worlds: Vec::new(),
        found: HashMap::default(),
        origins: Vec::new(),
        progress: Vec::new(),
        report: Report::default(),
    };
    search.add(start, None);
    let mut at = 0;
    while at < search.worlds.len() {
        search.visit(at.try_into().expect("below the limit"), is_expected);
        at += 1;
    }
    search.check_ends();
    search.report.states = search.worlds.len();
    search.report
}

impl Search<'_> {
    fn add(&mut self, world: World, origin: Option<(u32, ProcessId, MoveKind, Step)>) -> u32 {
        let next = u32::try_from(self.worlds.len()).expect("below the limit");
        match self.found.entry(world) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                free.insert(next);
                self.worlds.push(world);
                self.origins.push(origin);
                assert!(self.worlds.len() <= MAX_STATES, "too many states");
                next
            }
        }
    }

    fn visit(&mut self, at: u32, is_expected: Option<fn(Costs) -> bool>) {
        let world = self.worlds[at as usize];
        let mut can_progress = false;
        for found in self.model.list_moves(&world) {
            let next = self.add(found.next, Some((at, found.process, found.kind, found.step)));
            self.report.moves += 1;
            match found.kind {
                MoveKind::Progress => {
                    can_progress = true;
                    self.progress.push((at, next));
                }
                MoveKind::Timeout | MoveKind::Kill => {}
            }
        }
        let has_ended = world.have_all_ended();
        if !can_progress && !has_ended {
            self.record(Property::NoDeadlock, at);
        }
        for property in find_violations(&world) {
            self.record(property, at);
        }
        if has_ended && is_expected.is_some_and(|is_expected| !is_expected(world.costs)) {
            self.record(Property::ExpectedCosts, at);
        }
        self.report.states_with_lost_answer += usize::from(world.provider.has_lost_answer());
        self.report.states_with_replaced_token += usize::from(world.provider.was_replaced_token_presented());
        for (role, removal) in (0..).zip(world.removals) {
            match removal {
                Removal::Open(case) if has_ended && world.has_stray_credentials(role) => {
                    self.record_open_case(case, at);
                }
                Removal::Done | Removal::Missed | Removal::Open(_) => {}
            }
        }
    }

    /// From every state an end must be reachable without timeouts and kills: the ends are followed back.
    fn check_ends(&mut self) {
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); self.worlds.len()];
        for (from, to) in &self.progress {
            before[*to as usize].push(*from);
        }
        let mut can_end: Vec<bool> = self.worlds.iter().map(World::have_all_ended).collect();
        let mut open: Vec<u32> = (0..).zip(&can_end).filter_map(|(at, is_end)| is_end.then_some(at)).collect();
        while let Some(at) = open.pop() {
            for from in &before[at as usize] {
                if !std::mem::replace(&mut can_end[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        if let Some((at, _)) = (0..).zip(&can_end).find(|(_, can_end)| !**can_end) {
            self.record(Property::EndReachable, at);
        }
    }

    fn record(&mut self, property: Property, at: u32) {
        if !self.report.violations.contains_key(&property) {
            let way = self.describe_way(at);
            self.report.violations.insert(property, way);
        }
    }

    fn record_open_case(&mut self, case: OpenCase, at: u32) {
        if !self.report.open_cases.contains_key(&case) {
            let way = self.describe_way(at);
            self.report.open_cases.insert(case, way);
        }
    }

    fn describe_way(&self, mut at: u32) -> Vec<String> {
        let mut way = Vec::new();
        while let Some((from, process, kind, step)) = self.origins[at as usize] {
            let task = self.worlds[at as usize].process(process).task;
            way.push(match kind {
                MoveKind::Progress => format!("process {process} ({task:?}): {step:?}"),
                MoveKind::Timeout => format!("process {process} ({task:?}): {step:?} waits no longer"),
                MoveKind::Kill => format!("process {process} ({task:?}) is killed before {step:?}"),
            });
            at = from;
        }
        way.reverse();
        way
    }
}

/// A state is some seventy small numbers. The standard hasher takes most of the time without optimisation.
#[derive(Default)]
struct WorldHasher(u64);

impl WorldHasher {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for WorldHasher {
    fn finish(&self) -> u64 {
        // The upper bits are the good ones, and the map takes the lower ones.
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value.cast_unsigned() as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }
}
