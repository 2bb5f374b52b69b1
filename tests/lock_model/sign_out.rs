//! The moves of a sign-out, and of a sign-out of one role.

use super::{
    protocol::{MoveKind, Moves, Protocol, end_worker},
    removal::{OpenCase, note_missed_removal},
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
                note_missed_removal(next, role, OpenCase::HolderStopped);
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

    /// The credentials' lock is enough: the sign-in is not read.
    pub(crate) fn remove_role(&mut self) {
        let role = self.role();
        self.end(|next| next.store_credentials(role, None));
    }
}
