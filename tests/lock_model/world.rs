//! The state of the model: what is stored, which process holds which lock and is at which step, and what provider and
//! AWS remember. It is small and copied as a whole, because the search stores every state that can be reached.

use super::removal::Removal;

/// How many processes a configuration has at most.
pub(crate) const PROCESSES: usize = 3;
/// How many roles there are, each with credentials and a lock of its own.
pub(crate) const ROLES: usize = 2;
/// How many sign-ins the provider can remember.
const GRANTS: usize = 8;

/// The position of a process in the list of processes.
pub(crate) type ProcessId = u8;
pub(crate) type Role = u8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum User {
    Alice,
    Bob,
}

/// A refresh token: which sign-in at the provider it belongs to, and how often that one was rotated before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RefreshToken {
    pub(crate) grant: u8,
    pub(crate) rotation: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IdToken {
    pub(crate) user: User,
    pub(crate) serial: u8,
}

impl IdToken {
    /// The token that may be stored at the beginning: valid for AWS, and due for a renewal.
    pub(crate) const FIRST: Self = Self { user: User::Alice, serial: 0 };

    pub(crate) fn is_due(self) -> bool {
        self.serial == Self::FIRST.serial
    }
}

/// The record of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SignIn {
    pub(crate) refresh_token: Option<RefreshToken>,
    pub(crate) id_token: IdToken,
    pub(crate) is_spent: bool,
    pub(crate) token_count: u8,
}

impl SignIn {
    /// The stored ID token, unless AWS or the provider has refused it.
    pub(crate) fn find_valid_token(&self) -> Option<IdToken> {
        (!self.is_spent).then_some(self.id_token)
    }
}

/// The record of one role's credentials. The user is not part of the real record: the model writes it down to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Credentials {
    pub(crate) user: User,
    /// Whether they last long enough to be served; otherwise they are renewed first.
    pub(crate) is_fresh: bool,
    /// Which of the sign-in's ID tokens they came from, as the sign-in counts them.
    pub(crate) token_count: u8,
}

/// What a process was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    /// A program needs the credentials of a role, and its user can be prompted.
    Call(Role),
    /// A user signs in although the stored session may be valid.
    ForcedLogin(Role),
    /// Credentials are renewed in the background: no caller waits, and no user is prompted.
    Renewal(Role),
    /// A program needs the ID token, without a prompt.
    TokenCall,
    SignOut,
    /// The credentials of one role are removed, and the sign-in stays.
    RoleSignOut(Role),
    /// There is no such process.
    Nothing,
}

impl Task {
    pub(crate) fn role(self) -> Option<Role> {
        match self {
            Self::Call(role) | Self::ForcedLogin(role) | Self::Renewal(role) | Self::RoleSignOut(role) => Some(role),
            Self::TokenCall | Self::SignOut | Self::Nothing => None,
        }
    }

    pub(crate) fn may_prompt(self) -> bool {
        matches!(self, Self::Call(_) | Self::ForcedLogin(_))
    }

    /// Whether a caller waits for the worker, and starts another one if it was busy or was killed.
    pub(crate) fn has_caller(self) -> bool {
        matches!(self, Self::Call(_) | Self::ForcedLogin(_) | Self::TokenCall)
    }
}

/// What a process does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The caller reads what is stored.
    Begin,
    /// The caller checks whether a lock is held.
    Look,
    /// The caller waits for the holder of a lock.
    WaitForOther,
    LockSignIn,
    LockCredentials,
    /// Marks the ID token that AWS refused.
    MarkSpent,
    /// Reads both records under their locks and decides what is needed.
    Climb,
    /// Presents the refresh token.
    Refresh,
    /// The provider has replaced the refresh token. Its answer is in this process's memory only.
    StoreRotated,
    StoreIdToken,
    /// The provider has refused the refresh token.
    ForgetRefreshToken,
    Exchange,
    /// Reads the sign-in without its lock: it must still belong to the token's user, whatever came of the exchange.
    CheckUser(ExchangeResult),
    /// The user has signed out, or another user in, during the exchange.
    EmptyCredentials,
    StoreCredentials,
    Prompt,
    /// The user has signed in. The provider's answer is in this process's memory only.
    StoreSignIn,
    /// Another user has signed in: the process's own credentials are removed, then those of the other role.
    RemoveOwn,
    RemoveOther(RemovalOrder),
    /// Sign-out.
    RemoveSignIn,
    RemoveCredentials(Role),
    Revoke,
    /// Sign-out of one role.
    RemoveRole,
    Ended,
}

