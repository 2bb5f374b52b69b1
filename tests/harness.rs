//! Tests of the test harness: the test provider, STS, identity pool and IAM Identity Center reject the requests that the
//! real ones reject.
//!
//! Only the module `desk` runs the program.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "harness/identity_center.rs"]
mod identity_center;

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use testworld::{
    Algorithm, Browser, CLIENT_ID, Endpoint, Fault, Got, Knob, POOL_ID, Port, ROLE_ARN, World, stop_listening,
    wait_until,
};

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";
const CALLBACK: &str = "http://127.0.0.1:49152/callback";

fn browser(world: &World) -> Browser {
    Browser::new(world.ca_bundle())
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, VERIFIER.as_bytes()))
}

fn authorize_query(changes: &[(&str, &str)]) -> String {
    let challenge = challenge();
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email offline_access"),
        ("state", "the-state"),
        ("nonce", "the-nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        query.retain(|(key, _)| key != name);
        query.push((name, value));
    }
    openidconnect::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish()
}

/// The query of the redirect to the callback, or the status of the error page if there is no redirect.
fn authorize(world: &World, changes: &[(&str, &str)]) -> Result<Value, u16> {
    let mut browser = browser(world);
    let mut url = format!("{}/authorize?{}", world.issuer(), authorize_query(changes));
    loop {
        let got = browser.get(&url).unwrap();
        let to = got.header("location").ok_or(got.status)?;
        if let Some((_, query)) = to.split_once("/callback?") {
            let pairs = openidconnect::url::form_urlencoded::parse(query.as_bytes());
            return Ok(pairs
                .map(|(name, value)| (name.into_owned(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into());
        }
        url = format!("{}{to}", world.issuer());
    }
}

fn code(world: &World) -> String {
    authorize(world, &[]).unwrap()["code"].as_str().unwrap().to_owned()
}

fn token(world: &World, form: &[(&str, &str)]) -> Value {
    let got = browser(world).post(&format!("{}/token", world.issuer()), form).unwrap();
    serde_json::from_slice(&got.body).unwrap()
}

fn redeem(world: &World, code: &str, changes: &[(&str, &str)]) -> Value {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in changes {
        form.retain(|(key, _)| key != name);
        form.push((name, value));
    }
    token(world, &form)
}

fn refresh(world: &World, refresh_token: &Value) -> Value {
    let refresh_token = refresh_token.as_str().unwrap();
    token(world, &[("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", refresh_token)])
}

fn id_token(world: &World) -> String {
    redeem(world, &code(world), &[])["id_token"].as_str().unwrap().to_owned()
}

fn assume(world: &World, id_token: &str, changes: &[(&str, &str)]) -> Got {
    let mut form = vec![
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE_ARN),
        ("RoleSessionName", "demo@example.com"),
        ("WebIdentityToken", id_token),
        ("DurationSeconds", "3600"),
    ];
    for (name, value) in changes {
        form.retain(|(key, _)| key != name);
        form.push((name, value));
    }
    browser(world).post(&format!("{}/", world.sts_endpoint()), &form).unwrap()
}

#[track_caller]
fn assert_rejected(got: &Got, status: u16, code: &str, message: &str) {
    let text = got.text();
    assert_eq!(got.status, status, "{text}");
    assert!(text.contains(&format!("<Code>{code}</Code>")) && text.contains(message), "{text}");
}

fn element<'a>(text: &'a str, tag: &str) -> &'a str {
    let rest = text.split_once(&format!("<{tag}>")).unwrap().1;
    rest.split_once("</").unwrap().0
}

// STS

#[test]
fn test_sts_issues_new_credentials_for_each_valid_token() {
    let world = World::new();
    let token = id_token(&world);
    let (one, two) = (assume(&world, &token, &[]), assume(&world, &token, &[]));
    assert_eq!((one.status, two.status), (200, 200), "{}", one.text());
    assert_ne!(element(&one.text(), "AccessKeyId"), element(&two.text(), "AccessKeyId"));
    assert_eq!(world.count(Endpoint::Assume), 2);
}

