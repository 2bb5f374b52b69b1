//! A Cognito identity pool instead of STS: the identity of the user, the role that the pool gives, and its refusals.

use std::fs;

use serde_json::{Value, json};
use testworld::{CLIENT_ID, Desk, Endpoint, Fault, Knob, POOL_ID, POOL_ROLE_ARN, ROLE_ARN, World};

use super::{PROGRAM, fails, forms, seconds_left};

/// A home whose profile names the pool and no role.
fn desk(world: &World) -> Desk<'_> {
    desk_with_role(world, "")
}

/// A home whose profile names the pool and has this line instead of `role_arn`.
fn desk_with_role<'w>(world: &'w World, role: &str) -> Desk<'w> {
    let pool = format!(
        "federation = \"identity-pool\"\nidentity_pool_id = \"{POOL_ID}\"\ncognito_endpoint = \"{}\"",
        world.cognito_endpoint()
    );
    let desk = Desk::with(world, PROGRAM, &pool);
    desk.replace_in_config(&format!("role_arn = \"{ROLE_ARN}\"\n"), role);
    desk
}

/// The JSON of each request to this endpoint of the pool.
fn pool_requests(world: &World, endpoint: Endpoint) -> Vec<Value> {
    let requests = world.ledger().requests().into_iter().filter(|request| request.endpoint == endpoint);
    requests.map(|request| serde_json::from_str(&request.body).unwrap()).collect()
}

fn login_name(world: &World) -> String {
    world.issuer().trim_start_matches("http://").to_owned()
}

#[test]
fn session_of_a_pool_has_no_opaque_name() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "email": null, "preferred_username": null }));
    let desk = desk(&world);
    assert_eq!(desk.run(["login"]).expect_code(0).stderr, "");
    let checks = desk.run(["doctor", "--json"]).document()["checks"].clone();
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == "session-name").unwrap();
    assert_eq!(check["result"], "skipped");
}

#[test]
fn cognito_endpoint_variable_works_only_without_a_file() {
    let world = World::new();
    let desk = desk(&world);
    for variable in ["AWS_ENDPOINT_URL_COGNITO_IDENTITY", "AWS_ENDPOINT_URL"] {
        desk.set_variable(variable, "http://127.0.0.1:9");
    }
    desk.credentials();
    desk.configure_by_variables();
    desk.unset_variable("BEDROCK_SSO_ROLE_ARN");
    desk.set_variable("BEDROCK_SSO_FEDERATION", "identity-pool");
    desk.set_variable("BEDROCK_SSO_IDENTITY_POOL_ID", POOL_ID);
    desk.set_variable("BEDROCK_SSO_PROFILE", "container");
    // This profile shares the sign-in of the former one, which was not made for this host.
    desk.run(["credentials"]).fails(4, "sign-in/destination_changed");
    desk.run(["logout"]).expect_code(0);
    desk.run(["credentials"]).expect_code(9);
    desk.set_variable("AWS_ENDPOINT_URL_COGNITO_IDENTITY", world.cognito_endpoint());
    desk.run(["login"]).fails(4, "sign-in/destination_changed");
    desk.run(["logout"]).expect_code(0);
    desk.run(["login"]).expect_code(0);
}

#[test]
fn pool_credentials_are_returned_with_the_role_from_aws() {
    let world = World::new();
    let desk = desk(&world);
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(
        (&status["role_arn"], &status["account"]),
        (&Value::Null, &Value::Null),
        "the role is not known before the sign-in"
    );
    desk.run(["status"]).prints("status: a pool whose role is not known yet");

    let shown = desk.run(["login"]).expect_code(0).stdout;
    assert!(shown.contains("PoolUser") && shown.contains("123456789012"), "{shown}");
    let page = desk.page().unwrap();
    assert!(page.contains("PoolUser") && page.contains("123456789012"));
    let document = desk.credentials();
    assert!((3500..=3600).contains(&seconds_left(&world, &document)), "{document}");
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!((&status["role_arn"], &status["account"]), (&json!(POOL_ROLE_ARN), &json!("123456789012")));
    assert_eq!(status["identity"]["session_name"], "demo@example.com");

    let first = pool_requests(&world, Endpoint::PoolIdentity).remove(0);
    assert_eq!(first["IdentityPoolId"], POOL_ID);
    assert!(first["Logins"][login_name(&world)].is_string(), "the login has the name of the issuer");
    assert_eq!(pool_requests(&world, Endpoint::PoolCredentials)[0]["CustomRoleArn"], Value::Null);
    assert_eq!((world.count(Endpoint::Assume), world.count(Endpoint::Identity)), (0, 1));
}

