//! The steps of a caller and of its worker, up to credentials or an ID token.

use super::{
    protocol::{Moves, Protocol, end_worker, first_step},
    sign_out::note_stale_credentials,
    world::{Credentials, IdToken, RefreshToken, RemovalOrder, Role, SignIn, Step, Task, TokenSource, User, World},
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
            Step::CheckUser => self.check_user(),
            Step::StoreCredentials => self.store_credentials(),
            Step::Prompt => {
                self.prompt(User::Alice);
                if self.world.budget.other_users > 0 {
                    self.prompt(User::Bob);
                }
            }
            Step::StoreSignIn => self.store_sign_in(),
            Step::RemoveOwn(order) => {
                let role = self.role();
                self.advance(Step::RemoveOther(order), |next| next.store_credentials(role, None));
            }
            Step::RemoveOther(order) => self.remove_other(order),
            Step::RemoveSignIn => self.remove_sign_in(),
            Step::RemoveCredentials(role) => self.remove_credentials(role),
            Step::Revoke => self.revoke(),
            Step::Ended => {}
        }
    }

    /// The role that the process works for.
    fn role(&self) -> Role {
        self.process().task.role().expect("only a task for a role gets here")
    }

    fn id_token(&self) -> (IdToken, TokenSource) {
        self.process().id_token.expect("the steps before have stored one")
    }

    fn begin(&mut self) {
        let task = self.process().task;
        let is_served = match task {
            Task::Call(role) => self.world.has_fresh_credentials(role),
            Task::TokenCall => self.has_fresh_id_token(),
            Task::ForcedLogin(_) | Task::Renewal(_) | Task::SignOut | Task::Nothing => false,
        };
        if is_served {
            return self.end(|_| {});
        }
        let (id, seen) = (self.id, self.world.sign_in.map_or(0, |sign_in| sign_in.token_count));
        self.advance(first_step(task), |next| next.process_mut(id).tokens_seen = seen);
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
            Task::ForcedLogin(_) | Task::Renewal(_) | Task::SignOut | Task::Nothing => false,
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
                Task::Call(_) | Task::ForcedLogin(_) | Task::TokenCall | Task::Nothing => {
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
            Task::Call(_) | Task::ForcedLogin(_) | Task::Renewal(_) | Task::Nothing => {
                if self.world.holds_credentials(self.id) { self.step_under_locks() } else { Step::LockCredentials }
            }
        };
        let id = self.id;
        self.advance(next_step, |next| next.sign_in_lock = Some(id));
    }

    fn lock_credentials(&mut self) {
        let (id, role) = (self.id, self.role());
        let credentials_first = self.is(Protocol::CredentialsLockedFirst);
        match self.world.credentials_lock(role) {
            Some(_) if credentials_first => {}
            Some(_) => self.end_busy(|_| {}),
            None => {
                let step = if credentials_first { Step::LockSignIn } else { self.step_under_locks() };
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
            Task::ForcedLogin(_) | Task::SignOut | Task::Nothing => false,
        };
        if is_served {
            return self.end(|_| {});
        }
        let sign_in = self.world.sign_in.filter(|_| !matches!(task, Task::ForcedLogin(_)));
        let Some(sign_in) = sign_in else { return self.prompt_or_fail() };
        let cached = sign_in.find_valid_token();
        let is_newer = sign_in.token_count > self.process().tokens_seen && !self.is(Protocol::TokensSeenIgnored);
        match (cached, sign_in.refresh_token) {
            (Some(token), _) if is_newer => self.use_token(token, TokenSource::Cached, |_| {}),
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
            next.process_mut(id).id_token = Some((token, source));
        });
    }

    /// A provider that is presented a replaced token ends the whole sign-in: somebody may have stolen one of the two.
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
            process.id_token = Some((token, TokenSource::Refreshed));
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
        let (token, source) = self.id_token();
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

    fn exchange(&mut self) {
        let (id, counts) = (self.id, u8::from(self.model.counts_costs));
        let (token, source) = self.id_token();
        let is_refused = self.world.refused_by_aws == Some(token);
        if is_refused || self.world.budget.refusals > 0 {
            self.refuse(token, source);
        }
        if is_refused {
            return;
        }
        let step = match source {
            TokenSource::Cached | TokenSource::Refreshed if !self.is(Protocol::NoUserCheck) => Step::CheckUser,
            // With a token from a prompt the lock of the sign-in is still held.
            TokenSource::Cached | TokenSource::Refreshed | TokenSource::Prompted => Step::StoreCredentials,
        };
        self.advance(step, |next| {
            next.costs.exchanges += counts;
            // Nothing depends any more on where it comes from.
            next.process_mut(id).id_token = Some((token, TokenSource::Prompted));
        });
    }

    fn refuse(&mut self, token: IdToken, source: TokenSource) {
        let refuse = |next: &mut World| {
            if next.refused_by_aws.is_none() {
                next.refused_by_aws = Some(token);
                next.budget.refusals -= 1;
            }
        };
        match source {
            TokenSource::Cached => {
                let marked = Some(token).filter(|_| !self.is(Protocol::RefusedTokenNotMarked));
                self.climb_again(marked, refuse);
            }
            TokenSource::Refreshed | TokenSource::Prompted => self.end(refuse),
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

    /// Another user may have signed in since the sign-in's lock was released.
    fn check_user(&mut self) {
        let (token, _) = self.id_token();
        let is_changed = match self.world.stored_user() {
            Some(user) => user != token.user,
            None => self.is(Protocol::RemovalBeforeAndAfter),
        };
        if is_changed { self.climb_again(None, |_| {}) } else { self.advance(Step::StoreCredentials, |_| {}) }
    }

    fn store_credentials(&mut self) {
        let (role, (token, _)) = (self.role(), self.id_token());
        let rotated = self.process().refresh_token;
        self.end(|next| {
            next.store_credentials(role, Some(Credentials { user: token.user, is_fresh: true }));
            // Only with the flaw `RotatedTokenStoredLate`.
            if let (Some(sign_in), Some(rotated)) = (&mut next.sign_in, rotated) {
                sign_in.refresh_token = Some(rotated);
            }
        });
    }

    fn prompt(&mut self, user: User) {
        let (id, issues, counts) = (self.id, self.model.issues_refresh_tokens, u8::from(self.model.counts_costs));
        let is_other_user = self.world.stored_user() != Some(user);
        let step = if is_other_user && self.is(Protocol::OthersRemovedFirst) {
            Step::RemoveOther(RemovalOrder::BeforeSignIn)
        } else if is_other_user && self.is(Protocol::RemovalBeforeAndAfter) {
            Step::RemoveOwn(RemovalOrder::BeforeSignIn)
        } else {
            Step::StoreSignIn
        };
        self.advance(step, |next| {
            next.costs.prompts += counts;
            next.budget.other_users -= u8::from(user == User::Bob);
            let token = next.provider.issue_id_token(user);
            let refresh_token = issues.then(|| next.provider.begin_grant(user));
            let process = next.process_mut(id);
            (process.id_token, process.refresh_token) = (Some((token, TokenSource::Prompted)), refresh_token);
        });
    }

    fn store_sign_in(&mut self) {
        let (id, (id_token, _), refresh_token) = (self.id, self.id_token(), self.process().refresh_token);
        let is_other_user = self.world.stored_user() != Some(id_token.user);
        let step = if is_other_user && !self.is(Protocol::OthersRemovedFirst) {
            Step::RemoveOwn(RemovalOrder::AfterSignIn)
        } else {
            Step::Exchange
        };
        let token_count = self.world.sign_in.map_or(0, |sign_in| sign_in.token_count) + 1;
        self.advance(step, |next| {
            next.process_mut(id).refresh_token = None;
            next.sign_in = Some(SignIn { refresh_token, id_token, is_spent: false, token_count });
        });
    }

    fn remove_other(&mut self, order: RemovalOrder) {
        let other = 1 - self.role();
        let step = match order {
            RemovalOrder::BeforeSignIn => Step::StoreSignIn,
            RemovalOrder::AfterSignIn => Step::Exchange,
        };
        match self.world.credentials_lock(other) {
            None => self.advance(step, |next| next.store_credentials(other, None)),
            Some(_) => self.add_timeout(|next, id| {
                next.process_mut(id).step = step;
                if order == RemovalOrder::AfterSignIn {
                    note_stale_credentials(next, other);
                }
            }),
        }
    }
}
