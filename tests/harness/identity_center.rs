//! Tests of the test world's IAM Identity Center: it rejects what AWS documents that the real one rejects.

use std::thread;

use serde_json::{Value, json};
use testworld::{AWS_START_URL, Endpoint, Fault, Knob, World};

use super::{VERIFIER, browser, callback, challenge, identity};

const CALLBACK: &str = "http://127.0.0.1:49152/oauth/callback";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SANDBOX: &str = "123456789012";
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Status, `x-amzn-ErrorType` and document of an answer.
type Answer = (u16, String, Value);

fn service(world: &World, name: &str) -> String {
    world.identity_center_endpoint().replace("{service}", name)
}

fn ask(world: &World, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let got = browser(world).request(method, url, headers, body.as_bytes()).unwrap();
    let kind = got.header("x-amzn-ErrorType").unwrap_or_default().to_owned();
    (got.status, kind, serde_json::from_slice(&got.body).unwrap_or_default())
}

fn ask_oidc(world: &World, path: &str, question: &Value) -> Answer {
    ask(world, "POST", &format!("{}/{path}", service(world, "oidc")), &[JSON], &question.to_string())
}

#[track_caller]
fn assert_refused(answer: Answer, status: u16, kind: &str, error: &str) {
    let (got, given, document) = answer;
    assert_eq!((got, given.as_str(), &document["error"]), (status, kind, &json!(error)), "{document}");
    assert!(document["error_description"].is_string(), "{document}");
}

/// The usual registration, with other or (null) without some members.
fn registration(world: &World, changes: &Value) -> Value {
    let mut question = json!({
        "clientName": "bedrock-sso",
        "clientType": "public",
        "scopes": ["sso:account:access"],
        "grantTypes": ["authorization_code", "refresh_token", DEVICE_CODE],
        "redirectUris": ["http://127.0.0.1/oauth/callback"],
        "issuerUrl": world.start_url(),
    });
    merge(&mut question, changes);
    question
}

fn merge(question: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        question[name] = value.clone();
    }
}

fn register(world: &World, changes: &Value) -> Value {
    let (status, _, client) = ask_oidc(world, "client/register", &registration(world, changes));
    assert_eq!(status, 200, "{client}");
    client
}

fn authorize_url(world: &World, client: &Value, changes: &[(&str, &str)]) -> String {
    let challenge = challenge();
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", client["clientId"].as_str().unwrap()),
        ("redirect_uri", CALLBACK),
        ("state", "the-state"),
        ("scopes", "sso:account:access"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        query.retain(|(key, _)| key != name);
        query.push((name, value));
    }
    let query = openidconnect::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{}/authorize?{query}", service(world, "oidc"))
}

/// The query of the redirect to the callback, or the status of the error page if there is no redirect.
fn authorize(world: &World, client: &Value, changes: &[(&str, &str)]) -> Result<Value, u16> {
    let (mut browser, origin) = (browser(world), world.start_url().replace("/start", ""));
    let mut url = authorize_url(world, client, changes);
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
        url = format!("{origin}{to}");
    }
}

fn create_token(world: &World, client: &Value, members: &Value) -> Answer {
    let mut question = json!({ "clientId": client["clientId"], "clientSecret": client["clientSecret"] });
    merge(&mut question, members);
    ask_oidc(world, "token", &question)
}

fn redemption(code: &Value) -> Value {
    json!({
        "grantType": "authorization_code",
        "code": code,
        "redirectUri": CALLBACK,
        "codeVerifier": VERIFIER,
    })
}

fn new_code(world: &World, client: &Value) -> Value {
    authorize(world, client, &[]).unwrap()["code"].clone()
}

fn refresh(world: &World, client: &Value, tokens: &Value) -> Answer {
    create_token(world, client, &json!({ "grantType": "refresh_token", "refreshToken": tokens["refreshToken"] }))
}

/// A registered client, and the tokens of its user.
fn sign_in(world: &World) -> (Value, Value) {
    let client = register(world, &json!({}));
    let (status, _, tokens) = create_token(world, &client, &redemption(&new_code(world, &client)));
    assert_eq!(status, 200, "{tokens}");
    (client, tokens)
}

fn ask_portal(world: &World, method: &str, path: &str, tokens: &Value) -> Answer {
    let token = tokens["accessToken"].as_str().unwrap();
    let url = format!("{}/{path}", service(world, "portal.sso"));
    ask(world, method, &url, &[("x-amz-sso_bearer_token", token)], "")
}

