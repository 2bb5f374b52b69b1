//! The steps of a caller and of its worker, up to credentials or an ID token.

use super::{
    protocol::{Moves, Protocol, end_worker, first_step},
    removal::{OpenCase, note_missed_removal},
    world::{
        Credentials, ExchangeResult, HeldToken, IdToken, RefreshToken, RemovalOrder, Role, SignIn, Step, Task,
        TokenSource, User, World,
    },
};

/// How often the worker starts the ladder again before it reports that it is busy.
const MAX_CLIMBS: u8 = 3;

impl Moves<'_> {
    pub(crate) fn add_progress(&mut self) {
        match self.process().step {
            Step::Begin => self.begin(),
            Step::Look => {
                let is_held = self.world.find_holder(self.process().task).is_some();
                self.advance(if is_held { Step::WaitForOther } else { self.first_lock() }, |_| {});
            }
            Step::WaitForOther => self.wait_for_other(),
            Step::LockSignIn => self.lock_sign_in(),
            Step::LockCredentials => self.lock_credentials(),
            Step::MarkSpent => self.mark_spent(),
            Step::Climb => self.climb(),
            Step::Refresh => self.refresh(),
            Step::StoreRotated => self.store_rotated(),
            Step::StoreIdToken => self.store_id_token(),
            Step::ForgetRefreshToken => self.forget_refresh_token(),
            Step::Exchange => self.exchange(),
            Step::CheckUser(result) => self.check_user(result),
            Step::EmptyCredentials => self.empty_credentials(),
            Step::StoreCredentials => self.store_credentials(),
            Step::Prompt => {
                self.prompt(User::Alice);
                if self.world.budget.other_users > 0 {
                    self.prompt(User::Bob);
                }
            }
            Step::StoreSignIn => self.store_sign_in(),
            Step::RemoveOwn => self.remove_own(),
            Step::RemoveOther(order) => self.remove_other(order),
            Step::RemoveSignIn => self.remove_sign_in(),
            Step::RemoveCredentials(role) => self.remove_credentials(role),
            Step::Revoke => self.revoke(),
            Step::RemoveRole => self.remove_role(),
            Step::Ended => {}
        }
    }

    /// The role that the process works for.
    pub(crate) fn role(&self) -> Role {
        self.process().task.role().expect("only a task for a role gets here")
    }

    fn id_token(&self) -> HeldToken {
        self.process().id_token.expect("the steps before have stored one")
    }

    fn begin(&mut self) {
        let task = self.process().task;
        let is_served = match task {
            Task::Call(role) => self.world.has_fresh_credentials(role),
            Task::TokenCall => self.has_fresh_id_token(),
            Task::ForcedLogin(_) | Task::Renewal(_) | Task::SignOut | Task::RoleSignOut(_) | Task::Nothing => false,
        };
        if is_served {
            return self.end(|_| {});
        }
        self.advance(first_step(task), |_| {});
    }

    fn has_fresh_id_token(&self) -> bool {
        let stored = self.world.sign_in.and_then(|sign_in| sign_in.find_valid_token());
        stored.is_some_and(|token| !token.is_due())
    }

    /// Waiting is no move: the process checks again and again, and nothing changes.
    fn wait_for_other(&mut self) {
        let task = self.process().task;
        if let Some(holder) = self.world.find_holder(task) {
            // A command that may not prompt fails if another process prompts.
            if !task.may_prompt() && self.world.process(holder).step == Step::Prompt {
                self.end(|_| {});
            }
            return;
        }
        let is_served = match task {
            Task::Call(role) => self.world.has_fresh_credentials(role),
            Task::TokenCall => self.has_fresh_id_token(),
            Task::ForcedLogin(_) | Task::Renewal(_) | Task::SignOut | Task::RoleSignOut(_) | Task::Nothing => false,
        };
        if is_served { self.end(|_| {}) } else { self.advance(Step::Look, |_| {}) }
    }

    fn first_lock(&self) -> Step {
        match self.process().task.role() {
            Some(_) if self.is(Protocol::CredentialsLockedFirst) => Step::LockCredentials,
            Some(_) | None => Step::LockSignIn,
        }
    }

    fn lock_sign_in(&mut self) {
        let task = self.process().task;
        if self.world.sign_in_lock.is_some() {
            return match task {
                Task::Renewal(_) | Task::SignOut => self.add_timeout(|next, id| end_worker(next, id, Step::Ended)),
                // With that flaw it waits.
                Task::Call(_) | Task::ForcedLogin(_) | Task::TokenCall | Task::RoleSignOut(_) | Task::Nothing => {
                    if !self.is(Protocol::CredentialsLockedFirst) {
                        self.end_busy(|_| {});
                    }
                }
            };
        }
        let next_step = match task {
            Task::SignOut => Step::RemoveSignIn,
            Task::TokenCall => Step::Climb,
            // Only with a flaw it holds them already.
            Task::Call(_) | Task::ForcedLogin(_) | Task::Renewal(_) | Task::RoleSignOut(_) | Task::Nothing => {
                if self.world.holds_credentials(self.id) { self.step_under_locks() } else { Step::LockCredentials }
            }
        };
        let id = self.id;
        self.advance(next_step, |next| next.sign_in_lock = Some(id));
    }

    fn lock_credentials(&mut self) {
        let (id, role) = (self.id, self.role());
        let is_role_sign_out = matches!(self.process().task, Task::RoleSignOut(_));
        let credentials_first = self.is(Protocol::CredentialsLockedFirst) && !is_role_sign_out;
        match self.world.credentials_lock(role) {
            Some(_) if is_role_sign_out => self.add_timeout(|next, id| end_worker(next, id, Step::Ended)),
            Some(_) if credentials_first => {}
            Some(_) => self.end_busy(|_| {}),
            None => {
                let step = match (is_role_sign_out, credentials_first) {
                    (true, _) => Step::RemoveRole,
                    (false, true) => Step::LockSignIn,
                    (false, false) => self.step_under_locks(),
                };
                self.advance(step, |next| next.credentials_locks[usize::from(role)] = Some(id));
            }
        }
    }

    fn step_under_locks(&self) -> Step {
        if self.process().refused.is_some() { Step::MarkSpent } else { Step::Climb }
    }

    fn mark_spent(&mut self) {
        let (id, refused) = (self.id, self.process().refused);
        let marks_any = self.is(Protocol::AnyTokenMarkedSpent);
        self.advance(Step::Climb, |next| {
            next.process_mut(id).refused = None;
            if let Some(sign_in) = &mut next.sign_in {
                sign_in.is_spent |= marks_any || Some(sign_in.id_token) == refused;
            }
        });
    }

    fn climb(&mut self) {
        let task = self.process().task;
        let is_served = match task {
            Task::Call(role) | Task::Renewal(role) => {
                self.world.has_fresh_credentials(role) && !self.is(Protocol::NoSecondLook)
            }
            Task::TokenCall => self.has_fresh_id_token(),
            Task::ForcedLogin(_) | Task::SignOut | Task::RoleSignOut(_) | Task::Nothing => false,
        };
        if is_served {
            return self.end(|_| {});
        }
        let sign_in = self.world.sign_in.filter(|_| !matches!(task, Task::ForcedLogin(_)));
        let Some(sign_in) = sign_in else { return self.prompt_or_fail() };
        let cached = sign_in.find_valid_token();
        let is_unused = self.is_token_unused(&sign_in) && !self.is(Protocol::TokenCountIgnored);
        match (cached, sign_in.refresh_token) {
            (Some(token), _) if is_unused => self.use_token(token, TokenSource::Cached, |_| {}),
            (_, Some(refresh_token)) => {
                let (id, releases) = (self.id, self.is(Protocol::RefreshOutsideLock));
                self.advance(Step::Refresh, |next| {
                    next.process_mut(id).refresh_token = Some(refresh_token);
                    if releases {
                        next.release_sign_in(id);
                    }
                });
            }
            (Some(token), None) => self.use_token(token, TokenSource::Cached, |_| {}),
            (None, None) => self.prompt_or_fail(),
        }
    }

    /// Whether the stored ID token was not yet exchanged for this role. A request for the ID token refreshes it anyway.
    fn is_token_unused(&self, sign_in: &SignIn) -> bool {
        self.process().task.role().is_some_and(|role| {
            let used = self.world.credentials[usize::from(role)].map_or(0, |credentials| credentials.token_count);
            sign_in.token_count > used
        })
    }

    fn prompt_or_fail(&mut self) {
        if !self.process().task.may_prompt() {
            return self.end(|_| {});
        }
        let (id, releases) = (self.id, self.is(Protocol::PromptOutsideLock));
        self.advance(Step::Prompt, |next| {
            if releases {
                next.release_sign_in(id);
            }
        });
    }

    /// The sign-in's lock is released as soon as there is a token.
    fn use_token(&mut self, token: IdToken, source: TokenSource, change: impl FnOnce(&mut World)) {
        if self.process().task.role().is_none() {
            return self.end(change);
        }
        let id = self.id;
        self.advance(Step::Exchange, |next| {
            change(next);
            next.release_sign_in(id);
            next.process_mut(id).id_token = Some(HeldToken { token, source, count: next.token_count() });
        });
    }

    /// A provider that is presented a replaced token ends the whole sign-in, because one of the two may be stolen.
    fn refresh(&mut self) {
        let (id, counts) = (self.id, u8::from(self.model.counts_costs));
        let presented = self.process().refresh_token.expect("the step before has read it");
        if !self.world.provider.is_current(presented) {
            return self.advance(Step::ForgetRefreshToken, |next| {
                let grant = next.provider.grant_mut(presented);
                grant.was_replaced_token_presented |= grant.rotation != presented.rotation;
                grant.is_revoked = true;
                next.process_mut(id).refresh_token = None;
            });
        }
        self.advance(Step::StoreRotated, |next| {
            let grant = next.provider.grant_mut(presented);
            grant.rotation += 1;
            let (user, rotation) = (grant.user, grant.rotation);
            let token = next.provider.issue_id_token(user);
            let process = next.process_mut(id);
            process.refresh_token = Some(RefreshToken { rotation, ..presented });
            process.id_token = Some(HeldToken { token, source: TokenSource::Refreshed, count: 0 });
            next.costs.refreshes += counts;
        });
    }

    fn store_rotated(&mut self) {
        let (id, refresh_token) = (self.id, self.process().refresh_token);
        if self.is(Protocol::RotatedTokenStoredLate) && self.process().task.role().is_some() {
            return self.advance(Step::Exchange, |next| next.release_sign_in(id));
        }
        self.advance(Step::StoreIdToken, |next| {
            next.process_mut(id).refresh_token = None;
            if let Some(sign_in) = &mut next.sign_in {
                sign_in.refresh_token = refresh_token;
            }
        });
    }

    fn store_id_token(&mut self) {
        let HeldToken { token, source, .. } = self.id_token();
        self.use_token(token, source, |next| {
            if let Some(sign_in) = &mut next.sign_in {
                (sign_in.id_token, sign_in.is_spent) = (token, false);
                sign_in.token_count += 1;
            }
        });
    }

    fn forget_refresh_token(&mut self) {
        let may_prompt = self.process().task.may_prompt();
        let forget = |next: &mut World| {
            if let Some(sign_in) = &mut next.sign_in {
                (sign_in.refresh_token, sign_in.is_spent) = (None, true);
            }
        };
        if may_prompt { self.advance(Step::Prompt, forget) } else { self.end(forget) }
    }

    /// AWS answers. With a token from a prompt the lock of the sign-in is still held, so that the user cannot change.
    fn exchange(&mut self) {
        let (id, counts) = (self.id, u8::from(self.model.counts_costs));
        let held = self.id_token();
        let is_refused = self.world.refused_by_aws == Some(held.token);
        if is_refused || self.world.budget.refusals > 0 {
            self.refuse(held);
        }
        if is_refused {
            return;
        }
        let step = match held.source {
            TokenSource::Cached | TokenSource::Refreshed if !self.is(Protocol::NoUserCheck) => {
                Step::CheckUser(ExchangeResult::Granted)
            }
            TokenSource::Cached | TokenSource::Refreshed | TokenSource::Prompted => Step::StoreCredentials,
        };
        self.advance(step, |next| {
            next.costs.exchanges += counts;
            // Nothing depends any more on where it comes from.
            next.process_mut(id).id_token = Some(HeldToken { source: TokenSource::Prompted, ..held });
        });
    }

    fn refuse(&mut self, held: HeldToken) {
        let refuse = |next: &mut World| {
            if next.refused_by_aws.is_none() {
                next.refused_by_aws = Some(held.token);
                next.budget.refusals -= 1;
            }
        };
        let is_checked = !self.is(Protocol::NoUserCheck) && !self.is(Protocol::NoUserCheckAfterRefusal);
        match held.source {
            TokenSource::Cached | TokenSource::Refreshed if is_checked => {
                self.advance(Step::CheckUser(ExchangeResult::Refused), refuse);
            }
            TokenSource::Cached | TokenSource::Refreshed | TokenSource::Prompted => self.finish_refused(held, refuse),
        }
    }

    fn finish_refused(&mut self, held: HeldToken, change: impl FnOnce(&mut World)) {
        match held.source {
            TokenSource::Cached => {
                let marked = Some(held.token).filter(|_| !self.is(Protocol::RefusedTokenNotMarked));
                self.climb_again(marked, change);
            }
            TokenSource::Refreshed | TokenSource::Prompted => self.end(change),
        }
    }

    fn climb_again(&mut self, refused: Option<IdToken>, change: impl FnOnce(&mut World)) {
        let (id, climbs) = (self.id, self.process().climbs + 1);
        if climbs == MAX_CLIMBS {
            return self.end_busy(change);
        }
        let holds_credentials = self.is(Protocol::CredentialsHeldAfterRefusal);
        self.advance(self.first_lock(), |next| {
            change(next);
            if !holds_credentials {
                next.release_credentials(id);
            }
            let process = next.process_mut(id);
            (process.climbs, process.refused) = (climbs, refused);
            (process.id_token, process.refresh_token) = (None, None);
        });
    }

    /// The user may have signed out, or another user in, since the sign-in's lock was released.
    fn check_user(&mut self, result: ExchangeResult) {
        let held = self.id_token();
        let is_replaced = match self.world.stored_user() {
            Some(user) => user != held.token.user,
            None => !self.is(Protocol::AbsentSignInIsUnchanged),
        };
        match (is_replaced, result) {
            (true, _) if self.is(Protocol::RecordNotEmptied) => self.leave_replaced_sign_in(|_| {}),
            (true, _) => self.advance(Step::EmptyCredentials, |_| {}),
            (false, ExchangeResult::Granted) => self.advance(Step::StoreCredentials, |_| {}),
            (false, ExchangeResult::Refused) => self.finish_refused(held, |_| {}),
        }
    }

    fn empty_credentials(&mut self) {
        let role = self.role();
        self.leave_replaced_sign_in(|next| next.store_credentials(role, None));
    }

    fn leave_replaced_sign_in(&mut self, change: impl FnOnce(&mut World)) {
        match self.process().task {
            // No caller waits for the renewal, and the next caller is served for the user of that time.
            Task::Renewal(_) => self.end(change),
            Task::Call(_)
            | Task::ForcedLogin(_)
            | Task::TokenCall
            | Task::SignOut
            | Task::RoleSignOut(_)
            | Task::Nothing => {
                self.climb_again(None, change);
            }
        }
    }

    fn store_credentials(&mut self) {
        let (role, held) = (self.role(), self.id_token());
        let rotated = self.process().refresh_token;
        self.end(|next| {
            let credentials = Credentials { user: held.token.user, is_fresh: true, token_count: held.count };
            next.store_credentials(role, Some(credentials));
            // Only with the flaw `RotatedTokenStoredLate`.
            if let (Some(sign_in), Some(rotated)) = (&mut next.sign_in, rotated) {
                sign_in.refresh_token = Some(rotated);
            }
        });
    }

    /// What is stored of another user is removed before the sign-in is stored, so that it does not stay after a kill, and
    /// once more afterwards: another process may have stored credentials meanwhile.
    fn prompt(&mut self, user: User) {
        let (id, issues, counts) = (self.id, self.model.issues_refresh_tokens, u8::from(self.model.counts_costs));
        let is_other_user = self.world.stored_user() != Some(user);
        self.advance(if is_other_user { Step::RemoveOwn } else { Step::StoreSignIn }, |next| {
            next.costs.prompts += counts;
            next.budget.other_users -= u8::from(user == User::Bob);
            let token = next.provider.issue_id_token(user);
            let refresh_token = issues.then(|| next.provider.begin_grant(user));
            let process = next.process_mut(id);
            process.id_token = Some(HeldToken { token, source: TokenSource::Prompted, count: 0 });
            process.refresh_token = refresh_token;
        });
    }

    fn remove_own(&mut self) {
        let role = self.role();
        let skips_others = self.is(Protocol::OthersRemovedAfter);
        let step = if skips_others { Step::StoreSignIn } else { Step::RemoveOther(RemovalOrder::BeforeSignIn) };
        self.advance(step, |next| next.store_credentials(role, None));
    }

    fn remove_other(&mut self, order: RemovalOrder) {
        let (id, other) = (self.id, 1 - self.role());
        let step = match order {
            RemovalOrder::BeforeSignIn => Step::StoreSignIn,
            RemovalOrder::AfterSignIn => Step::Exchange,
        };
        match self.world.credentials_lock(other) {
            None => self.advance(step, |next| {
                next.process_mut(id).has_missed_removal = false;
                next.store_credentials(other, None);
            }),
            Some(_) => self.add_timeout(|next, id| {
                let process = next.process_mut(id);
                (process.step, process.has_missed_removal) = (step, order == RemovalOrder::BeforeSignIn);
                if order == RemovalOrder::AfterSignIn {
                    note_missed_removal(next, other, OpenCase::HolderStopped);
                }
            }),
        }
    }

    fn store_sign_in(&mut self) {
        let (id, held, refresh_token) = (self.id, self.id_token(), self.process().refresh_token);
        let is_other_user = self.world.stored_user() != Some(held.token.user);
        let removes = is_other_user && !self.is(Protocol::OthersRemovedBefore);
        let step = if removes { Step::RemoveOther(RemovalOrder::AfterSignIn) } else { Step::Exchange };
        let count = self.world.token_count() + 1;
        self.advance(step, |next| {
            let process = next.process_mut(id);
            (process.refresh_token, process.id_token) = (None, Some(HeldToken { count, ..held }));
            next.sign_in = Some(SignIn { refresh_token, id_token: held.token, is_spent: false, token_count: count });
        });
    }
}
