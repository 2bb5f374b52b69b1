//! What the commands print for a profile of an Identity Center.

use serde_json::json;
use testworld::{Endpoint, Fault, Knob, World};

use super::desk;

#[test]
fn every_command_that_needs_credentials_works() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_key("console_endpoint", &json!(world.console_endpoint()).to_string());
    let first = desk.credentials();
    assert_eq!(desk.run(["export"]).expect_code(0).document()["Credentials"]["AccessKeyId"], first["AccessKeyId"]);
    assert!(desk.run(["env", "--shell", "sh"]).expect_code(0).stdout.contains("AWS_SESSION_TOKEN"));
    assert!(desk.run(["bearer"]).expect_code(0).stdout.starts_with("bedrock-api-key-"));
    desk.run(["exec", "--", "true"]).expect_code(0);
    assert!(desk.run(["console", "--no-browser"]).expect_code(0).stdout.contains("SigninToken="));
    assert_eq!((desk.tabs(), desk.leaks().len()), (1, 0));
}

#[test]
fn token_explains_that_there_is_none() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    desk.run(["token"]).fails(3, "config/no_id_token");
}

#[test]
fn telemetry_headers_name_the_user_and_the_fixed_values() {
    let world = World::new();
    let desk = desk(&world);
    assert_eq!(desk.run(["otel-headers"]).expect_code(0).document(), json!({}));
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("{text}\n[profiles.claude.telemetry]\nstatic = {{ \"X-Department\" = \"research\" }}\n"));
    desk.credentials();
    let headers = json!({
        "x-user-email": "jane@example.com",
        "x-user-name": "jane@example.com",
        "x-department": "research",
        "x-bedrock-sso-version": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(desk.run(["otel-headers"]).expect_code(0).document(), headers);
}

#[test]
fn status_shows_the_account_and_the_renewal() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!((&status["signed_in"], &status["can_renew"]), (&json!(true), &json!(true)));
    assert_eq!(status["account"], "123456789012");
}

#[test]
fn logout_ends_the_session_at_the_portal() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    desk.run(["logout"]).expect_code(0);
    assert_eq!((world.live_portal_sessions(), world.count(Endpoint::PortalLogout)), (0, 1));
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn role_chain_follows_the_assignment() {
    let world = World::new();
    let desk = desk(&world);
    let next = "arn:aws:iam::210987654321:role/Next";
    let trusted =
        "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_BedrockUser_0123456789abcdef";
    world.set(Knob::ChainRoles, json!([{ "arn": next, "trusts": trusted }]));
    desk.set_key("role_chain", &format!("[\"{next}\"]"));
    desk.credentials();
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!((&status["role_arn"], world.count(Endpoint::Link)), (&json!(next), 1));
}

#[test]
fn user_whom_aws_does_not_name_is_never_given_another_name() {
    let world = World::new();
    world.set(Knob::IdentityFault, json!(Fault::Status(503)));
    let desk = desk(&world);
    let login = desk.run(["login"]).expect_code(0);
    assert!(login.stdout.contains("Signed in: permission set BedrockUser in account 123456789012"), "{login:?}");
    assert_eq!(desk.run(["otel-headers"]).expect_code(0).document(), json!({}));
}

#[test]
fn unknown_start_url_points_to_the_access_portal() {
    let world = World::new();
    let desk = desk(&world);
    world.set(
        Knob::RegisterClientFault,
        json!(Fault::sso_oidc("InvalidRequestException", "Invalid start url provided")),
    );
    desk.run(["login"]).fails(7, "aws/identity_center_region").hint_has(&["Access keys"]);
    assert_eq!(desk.tabs(), 0);
}
