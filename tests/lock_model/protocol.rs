//! The protocol as moves: for each state, every step that some process can do next, and every disturbance.
//!
//! One move is one access to what processes share. What a process does between two such accesses belongs to the move
//! before, because no other process can see it.

use super::{
    removal::{Removal, note_kill},
    world::{
        Budget, Costs, Credentials, IdToken, Process, ProcessId, Provider, ROLES, SignIn, Step, Task, User, World,
    },
};

/// The protocol as it is, or with one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Current,
    /// Takes the credentials' lock first and waits for both locks.
    CredentialsLockedFirst,
    /// Does not release the credentials' lock before it returns for the sign-in's, because AWS refused the token.
    CredentialsHeldAfterRefusal,
    /// Releases the sign-in's lock before it presents the refresh token.
    RefreshOutsideLock,
    /// Stores the rotated refresh token together with the credentials.
    RotatedTokenStoredLate,
    /// Stores the credentials without checking that the sign-in still belongs to the token's user.
    NoUserCheck,
    /// Checks the user only if AWS has given credentials.
    NoUserCheckAfterRefusal,
    /// Takes an absent sign-in for one of the token's user.
    AbsentSignInIsUnchanged,
    /// Starts the ladder again, because the user has changed, and leaves its record as it was.
    RecordNotEmptied,
    /// Removes the credentials of the other roles only before the sign-in is stored.
    OthersRemovedBefore,
    /// Removes the credentials of the other roles only after the sign-in is stored.
    OthersRemovedAfter,
    /// Refreshes although there is an ID token that this role has not been exchanged for.
    TokenCountIgnored,
    /// Releases the sign-in's lock before it prompts.
    PromptOutsideLock,
    /// Does not look for stored credentials under the lock.
    NoSecondLook,
    /// Does not mark the ID token that AWS refused, and so finds it again.
    RefusedTokenNotMarked,
    /// Marks the stored ID token as spent, even if it is not the refused one.
    AnyTokenMarkedSpent,
    /// A sign-out releases the sign-in's lock before the provider revokes.
    RevocationOutsideLock,
    /// The kernel does not release the locks of a killed process.
    LocksSurviveKill,
}

/// What a configuration of the model starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Nothing,
    /// A sign-in of Alice with a refresh token; her credentials of role 0 are about to expire, those of role 1 are
    /// `is_fresh`.
    SignIn {
        is_fresh: bool,
    },
    /// The same without credentials and from a provider that issues no refresh tokens.
    IdTokenOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveKind {
    Progress,
    /// A bounded wait for a lock ends without it.
    Timeout,
    Kill,
}

#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) process: ProcessId,
    pub(crate) kind: MoveKind,
    /// The step that was done, or at which the process was disturbed.
    pub(crate) step: Step,
    pub(crate) next: World,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) protocol: Protocol,
    pub(crate) issues_refresh_tokens: bool,
    pub(crate) counts_costs: bool,
}

/// The moves of one process in one state.
pub(crate) struct Moves<'a> {
    pub(crate) model: &'a Model,
    pub(crate) world: &'a World,
    pub(crate) id: ProcessId,
    list: &'a mut Vec<Move>,
}

pub(crate) fn build_world(tasks: &[Task], stored: Stored, budget: Budget) -> World {
    let mut world = World {
        processes: std::array::from_fn(|at| Process::new(tasks.get(at).copied().unwrap_or(Task::Nothing))),
        sign_in_lock: None,
        credentials_locks: [None; ROLES],
        sign_in: None,
        credentials: [None; ROLES],
        provider: Provider { grants: Default::default(), issued: 0 },
        refused_by_aws: None,
        budget,
        costs: Costs::default(),
        removals: [Removal::Done; ROLES],
    };
    let sign_in = SignIn { refresh_token: None, id_token: IdToken::FIRST, is_spent: false, token_count: 1 };
    match stored {
        Stored::Nothing => {}
        Stored::SignIn { is_fresh } => {
            let refresh_token = Some(world.provider.begin_grant(User::Alice));
            world.sign_in = Some(SignIn { refresh_token, ..sign_in });
            let of_alice = |is_fresh| Some(Credentials { user: User::Alice, is_fresh, token_count: 1 });
            world.credentials = [false, is_fresh].map(of_alice);
        }
        Stored::IdTokenOnly => world.sign_in = Some(sign_in),
    }
    world
}

