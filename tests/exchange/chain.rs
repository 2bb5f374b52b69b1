//! `role_chain`: each role is assumed with the credentials of the role before it, and the last one's are returned.

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, ROLE_ARN, World};

use super::{PROGRAM, fails, forms, role_requests, seconds_left};

const HUB: &str = "arn:aws:iam::222222222222:role/Hub";
const WORKLOAD: &str = "arn:aws:iam::333333333333:role/team/Workload";

/// A world in which the hub role trusts the role of the sign-in, and the workload role trusts the hub role.
fn world() -> World {
    let world = World::new();
    world.set(Knob::ChainRoles, roles(&json!({})));
    world
}

/// The two roles, with more members for the workload role.
fn roles(more: &Value) -> Value {
    let mut workload = json!({ "arn": WORKLOAD, "trusts": HUB });
    workload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([{ "arn": HUB, "trusts": ROLE_ARN }, workload])
}

fn desk<'w>(world: &'w World, chain: &str) -> Desk<'w> {
    Desk::with(world, PROGRAM, &format!("role_chain = [{chain}]"))
}

fn both_links() -> String {
    format!("\"{HUB}\", \"{WORKLOAD}\"")
}

#[test]
fn role_chain_returns_credentials_of_the_last_role() {
    let world = world();
    let desk = desk(&world, &both_links());
    let shown = desk.run(["login"]).expect_code(0).stdout;
    assert!(shown.contains("Workload") && shown.contains("333333333333"), "{shown}");
    let page = desk.page().unwrap();
    assert!(page.contains("Workload") && page.contains("333333333333") && !page.contains("BedrockUser"));
    let document = desk.credentials();
    assert!((3500..=3600).contains(&seconds_left(&world, &document)), "{document}");
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!((&status["role_arn"], &status["account"]), (&json!(WORKLOAD), &json!("333333333333")));
    let links = forms(&world, Endpoint::Link);
    let sent = |name: &str| links.iter().map(|form| form[name].clone()).collect::<Vec<_>>();
    assert_eq!(sent("RoleArn"), [HUB, WORKLOAD]);
    assert_eq!(sent("RoleSessionName"), ["demo@example.com", "demo@example.com"]);
    assert_eq!(
        sent("DurationSeconds"),
        ["900", "3600"],
        "a session that only assumes the next role is as short as AWS allows"
    );
    assert_eq!(role_requests(&world)[0]["DurationSeconds"], "900");
}

#[test]
fn role_chain_credentials_are_accepted_by_aws() {
    let world = world();
    let desk = desk(&world, &both_links());
    desk.credentials();
    desk.run(["login"]).expect_code(0);
    assert_eq!((world.count(Endpoint::Identity), desk.tabs()), (1, 1), "AWS accepts the credentials");
    assert_eq!(world.count(Endpoint::Link), 2);
}

#[test]
fn forced_login_assumes_every_role_of_the_chain_again() {
    let world = world();
    let desk = Desk::with(&world, PROGRAM, &format!("role_chain = [{}]\nsession_duration = \"15m\"", both_links()));
    let first = desk.credentials();
    assert!(seconds_left(&world, &first) <= 900, "no longer than the profile allows");
    desk.settle();
    world.set(Knob::Clock, 0);
    let before = world.count(Endpoint::Link);
    desk.run(["login", "--force"]).expect_code(0);
    let after = desk.credentials();
    assert_ne!(first["AccessKeyId"], after["AccessKeyId"]);
    assert_eq!(world.count(Endpoint::Link), before + 2);
}