fn role_credentials(world: &World, tokens: &Value, role: &str, account: &str) -> Answer {
    let path = format!("federation/credentials?role_name={role}&account_id={account}");
    ask_portal(world, "GET", &path, tokens)
}

// SSO OIDC

#[test]
fn sso_oidc_rejects_registrations_that_aws_rejects() {
    let world = World::new();
    for (changes, kind, error) in [
        (json!({ "clientName": null }), "InvalidRequestException", "invalid_request"),
        (json!({ "clientType": "confidential" }), "InvalidClientMetadataException", "invalid_client_metadata"),
        (json!({ "scopes": ["openid"] }), "InvalidScopeException", "invalid_scope"),
        (json!({ "scopes": "sso:account:access" }), "InvalidRequestException", "invalid_request"),
        (json!({ "grantTypes": ["password"] }), "UnsupportedGrantTypeException", "unsupported_grant_type"),
        (json!({ "redirectUris": null }), "InvalidRequestException", "invalid_request"),
        (json!({ "issuerUrl": null }), "InvalidRequestException", "invalid_request"),
        (json!({ "issuerUrl": "https://other.awsapps.com/start" }), "InvalidRequestException", "invalid_request"),
    ] {
        let answer = ask_oidc(&world, "client/register", &registration(&world, &changes));
        assert_refused(answer, 400, kind, error);
    }
    for uri in [
        "http://localhost/callback",
        "http://127.0.0.2/callback",
        "https://127.0.0.1/callback",
        "http://example.com/callback",
        "http://user@127.0.0.1/callback",
        "http://127.0.0.1/callback?a=b",
        "callback",
    ] {
        let answer = ask_oidc(&world, "client/register", &registration(&world, &json!({ "redirectUris": [uri] })));
        assert_refused(answer, 400, "InvalidRedirectUriException", "invalid_redirect_uri");
    }
    register(&world, &json!({ "redirectUris": ["http://[::1]/callback"] }));
    register(&world, &json!({ "issuerUrl": format!("{AWS_START_URL}/#/") }));
    let client = register(&world, &json!({}));
    let lifetime = client["clientSecretExpiresAt"].as_i64().unwrap() - client["clientIdIssuedAt"].as_i64().unwrap();
    assert_eq!((lifetime, world.count(Endpoint::RegisterClient)), (90 * 86_400, 18));
}

#[test]
fn sso_oidc_rejects_signed_requests_and_other_formats() {
    let world = World::new();
    let (url, body) = (format!("{}/client/register", service(&world, "oidc")), registration(&world, &json!({})));
    let body = body.to_string();
    for header in [("Authorization", "AWS4-HMAC-SHA256 x"), ("X-Amz-Security-Token", "x")] {
        let answer = ask(&world, "POST", &url, &[JSON, header], &body);
        assert_refused(answer, 403, "UnrecognizedClientException", "invalid_client");
    }
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for (header, body) in [(form, body.as_str()), (JSON, "[]"), (JSON, "{")] {
        let answer = ask(&world, "POST", &url, &[header], body);
        assert_refused(answer, 400, "InvalidRequestException", "invalid_request");
    }
}

#[test]
fn sso_authorization_requires_what_was_registered() {
    let world = World::new();
    let client = register(&world, &json!({}));
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("scopes", "", "invalid_scope"),
        ("scopes", "sso:account:access openid", "invalid_scope"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("state", "", "invalid_request"),
    ] {
        assert_eq!(authorize(&world, &client, &[(name, value)]).unwrap()["error"], error, "{name}={value}");
    }
    for stranger in [
        "http://localhost:49152/oauth/callback",
        "http://[::1]:49152/oauth/callback",
        "http://127.0.0.1:49152/oauth/callback/",
        "http://127.0.0.1:49152/callback",
        "https://127.0.0.1:49152/oauth/callback",
        "http://127.0.0.1:49152/oauth/callback?a=b",
        "",
    ] {
        assert_eq!(authorize(&world, &client, &[("redirect_uri", stranger)]), Err(400), "{stranger}");
    }
    assert_eq!(authorize(&world, &client, &[("client_id", "stranger")]), Err(400));
    let device_only = register(&world, &json!({ "grantTypes": [DEVICE_CODE] }));
    assert_eq!(authorize(&world, &device_only, &[]).unwrap()["error"], "unauthorized_client");
    let back = authorize(&world, &client, &[("redirect_uri", "http://127.0.0.1:1/oauth/callback")]).unwrap();
    assert_eq!((&back["state"], back["code"].is_string(), &back["iss"]), (&json!("the-state"), true, &Value::Null));
    world.forget_registrations();
    assert_eq!(authorize(&world, &client, &[]), Err(400));
}

