//! Faults in the settings of the exchange: partitions, identity pools and role chains.

use super::{
    GOOD, Home, assert_has,
    faults::{assert_each_is_wrong, line, said_of},
};

#[test]
fn endpoint_of_another_partition_is_rejected() {
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
        // This key stands for two addresses, but its problem is reported once.
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
fn illegal_bedrock_endpoint_is_quoted_as_written() {
    assert_has(&said_of("bedrock_endpoint = \"http://{service}.example\""), &["\"http://{service}.example\""]);
}

#[test]
fn federation_requires_exactly_its_own_keys() {
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

/// The program itself accepts such a profile: AWS's guidance sample counts without the name of the session.
#[test]
fn check_refuses_limits_for_a_pool_without_a_chain() {
    let pool = "federation = \"identity-pool\"\nidentity_pool_id = \"us-east-1:1b\"\n";
    let quota = "quota.endpoint = \"https://quota.example\"\n";
    let chain = "role_chain = [\"arn:aws:iam::210987654321:role/B\"]\n";
    let check = |more: &str| Home::new().user(format!("{GOOD}{more}")).ask(crate::config::check_all_files);
    let refused = check(&format!("{pool}{quota}")).unwrap_err().to_string();
    assert_has(&refused, &["user.toml:10", "\"quota.endpoint\"", "CognitoIdentityCredentials", "role_chain"]);
    for accepted in [pool.to_owned(), quota.to_owned(), format!("{pool}{quota}{chain}")] {
        check(&accepted).unwrap();
    }
    Home::new().user(format!("{GOOD}{pool}{quota}")).load().unwrap();
}

#[test]
fn role_chain_item_is_checked_field_by_field() {
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
