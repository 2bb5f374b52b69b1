//! The providers, one row each: how issuer, tokens, errors and refresh tokens differ from the standard.
//!
//! The knobs follow the vendors' references. `main` has the tests.

use serde_json::{Value, json};
use testworld::Knob;

/// How a provider refreshes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Each refresh returns a new refresh token and an ID token.
    Rotates,
    /// The refresh token stays the same.
    Stays,
    /// A refresh returns no ID token, so the cached one is used while it is valid.
    WithoutIdToken,
}

pub(crate) struct Row {
    pub name: &'static str,
    /// The provider's lines in the profile.
    pub lines: &'static str,
    /// The beginning of a redirect URI, up to its port.
    pub redirect: &'static str,
    /// Whether the provider compares the redirect URI exactly, with its port.
    pub exact: bool,
    pub knobs: Vec<(Knob, Value)>,
    /// The scopes of the authorization request.
    pub scope: &'static str,
    pub session_name: &'static str,
    pub renewal: Renewal,
    /// The provider's error: code and description.
    pub refusal: (&'static str, &'static str),
}

const TENANT: &str = "/11111111-2222-3333-4444-555555555555";
const STANDARD: &str = "openid profile email offline_access";
const ANY: &str = "http://127.0.0.1:";
const BY_NAME: &str = "http://localhost:";

/// Most vendors' answers have no `iss` parameter, and their ID tokens no `at_hash`.
fn without_iss() -> [(Knob, Value); 3] {
    [
        (Knob::CallbackQuery, json!({ "iss": null })),
        (
            Knob::DiscoveryDocument,
            json!({ "authorization_response_iss_parameter_supported": null, "code_challenge_methods_supported": null }),
        ),
        (Knob::IdTokenClaims, json!({ "at_hash": null })),
    ]
}

fn with(more: Vec<(Knob, Value)>) -> Vec<(Knob, Value)> {
    without_iss().into_iter().chain(more).collect()
}

pub(crate) fn all() -> Vec<Row> {
    vec![okta(), okta_custom(), entra(), entra_first(), entra_page(), auth0(), cognito(), google(), generic()]
}

fn okta() -> Row {
    Row {
        name: "Okta, org authorization server",
        lines: "provider = \"okta\"",
        redirect: ANY,
        exact: true,
        knobs: with(vec![(
            Knob::Claims,
            json!({
                "sub": "00u1a2b3c4", "email": "ada@acme.com", "preferred_username": "ada@acme.com",
                "amr": ["mfa", "pwd"], "idp": "00o1a2b3c4", "ver": 1, "jti": "ID.x",
            }),
        )]),
        scope: STANDARD,
        session_name: "ada@acme.com",
        renewal: Renewal::Rotates,
        refusal: ("access_denied", "User is not assigned to the client application."),
    }
}

fn okta_custom() -> Row {
    Row {
        name: "Okta, custom authorization server",
        knobs: with(vec![
            (Knob::IssuerSuffix, json!("/oauth2/default")),
            (Knob::Claims, json!({ "email": "ada@acme.com", "groups": ["Everyone", "bedrock"] })),
        ]),
        renewal: Renewal::WithoutIdToken,
        refusal: (
            "access_denied",
            "Policy evaluation failed for this request, please check the policy configurations.",
        ),
        ..okta()
    }
}

fn entra() -> Row {
    Row {
        name: "Entra ID",
        lines: "provider = \"entra\"\nredirect_host = \"localhost\"",
        redirect: BY_NAME,
        exact: false,
        knobs: with(vec![
            (Knob::IssuerSuffix, json!(format!("{TENANT}/v2.0"))),
            (Knob::Scopes, json!(["openid", "profile", "email", "offline_access"])),
            (Knob::Origin, json!("refused")),
            (
                Knob::Claims,
                json!({
                    "email": null, "email_verified": null, "preferred_username": "Ada.Lovelace@acme.com",
                    "oid": "66666666-7777-8888-9999-000000000000", "tid": &TENANT[1..], "ver": "2.0",
                    "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "https://graph.example" } },
                }),
            ),
        ]),
        scope: STANDARD,
        session_name: "Ada.Lovelace@acme.com",
        renewal: Renewal::Rotates,
        refusal: (
            "access_denied",
            "AADSTS50105: Your administrator has configured the application to block users unless they are assigned",
        ),
    }
}