#[test]
fn sso_code_is_redeemed_once_with_its_verifier() {
    let world = World::new();
    let (client, other) = (register(&world, &json!({})), register(&world, &json!({})));
    let code = new_code(&world, &client);
    for (changes, kind, error) in [
        (json!({ "codeVerifier": VERIFIER.replace('a', "b") }), "InvalidGrantException", "invalid_grant"),
        (json!({ "redirectUri": CALLBACK.replace("49152", "49153") }), "InvalidGrantException", "invalid_grant"),
        (json!({ "code": "no-code" }), "InvalidGrantException", "invalid_grant"),
        (json!({ "codeVerifier": null }), "InvalidRequestException", "invalid_request"),
        (json!({ "redirectUri": null }), "InvalidRequestException", "invalid_request"),
        (json!({ "grantType": "password" }), "UnsupportedGrantTypeException", "unsupported_grant_type"),
        (json!({ "scope": ["openid"] }), "InvalidScopeException", "invalid_scope"),
    ] {
        let mut question = redemption(&code);
        merge(&mut question, &changes);
        assert_refused(create_token(&world, &client, &question), 400, kind, error);
    }
    let answer = create_token(&world, &other, &redemption(&code));
    assert_refused(answer, 400, "InvalidGrantException", "invalid_grant");

    let (status, _, tokens) = create_token(&world, &client, &redemption(&code));
    assert_eq!((status, &tokens["tokenType"], &tokens["expiresIn"]), (200, &json!("Bearer"), &json!(3600)), "{tokens}");
    assert_eq!(ask_portal(&world, "GET", "assignment/accounts", &tokens).0, 200);
    let again = create_token(&world, &client, &redemption(&code));
    assert_refused(again, 400, "InvalidGrantException", "invalid_grant");
    assert_eq!(ask_portal(&world, "GET", "assignment/accounts", &tokens).0, 401, "a reused code ends the session");
    assert_refused(refresh(&world, &client, &tokens), 400, "InvalidGrantException", "invalid_grant");

    let late = new_code(&world, &client);
    world.set(Knob::Clock, 61);
    let answer = create_token(&world, &client, &redemption(&late));
    assert_refused(answer, 400, "InvalidGrantException", "invalid_grant");
}

#[test]
fn sso_client_must_be_known_valid_and_entitled() {
    let world = World::new();
    let (client, tokens) = sign_in(&world);
    let wrong = json!({ "clientId": client["clientId"], "clientSecret": "wrong" });
    assert_refused(refresh(&world, &wrong, &tokens), 401, "InvalidClientException", "invalid_client");
    let other = register(&world, &json!({}));
    assert_refused(refresh(&world, &other, &tokens), 400, "InvalidGrantException", "invalid_grant");

    let once = register(&world, &json!({ "grantTypes": ["authorization_code"] }));
    let (_, _, first) = create_token(&world, &once, &redemption(&new_code(&world, &once)));
    assert_eq!((first["accessToken"].is_string(), &first["refreshToken"]), (true, &Value::Null));
    assert_refused(refresh(&world, &once, &tokens), 400, "UnauthorizedClientException", "unauthorized_client");
    let answer = begin_device_sign_in(&world, &once);
    assert_refused(answer, 400, "UnauthorizedClientException", "unauthorized_client");

    world.set(Knob::RegistrationLifetime, 10);
    let short = register(&world, &json!({}));
    world.set(Knob::Clock, 11);
    assert_refused(begin_device_sign_in(&world, &short), 401, "InvalidClientException", "invalid_client");
    assert_eq!(authorize(&world, &short, &[]), Err(400));
    assert_eq!(refresh(&world, &client, &tokens).0, 200, "an earlier registration is still valid");
}

