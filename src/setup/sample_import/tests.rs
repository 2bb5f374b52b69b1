//! Imports files as AWS's guidance sample writes them.

use serde_json::json;

use super::*;
use crate::hint::Invocation;

fn import_values(value: &Value) -> Vec<String> {
    let imported = import_profile(&value.to_string(), None).unwrap();
    imported.values.into_iter().map(|(key, value)| format!("{} = {value}", key.name)).collect()
}

fn issuer(profile: &Value) -> String {
    let values = import_values(&json!({"p": profile}));
    values.iter().find_map(|value| value.strip_prefix("issuer = ")).unwrap_or("none").to_owned()
}

#[test]
fn import_reads_both_formats_of_the_sample() {
    let profile = json!({
        "provider_domain": "acme.okta.com", "client_id": "0oa", "provider_type": "okta", "aws_region": "us-west-2",
        "federated_role_arn": "arn:aws:iam::123456789012:role/R", "max_session_duration": 28800,
        "credential_storage": "session", "redirect_port": 8410, "selected_model": "us.anthropic.m",
        "quota_api_endpoint": "https://q.example", "quota_fail_mode": "closed", "quota_check_interval": 15,
        "quota_check_timeout": 3, "otel_collector_endpoint": "https://otel.example",
    });
    let wanted = [
        "issuer = https://acme.okta.com",
        "provider = okta",
        "client_id = 0oa",
        "role_arn = arn:aws:iam::123456789012:role/R",
        "session_duration = 28800s",
        "region = us-west-2",
        "redirect_host = localhost",
        "redirect_ports = [8410]",
        "quota.endpoint = https://q.example",
        "quota.interval = 15m",
        "quota.timeout = 3s",
        "quota.on_error = deny",
        "claude_code.models = { default = \"us.anthropic.m\" }",
        "claude_code.env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://otel.example\" }",
    ];
    assert_eq!(import_values(&json!({"ClaudeCode": profile})), wanted);
    let nested = json!({"profiles": {"ClaudeCode": profile}});
    assert_eq!(import_values(&nested), wanted);
    assert_eq!(import_profile(&nested.to_string(), None).unwrap().name.as_deref(), Some("ClaudeCode"));
}

#[test]
fn import_derives_the_issuer_of_each_provider() {
    for (profile, wanted) in [
        (json!({"okta_domain": "acme.okta.com", "okta_client_id": "x"}), "https://acme.okta.com"),
        (
            json!({"provider_domain": "a.okta.com", "provider_type": "okta", "okta_auth_server_id": "default"}),
            "https://a.okta.com/oauth2/default",
        ),
        (json!({"provider_domain": "acme.auth0.com", "provider_type": "auth0"}), "https://acme.auth0.com/"),
        (json!({"provider_domain": "acme.auth0.com", "provider_type": "auto"}), "https://acme.auth0.com/"),
        (json!({"provider_domain": "acme.eu.auth0.com"}), "https://acme.eu.auth0.com/"),
        (
            json!({"provider_domain": "login.microsoftonline.com/t-1", "provider_type": "auto"}),
            "https://login.microsoftonline.com/t-1/v2.0",
        ),
        (
            json!({"provider_domain": "x.auth.us-east-1.amazoncognito.com", "cognito_user_pool_id": "eu-west-1_AbC"}),
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
        ),
        (
            json!({"provider_domain": "sso.acme.example", "oidc_issuer_url": "https://sso.acme.example/realms/a"}),
            "https://sso.acme.example/realms/a",
        ),
        (json!({"client_id": "x"}), "none"),
        (
            json!({"provider_domain": "login.microsoftonline.com/t-1/v2.0", "provider_type": "azure"}),
            "https://login.microsoftonline.com/t-1/v2.0",
        ),
        (
            json!({"provider_domain": "login.microsoftonline.com/t-1", "provider_type": "azure"}),
            "https://login.microsoftonline.com/t-1/v2.0",
        ),
        (json!({"provider_domain": "t-1", "provider_type": "azure"}), "https://login.microsoftonline.com/t-1/v2.0"),
        (
            json!({"provider_domain": "x.auth.us-east-1.amazoncognito.com", "provider_type": "cognito", "cognito_user_pool_id": "eu-west-1_AbC"}),
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
        ),
        (
            json!({"provider_domain": "x.acme.example", "provider_type": "cognito", "cognito_user_pool_id": "cn-north-1_AbC"}),
            "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC",
        ),
        (json!({"provider_domain": "accounts.google.com", "provider_type": "google"}), "https://accounts.google.com"),
        (
            json!({"provider_domain": "sso.acme.example", "provider_type": "generic", "oidc_issuer_url": "https://sso.acme.example/realms/a"}),
            "https://sso.acme.example/realms/a",
        ),
    ] {
        assert_eq!(issuer(&profile), wanted, "{profile}");
    }
}

