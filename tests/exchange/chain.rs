//! A chain of roles: each assumed with the credentials of the one before it, and the last one's handed out.

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, ROLE_ARN, World};

use super::{PROGRAM, asked, fails, forms, seconds_left};

const HUB: &str = "arn:aws:iam::222222222222:role/Hub";
const WORKLOAD: &str = "arn:aws:iam::333333333333:role/team/Workload";

/// A world in which the hub trusts the sign-in's role, and the workload the hub.
fn world() -> World {
    let world = World::new();
    world.set(Knob::ChainRoles, roles(&json!({})));
    world
}

/// The two roles, the workload with further members.
fn roles(more: &Value) -> Value {
    let mut workload = json!({ "arn": WORKLOAD, "trusts": HUB });
    workload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([{ "arn": HUB, "trusts": ROLE_ARN }, workload])
}

fn desk<'w>(world: &'w World, chain: &str) -> Desk<'w> {
    Desk::with(world, PROGRAM, &format!("role_chain = [{chain}]"))
}

fn both() -> String {
    format!("\"{HUB}\", \"{WORKLOAD}\"")
}

#[test]
fn the_last_roles_credentials_are_handed_out_and_shown_everywhere() {
    let world = world();
    let desk = desk(&world, &both());
    let shown = desk.run(["login"]).expect_code(0).stdout;
    assert!(shown.contains("Workload") && shown.contains("333333333333"), "{shown}");
    let page = desk.page().unwrap();
    assert!(page.contains("Workload") && page.contains("333333333333") && !page.contains("BedrockUser"));
    let document = desk.credentials();
    assert!((3500..=3600).contains(&seconds_left(&world, &document)), "{document}");
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!((&status["role_arn"], &status["account"]), (&json!(WORKLOAD), &json!("333333333333")));
    let links = forms(&world, Endpoint::Link);
    let told = |name: &str| links.iter().map(|form| form[name].clone()).collect::<Vec<_>>();
    assert_eq!(told("RoleArn"), [HUB, WORKLOAD]);
    assert_eq!(told("RoleSessionName"), ["demo@example.com", "demo@example.com"]);
    assert_eq!(told("DurationSeconds"), ["900", "3600"], "what only leads on is as brief as can be");
    assert_eq!(asked(&world)[0]["DurationSeconds"], "900");
}

#[test]
fn the_credentials_are_the_last_roles_own() {
    let world = world();
    let desk = desk(&world, &both());
    desk.credentials();
    desk.run(["login"]).expect_code(0);
    assert_eq!((world.count(Endpoint::Identity), desk.tabs()), (1, 1), "AWS believed them");
    assert_eq!(world.count(Endpoint::Link), 2);
}

#[test]
fn a_renewal_goes_along_the_whole_chain_without_anybody_being_asked() {
    let world = world();
    let desk = Desk::with(&world, PROGRAM, &format!("role_chain = [{}]\nsession_duration = \"15m\"", both()));
    let first = desk.credentials();
    assert!(seconds_left(&world, &first) <= 900, "no longer than the profile wants");
    desk.settle();
    world.set(Knob::Clock, 0);
    let before = world.count(Endpoint::Link);
    desk.run(["login", "--force"]).expect_code(0);
    let after = desk.credentials();
    assert_ne!(first["AccessKeyId"], after["AccessKeyId"]);
    assert_eq!(world.count(Endpoint::Link), before + 2);
}