#[test]
fn sso_refresh_tokens_rotate_and_reuse_ends_the_session() {
    let world = World::new();
    let (client, first) = sign_in(&world);
    let (status, _, second) = refresh(&world, &client, &first);
    assert_eq!(status, 200, "{second}");
    assert_ne!(first["refreshToken"], second["refreshToken"]);
    assert_eq!((world.count(Endpoint::PortalRefresh), world.live_portal_sessions()), (1, 1));
    assert_eq!(ask_portal(&world, "GET", "assignment/accounts", &first).0, 200, "the first access token is valid");
    assert_refused(refresh(&world, &client, &first), 400, "InvalidGrantException", "invalid_grant");
    assert_refused(refresh(&world, &client, &second), 400, "InvalidGrantException", "invalid_grant");
    assert_eq!(ask_portal(&world, "GET", "assignment/accounts", &second).0, 401);
    assert_eq!(world.live_portal_sessions(), 0);
}

fn begin_device_sign_in(world: &World, client: &Value) -> Answer {
    let question = json!({
        "clientId": client["clientId"],
        "clientSecret": client["clientSecret"],
        "startUrl": world.start_url(),
    });
    ask_oidc(world, "device_authorization", &question)
}

fn poll(world: &World, client: &Value, device: &Value) -> Answer {
    create_token(world, client, &json!({ "grantType": DEVICE_CODE, "deviceCode": device["deviceCode"] }))
}

fn enter_code(world: &World, device: &Value, denies: bool) -> u16 {
    let page = device["verificationUri"].as_str().unwrap();
    assert!(page.starts_with(&world.start_url().replace("/start", "")), "{page}");
    testworld::enter_code(page, device["userCode"].as_str().unwrap(), denies).unwrap().status
}

#[test]
fn sso_device_code_is_pending_until_the_user_answers() {
    let world = World::new();
    // Clients of old register neither grant types nor redirect URIs.
    let changes = json!({ "grantTypes": null, "redirectUris": null, "issuerUrl": null });
    let client = register(&world, &changes);
    // So long that even a slow machine polls early.
    world.set(Knob::PortalDeviceCodes, json!({ "interval": 300 }));
    let (_, _, device) = begin_device_sign_in(&world, &client);
    let pending = "AuthorizationPendingException";
    for _ in 0..2 {
        assert_refused(poll(&world, &client, &device), 400, pending, "authorization_pending");
    }
    assert_refused(poll(&world, &client, &device), 400, "SlowDownException", "slow_down");
    assert_eq!(enter_code(&world, &device, false), 200);
    assert_eq!(enter_code(&world, &device, true), 400, "the user answers once");
    assert_refused(poll(&world, &client, &device), 400, "SlowDownException", "slow_down");

    world.clear(Knob::PortalDeviceCodes);
    let (status, _, device) = begin_device_sign_in(&world, &client);
    assert_eq!((status, &device["interval"], &device["expiresIn"]), (200, &json!(1), &json!(600)), "{device}");
    assert_eq!(enter_code(&world, &device, false), 200);
    let other = register(&world, &changes);
    assert_refused(poll(&world, &other, &device), 400, "InvalidGrantException", "invalid_grant");
    let (status, _, tokens) = poll(&world, &client, &device);
    assert_eq!((status, tokens["refreshToken"].is_string()), (200, true), "{tokens}");
    assert_eq!(role_credentials(&world, &tokens, "BedrockUser", SANDBOX).0, 200);
    assert_refused(poll(&world, &client, &device), 400, "InvalidGrantException", "invalid_grant");
}

#[test]
fn sso_device_code_ends_by_denial_and_by_time() {
    let world = World::new();
    let client = register(&world, &json!({}));
    let (_, _, device) = begin_device_sign_in(&world, &client);
    assert_eq!(enter_code(&world, &device, true), 200);
    assert_refused(poll(&world, &client, &device), 400, "AccessDeniedException", "access_denied");

    world.set(Knob::PortalDeviceCodes, json!({ "expiresIn": 2 }));
    let (_, _, device) = begin_device_sign_in(&world, &client);
    world.set(Knob::Clock, 3);
    assert_eq!(enter_code(&world, &device, false), 400);
    assert_refused(poll(&world, &client, &device), 400, "ExpiredTokenException", "expired_token");

    let question = json!({
        "clientId": client["clientId"],
        "clientSecret": client["clientSecret"],
        "startUrl": "https://other.awsapps.com/start",
    });
    let answer = ask_oidc(&world, "device_authorization", &question);
    assert_refused(answer, 400, "InvalidRequestException", "invalid_request");
}

