//! KDE's wallet in the place of GNOME's keyring, as it is: with its window that nobody sees here.

use std::time::Duration;

use testworld::World;

use super::{desk, refused, session::Session};

#[test]
#[ignore = "tests/keyring/run"]
fn kwallet_is_called_by_its_name_whatever_it_does_not_do() {
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
fn an_open_wallet_keeps_the_key_and_gives_it_back() {
    let (world, session) = (World::new(), Session::kwallet(true));
    session.open_wallet();
    let desk = desk(&world, &session);
    desk.set_variable("DISPLAY", ":4242");
    let items = || {
        let told = session.call("SearchItems", &["dict:string:string:service,bedrock-sso"]);
        told.matches("collection/kdewallet/").count()
    };
    let document = desk.credentials();
    assert_eq!(items(), 1);
    super::forget_copy();
    desk.unset_variable("DISPLAY");
    assert_eq!(desk.credentials(), document, "the wallet, once open for us, asks nobody");
    desk.run(["logout"]).expect_code(0);
    assert_eq!((items(), world.live_grants()), (0, 0));
}
