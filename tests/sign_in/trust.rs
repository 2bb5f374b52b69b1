//! Over TLS: whose certificates are believed, and what is said of those that are not.

use testworld::{Desk, Endpoint, World};

use super::{desk, fails};

/// The desk of a person whose configuration names no authority.
fn without_bundle(world: &World) -> Desk<'_> {
    let desk = desk(world);
    let configuration = std::fs::read_to_string(desk.config_file()).unwrap();
    let kept: Vec<_> = configuration.lines().filter(|line| !line.starts_with("ca_bundle")).collect();
    assert_ne!(kept.len(), configuration.lines().count());
    desk.configure(&kept.join("\n"));
    desk
}

#[test]
fn a_private_authority_that_the_profile_names_is_believed_from_sign_in_to_renewal() {
    let world = World::over_tls();
    world.set(testworld::Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    let all = [(); 3].map(|()| desk.credentials());
    assert!(all[0] != all[1] && all[1] != all[2]);
    let counts = world.counts([Endpoint::Authorize, Endpoint::Refresh, Endpoint::Assume]);
    assert_eq!(counts, [1, 2, 3]);
}

#[test]
fn kept_credentials_need_no_authority_and_no_network() {
    let world = World::over_tls();
    let desk = desk(&world);
    let first = desk.credentials();
    let requests = world.ledger().total();
    assert_eq!(desk.credentials(), first);
    assert_eq!(world.ledger().total(), requests);
}

#[test]
fn variable_adds_an_authority_only_where_no_file_exists() {
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let world = World::over_tls();
        let desk = without_bundle(&world);
        desk.set_variable(variable, world.ca_bundle().unwrap());
        assert_refused_by_file(&world, &desk, variable);
        desk.configure_by_variables();
        desk.unset_variable("BEDROCK_SSO_CA_BUNDLE");
        desk.run(["login"]).expect_code(0);
    }
}

/// `SSL_CERT_DIR` is read by the platform's verifier, not by this program.
#[cfg(target_os = "linux")]
#[test]
fn folder_of_authorities_counts_only_where_no_file_exists() {
    let world = World::over_tls();
    let desk = without_bundle(&world);
    let folder = desk.home().join("certificates");
    std::fs::create_dir(&folder).unwrap();
    // As `openssl rehash` names it: any hash will do.
    std::fs::copy(world.ca_bundle().unwrap(), folder.join("0a1b2c3d.0")).unwrap();
    desk.set_variable("SSL_CERT_DIR", &folder);
    assert_refused_by_file(&world, &desk, "SSL_CERT_DIR");
    desk.configure_by_variables();
    desk.unset_variable("BEDROCK_SSO_CA_BUNDLE");
    desk.run(["login"]).expect_code(0);
}

#[test]
fn relative_path_of_an_authority_is_refused() {
    let world = World::over_tls();
    let desk = without_bundle(&world);
    desk.configure_by_variables();
    desk.unset_variable("BEDROCK_SSO_CA_BUNDLE");
    std::fs::copy(world.ca_bundle().unwrap(), desk.home().join("ca.pem")).unwrap();
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"] {
        desk.set_variable(variable, "ca.pem");
        fails(&desk, 3, "config/ca_bundle").message_has(&["ca.pem"]).hint_has(&[variable]);
        desk.unset_variable(variable);
    }
}

/// Nothing is sent, and the failure names the variable and the key that a file would need.
#[track_caller]
fn assert_refused_by_file(world: &World, desk: &Desk<'_>, variable: &str) {
    let failed = fails(desk, 9, "network/tls_untrusted");
    failed.hint_has(&[variable, "~/.config/bedrock-sso/config.toml", "`ca_bundle`"]);
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0), "nothing was sent");
    assert!(desk.log().contains(&format!("{variable} is not used, because ")), "{}", desk.log());
}

#[test]
fn an_unknown_authority_is_named_with_the_setting_that_mends_it() {
    let world = World::over_tls();
    let desk = without_bundle(&world);
    let failed = fails(&desk, 9, "network/tls_untrusted");
    failed.message_has(&[world.issuer().trim_start_matches("https://"), "Demo Test Authority"]);
    failed.hint_has(&["`ca_bundle`"]);
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0), "nothing was sent");
}

#[test]
fn another_worlds_authority_is_none_of_this_one() {
    let (world, other) = (World::over_tls(), World::over_tls());
    let desk = without_bundle(&world);
    desk.set_variable("AWS_CA_BUNDLE", other.ca_bundle().unwrap());
    fails(&desk, 9, "network/tls_untrusted");
    assert_eq!(desk.tabs(), 0);
}