#[test]
fn test_sts_rejects_requests_that_aws_rejects() {
    let world = World::new();
    let token = id_token(&world);
    for (name, value, code, message) in [
        ("RoleSessionName", "a", "ValidationError", "length greater than or equal to 2"),
        ("RoleSessionName", &"x".repeat(65), "ValidationError", "length less than or equal to 64"),
        ("RoleSessionName", "a|b", "ValidationError", "regular expression pattern"),
        ("RoleSessionName", "Zoë", "ValidationError", "regular expression pattern"),
        ("RoleSessionName", "a b", "ValidationError", "regular expression pattern"),
        ("DurationSeconds", "899", "ValidationError", "greater than or equal to 900"),
        ("DurationSeconds", "43201", "ValidationError", "less than or equal to 43200"),
        ("WebIdentityToken", &"x".repeat(20_001), "ValidationError", "less than or equal to 20000"),
        ("WebIdentityToken", "no.jwt", "InvalidIdentityToken", "not a valid JWT"),
        ("Version", "2010-01-01", "InvalidAction", ""),
    ] {
        assert_rejected(&assume(&world, &token, &[(name, value)]), 400, code, message);
    }
    let stranger = "arn:aws:iam::123456789012:role/Stranger";
    let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    assert_rejected(&assume(&world, &token, &[("RoleArn", stranger)]), 403, "AccessDenied", message);
    world.set(Knob::RoleMaximum, 3600);
    let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    assert_rejected(&assume(&world, &token, &[("DurationSeconds", "3601")]), 400, "ValidationError", message);
    assert_eq!(assume(&world, &token, &[("DurationSeconds", "3600")]).status, 200);
}

#[test]
fn test_sts_rejects_claims_that_aws_rejects() {
    let world = World::new();
    let slash = format!("{}/", world.issuer());
    for (claims, code, message) in [
        (json!({"iss": slash}), "InvalidIdentityToken", "No OpenIDConnect provider found in your account for http"),
        (json!({"aud": "another"}), "InvalidIdentityToken", "Incorrect token audience"),
        (json!({"azp": "another"}), "InvalidIdentityToken", "Incorrect token audience"),
        (json!({"sub": null}), "InvalidIdentityToken", "Missing a required claim: sub"),
        (json!({"exp": world.now() - 1}), "ExpiredTokenException", "Token expired: current date/time"),
        (json!({"nbf": world.now() + 3600}), "InvalidIdentityToken", "not yet valid"),
    ] {
        world.next(1, Knob::IdTokenClaims, claims);
        assert_rejected(&assume(&world, &id_token(&world), &[]), 400, code, message);
    }
    world.next(1, Knob::IdTokenClaims, json!({"aud": [CLIENT_ID, "another"]}));
    assert_eq!(assume(&world, &id_token(&world), &[]).status, 200);
}

#[test]
fn test_sts_rejects_signatures_that_aws_rejects() {
    let world = World::new();
    for forgery in ["none", "hs256-public-key", "broken-signature", "other-key", "unknown-kid", "no-kid"] {
        world.next(1, Knob::Forgery, forgery);
        assert_rejected(&assume(&world, &id_token(&world), &[]), 400, "InvalidIdentityToken", "");
    }
    for algorithm in Algorithm::ALL {
        world.next(1, Knob::Algorithm, algorithm.name());
        let got = assume(&world, &id_token(&world), &[]);
        // IAM documents only RS and ES algorithms for OIDC providers.
        let is_known = algorithm.name().starts_with("RS") || algorithm.name().starts_with("ES");
        assert_eq!(got.status == 200, is_known, "{algorithm:?}: {}", got.text());
    }
    let old = id_token(&world);
    world.rotate_keys();
    assert_eq!(assume(&world, &old, &[]).status, 200);
    assert_eq!(assume(&world, &id_token(&world), &[]).status, 200);
    world.rotate_keys();
    assert_rejected(&assume(&world, &old, &[]), 400, "InvalidIdentityToken", "Couldn't retrieve verification key");
}

