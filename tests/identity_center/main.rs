//! Sign-in at an IAM Identity Center and the credentials of its assignments.

use serde_json::Value;
use testworld::{Desk, Endpoint, World};

use crate::PROGRAM;

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

#[test]
fn first_call_signs_in_and_the_second_is_served_from_the_cache() {
    let world = World::new();
    let desk = desk(&world);
    let first: Value = desk.credentials();
    assert!(first["AccessKeyId"].is_string());
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0, 1], 1));
    assert_eq!(desk.credentials(), first);
    assert_eq!(counts(&world), [1, 1, 1, 0, 1]);
    assert!(desk.leaks().is_empty(), "{:?}", desk.leaks());
}
