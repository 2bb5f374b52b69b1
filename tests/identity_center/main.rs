//! Sign-in at an IAM Identity Center, and the credentials of its assignments.
//!
//! `ladder` has the steps from the cache to the prompt, `crowd` many callers and killed processes, `environment` what
//! variables and changed hosts can reach, `limits` the quota check, `outcomes` what each command prints, `messages` its
//! words.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod crowd;
mod environment;
mod ladder;
mod limits;
mod messages;
mod outcomes;

use testworld::{Desk, Endpoint, World};

use crate::PROGRAM;

/// The account of the usual profile.
const SANDBOX: &str = "123456789012";

/// A home with a profile for the world's Identity Center.
fn desk(world: &World) -> Desk<'_> {
    Desk::with_identity_center(world, PROGRAM, "")
}

/// How many registrations, browser requests, codes, refreshes and role requests the world has seen.
fn counts(world: &World) -> [usize; 5] {
    world.counts([
        Endpoint::RegisterClient,
        Endpoint::PortalAuthorize,
        Endpoint::PortalCode,
        Endpoint::PortalRefresh,
        Endpoint::RoleCredentials,
    ])
}