#[test]
fn pool_sign_in_succeeds_without_the_role_name() {
    let world = World::new();
    world.set(Knob::IdentityFault, json!(Fault::Status(503)));
    let desk = desk(&world);
    desk.run(["login"]).prints("login: the role of an identity pool");
    assert!(!desk.page().unwrap().contains("AWS account"));
    desk.credentials();
}

#[test]
fn pool_refresh_reuses_the_cached_identity() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    let first = desk.credentials();
    let second = desk.credentials();
    assert_ne!(first["AccessKeyId"], second["AccessKeyId"]);
    let counts = world.counts([Endpoint::PoolIdentity, Endpoint::PoolCredentials]);
    assert_eq!((counts, desk.tabs()), ([1, 2], 1));
}

#[test]
fn deleted_pool_identity_is_requested_again() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    world.forget_identities();
    desk.credentials();
    let counts = world.counts([Endpoint::PoolIdentity, Endpoint::PoolCredentials]);
    assert_eq!((counts, desk.tabs()), ([2, 3], 1));
}

#[test]
fn pool_identity_is_not_reused_for_another_user() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    world.set(Knob::Claims, json!({ "sub": "00u-demo-2", "email": "other@example.com" }));
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(world.count(Endpoint::PoolIdentity), 2);
    let [one, other] = pool_requests(&world, Endpoint::PoolCredentials).try_into().unwrap();
    assert_ne!(one["IdentityId"], other["IdentityId"]);
}

#[test]
fn pool_login_is_tried_with_and_without_issuer_slash() {
    let world = World::new();
    world.set(Knob::IssuerSuffix, "/");
    desk(&world).credentials();
    assert_eq!(world.count(Endpoint::PoolIdentity), 1, "the name without the slash is tried first");
    world.set(Knob::PoolLogin, login_name(&world));
    desk(&world).credentials();
    assert_eq!(world.count(Endpoint::PoolIdentity), 3);
}

#[test]
fn pool_role_from_the_token_can_be_selected() {
    let world = World::new();
    let wanted = "arn:aws:iam::123456789012:role/Chosen";
    world.set(Knob::Claims, json!({ "cognito:roles": [wanted] }));
    let desk = desk_with_role(&world, &format!("role_arn = \"{wanted}\"\n"));
    let shown = desk.run(["login"]).expect_code(0).stdout;
    assert!(shown.contains("Chosen"), "{shown}");
    assert_eq!(pool_requests(&world, Endpoint::PoolCredentials)[0]["CustomRoleArn"], wanted);
    assert_eq!(world.count(Endpoint::Identity), 0, "the role is known already");

    world.set(Knob::Claims, json!({}));
    let desk = desk_with_role(&world, &format!("role_arn = \"{wanted}\"\n"));
    fails(&desk, 7, "aws/pool_denied").hint_has(&["`role_arn`", wanted, "cognito:roles"]);
}