/// Whether credentials of an earlier user are removed before the other user's sign-in is stored or afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RemovalOrder {
    BeforeSignIn,
    AfterSignIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ExchangeResult {
    Granted,
    Refused,
}

/// Where the ID token that a process exchanges comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TokenSource {
    Cached,
    Refreshed,
    Prompted,
}

/// The ID token that a worker has in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HeldToken {
    pub(crate) token: IdToken,
    pub(crate) source: TokenSource,
    /// Which of the sign-in's ID tokens it is, once it is stored.
    pub(crate) count: u8,
}

/// A caller together with its worker: the worker can be killed and replaced, and never are two of one caller at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) task: Task,
    pub(crate) step: Step,
    /// How often the worker has started the ladder again.
    pub(crate) climbs: u8,
    pub(crate) refused: Option<IdToken>,
    pub(crate) id_token: Option<HeldToken>,
    pub(crate) refresh_token: Option<RefreshToken>,
    /// Whether its removal before another user's sign-in is stored has timed out. The one afterwards is still to come.
    pub(crate) has_missed_removal: bool,
}

impl Process {
    pub(crate) fn new(task: Task) -> Self {
        let step = if task == Task::Nothing { Step::Ended } else { Step::Begin };
        Self { task, step, climbs: 0, refused: None, id_token: None, refresh_token: None, has_missed_removal: false }
    }

    /// The same process without what its worker had in memory.
    pub(crate) fn without_worker(self, step: Step) -> Self {
        Self { step, ..Self::new(self.task) }
    }
}

/// One sign-in at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Grant {
    pub(crate) user: User,
    /// The rotation of the only refresh token that is accepted.
    pub(crate) rotation: u8,
    pub(crate) is_revoked: bool,
    /// Whether a process was killed between the provider's answer and storing the refresh token in it.
    pub(crate) has_lost_answer: bool,
    /// Whether a refresh token was presented that had been replaced.
    pub(crate) was_replaced_token_presented: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Provider {
    pub(crate) grants: [Option<Grant>; GRANTS],
    /// How many ID tokens it has issued.
    pub(crate) issued: u8,
}

impl Provider {
    pub(crate) fn issue_id_token(&mut self, user: User) -> IdToken {
        self.issued += 1;
        IdToken { user, serial: self.issued }
    }

    pub(crate) fn begin_grant(&mut self, user: User) -> RefreshToken {
        let free = self.grants.iter().position(Option::is_none).expect("no configuration signs in more often");
        self.grants[free] = Some(Grant {
            user,
            rotation: 0,
            is_revoked: false,
            has_lost_answer: false,
            was_replaced_token_presented: false,
        });
        RefreshToken { grant: free.try_into().expect("a small number"), rotation: 0 }
    }

    pub(crate) fn grant_mut(&mut self, token: RefreshToken) -> &mut Grant {
        self.grants[usize::from(token.grant)].as_mut().expect("a refresh token belongs to a sign-in")
    }

    pub(crate) fn grant(&self, token: RefreshToken) -> &Grant {
        self.grants[usize::from(token.grant)].as_ref().expect("a refresh token belongs to a sign-in")
    }

    pub(crate) fn is_current(&self, token: RefreshToken) -> bool {
        let grant = self.grant(token);
        grant.rotation == token.rotation && !grant.is_revoked
    }