#[test]
fn chain_link_sends_external_id_tags_and_source_identity() {
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
    let sent = |name: &str| form.get(name).map_or("", String::as_str);
    assert_eq!(sent("ExternalId"), "acme/42");
    assert_eq!(sent("RoleSessionName"), "00u-demo-1+demo@example.com");
    assert!(
        sent("SourceIdentity").starts_with("Zo-="),
        "unsupported characters are replaced: {}",
        sent("SourceIdentity")
    );
    let tags = [("Tags.member.1.Key", "Fixed"), ("Tags.member.1.Value", "x"), ("Tags.member.2.Key", "Team")];
    for (name, value) in tags {
        assert_eq!(sent(name), value, "{name}");
    }
    assert_eq!(sent("Tags.member.2.Value"), "ml platform");
    assert_eq!(sent("TransitiveTagKeys.member.1"), "Team");
}

#[test]
fn refused_chain_link_is_named_with_required_permissions() {
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
        world.set(Knob::ChainRoles, roles(&workload));
        let desk = desk(&world, &format!("\"{HUB}\", {{ role_arn = \"{WORKLOAD}\"{link} }}"));
        let failed = fails(&desk, 7, slug);
        failed.message_has(&["link 2", WORKLOAD, session, action]).hint_has(&[action, WORKLOAD, HUB, wanted]);
        assert_eq!((world.count(Endpoint::Link), desk.tabs()), (2, 1), "the refusal is not retried");
    }
}

/// The policy that blocks a user denies the next role too.
#[test]
fn blocked_user_is_named_at_a_chain_link() {
    let world = world();
    let policy = "arn:aws:iam::123456789012:policy/acme-federation-you-are-blocked-ask-your-administrator";
    let message = format!(
        "User: arn:aws:sts::123456789012:assumed-role/BedrockUser/demo@example.com is not authorized to perform: \
         sts:AssumeRole on resource: {HUB} with an explicit deny in an identity-based policy: {policy}"
    );
    world.set(Knob::LinkFault, json!(Fault::aws(403, "AccessDenied", &message)));
    let failed = fails(&desk(&world, &both_links()), 7, "aws/blocked");
    failed.message_has(&["an administrator has blocked you", "you-are-blocked", "sts:AssumeRole"]);
    failed.hint_has(&["unblock demo@example.com"]);
}

#[test]
fn refused_first_chain_link_names_the_sign_in_role() {
    let world = World::new();
    let desk = desk(&world, &both_links());
    let failed = fails(&desk, 7, "aws/chain_denied");
    failed.message_has(&["link 1", HUB]).hint_has(&[ROLE_ARN, "sts:AssumeRole", HUB]);
}

#[test]
fn claim_missing_for_a_chain_link_is_reported() {
    let world = world();
    let desk =
        desk(&world, &format!(r#""{HUB}", {{ role_arn = "{WORKLOAD}", tags = {{ Team = "{{department}}" }} }}"#));
    let failed = fails(&desk, 7, "aws/claim_missing");
    failed.message_has(&["link 2", WORKLOAD, "department"]).hint_has(&["`role_chain`"]);
}

#[test]
fn temporary_chain_failure_is_retried_and_then_reported() {
    let world = world();
    world.next(2, Knob::LinkFault, json!(Fault::aws(503, "ServiceUnavailable", "wait")));
    desk(&world, &both_links()).credentials();
    assert_eq!((world.count(Endpoint::Assume), world.count(Endpoint::Link)), (1, 4));
    let world = self::world();
    world.set(Knob::LinkFault, json!(Fault::aws(400, "Throttling", "Rate exceeded")));
    fails(&desk(&world, &both_links()), 7, "aws/throttled").message_has(&["link 1", HUB, "Rate exceeded"]);
}

#[test]
fn source_identity_passes_through_the_chain_to_status() {
    let world = world();
    world.set(Knob::ChainRoles, json!([{ "arn": WORKLOAD, "trusts": ROLE_ARN, "source_identity": true }]));
    world.set(Knob::Claims, json!({ "https://aws.amazon.com/source_identity": "d.person" }));
    let desk = desk(&world, &format!("\"{WORKLOAD}\""));
    desk.credentials();
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(status["identity"]["source_identity"], "d.person");
    desk.run(["status"]).prints("status: source identity");
}