#[test]
fn role_chain_continues_from_the_pool_role() {
    let world = World::new();
    let workload = "arn:aws:iam::333333333333:role/Workload";
    world.set(Knob::ChainRoles, json!([{ "arn": workload, "trusts": POOL_ROLE_ARN }]));
    let desk = desk(&world);
    let configuration = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("{configuration}role_chain = [\"{workload}\"]\n"));
    let shown = desk.run(["login"]).expect_code(0).stdout;
    assert!(shown.contains("333333333333"), "{shown}");
    assert_eq!(
        forms(&world, Endpoint::Link)[0]["RoleSessionName"],
        "demo@example.com",
        "the session name of the user begins with the chain"
    );
    assert_eq!(world.count(Endpoint::Identity), 0);

    world.set(Knob::ChainRoles, json!([]));
    let denied = desk.run(["login", "--force"]).ends_with_failure(7, "aws/chain_denied");
    denied
        .message_has(&["assumed-role/PoolUser/CognitoIdentityCredentials"])
        .hint_has(&["the identity pool's role", "sts:AssumeRole", workload]);
}

#[test]
fn pool_without_the_provider_is_reported_with_token_claims() {
    let world = World::new();
    world.set(Knob::PoolLogin, "login.example.com");
    let issuer = world.issuer();
    let failed = fails(&desk(&world), 7, "aws/pool_provider");
    failed.message_has(&[&issuer, CLIENT_ID]).hint_has(&[&issuer, POOL_ID, CLIENT_ID]);
    assert_eq!(world.count(Endpoint::PoolIdentity), 1);
}

#[test]
fn each_pool_error_is_reported_with_its_slug() {
    let fault = |code: &str| {
        let body = json!({ "__type": code, "message": "in AWS's words" }).to_string();
        json!(Fault::Body { status: 400, content_type: "application/x-amz-json-1.1".into(), body })
    };
    for (code, slug, times) in [
        ("ResourceNotFoundException", "aws/pool_not_found", 1),
        ("com.amazonaws.cognito#NotAuthorizedException", "aws/pool_denied", 1),
        ("LimitExceededException", "aws/limit", 1),
        ("TooManyRequestsException", "aws/throttled", 3),
        ("InternalErrorException", "aws/refused", 1),
        ("InvalidParameterException:http://internal.amazon.com/", "aws/validation", 1),
    ] {
        let world = World::new();
        world.set(Knob::PoolFault, fault(code));
        let failed = fails(&desk(&world), 7, slug);
        let code = code.rsplit('#').next().unwrap().split(':').next().unwrap();
        failed.message_has(&[&format!("{code}: in AWS's words")]);
        assert_eq!(world.count(Endpoint::PoolIdentity), times, "{code}");
    }
    let world = World::new();
    world.set(Knob::PoolWithoutRole, true);
    fails(&desk(&world), 7, "aws/pool_role");
    let world = World::new();
    world.set(Knob::PoolFault, json!(Fault::Portal));
    fails(&desk(&world), 9, "network/not_aws").message_has(&["Amazon Cognito", "200", "text/html"]);
}

#[test]
fn id_token_expired_at_the_pool_leads_to_a_prompt() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    let body = json!({ "__type": "NotAuthorizedException", "message": "Invalid login token. Token expired: 2 >= 1" });
    let fault = Fault::Body { status: 400, content_type: "application/x-amz-json-1.1".into(), body: body.to_string() };
    world.next(1, Knob::PoolFault, json!(fault));
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn invalid_pool_configuration_is_reported_before_any_prompt() {
    for (from, to, slug, facts) in [
        (POOL_ID, "", "config/illegal", ["federation", "identity_pool_id"]),
        (POOL_ID, "eu-west-1_AbC", "config/illegal", ["identity_pool_id", "eu-west-1_AbC"]),
        ("us-east-1:", "us-gov-west-1:", "config/partition", ["us-east-1", "us-gov-west-1:"]),
        ("federation = \"identity-pool\"\n", "", "config/illegal", ["federation", "identity_pool_id"]),
    ] {
        let world = World::new();
        let desk = desk(&world);
        desk.replace_in_config(from, to);
        fails(&desk, 3, slug).message_has(&facts);
        assert_eq!((desk.tabs(), world.ledger().total()), (0, 0));
    }
}
