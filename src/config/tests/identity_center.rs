//! Profiles with `federation = "identity-center"`: what they need, and what contradicts them.

use super::{GOOD, Home, assert_has};
use crate::config::{IdentityCenterSettings, Profile, RedirectHost, RedirectUri, SignInSettings};

const CENTER: &str = "version = 1
[profiles.claude]
federation = \"identity-center\"
region = \"us-east-1\"
";

const TABLE: &str = "[profiles.claude.identity_center]
start_url = \"https://acme.awsapps.com/start\"
account_id = \"123456789012\"
permission_set = \"BedrockUser\"
";

/// Loads the profile with more lines before its table and inside it.
fn load(more: &str, table: &str) -> Result<Profile, String> {
    Home::new().user(format!("{CENTER}{more}\n{table}")).load().map_err(|error| error.to_string())
}

fn settings_of(profile: &Profile) -> &IdentityCenterSettings {
    let SignInSettings::IdentityCenter(settings) = &profile.sign_in else { panic!("an Identity Center") };
    settings
}

#[test]
fn profile_needs_no_issuer_client_or_role() {
    let profile = load("", TABLE).unwrap();
    let settings = settings_of(&profile);
    assert_eq!((settings.region.as_str(), settings.account_id.as_str()), ("us-east-1", "123456789012"));
    assert_eq!((settings.permission_set.as_str(), profile.final_role()), ("BedrockUser", None));
    let redirect =
        RedirectUri { host: RedirectHost::LoopbackIp, ports: Vec::new(), path: "/oauth/callback".to_owned() };
    assert_eq!(profile.redirect_uri, redirect);
    let elsewhere = load("", &format!("{TABLE}region = \"eu-west-1\"\n")).unwrap();
    assert_eq!(settings_of(&elsewhere).region, "eu-west-1");
}

#[test]
fn each_missing_value_is_named() {
    for key in ["start_url", "account_id", "permission_set"] {
        let table: String =
            TABLE.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect();
        assert_has(&load("", &table).unwrap_err(), &["federation", key]);
    }
}

#[test]
fn key_that_needs_an_id_token_is_refused() {
    for line in [
        "issuer = \"https://acme.okta.com\"",
        "client_id = \"0oa\"",
        "role_arn = \"arn:aws:iam::123456789012:role/BedrockUser\"",
        "okta_domain = \"acme.okta.com\"",
        "provider = \"okta\"",
        "identity_pool_id = \"us-east-1:1b\"",
        "scopes = [\"openid\"]",
        "extra_params = { prompt = \"login\" }",
        "require = { acr = [\"2\"] }",
        "redirect_path = \"/back\"",
        "session_name = [\"upn\"]",
        "client_auth = \"secret\"",
        "cognito_endpoint = \"https://cognito.example\"",
        "telemetry.headers = { x-user-email = \"email\" }",
    ] {
        let key = line.split(' ').next().unwrap();
        assert_has(&load(line, TABLE).unwrap_err(), &[&format!("\"{key}\""), "identity-center"]);
    }
    assert!(load("issuer = \"\"", TABLE).is_err());
    assert!(load("scopes = []\nprovider = \"auto\"", TABLE).is_ok(), "a default contradicts nothing");
}

#[test]
fn limits_need_no_id_token() {
    let quota =
        "quota = { endpoint = \"https://a1b2c3.execute-api.us-east-1.amazonaws.com/signed\", on_error = \"deny\" }";
    let endpoint = load(quota, TABLE).unwrap().quota.unwrap().endpoint;
    assert_eq!(endpoint.as_str(), "https://a1b2c3.execute-api.us-east-1.amazonaws.com/signed/check");
}

#[test]
fn table_is_refused_with_an_openid_provider() {
    for line in TABLE.lines().skip(1).chain(["region = \"eu-west-1\""]) {
        let key = line.split(' ').next().unwrap();
        let text = format!("{GOOD}[profiles.claude.identity_center]\n{line}\n");
        assert_has(&Home::new().user(text).load().unwrap_err().to_string(), &[&format!("identity_center.{key}")]);
    }
}

#[test]
fn illegal_values_are_refused() {
    for (key, bad) in [
        ("start_url", "http://acme.awsapps.com/start"),
        ("account_id", "12345678901"),
        ("account_id", "12345678901a"),
        ("permission_set", "Bedrock User"),
        ("permission_set", "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567"),
    ] {
        let table: String = TABLE
            .lines()
            .map(|line| if line.starts_with(key) { format!("{key} = \"{bad}\"\n") } else { format!("{line}\n") })
            .collect();
        assert_has(&load("", &table).unwrap_err(), &[&format!("identity_center.{key}")]);
    }
    assert_has(&load("", &format!("{TABLE}region = \"cn-north-1\"\n")).unwrap_err(), &["aws-cn"]);
    let chain = "role_chain = [{ role_arn = \"arn:aws:iam::210987654321:role/B\", session_name = \"{email}\" }]";
    assert_has(&load(chain, TABLE).unwrap_err(), &["role_chain", "Identity Center"]);
    assert!(load("role_chain = [\"arn:aws:iam::210987654321:role/B\"]", TABLE).is_ok());
}

#[test]
fn sign_in_is_shared_by_assignments_and_not_by_centers() {
    let keys = |more: &str, from: &str, to: &str| {
        let table = TABLE.replace(from, to);
        assert!(from.is_empty() || table != TABLE, "{from}");
        load(more, &table).unwrap().fingerprints()
    };
    let own = keys("", "", "");
    for (from, to) in [("123456789012", "210987654321"), ("BedrockUser", "ReadOnly")] {
        let other = keys("", from, to);
        assert_eq!((own.sign_in == other.sign_in, own.credentials == other.credentials), (true, false), "{from}");
    }
    assert_ne!(own.sign_in, keys("", "acme.awsapps", "other.awsapps").sign_in);
    assert_ne!(own.sign_in, keys("storage = \"file\"", "", "").sign_in);
    let region = load("", &format!("{TABLE}region = \"eu-west-1\"\n")).unwrap().fingerprints();
    assert_ne!(own.sign_in, region.sign_in);
}
