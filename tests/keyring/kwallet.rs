//! KDE's wallet as the Secret Service. Its window cannot open here.

use std::time::Duration;

use testworld::World;

use super::{desk, refused, session::Session};

#[test]
#[ignore = "tests/keyring/run"]
fn kwallet_failures_name_kwallet() {
    let world = World::new();
    for (has_wallet, display, slug) in
        [(false, None, "keyring_absent"), (true, None, "keyring_locked"), (true, Some(":4242"), "keyring_timeout")]
    {
        let session = Session::kwallet(has_wallet);
        let desk = desk(&world, &session);
        if let Some(display) = display {
            desk.set_variable("DISPLAY", display);
        }
        let outcome = desk.run(["credentials"]);
        refused(&outcome, slug);
        assert!(outcome.stderr.contains("KWallet "), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(15), "{outcome:?}");
        assert_eq!(desk.tabs(), 0);
    }
    assert_eq!(world.ledger().total(), 0);
}

#[test]
#[ignore = "tests/keyring/run"]
fn open_kwallet_stores_and_returns_the_key() {
    let (world, session) = (World::new(), Session::kwallet(true));
    session.open_wallet();
    let desk = desk(&world, &session);
    desk.set_variable("DISPLAY", ":4242");
    let items = || {
        let reply = session.call("SearchItems", &["dict:string:string:service,bedrock-sso"]);
        reply.matches("collection/kdewallet/").count()
    };
    let document = desk.credentials();
    assert_eq!(items(), 1);
    super::forget_copy();
    desk.unset_variable("DISPLAY");
    assert_eq!(desk.credentials(), document, "the open wallet needs no prompt");
    desk.run(["logout"]).expect_code(0);
    assert_eq!((items(), world.live_grants()), (0, 0));
}