fn entra_first() -> Row {
    Row {
        name: "Entra ID, v1.0 tokens",
        knobs: with(vec![
            (Knob::IssuerSuffix, json!(format!("{TENANT}/"))),
            // It does not know `offline_access`, and gives every client a refresh token.
            (Knob::Scopes, json!(["openid", "profile", "email"])),
            (Knob::Offline, json!("always")),
            (
                Knob::Claims,
                json!({
                    "email": null, "email_verified": null, "preferred_username": null, "upn": "ada@acme.com",
                    "unique_name": "ada@acme.com", "ver": "1.0", "hasgroups": "true",
                }),
            ),
        ]),
        scope: "openid profile email",
        session_name: "ada@acme.com",
        renewal: Renewal::Stays,
        refusal: (
            "consent_required",
            "AADSTS65001: The user or administrator has not consented to use the application",
        ),
        ..entra()
    }
}

fn entra_page() -> Row {
    let mut knobs = entra().knobs;
    knobs.push((Knob::Origin, json!("required")));
    Row {
        name: "Entra ID, registered as a single-page application",
        knobs,
        refusal: ("access_denied", "AADSTS53003: Access has been blocked by Conditional Access policies."),
        ..entra()
    }
}

fn auth0() -> Row {
    Row {
        name: "Auth0",
        lines: "provider = \"auth0\"\nextra_params = { organization = \"org_acme\" }",
        redirect: ANY,
        exact: true,
        knobs: with(vec![
            (Knob::IssuerSuffix, json!("/")),
            (Knob::RefusalStatus, json!(403)),
            (
                Knob::Claims,
                json!({
                    "sub": "auth0|64f0c0ffee", "email": "ada@acme.com", "preferred_username": null, "nickname": "ada",
                    "org_id": "org_acme", "sid": "s",
                    "https://aws.amazon.com/tags": { "principal_tags": { "Team": ["research"] }, "transitive_tag_keys": ["Team"] },
                }),
            ),
        ]),
        scope: STANDARD,
        session_name: "ada@acme.com",
        renewal: Renewal::Rotates,
        refusal: ("access_denied", "Service not found: https://api.acme.example"),
    }
}

fn cognito() -> Row {
    Row {
        name: "Cognito user pool",
        lines: "provider = \"cognito\"\nredirect_host = \"localhost\"\ncognito_domain = \"PROVIDER\"",
        redirect: BY_NAME,
        exact: true,
        knobs: vec![
            (Knob::IssuerSuffix, json!("/eu-west-1_AbCd12345")),
            (Knob::CallbackQuery, json!({ "iss": null })),
            // The discovery document of a pool without a domain at AWS.
            (
                Knob::DiscoveryDocument,
                json!({
                    "authorization_endpoint": null, "token_endpoint": null, "revocation_endpoint": null,
                    "authorization_response_iss_parameter_supported": null,
                }),
            ),
            (Knob::IdTokenClaims, json!({ "at_hash": null })),
            (Knob::Scopes, json!(["openid", "email", "phone", "profile"])),
            (Knob::Offline, json!("always")),
            (
                Knob::Claims,
                json!({
                    "sub": "66666666-7777-8888-9999-000000000000", "email": "ada@acme.com", "preferred_username": null,
                    "cognito:username": "ada", "cognito:groups": ["bedrock"], "custom:department": "research",
                    "token_use": "id", "event_id": "e",
                }),
            ),
        ],
        scope: "openid profile email",
        session_name: "ada@acme.com",
        renewal: Renewal::Stays,
        refusal: ("invalid_scope", ""),
    }
}

fn google() -> Row {
    Row {
        name: "Google",
        lines: "provider = \"google\"\nextra_params = { hd = \"acme.com\" }",
        redirect: ANY,
        exact: false,
        knobs: with(vec![
            (Knob::ClientAuth, json!("client_secret_post")),
            (Knob::Scopes, json!(["openid", "email", "profile"])),
            (Knob::Offline, json!("access-type")),
            (
                Knob::Claims,
                json!({
                    "sub": "112233445566778899001", "email": "ada@acme.com", "hd": "acme.com", "preferred_username": null,
                }),
            ),
        ]),
        scope: "openid email profile",
        session_name: "ada@acme.com",
        renewal: Renewal::Stays,
        refusal: ("access_denied", ""),
    }
}

fn generic() -> Row {
    Row {
        name: "Keycloak, as a generic provider",
        lines: "",
        redirect: ANY,
        exact: false,
        knobs: vec![
            (Knob::IssuerSuffix, json!("/realms/acme")),
            (Knob::CallbackQuery, json!({ "session_state": "s" })),
            (Knob::IdTokenLifetime, json!(300)),
            (Knob::IdTokenClaims, json!({ "azp": "demo-client", "typ": "ID", "acr": "1" })),
            (Knob::Claims, json!({ "sub": "f:1:ada", "email": null, "preferred_username": "ada" })),
        ],
        scope: STANDARD,
        session_name: "ada",
        renewal: Renewal::Rotates,
        refusal: ("access_denied", ""),
    }
}
