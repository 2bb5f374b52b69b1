//! What can be wrong with the way from a token to a role, and what is said about it.

use super::{
    GOOD, Home,
    faults::{line, said_of},
};

#[test]
fn whoever_is_spoken_to_in_another_partition_is_refused() {
    let gov = "arn:aws-us-gov:iam::123456789012:role/B";
    for (line, other) in [
        (format!("role_chain = [\"{gov}\"]"), format!("the role {gov} of aws-us-gov")),
        (
            "sts_endpoint = \"https://vpce-1.sts.us-gov-west-1.vpce.amazonaws.com\"".into(),
            "the endpoint vpce-1.sts.us-gov-west-1.vpce.amazonaws.com of aws-us-gov".into(),
        ),
        (
            "sts_endpoint = \"https://sts.cn-north-1.amazonaws.com.cn\"".into(),
            "the endpoint sts.cn-north-1.amazonaws.com.cn of aws-cn".into(),
        ),
        (
            "sts_fallback_regions = [\"auto\", \"cn-north-1\"]".into(),
            "the region cn-north-1 of aws-cn".into(),
        ),
        (
            "federation = \"identity-pool\"\nidentity_pool_id = \"cn-north-1:1b\"".into(),
            "the identity pool cn-north-1:1b of aws-cn".into(),
        ),
    ] {
        let said = said_of(&line);
        let (at, told) = said.split_once(": ").unwrap();
        assert!(["8", "9"].contains(&at), "{said}");
        assert_eq!(told, format!("region \"us-east-1\" is of partition aws, and {other}"));
    }
    assert!(
        Home::new().user(format!("{GOOD}sts_endpoint = \"https://sts.internal.example\"\n")).load().is_ok()
    );
}

#[test]
fn the_first_exchange_has_what_it_needs_and_nothing_else() {
    for (line, message) in [
        (
            "federation = \"identity-pool\"",
            "8: \"federation\" holds \"identity-pool\": needs an identity_pool_id",
        ),
        (
            "identity_pool_id = \"us-east-1:1b\"",
            "8: \"identity_pool_id\" holds \"us-east-1:1b\": is used with federation = \"identity-pool\" alone",
        ),
        (
            "identity_pool_id = \"us-east-1_AbC\"",
            "8: \"identity_pool_id\" holds \"us-east-1_AbC\": not the id of an identity pool, such as us-east-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        ),
        (
            "sts_fallback_regions = [\"near\"]",
            "8: \"sts_fallback_regions\" holds [\"near\"]: must be AWS regions, such as us-west-2, or \"auto\"",
        ),
    ] {
        assert_eq!(said_of(line), message);
    }
    let pool = "federation = \"identity-pool\"\nidentity_pool_id = \"us-east-1:1b\"\n";
    let role = "role_arn = \"arn:aws:iam::123456789012:role/BedrockUser\"\n";
    let without = format!("{}{pool}", GOOD.replace(role, ""));
    assert_eq!(Home::new().user(without).load().unwrap().final_role(), None);
    assert_eq!(line(&GOOD.replace(role, "")), "3: [profiles.claude] lacks \"role_arn\"");
}

#[test]
fn a_link_of_the_chain_is_judged_by_its_fields() {
    const ARN: &str = "role_arn = \"arn:aws:iam::210987654321:role/B\"";
    for (fields, message) in [
        (
            "role_arn = \"x\"",
            "\"role_chain.role_arn\" holds \"x\": not the ARN of a role, such as arn:aws:iam::123456789012:role/BedrockUser",
        ),
        ("external_id = \"ab\"", "\"role_chain\" holds { external_id = \"ab\" }: a link needs a role_arn"),
        (
            "ARN, exernal_id = \"ab\"",
            "unknown key \"exernal_id\" in [role_chain]; did you mean \"external_id\"?",
        ),
        (
            "ARN, external_id = \"a b\"",
            "\"role_chain.external_id\" holds \"a b\": must be 2 to 1224 letters, digits or any of _+=,.@:/-",
        ),
        ("ARN, duration = \"2h\"", "\"role_chain.duration\" holds \"2h\": must be from 15m to 1h"),
        (
            "ARN, session_name = \"{\"",
            "\"role_chain.session_name\" holds \"{\": a brace must hold the name of a claim, such as {email}",
        ),
        ("ARN, source_identity = \"\"", "\"role_chain.source_identity\" holds \"\": must not be empty"),
        ("ARN, tags = { \"aws:x\" = \"y\" }", "\"role_chain.tags\" holds \"aws:x\": not the name of a tag"),
        ("ARN, tags = { a = 1 }", "\"role_chain.tags\" must be a table of strings, not a number"),
        (
            "ARN, transitive = [\"Team\"]",
            "\"role_chain.transitive\" holds [\"Team\"]: names a tag that the link does not set",
        ),
    ] {
        let fields = fields.replace("ARN", ARN);
        assert_eq!(said_of(&format!("role_chain = [{{ {fields} }}]")), format!("8: {message}"));
    }
    assert_eq!(
        said_of("role_chain = [1]"),
        "8: \"role_chain\" must be a list of role ARNs or tables, not a number"
    );
}
