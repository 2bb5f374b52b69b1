//! TLS: which certificate authorities the program trusts, and how it reports the others.

use testworld::{Desk, Endpoint, World};

use super::{desk, fails};

/// A home whose configuration names no certificate authority.
fn desk_without_bundle(world: &World) -> Desk<'_> {
    let desk = desk(world);
    let configuration = std::fs::read_to_string(desk.config_file()).unwrap();
    let lines: Vec<_> = configuration.lines().filter(|line| !line.starts_with("ca_bundle")).collect();
    assert_ne!(lines.len(), configuration.lines().count());
    desk.configure(&lines.join("\n"));
    desk
}

#[test]
fn private_authority_is_trusted_for_sign_in_and_refresh() {
    let world = World::over_tls();
    world.set(testworld::Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    let all = [(); 3].map(|()| desk.credentials());
    assert!(all[0] != all[1] && all[1] != all[2]);
    let counts = world.counts([Endpoint::Authorize, Endpoint::Refresh, Endpoint::Assume]);
    assert_eq!(counts, [1, 2, 3]);
}

#[test]
fn cached_credentials_need_no_authority_and_no_network() {
    let world = World::over_tls();
    let desk = desk(&world);
    let first = desk.credentials();
    let requests = world.ledger().total();
    assert_eq!(desk.credentials(), first);
    assert_eq!(world.ledger().total(), requests);
}

#[test]
fn ca_bundle_variable_works_only_without_a_file() {
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let world = World::over_tls();
        let desk = desk_without_bundle(&world);
        desk.set_variable(variable, world.ca_bundle().unwrap());
        assert_refused_by_file(&world, &desk, variable);
        desk.configure_by_variables();
        desk.unset_variable("BEDROCK_SSO_CA_BUNDLE");
        desk.run(["login"]).expect_code(0);
    }
}

/// The TLS verifier of the platform reads `SSL_CERT_DIR`, not this program.
#[cfg(target_os = "linux")]
#[test]
fn ssl_cert_dir_works_only_without_a_file() {
    let world = World::over_tls();
    let desk = desk_without_bundle(&world);
    let folder = desk.home().join("certificates");
    std::fs::create_dir(&folder).unwrap();
    // `openssl rehash` would give the file a name like this.
    std::fs::copy(world.ca_bundle().unwrap(), folder.join("0a1b2c3d.0")).unwrap();
    desk.set_variable("SSL_CERT_DIR", &folder);
    assert_refused_by_file(&world, &desk, "SSL_CERT_DIR");
    desk.configure_by_variables();
    desk.unset_variable("BEDROCK_SSO_CA_BUNDLE");
    desk.run(["login"]).expect_code(0);
}

#[test]
fn relative_ca_bundle_variable_is_refused() {
    let world = World::over_tls();
    let desk = desk_without_bundle(&world);
    desk.configure_by_variables();
    desk.unset_variable("BEDROCK_SSO_CA_BUNDLE");
    std::fs::copy(world.ca_bundle().unwrap(), desk.home().join("ca.pem")).unwrap();
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"] {
        desk.set_variable(variable, "ca.pem");
        fails(&desk, 3, "config/ca_bundle").message_has(&["ca.pem"]).hint_has(&[variable]);
        desk.unset_variable(variable);
    }
}

/// Asserts that no request is sent, and that the hint names the variable, the file and the key to set there.
#[track_caller]
fn assert_refused_by_file(world: &World, desk: &Desk<'_>, variable: &str) {
    let failed = fails(desk, 9, "network/tls_untrusted");
    failed.hint_has(&[variable, "~/.config/bedrock-sso/config.toml", "`ca_bundle`"]);
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0), "no request is sent");
    assert!(desk.log().contains(&format!("{variable} is not used, because ")), "{}", desk.log());
}

#[test]
fn unknown_authority_is_reported_with_the_ca_bundle_key() {
    let world = World::over_tls();
    let desk = desk_without_bundle(&world);
    let failed = fails(&desk, 9, "network/tls_untrusted");
    failed.message_has(&[world.issuer().trim_start_matches("https://"), "Demo Test Authority"]);
    failed.hint_has(&["`ca_bundle`"]);
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0), "no request is sent");
}

#[test]
fn authority_of_another_world_is_not_trusted() {
    let (world, other) = (World::over_tls(), World::over_tls());
    let desk = desk_without_bundle(&world);
    desk.set_variable("AWS_CA_BUNDLE", other.ca_bundle().unwrap());
    fails(&desk, 9, "network/tls_untrusted");
    assert_eq!(desk.tabs(), 0);
}