#[test]
fn a_link_says_what_its_trust_policy_wants_to_hear() {
    let world = world();
    let more = json!({ "external_id": "acme/42", "tags": true, "source_identity": true });
    world.set(Knob::ChainRoles, roles(&more));
    world.set(Knob::Claims, json!({ "department": "ml platform", "employee": "Zoë" }));
    let link = format!(
        r#"{{ role_arn = "{WORKLOAD}", external_id = "acme/42", duration = "30m", session_name = "{{sub}}+{{email}}",
             tags = {{ Team = "{{department}}", Fixed = "x" }}, transitive = ["Team"], source_identity = "{{employee}}" }}"#
    )
    .replace("\n             ", " ");
    let desk = desk(&world, &format!("\"{HUB}\", {link}"));
    let document = desk.credentials();
    assert!((1700..=1800).contains(&seconds_left(&world, &document)), "{document}");
    let form = forms(&world, Endpoint::Link).remove(1);
    let told = |name: &str| form.get(name).map_or("", String::as_str);
    assert_eq!(told("ExternalId"), "acme/42");
    assert_eq!(told("RoleSessionName"), "00u-demo-1+demo@example.com");
    assert!(told("SourceIdentity").starts_with("Zo-="), "made legal: {}", told("SourceIdentity"));
    let tags = [("Tags.member.1.Key", "Fixed"), ("Tags.member.1.Value", "x"), ("Tags.member.2.Key", "Team")];
    for (name, value) in tags {
        assert_eq!(told(name), value, "{name}");
    }
    assert_eq!(told("Tags.member.2.Value"), "ml platform");
    assert_eq!(told("TransitiveTagKeys.member.1"), "Team");
}

#[test]
fn the_link_that_refuses_is_named_with_what_both_sides_must_allow() {
    let trusting = |more: &Value| roles(more);
    let session = "arn:aws:sts::222222222222:assumed-role/Hub/demo@example.com";
    for (workload, link, slug, action, wanted) in [
        (json!({ "trusts": ROLE_ARN }), "", "aws/chain_denied", "sts:AssumeRole", "`external_id`"),
        (
            json!({ "external_id": "other" }),
            r#", external_id = "acme""#,
            "aws/chain_denied",
            "sts:AssumeRole",
            "external ID",
        ),
        (json!({}), r#", tags = { a = "b" }"#, "aws/tag_session", "sts:TagSession", HUB),
        (json!({}), r#", source_identity = "jane""#, "aws/source_identity", "sts:SetSourceIdentity", HUB),
    ] {
        let world = world();
        world.set(Knob::ChainRoles, trusting(&workload));
        let desk = desk(&world, &format!("\"{HUB}\", {{ role_arn = \"{WORKLOAD}\"{link} }}"));
        let failed = fails(&desk, 7, slug);
        failed.message_has(&["link 2", WORKLOAD, session, action]).hint_has(&[action, WORKLOAD, HUB, wanted]);
        assert_eq!((world.count(Endpoint::Link), desk.tabs()), (2, 1), "asked once");
    }
}

#[test]
fn the_first_link_is_refused_to_the_sign_ins_own_role() {
    let world = World::new();
    let desk = desk(&world, &both());
    let failed = fails(&desk, 7, "aws/chain_denied");
    failed.message_has(&["link 1", HUB]).hint_has(&[ROLE_ARN, "sts:AssumeRole", HUB]);
}

#[test]
fn a_claim_that_a_link_needs_and_the_token_lacks_is_named() {
    let world = world();
    let desk =
        desk(&world, &format!(r#""{HUB}", {{ role_arn = "{WORKLOAD}", tags = {{ Team = "{{department}}" }} }}"#));
    let failed = fails(&desk, 7, "aws/claim_missing");
    failed.message_has(&["link 2", WORKLOAD, "department"]).hint_has(&["`role_chain`"]);
}

#[test]
fn a_chain_that_stumbles_is_tried_again_and_one_that_falls_is_reported() {
    let world = world();
    world.next(2, Knob::LinkFault, json!(Fault::aws(503, "ServiceUnavailable", "wait")));
    desk(&world, &both()).credentials();
    assert_eq!((world.count(Endpoint::Assume), world.count(Endpoint::Link)), (1, 4));
    let world = self::world();
    world.set(Knob::LinkFault, json!(Fault::aws(400, "Throttling", "Rate exceeded")));
    fails(&desk(&world, &both()), 7, "aws/throttled").message_has(&["link 1", HUB, "Rate exceeded"]);
}

#[test]
fn a_source_identity_in_the_token_goes_along_and_is_shown() {
    let world = world();
    world.set(Knob::ChainRoles, json!([{ "arn": WORKLOAD, "trusts": ROLE_ARN, "source_identity": true }]));
    world.set(Knob::Claims, json!({ "https://aws.amazon.com/source_identity": "d.person" }));
    let desk = desk(&world, &format!("\"{WORKLOAD}\""));
    desk.credentials();
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(status["identity"]["source_identity"], "d.person");
    desk.run(["status"]).prints("status: source identity");
}