#[test]
fn sso_client_without_scopes_gets_no_refresh_token() {
    let world = World::new();
    let client = register(&world, &json!({ "scopes": null, "grantTypes": null }));
    let (_, _, device) = begin_device_sign_in(&world, &client);
    enter_code(&world, &device, false);
    let (status, _, tokens) = poll(&world, &client, &device);
    assert_eq!((status, &tokens["refreshToken"]), (200, &Value::Null), "{tokens}");
    assert_eq!(role_credentials(&world, &tokens, "ReadOnly", SANDBOX).0, 200);
}

// The access portal

#[track_caller]
fn assert_portal_refuses(answer: Answer, status: u16, kind: &str, message: &str) {
    let (got, given, document) = answer;
    assert_eq!((got, given.as_str()), (status, kind), "{document}");
    assert!(document["message"].as_str().unwrap().contains(message), "{document}");
}

#[test]
fn portal_gives_credentials_that_sts_knows() {
    let world = World::new();
    let (_, tokens) = sign_in(&world);
    let (status, _, answer) = role_credentials(&world, &tokens, "BedrockUser", SANDBOX);
    let given = &answer["roleCredentials"];
    assert_eq!((status, given["expiration"].as_i64().unwrap() / 1000 - world.now() >= 3590), (200, true), "{answer}");
    let text = |name: &str| given[name].as_str().unwrap();
    let document = format!(
        "<AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>",
        text("accessKeyId"),
        text("secretAccessKey"),
        text("sessionToken")
    );
    let identity = identity(&world, &document, "").text();
    let role = "assumed-role/AWSReservedSSO_BedrockUser_0123456789abcdef";
    assert!(identity.contains(&format!("<Arn>arn:aws:sts::{SANDBOX}:{role}/jane@example.com</Arn>")), "{identity}");
    for secret in [text("secretAccessKey"), text("sessionToken"), tokens["refreshToken"].as_str().unwrap()] {
        assert_eq!(world.ledger().leaks("here", secret.as_bytes()).len(), 1);
    }
}

#[test]
fn control_address_has_the_session_of_an_access_key() {
    let world = World::new();
    let (_, tokens) = sign_in(&world);
    let (_, _, answer) = role_credentials(&world, &tokens, "BedrockUser", SANDBOX);
    let given = &answer["roleCredentials"];
    let find = |key: &Value| {
        let url = format!("{}/session", world.control_url());
        ask(&world, "POST", &url, &[JSON], &json!({ "session": key }).to_string()).2
    };
    let found = find(&given["accessKeyId"]);
    assert_eq!(
        (&found["SecretAccessKey"], &found["SessionToken"]),
        (&given["secretAccessKey"], &given["sessionToken"])
    );
    assert!(found["Arn"].as_str().unwrap().ends_with("/jane@example.com"), "{found}");
    assert_eq!(find(&json!("ASIAUNKNOWN")), Value::Null);
    world.revoke_credentials();
    assert_eq!(find(&given["accessKeyId"]), Value::Null);
}

#[test]
fn portal_rejects_requests_that_aws_rejects() {
    let world = World::new();
    let (_, tokens) = sign_in(&world);
    let stranger = json!({ "accessToken": "stranger" });
    let forbidden = "ForbiddenException";
    let production = "210987654321";
    assert_portal_refuses(role_credentials(&world, &tokens, "ReadOnly", production), 403, forbidden, "No access");
    assert_portal_refuses(role_credentials(&world, &tokens, "BedrockUser", "111111111111"), 403, forbidden, "");
    assert_portal_refuses(role_credentials(&world, &tokens, "bedrockuser", SANDBOX), 403, forbidden, "");
    let (invalid, unauthorized) = ("InvalidRequestException", "UnauthorizedException");
    assert_portal_refuses(role_credentials(&world, &tokens, "", SANDBOX), 400, invalid, "role_name");
    assert_portal_refuses(role_credentials(&world, &tokens, "BedrockUser", "sandbox"), 400, invalid, "account_id");
    assert_portal_refuses(role_credentials(&world, &stranger, "BedrockUser", SANDBOX), 401, unauthorized, "Session");
    let unknown = ask_portal(&world, "GET", "assignment/roles?account_id=111111111111", &tokens);
    assert_portal_refuses(unknown, 404, "ResourceNotFoundException", "");
    for query in ["max_result=0", "max_result=101", "max_result=x", "next_token=x"] {
        let answer = ask_portal(&world, "GET", &format!("assignment/accounts?{query}"), &tokens);
        assert_portal_refuses(answer, 400, invalid, "");
    }
    let url = format!("{}/assignment/accounts", service(&world, "portal.sso"));
    let bearer = ("x-amz-sso_bearer_token", tokens["accessToken"].as_str().unwrap());
    let signed = ask(&world, "GET", &url, &[bearer, ("Authorization", "AWS4-HMAC-SHA256 x")], "");
    assert_portal_refuses(signed, 403, "UnrecognizedClientException", "");
    let authorized = format!("Bearer {}", bearer.1);
    assert_portal_refuses(ask(&world, "GET", &url, &[], ""), 401, unauthorized, "");
    assert_ne!(ask(&world, "GET", &url, &[("Authorization", &authorized)], "").0, 200);
    assert_eq!(ask(&world, "POST", &url, &[bearer], "").0, 404);
}