#[test]
fn test_provider_signatures_verify_with_its_published_keys() {
    use ring::signature as s;
    let world = World::new();
    let keys = browser(&world).get(&format!("{}/keys", world.issuer())).unwrap();
    let keys: Value = serde_json::from_slice(&keys.body).unwrap();
    let key = |kid: &Value| keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == *kid).unwrap();
    let decode = |text: &Value| URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
    for algorithm in Algorithm::ALL {
        world.next(1, Knob::Algorithm, algorithm.name());
        let token = id_token(&world);
        let (body, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let header: Value = serde_json::from_slice(&decode(&json!(body.split_once('.').unwrap().0))).unwrap();
        let key = key(&header["kid"]);
        let point = || [vec![4], decode(&key["x"]), decode(&key["y"])].concat();
        let rsa = |padding| {
            s::RsaPublicKeyComponents { n: decode(&key["n"]), e: decode(&key["e"]) }.verify(
                padding,
                body.as_bytes(),
                &signature,
            )
        };
        let other = |kind: &'static dyn s::VerificationAlgorithm, public| {
            s::UnparsedPublicKey::new(kind, public).verify(body.as_bytes(), &signature)
        };
        let verdict = match algorithm {
            // ring has no P-521. The unit tests of `oidc::key_set` use the example of the standard.
            Algorithm::ES512 => continue,
            Algorithm::RS256 => rsa(&s::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => rsa(&s::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => rsa(&s::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => rsa(&s::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => rsa(&s::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => rsa(&s::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => other(&s::ECDSA_P256_SHA256_FIXED, point()),
            Algorithm::ES384 => other(&s::ECDSA_P384_SHA384_FIXED, point()),
            Algorithm::EdDSA => other(&s::ED25519, decode(&key["x"])),
        };
        assert!(verdict.is_ok(), "{algorithm:?}");
    }
}

#[test]
fn test_sts_identifies_only_correctly_signed_callers() {
    let world = World::new();
    let credentials = assume(&world, &id_token(&world), &[]).text();
    assert_eq!(identity(&world, &credentials, "").status, 200, "{}", identity(&world, &credentials, "").text());
    assert_rejected(&identity(&world, &credentials, "x"), 403, "SignatureDoesNotMatch", "");
    world.revoke_credentials();
    assert_rejected(&identity(&world, &credentials, ""), 403, "InvalidClientTokenId", "");
    world.set(Knob::RevokedAs, "ExpiredToken");
    assert_rejected(&identity(&world, &credentials, ""), 403, "ExpiredToken", "");
    world.clear_all();
    world.set(Knob::CredentialLifetime, -1);
    let expired = assume(&world, &id_token(&world), &[]).text();
    assert_rejected(&identity(&world, &expired, ""), 403, "ExpiredToken", "");
}

/// A GetCallerIdentity request, signed with the secret key plus `spoil`, as AWS documents it.
fn identity(world: &World, credentials: &str, spoil: &str) -> Got {
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let at = chrono::DateTime::from_timestamp(world.now(), 0).unwrap();
    let (date, day) = (at.format("%Y%m%dT%H%M%SZ").to_string(), at.format("%Y%m%d").to_string());
    let token = element(credentials, "SessionToken");
    let host = world.sts_endpoint().replace("http://", "");
    let signed = "content-type;host;x-amz-date;x-amz-security-token";
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    let canonical = format!(
        "POST\n/\n\ncontent-type:{kind}\nhost:{host}\nx-amz-date:{date}\nx-amz-security-token:{token}\n\n{signed}\n{}",
        sha256(body)
    );
    let scope = format!("{day}/us-east-1/sts/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(&canonical));
    let secret = format!("AWS4{}{spoil}", element(credentials, "SecretAccessKey")).into_bytes();
    let key = [day.as_str(), "us-east-1", "sts", "aws4_request", &text].iter().fold(secret, |key, part| {
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
    });
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={}",
        element(credentials, "AccessKeyId"),
        hex(&key)
    );
    let headers = [
        ("Content-Type", kind),
        ("X-Amz-Date", &date),
        ("X-Amz-Security-Token", token),
        ("Authorization", &authorization),
    ];
    browser(world).request("POST", &world.sts_endpoint(), &headers, body.as_bytes()).unwrap()
}

fn sha256(text: &str) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// Provider

#[test]
fn test_provider_requires_pkce_state_nonce_and_redirect_uri() {
    let world = World::new();
    for missing in ["code_challenge", "code_challenge_method", "nonce", "state"] {
        assert_eq!(authorize(&world, &[(missing, "")]).unwrap()["error"], "invalid_request", "{missing}");
    }
    assert_eq!(authorize(&world, &[("code_challenge_method", "plain")]).unwrap()["error"], "invalid_request");
    assert_eq!(authorize(&world, &[("scope", "email")]).unwrap()["error"], "invalid_scope");
    for stranger in ["http://127.0.0.1:1/elsewhere", "https://127.0.0.1:1/callback", "http://127.0.0.2:1/callback", ""]
    {
        assert_eq!(authorize(&world, &[("redirect_uri", stranger)]), Err(400), "{stranger}");
    }
    let back = authorize(&world, &[]).unwrap();
    assert_eq!((&back["state"], &back["iss"]), (&json!("the-state"), &json!(world.issuer())));
}

#[test]
fn test_provider_redeems_a_code_once_with_its_verifier() {
    let world = World::new();
    let code = code(&world);
    let wrong = VERIFIER.replace('a', "b");
    assert_eq!(redeem(&world, &code, &[("code_verifier", &wrong)])["error"], "invalid_grant");
    assert_eq!(redeem(&world, &code, &[("redirect_uri", "http://127.0.0.1:1/callback")])["error"], "invalid_grant");
    let tokens = redeem(&world, &code, &[]);
    assert!(tokens["id_token"].is_string(), "{tokens}");
    assert_eq!(redeem(&world, &code, &[])["error"], "invalid_grant");
    assert_eq!(refresh(&world, &tokens["refresh_token"])["error"], "invalid_grant", "the second use revokes the grant");
}

#[test]
fn test_provider_revokes_the_grant_of_a_reused_refresh_token() {
    let world = World::new();
    let first = redeem(&world, &code(&world), &[])["refresh_token"].clone();
    let second = refresh(&world, &first)["refresh_token"].clone();
    assert_ne!(first, second);
    assert_eq!(world.live_grants(), 1);
    assert_eq!(refresh(&world, &first)["error"], "invalid_grant");
    assert_eq!(refresh(&world, &second)["error"], "invalid_grant");
    assert_eq!(world.live_grants(), 0);
}

#[test]
fn test_provider_needs_offline_access_for_a_refresh_token() {
    let world = World::new();
    let code = authorize(&world, &[("scope", "openid")]).unwrap()["code"].as_str().unwrap().to_owned();
    assert!(redeem(&world, &code, &[])["refresh_token"].is_null());
}

#[test]
fn knob_applies_the_requested_number_of_times() {
    let world = World::new();
    let tokens = redeem(&world, &code(&world), &[]);
    world.next(2, Knob::RefreshFault, Fault::oauth("temporarily_unavailable", "later"));
    assert_eq!(refresh(&world, &tokens["refresh_token"])["error"], "temporarily_unavailable");
    assert_eq!(refresh(&world, &tokens["refresh_token"])["error"], "temporarily_unavailable");
    world.next(1, Knob::RefreshWithoutIdToken, true);
    let renewed = refresh(&world, &tokens["refresh_token"]);
    assert!(renewed["id_token"].is_null() && renewed["refresh_token"].is_string(), "{renewed}");
}

#[test]
fn control_address_changes_the_same_knobs() {
    let world = World::new();
    let control = world.control_url();
    let mut browser = browser(&world);
    let mut ask = |method: &str, path: &str, body: Value| {
        let got = browser.request(method, &format!("{control}{path}"), &[], body.to_string().as_bytes()).unwrap();
        (got.status, got.text())
    };
    let denial = json!({"error": "access_denied", "description": "\u{1b}[31m<b>no</b>"});
    assert_eq!(ask("PATCH", "/knobs", json!({"authorize-error": denial})).0, 200);
    let back = authorize(&world, &[]).unwrap();
    assert_eq!((&back["error"], &back["error_description"]), (&denial["error"], &denial["description"]));
    assert_eq!(ask("DELETE", "/knobs", json!({})).0, 200);
    let once = json!({"knob": "callback-query", "times": 1, "value": {"state": "another"}});
    assert_eq!(ask("POST", "/knobs", once).0, 200);
    assert_eq!(authorize(&world, &[]).unwrap()["state"], "another");
    assert_eq!(authorize(&world, &[]).unwrap()["state"], "the-state");
    assert_eq!(ask("PATCH", "/knobs", json!({"no-such-knob": 1})).0, 400);
    assert!(ask("GET", "/", json!({})).1.contains("\"authorize\":3"));
}

#[test]
fn stopped_provider_refuses_connections_until_restarted() {
    let world = World::new();
    let discovery = format!("{}/.well-known/openid-configuration", world.issuer());
    world.stop_provider();
    assert!(browser(&world).get(&discovery).is_err());
    world.start_provider();
    assert_eq!(browser(&world).get(&discovery).unwrap().status, 200);
}

#[test]
fn hanging_endpoint_is_silent_and_a_lost_answer_takes_effect() {
    let world = World::new();
    let tokens = redeem(&world, &code(&world), &[]);
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", refresh_token)];
    let url = format!("{}/token", world.issuer());
    world.next(1, Knob::RefreshFault, Fault::Hang);
    assert!(browser(&world).patience(Duration::from_millis(200)).post(&url, &form).is_err());
    world.next(1, Knob::RefreshFault, Fault::CloseAfter);
    assert!(browser(&world).post(&url, &form).is_err());
    assert_eq!(
        refresh(&world, &tokens["refresh_token"])["error"],
        "invalid_grant",
        "the lost answer has rotated the token"
    );
}

#[test]
fn tls_world_is_trusted_only_with_its_own_authority() {
    let world = World::over_tls();
    assert!(world.issuer().starts_with("https://"));
    assert_eq!(assume(&world, &id_token(&world), &[]).status, 200);
    assert!(Browser::new(None).get(&world.issuer()).is_err());
}

#[test]
fn test_issuer_can_end_in_a_path_or_a_slash() {
    for suffix in ["/", "/tenant/v2.0"] {
        let world = World::new();
        world.set(Knob::IssuerSuffix, suffix);
        let discovery = format!("{}/.well-known/openid-configuration", world.issuer().trim_end_matches('/'));
        let got: Value = serde_json::from_slice(&browser(&world).get(&discovery).unwrap().body).unwrap();
        assert_eq!(got["issuer"], world.issuer());
        assert!(got["issuer"].as_str().unwrap().ends_with(suffix));
    }
}

// Simulated user and desk

/// A server that answers one request to the callback; joining the thread returns that request.
fn callback() -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/callback", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let read = socket.read(&mut request).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsigned in").unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    (address, served)
}

#[test]
fn simulated_user_signs_in_or_denies_with_or_without_a_page() {
    for (login, denies, expected) in [
        ("auto", false, "code="),
        ("page", false, "code="),
        ("auto", true, "access_denied"),
        ("page", true, "access_denied"),
    ] {
        let world = World::new();
        world.set(Knob::Login, login);
        let (address, served) = callback();
        let url = format!("{}/authorize?{}", world.issuer(), authorize_query(&[("redirect_uri", &address)]));
        assert_eq!(testworld::visit(&url, denies).unwrap().text(), "signed in");
        let request = served.join().unwrap();
        assert!(request.contains(expected), "{login} {denies}: {request}");
    }
}

/// Tests of the desk, which finds processes only on Unix.
#[cfg(unix)]
mod desk {
    #![expect(clippy::disallowed_methods, reason = "a test may start children and damage files")]

    use std::process::Command;

    use testworld::{Desk, Endpoint, World};

    use super::{code, redeem};

    fn desk(world: &World) -> Desk<'_> {
        Desk::new(world, env!("CARGO_BIN_EXE_bedrock-sso"))
    }

    #[test]
    fn desk_runs_the_program_in_a_separate_home() {
        let world = World::new();
        let desk = desk(&world);
        desk.run(["--version"]).expect_code(0);
        desk.settle();
        assert!(std::fs::read_to_string(desk.config_file()).unwrap().contains(&world.issuer()));
        assert_eq!((desk.tabs(), desk.page()), (0, None));
    }

    #[test]
    fn desk_of_identity_center_has_both_profiles() {
        let world = World::new();
        let second = world.identity_center_profile("second", "210987654321", "BedrockUser", "");
        let desk = Desk::with_identity_center(&world, env!("CARGO_BIN_EXE_bedrock-sso"), &second);
        let text = std::fs::read_to_string(desk.config_file()).unwrap();
        for line in ["[profiles.claude.identity_center]", "[profiles.second.identity_center]", "browser = [\""] {
            assert!(text.contains(line), "{text}");
        }
        assert!(text.contains(&world.start_url()) && text.contains(&world.identity_center_endpoint()), "{text}");
    }

    #[test]
    fn desk_records_log_page_and_tabs_of_a_sign_in() {
        let world = World::over_tls();
        let desk = desk(&world);
        let callers: Vec<_> = (0..5).map(|_| desk.start(["credentials"])).collect();
        let outcomes: Vec<_> = callers.into_iter().map(|caller| caller.finish().expect_code(0)).collect();
        assert!(outcomes.iter().all(|outcome| outcome.document() == outcomes[0].document()));
        desk.settle();
        assert_eq!((desk.tabs(), world.count(Endpoint::Code), world.count(Endpoint::Assume)), (1, 1, 1));
        assert!(desk.page().unwrap().contains("BedrockUser"));
        assert!(desk.log().len() > 10, "the log is recorded");
    }

    #[test]
    #[should_panic(expected = "access token in stderr of")]
    fn secret_on_stderr_fails_the_test() {
        let world = World::new();
        let tokens = redeem(&world, &code(&world), &[]);
        let desk = desk(&world);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "echo $0 >&2"]).arg(tokens["access_token"].as_str().unwrap());
        desk.start_command(shell).finish();
    }

    #[test]
    #[should_panic(expected = "refresh token in ")]
    fn secret_in_a_file_fails_the_test() {
        let world = World::new();
        let tokens = redeem(&world, &code(&world), &[]);
        let desk = desk(&world);
        std::fs::write(desk.home().join("note"), tokens["refresh_token"].as_str().unwrap()).unwrap();
    }

    #[test]
    #[should_panic(expected = "still holds its streams")]
    fn child_that_holds_the_streams_open_fails_the_test() {
        let world = World::new();
        let desk = desk(&world);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "sleep 20 &"]).env("HOME", desk.home());
        desk.start_command(shell).finish();
    }
}

