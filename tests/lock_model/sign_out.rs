//! The moves of a sign-out, and what removals leave behind that do not reach their end.

use super::{
    protocol::{MoveKind, Moves, Protocol, end_worker},
    world::{ROLES, Role, Step, World},
};

impl Moves<'_> {
    /// The record is read and removed under its lock; only then credentials are removed and the provider is informed.
    pub(crate) fn remove_sign_in(&mut self) {
        let id = self.id;
        self.advance(Step::RemoveCredentials(0), |next| {
            next.process_mut(id).refresh_token = next.sign_in.and_then(|sign_in| sign_in.refresh_token);
            next.sign_in = None;
        });
    }

    pub(crate) fn remove_credentials(&mut self, role: Role) {
        let is_last = usize::from(role) + 1 == ROLES;
        let has_grant = self.process().refresh_token.is_some();
        let releases = self.is(Protocol::RevocationOutsideLock);
        let id = self.id;
        let go_on = |next: &mut World| match (is_last, has_grant) {
            (false, _) => next.process_mut(id).step = Step::RemoveCredentials(role + 1),
            (true, true) => {
                next.process_mut(id).step = Step::Revoke;
                if releases {
                    next.release_sign_in(id);
                }
            }
            (true, false) => end_worker(next, id, Step::Ended),
        };
        match self.world.credentials_lock(role) {
            None => self.add(MoveKind::Progress, |next| {
                next.store_credentials(role, None);
                go_on(next);
            }),
            Some(_) => self.add_timeout(|next, _| {
                note_unremoved_credentials(next, role);
                go_on(next);
            }),
        }
    }

    /// Some providers revoke everything that a user has granted to the application, so the model's does.
    pub(crate) fn revoke(&mut self) {
        let token = self.process().refresh_token.expect("otherwise there is nothing to revoke");
        self.end(|next| {
            let user = next.provider.grant_mut(token).user;
            let grants = next.provider.grants.iter_mut().flatten();
            grants.filter(|grant| grant.user == user).for_each(|grant| grant.is_revoked = true);
        });
    }
}

/// Another user's sign-in is stored and credentials of the earlier user stay: those that are stored, and those that a
/// process stores which has checked the user already.
pub(crate) fn note_stale_credentials(next: &mut World, role: Role) {
    let holder = next.credentials_lock(role);
    let is_about_to_store = holder.is_some_and(|holder| next.process(holder).step == Step::StoreCredentials);
    let at = usize::from(role);
    let is_stored = next.credentials[at].is_some_and(|stored| Some(stored.user) != next.stored_user());
    next.is_left_behind[at] |= is_stored || is_about_to_store;
}

/// The sign-in is removed and credentials stay: those that are stored, and those that a process stores which gets them
/// now, because it takes an absent sign-in for its own.
pub(crate) fn note_unremoved_credentials(next: &mut World, role: Role) {
    let at = usize::from(role);
    next.is_left_behind[at] |= next.credentials[at].is_some() || next.credentials_lock(role).is_some();
}
