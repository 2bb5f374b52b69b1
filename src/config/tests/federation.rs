//! What can be wrong with the way from a token to a role, and what is said about it.

use super::{
    GOOD, Home, assert_has,
    faults::{assert_each_is_wrong, line, said_of},
};

#[test]
fn whoever_is_spoken_to_in_another_partition_is_refused() {
    let gov = "arn:aws-us-gov:iam::123456789012:role/B";
    for (line, partition) in [
        (format!("role_chain = [\"{gov}\"]"), "aws-us-gov"),
        (
            "sts_endpoint = \"https://vpce-1.sts.us-gov-west-1.vpce.amazonaws.com\"".into(),
            "vpce-1.sts.us-gov-west-1.vpce.amazonaws.com is in aws-us-gov",
        ),
        (
            "sts_endpoint = \"https://sts.cn-north-1.amazonaws.com.cn\"".into(),
            "sts.cn-north-1.amazonaws.com.cn is in aws-cn",
        ),
        // One key, although it stands for two addresses.
        (
            "bedrock_endpoint = \"https://{service}.cn-north-1.amazonaws.com.cn\"".into(),
            "bedrock.cn-north-1.amazonaws.com.cn is in aws-cn",
        ),
        (
            "bedrock_endpoint = \"https://bedrock.cn-north-1.amazonaws.com.cn\"".into(),
            "bedrock.cn-north-1.amazonaws.com.cn is in aws-cn",
        ),
        ("sts_fallback_regions = [\"auto\", \"cn-north-1\"]".into(), "cn-north-1 is in aws-cn"),
        ("federation = \"identity-pool\"\nidentity_pool_id = \"cn-north-1:1b\"".into(), "cn-north-1:1b is in aws-cn"),
    ] {
        let said = said_of(&line);
        assert!(["8", "9"].contains(&said.split(": ").next().unwrap()), "{said}");
        assert_has(&said, &["\"us-east-1\"", "partition aws", partition]);
    }
    assert!(Home::new().user(format!("{GOOD}sts_endpoint = \"https://sts.internal.example\"\n")).load().is_ok());
}

#[test]
fn a_wrong_bedrock_endpoint_is_quoted_as_written() {
    assert_has(&said_of("bedrock_endpoint = \"http://{service}.example\""), &["\"http://{service}.example\""]);
}

#[test]
fn the_first_exchange_has_what_it_needs_and_nothing_else() {
    assert_each_is_wrong(&[
        "federation = \"identity-pool\"",
        "identity_pool_id = \"us-east-1:1b\"",
        "identity_pool_id = \"us-east-1_AbC\"",
        "sts_fallback_regions = [\"near\"]",
    ]);
    let pool = "federation = \"identity-pool\"\nidentity_pool_id = \"us-east-1:1b\"\n";
    let role = "role_arn = \"arn:aws:iam::123456789012:role/BedrockUser\"\n";
    let without = format!("{}{pool}", GOOD.replace(role, ""));
    assert_eq!(Home::new().user(without).load().unwrap().final_role(), None);
    assert_has(&line(&GOOD.replace(role, "")), &["3:", "[profiles.claude]", "\"role_arn\""]);
}

#[test]
fn a_link_of_the_chain_is_judged_by_its_fields() {
    const ARN: &str = "role_arn = \"arn:aws:iam::210987654321:role/B\"";
    for (fields, key) in [
        ("role_arn = \"x\"", "\"role_chain.role_arn\""),
        ("external_id = \"ab\"", "\"role_chain\""),
        ("ARN, exernal_id = \"ab\"", "unknown key \"exernal_id\""),
        ("ARN, external_id = \"a b\"", "\"role_chain.external_id\""),
        ("ARN, duration = \"2h\"", "\"role_chain.duration\""),
        ("ARN, session_name = \"{\"", "\"role_chain.session_name\""),
        ("ARN, source_identity = \"\"", "\"role_chain.source_identity\""),
        ("ARN, tags = { \"aws:x\" = \"y\" }", "\"role_chain.tags\""),
        ("ARN, tags = { a = 1 }", "\"role_chain.tags\""),
        ("ARN, transitive = [\"Team\"]", "\"role_chain.transitive\""),
    ] {
        let said = said_of(&format!("role_chain = [{{ {} }}]", fields.replace("ARN", ARN)));
        assert_has(&said, &["8: ", key]);
    }
    assert_has(&said_of("role_chain = [1]"), &["8: \"role_chain\""]);
}