/// All entries of a list, and the number of its pages.
fn pages(world: &World, path: &str, member: &str, tokens: &Value) -> (Vec<Value>, usize) {
    let (mut entries, mut count, mut next) = (Vec::new(), 0, String::new());
    loop {
        let (status, _, answer) = ask_portal(world, "GET", &format!("{path}{next}"), tokens);
        assert_eq!(status, 200, "{answer}");
        entries.extend(answer[member].as_array().unwrap().clone());
        count += 1;
        match answer["nextToken"].as_str() {
            Some(token) => next = format!("&next_token={token}"),
            None => return (entries, count),
        }
    }
}

#[test]
fn portal_lists_accounts_and_roles_in_pages() {
    let world = World::new();
    let (_, tokens) = sign_in(&world);
    let (accounts, count) = pages(&world, "assignment/accounts?max_result=1", "accountList", &tokens);
    assert_eq!((accounts.len(), count, &accounts[1]["accountName"]), (2, 2, &json!("Acme Production")));
    let (roles, _) = pages(&world, &format!("assignment/roles?account_id={SANDBOX}"), "roleList", &tokens);
    let role = |name| json!({ "roleName": name, "accountId": SANDBOX });
    assert_eq!(roles, [role("BedrockUser"), role("ReadOnly")]);

    let account = |number| json!({ "account_id": format!("{number:012}"), "name": "A", "email": "a@example.com" });
    world.set(Knob::Assignments, json!((0..45).map(account).collect::<Vec<_>>()));
    let (accounts, count) = pages(&world, "assignment/accounts?", "accountList", &tokens);
    assert_eq!((accounts.len(), count), (45, 3));
    let (roles, count) = pages(&world, "assignment/roles?account_id=000000000001", "roleList", &tokens);
    assert_eq!((roles.len(), count), (0, 1));
}

#[test]
fn portal_session_ends_at_sign_out_and_by_time() {
    let world = World::new();
    let (client, tokens) = sign_in(&world);
    assert_eq!(ask_portal(&world, "POST", "logout", &tokens).0, 200);
    assert_portal_refuses(ask_portal(&world, "POST", "logout", &tokens), 401, "UnauthorizedException", "");
    assert_refused(refresh(&world, &client, &tokens), 400, "InvalidGrantException", "invalid_grant");
    assert_eq!(world.live_portal_sessions(), 0);

    let (client, tokens) = sign_in(&world);
    world.end_portal_sessions();
    let ended = role_credentials(&world, &tokens, "BedrockUser", SANDBOX);
    assert_portal_refuses(ended, 401, "UnauthorizedException", "Session token not found or invalid");
    assert_refused(refresh(&world, &client, &tokens), 400, "InvalidGrantException", "invalid_grant");

    world.next(1, Knob::PortalTokenLifetime, 10);
    let (client, tokens) = sign_in(&world);
    assert_eq!(tokens["expiresIn"], 10);
    world.set(Knob::Clock, 11);
    let expired = role_credentials(&world, &tokens, "BedrockUser", SANDBOX);
    assert_portal_refuses(expired, 401, "UnauthorizedException", "");
    let (_, _, tokens) = refresh(&world, &client, &tokens);
    assert_eq!(role_credentials(&world, &tokens, "BedrockUser", SANDBOX).0, 200);
}

