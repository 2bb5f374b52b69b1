//! What must hold in every state. Deadlocks, ends and costs are judged by the search, which knows the moves.

use super::{
    removal::Removal,
    world::{Process, Step, World},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Property {
    /// Unless all have ended, some process can do its next step, without a timeout.
    NoDeadlock,
    /// From every state all processes can end.
    EndReachable,
    /// No process wants the lock of the sign-in while it holds that of credentials.
    SignInLockedFirst,
    /// A replaced refresh token is not presented, unless the answer with the newer one of the same sign-in was lost.
    ReplacedTokenNotPresented,
    /// The stored refresh token is the provider's current one, unless the answer with that was lost or is being stored.
    StoredTokenIsCurrent,
    /// At the end the credentials belong to the user of the stored sign-in, unless an open case has left them.
    CredentialsOfStoredUser,
    /// At the end no credentials are stored without a sign-in, unless an open case has left them.
    NoCredentialsWithoutSignIn,
    /// Prompts, refreshes and exchanges are as many as the configuration expects.
    ExpectedCosts,
}

pub(crate) fn find_violations(world: &World) -> Vec<Property> {
    let mut violated = Vec::new();
    let mut require = |holds: bool, property| {
        if !holds {
            violated.push(property);
        }
    };
    let wants_sign_in = |process: &Process| process.step == Step::LockSignIn;
    let mut processes = (0..).zip(&world.processes);
    let is_ordered = processes.all(|(id, process)| !(wants_sign_in(process) && world.holds_credentials(id)));
    require(is_ordered, Property::SignInLockedFirst);
    let mut grants = world.provider.grants.iter().flatten();
    let is_excused = grants.all(|grant| grant.has_lost_answer || !grant.was_replaced_token_presented);
    require(is_excused, Property::ReplacedTokenNotPresented);
    require(is_stored_token_current(world), Property::StoredTokenIsCurrent);
    if world.have_all_ended() {
        let is_unexcused = |(role, removal)| world.has_stray_credentials(role) && !matches!(removal, Removal::Open(_));
        let has_strays = (0..).zip(world.removals).any(is_unexcused);
        let property = match world.sign_in {
            Some(_) => Property::CredentialsOfStoredUser,
            None => Property::NoCredentialsWithoutSignIn,
        };
        require(!has_strays, property);
    }
    violated
}

fn is_stored_token_current(world: &World) -> bool {
    let Some(stored) = world.sign_in.and_then(|sign_in| sign_in.refresh_token) else { return true };
    let is_newer_one = |process: &Process| process.refresh_token.is_some_and(|newer| newer.grant == stored.grant);
    let is_being_stored =
        world.processes.iter().any(|process| process.step == Step::StoreRotated && is_newer_one(process));
    is_being_stored || world.provider.is_current(stored) || world.provider.grant(stored).has_lost_answer
}