// AssumeRole, and the identity pool

#[test]
fn test_sts_rejects_an_unsigned_role_change() {
    let world = World::new();
    let form = [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", "arn:aws:iam::333333333333:role/Workload"),
        ("RoleSessionName", "demo@example.com"),
    ];
    let unsigned = browser(&world).post(&format!("{}/", world.sts_endpoint()), &form).unwrap();
    assert_rejected(&unsigned, 403, "MissingAuthenticationToken", "");
    assert_eq!(world.count(Endpoint::Link), 1);
}

/// Sends one request to the pool; returns the status and the JSON of the answer.
fn ask_pool(world: &World, target: &str, headers: &str, question: &Value) -> (u16, Value) {
    let body = question.to_string();
    let address = world.cognito_endpoint();
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: pool\r\nX-Amz-Target: AWSCognitoIdentityService.{target}\r\n{headers}\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn test_pool_rejects_requests_that_cognito_rejects() {
    const JSON: &str = "Content-Type: application/x-amz-json-1.1\r\n";
    let world = World::new();
    let token = id_token(&world);
    let login = world.issuer().trim_start_matches("http://").to_owned();
    let logins = json!({ login.as_str(): token });
    let get_id = |pool: &str, logins: &Value| {
        ask_pool(&world, "GetId", JSON, &json!({ "IdentityPoolId": pool, "Logins": logins }))
    };
    let refusal = |(status, answer): (u16, Value)| {
        assert_eq!(status, 400, "{answer}");
        let said = |name: &str| answer[name].as_str().unwrap().to_owned();
        (said("__type"), said("message"))
    };
    world.next(1, Knob::IdTokenClaims, json!({ "aud": "another" }));
    let other_audience = json!({ login.as_str(): id_token(&world) });
    for (pool, logins, code, message) in [
        ("us-east-1:0", &logins, "ResourceNotFoundException", "not found"),
        (POOL_ID, &json!({}), "NotAuthorizedException", "Unauthenticated access is not supported"),
        (POOL_ID, &json!({ "login.example": token }), "NotAuthorizedException", "not from a supported provider"),
        (POOL_ID, &json!({ login.as_str(): "no.jwt" }), "NotAuthorizedException", "Invalid login token."),
        (POOL_ID, &other_audience, "NotAuthorizedException", "Incorrect token audience"),
    ] {
        let (said, words) = refusal(get_id(pool, logins));
        assert!(said == code && words.contains(message), "{said}: {words}");
    }
    let (status, identified) = get_id(POOL_ID, &logins);
    assert_eq!((status, get_id(POOL_ID, &logins).1), (200, identified.clone()), "one user has one identity");

    let ask = |question: &Value| ask_pool(&world, "GetCredentialsForIdentity", JSON, question);
    world.next(1, Knob::IdTokenClaims, json!({ "sub": "somebody-else" }));
    let stranger = json!({ login.as_str(): id_token(&world) });
    for (question, code) in [
        (json!({ "IdentityId": "us-east-1:0", "Logins": logins }), "ResourceNotFoundException"),
        (json!({ "IdentityId": identified["IdentityId"], "Logins": stranger }), "NotAuthorizedException"),
        (
            json!({ "IdentityId": identified["IdentityId"], "Logins": logins, "CustomRoleArn": ROLE_ARN }),
            "NotAuthorizedException",
        ),
    ] {
        assert_eq!(refusal(ask(&question)).0, code);
    }
    let good = json!({ "IdentityId": identified["IdentityId"], "Logins": logins });
    assert_eq!(ask(&good).0, 200);
    assert_eq!(refusal(ask_pool(&world, "GetCredentialsForIdentity", "", &good)).0, "SerializationException");
    let signed = format!("{JSON}Authorization: AWS4-HMAC-SHA256 x\r\n");
    let signed = ask_pool(&world, "GetCredentialsForIdentity", &signed, &good);
    assert_eq!(refusal(signed).0, "UnrecognizedClientException");
}

// Ports

#[test]
fn reserved_port_is_not_reserved_again() {
    let port = Port::reserve();
    assert!((20_000..32_000).contains(&port.number()), "{port} is outside the range that the system chooses from");
    let number = port.number();
    assert!(Port::claim(number).is_none());
    drop(port);
    wait_until("the port can be reserved again", || Port::claim(number).is_some());
}

#[test]
fn port_with_a_listener_cannot_be_reserved() {
    for address in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        let port = Port::reserve();
        let Some(listener) = port.listen_on(address) else { continue };
        let number = port.number();
        drop(port);
        assert!(Port::claim(number).is_none(), "{address}");
        stop_listening(listener);
        wait_until("the port can be reserved again", || Port::claim(number).is_some());
    }
}

#[test]
fn reserved_port_is_closed_until_its_test_listens() {
    let port = Port::reserve();
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port.number()));
    assert_eq!(connect().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let listener = port.listen();
    connect().unwrap();
    stop_listening(listener);
    assert_eq!(connect().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let _again = port.listen();
    connect().unwrap();
}