// Faults, users and the desk

#[test]
fn identity_center_fails_as_its_knobs_say() {
    let world = World::new();
    let (client, tokens) = sign_in(&world);
    world.next(1, Knob::PortalRefreshFault, Fault::sso_oidc("InternalServerException", "out of order"));
    assert_refused(refresh(&world, &client, &tokens), 500, "InternalServerException", "server_error");
    world.next(1, Knob::SsoOidcFault, Fault::Status(503));
    assert_eq!(refresh(&world, &client, &tokens).0, 503);
    assert_eq!(refresh(&world, &client, &tokens).0, 200, "the faults did not spend the token");
    let ask_accounts = || ask_portal(&world, "GET", "assignment/accounts", &tokens);
    let throttled = "TooManyRequestsException";
    world.next(1, Knob::PortalFault, Fault::access_portal(429, throttled, "HTTP 429 Unknown Code"));
    assert_portal_refuses(ask_accounts(), 429, throttled, "429");
    world.next(1, Knob::PortalFault, Fault::Portal);
    assert_eq!((ask_accounts().2, ask_accounts().0), (Value::Null, 200));
    world.next(1, Knob::RoleCredentialsFault, Fault::Status(500));
    world.next(1, Knob::CredentialLifetime, 900);
    assert_eq!(role_credentials(&world, &tokens, "BedrockUser", SANDBOX).0, 500);
    let (_, _, answer) = role_credentials(&world, &tokens, "BedrockUser", SANDBOX);
    assert!(answer["roleCredentials"]["expiration"].as_i64().unwrap() / 1000 - world.now() <= 900, "{answer}");
    world.stop_identity_center();
    assert!(browser(&world).get(&world.start_url()).is_err());
    world.start_identity_center();
    assert_eq!(browser(&world).get(&world.start_url()).unwrap().status, 200);
}

#[test]
fn simulated_user_signs_in_to_identity_center_or_denies() {
    for (login, denies, expected) in [
        ("auto", false, "code="),
        ("page", false, "code="),
        ("auto", true, "access_denied"),
        ("page", true, "access_denied"),
    ] {
        let world = World::new();
        world.set(Knob::Login, login);
        let client = register(&world, &json!({ "redirectUris": ["http://127.0.0.1/callback"] }));
        let (address, served): (String, thread::JoinHandle<String>) = callback();
        let url = authorize_url(&world, &client, &[("redirect_uri", &address)]);
        assert_eq!(testworld::visit(&url, denies).unwrap().text(), "signed in");
        let request = served.join().unwrap();
        assert!(request.contains(expected) && request.contains("state=the-state"), "{login} {denies}: {request}");
        assert_eq!(world.counts([Endpoint::PortalAuthorize, Endpoint::Authorize]), [1, 0]);
    }
}

#[test]
fn another_user_signs_in_to_identity_center() {
    let world = World::new();
    world.next(1, Knob::PortalUser, "john@example.com");
    for user in ["john@example.com", "jane@example.com"] {
        let (_, tokens) = sign_in(&world);
        let (_, _, answer) = role_credentials(&world, &tokens, "BedrockUser", SANDBOX);
        let given = &answer["roleCredentials"];
        let element = |tag: &str, name: &str| format!("<{tag}>{}</{tag}>", given[name].as_str().unwrap());
        let document = element("AccessKeyId", "accessKeyId")
            + &element("SecretAccessKey", "secretAccessKey")
            + &element("SessionToken", "sessionToken");
        let identity = identity(&world, &document, "").text();
        assert!(identity.contains(&format!("/{user}</Arn>")), "{identity}");
    }
}

#[test]
fn identity_center_configuration_names_the_world() {
    let world = World::over_tls();
    let second = world.identity_center_profile("second", "210987654321", "BedrockUser", "");
    let text = world.identity_center_configuration(&format!("output = \"json\"\n\n{second}"));
    let document: Value = toml::from_str(&text).unwrap();
    let profile = &document["profiles"]["claude"];
    assert_eq!((&profile["federation"], &profile["output"]), (&json!("identity-center"), &json!("json")));
    assert_eq!(profile["identity_center"]["start_url"], world.start_url());
    assert_eq!(document["profiles"]["second"]["identity_center"]["account_id"], "210987654321");
    assert_eq!(ask(&world, "GET", &world.start_url(), &[], "").0, 200);
}