#[test]
fn import_includes_the_identity_pool() {
    let found =
        import_values(&json!({"p": {"provider_domain": "a.okta.com", "client_id": "x", "federation_type": "cognito",
        "identity_pool_name": "us-east-1:1234", "max_session_duration": 28800}}));
    assert!(found.contains(&"federation = identity-pool".to_owned()));
    assert!(found.contains(&"identity_pool_id = us-east-1:1234".to_owned()));
    assert!(!found.iter().any(|value| value.starts_with("session_duration")), "{found:?}");
}

#[test]
fn import_omits_the_secret_and_adds_a_note() {
    let text = json!({"p": {"provider_domain": "accounts.google.com", "provider_type": "google", "client_id": "x",
        "client_secret": "GOCSPX-hidden"}})
    .to_string();
    let imported = import_profile(&text, None).unwrap();
    assert!(!format!("{imported:?}").contains("hidden"));
    assert!(imported.notes[0].render(&Invocation::default()).contains("--client-secret-stdin"));
    assert!(imported.values.contains(&(&keys::CLIENT_AUTH, "secret".to_owned())));
}

#[test]
fn import_prefers_a_certificate_to_a_secret() {
    let found =
        import_values(&json!({"p": {"provider_domain": "login.microsoftonline.com/t-1/v2.0", "provider_type": "azure",
        "client_id": "x", "azure_auth_mode": "certificate", "client_certificate_path": "~/c.pem",
        "client_certificate_key_path": "~/k.pem", "client_secret": "unused"}}));
    for wanted in ["client_auth = private_key_jwt", "client_key = ~/k.pem", "client_certificate = ~/c.pem"] {
        assert!(found.contains(&wanted.to_owned()), "{found:?}");
    }
}

#[test]
fn import_of_several_profiles_needs_a_name() {
    let two = json!({"profiles": {"a": {"client_id": "x"}, "b": {"client_id": "y"}}}).to_string();
    assert_eq!(import_profile(&two, None), Err(ImportError::SeveralProfiles(vec!["a".into(), "b".into()])));
    assert_eq!(import_profile(&two, Some("c")), Err(ImportError::NoSuchProfile("c".into())));
    assert_eq!(import_profile(&two, Some("b")).unwrap().name.as_deref(), Some("b"));
}

#[test]
fn import_rejects_unknown_formats() {
    for text in ["", "hello", "[]", "{}", "{\"a\": {\"b\": 1}}", "{\"a\": 1}"] {
        assert_eq!(import_profile(text, None), Err(ImportError::UnknownFormat), "{text}");
    }
    let idc = json!({"p": {"client_id": "x", "sso_enabled": false}}).to_string();
    assert_eq!(import_profile(&idc, None), Err(ImportError::IdentityCenter));
}

#[test]
fn import_reads_stack_outputs() {
    let configuration = json!({"provider_domain": "acme.okta.com", "client_id": "0oa", "aws_region": "x"}).to_string();
    let outputs = json!([
        {"OutputKey": "FederatedRoleArn", "OutputValue": "arn:aws:iam::123456789012:role/R"},
        {"OutputKey": "IdentityPoolId", "OutputValue": "us-east-1:1"},
        {"OutputKey": "ConfigurationJson", "OutputValue": configuration},
    ]);
    let id = "arn:aws:cloudformation:eu-west-1:123456789012:stack/auth/1";
    let found = import_values(&json!({"Stacks": [{"StackId": id, "Outputs": outputs}]}));
    for wanted in
        ["issuer = https://acme.okta.com", "role_arn = arn:aws:iam::123456789012:role/R", "region = eu-west-1"]
    {
        assert!(found.contains(&wanted.to_owned()), "{found:?}");
    }
    assert!(!found.iter().any(|value| value.contains("identity-pool")), "{found:?}");
    let pool = import_values(&json!([{"OutputKey": "IdentityPoolId", "OutputValue": "us-east-1:1"}]));
    assert_eq!(pool, ["identity_pool_id = us-east-1:1", "federation = identity-pool"]);
}