/// A process with a caller starts there; the others are workers at once.
pub(crate) fn first_step(task: Task) -> Step {
    match task {
        Task::RoleSignOut(_) => Step::LockCredentials,
        Task::Call(_) | Task::ForcedLogin(_) | Task::TokenCall => Step::Look,
        Task::Renewal(_) | Task::SignOut | Task::Nothing => Step::LockSignIn,
    }
}

impl Model {
    pub(crate) fn list_moves(&self, world: &World) -> Vec<Move> {
        let mut list = Vec::new();
        for (id, _) in (0..).zip(&world.processes) {
            let mut moves = Moves { model: self, world, id, list: &mut list };
            moves.add_progress();
            moves.add_kills();
        }
        list
    }
}

impl Moves<'_> {
    pub(crate) fn add(&mut self, kind: MoveKind, change: impl FnOnce(&mut World)) {
        let mut next = *self.world;
        change(&mut next);
        self.list.push(Move { process: self.id, kind, step: self.process().step, next });
    }

    /// The process does its step and has this one next.
    pub(crate) fn advance(&mut self, step: Step, change: impl FnOnce(&mut World)) {
        let id = self.id;
        self.add(MoveKind::Progress, |next| {
            next.process_mut(id).step = step;
            change(next);
        });
    }

    pub(crate) fn end(&mut self, change: impl FnOnce(&mut World)) {
        let id = self.id;
        self.add(MoveKind::Progress, |next| {
            change(next);
            end_worker(next, id, Step::Ended);
        });
    }

    /// The worker reports that another process is at work. A caller starts again. A renewal has no caller.
    pub(crate) fn end_busy(&mut self, change: impl FnOnce(&mut World)) {
        let (id, has_caller) = (self.id, self.process().task.has_caller());
        self.add(MoveKind::Progress, |next| {
            change(next);
            end_worker(next, id, if has_caller { Step::Look } else { Step::Ended });
        });
    }

    pub(crate) fn process(&self) -> &Process {
        self.world.process(self.id)
    }

    pub(crate) fn is(&self, protocol: Protocol) -> bool {
        self.model.protocol == protocol
    }

    /// A wait for a lock is a move only when it times out.
    pub(crate) fn add_timeout(&mut self, change: impl FnOnce(&mut World, ProcessId)) {
        let id = self.id;
        if self.world.budget.timeouts > 0 {
            self.add(MoveKind::Timeout, |next| {
                next.budget.timeouts -= 1;
                change(next, id);
            });
        }
    }

    /// The kernel releases the locks of a killed process, and its caller may start another worker or be gone too.
    fn add_kills(&mut self) {
        let (id, task) = (self.id, self.process().task);
        // Without a lock it has changed nothing that another process could see, and could as well have begun later.
        let is_at_work = self.world.holds_sign_in(id) || self.world.holds_credentials(id);
        if self.world.budget.kills == 0 || !is_at_work {
            return;
        }
        let survives = self.is(Protocol::LocksSurviveKill);
        let after = [Some(Step::Ended), task.has_caller().then_some(Step::Look)];
        for left in after.into_iter().flatten() {
            self.add(MoveKind::Kill, |next| {
                next.budget.kills -= 1;
                note_lost_answer(next, id);
                note_kill(next, id);
                if survives {
                    *next.process_mut(id) = Process::new(task).without_worker(left);
                } else {
                    end_worker(next, id, left);
                }
            });
        }
    }
}

/// If the process has an answer of the provider in memory, that answer is lost with it.
fn note_lost_answer(next: &mut World, id: ProcessId) {
    let Process { step, refresh_token, .. } = *next.process(id);
    if let (Step::StoreRotated, Some(token)) = (step, refresh_token) {
        next.provider.grant_mut(token).has_lost_answer = true;
    }
}

/// The worker ends, and with it what it had in memory and all of its locks.
pub(crate) fn end_worker(next: &mut World, id: ProcessId, step: Step) {
    next.release_sign_in(id);
    next.release_credentials(id);
    let process = next.process_mut(id);
    *process = process.without_worker(step);
}