    pub(crate) fn has_lost_answer(&self) -> bool {
        self.grants.iter().flatten().any(|grant| grant.has_lost_answer)
    }

    pub(crate) fn was_replaced_token_presented(&self) -> bool {
        self.grants.iter().flatten().any(|grant| grant.was_replaced_token_presented)
    }
}

/// How often each disturbance may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) kills: u8,
    /// How often AWS may begin to refuse an ID token that it could have accepted: once at most.
    pub(crate) refusals: u8,
    /// How many prompts Bob may answer. Alice answers all others.
    pub(crate) other_users: u8,
    /// How many bounded waits for a lock may end without it.
    pub(crate) timeouts: u8,
}

/// What was asked of user, provider and AWS. It is counted only where it is checked, so that other configurations have
/// fewer states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Costs {
    pub(crate) prompts: u8,
    pub(crate) refreshes: u8,
    pub(crate) exchanges: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) processes: [Process; PROCESSES],
    pub(crate) sign_in_lock: Option<ProcessId>,
    pub(crate) credentials_locks: [Option<ProcessId>; ROLES],
    pub(crate) sign_in: Option<SignIn>,
    pub(crate) credentials: [Option<Credentials>; ROLES],
    pub(crate) provider: Provider,
    /// The ID token that AWS does not accept.
    pub(crate) refused_by_aws: Option<IdToken>,
    pub(crate) budget: Budget,
    pub(crate) costs: Costs,
    /// What has become of the last removal of each role's credentials.
    pub(crate) removals: [Removal; ROLES],
}

impl World {
    pub(crate) fn process(&self, id: ProcessId) -> &Process {
        &self.processes[usize::from(id)]
    }

    pub(crate) fn process_mut(&mut self, id: ProcessId) -> &mut Process {
        &mut self.processes[usize::from(id)]
    }

    pub(crate) fn stored_user(&self) -> Option<User> {
        self.sign_in.map(|sign_in| sign_in.id_token.user)
    }

    pub(crate) fn credentials_lock(&self, role: Role) -> Option<ProcessId> {
        self.credentials_locks[usize::from(role)]
    }

    pub(crate) fn holds_sign_in(&self, id: ProcessId) -> bool {
        self.sign_in_lock == Some(id)
    }

    pub(crate) fn holds_credentials(&self, id: ProcessId) -> bool {
        self.credentials_locks.contains(&Some(id))
    }

    /// Whether the stored credentials do not belong to the user of the stored sign-in.
    pub(crate) fn has_stray_credentials(&self, role: Role) -> bool {
        self.credentials[usize::from(role)].is_some_and(|stored| Some(stored.user) != self.stored_user())
    }

    pub(crate) fn token_count(&self) -> u8 {
        self.sign_in.map_or(0, |sign_in| sign_in.token_count)
    }

    pub(crate) fn has_fresh_credentials(&self, role: Role) -> bool {
        self.credentials[usize::from(role)].is_some_and(|credentials| credentials.is_fresh)
    }

    /// The lock that a task needs and another process holds.
    pub(crate) fn find_holder(&self, task: Task) -> Option<ProcessId> {
        self.sign_in_lock.or_else(|| task.role().and_then(|role| self.credentials_lock(role)))
    }

    pub(crate) fn have_all_ended(&self) -> bool {
        self.processes.iter().all(|process| process.step == Step::Ended)
    }

    pub(crate) fn release_sign_in(&mut self, id: ProcessId) {
        self.sign_in_lock = self.sign_in_lock.filter(|holder| *holder != id);
    }

    pub(crate) fn release_credentials(&mut self, id: ProcessId) {
        self.credentials_locks = self.credentials_locks.map(|lock| lock.filter(|holder| *holder != id));
    }

    pub(crate) fn store_credentials(&mut self, role: Role, credentials: Option<Credentials>) {
        let at = usize::from(role);
        self.credentials[at] = credentials;
        if !self.has_stray_credentials(role) {
            self.removals[at] = Removal::Done;
        }
    }
}
