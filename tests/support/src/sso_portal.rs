//! The access portal of IAM Identity Center: GetRoleCredentials, ListAccounts, ListAccountRoles and Logout.
//!
//! STS issues the credentials, so that GetCallerIdentity knows them.

use serde_json::{Value, json};

use crate::{
    identity_center::{SsoRefusal, assignments, check_is_unsigned, refuse},
    keys,
    knobs::Knob,
    ledger::Endpoint,
    wire::{Fields, Reply, Request, field},
    world::Common,
};

/// The end of the names of the roles that Identity Center makes.
const ROLE_SUFFIX: &str = "0123456789abcdef";
/// The number of entries of a page without `max_result`.
const PAGE: usize = 20;

fn reject(status: u16, code: &'static str, message: impl Into<String>) -> SsoRefusal {
    SsoRefusal { status, code, message: message.into() }
}

fn invalid(message: impl Into<String>) -> SsoRefusal {
    reject(400, "InvalidRequestException", message)
}

/// The document of an error of this service.
pub(crate) fn describe_error(code: &str, message: &str) -> Value {
    json!({ "message": message, "__type": format!("com.amazonaws.switchboard.portal#{code}") })
}

pub(crate) fn answer(world: &Common, endpoint: Endpoint, request: &Request) -> Reply {
    let query = request.query();
    let result =
        check_is_unsigned(request).and_then(|()| find_session(world, request)).and_then(|session| match endpoint {
            Endpoint::RoleCredentials => role_credentials(world, session, &query),
            Endpoint::PortalAccounts => accounts(world, &query),
            Endpoint::PortalRoles => roles(world, &query),
            _ => Ok(log_out(world, session)),
        });
    match result {
        Ok(Value::Null) => Reply::new(200, "application/json", ""),
        Ok(value) => Reply::json(200, &value),
        Err(SsoRefusal { status, code, message }) => refuse(status, code, &describe_error(code, &message)),
    }
}

/// The number of the live session whose access token is in the request.
fn find_session(world: &Common, request: &Request) -> Result<usize, SsoRefusal> {
    let unauthorized = || reject(401, "UnauthorizedException", "Session token not found or invalid");
    let token = request.header("x-amz-sso_bearer_token").ok_or_else(unauthorized)?;
    let state = world.identity_center.0.lock().unwrap();
    let known = state.access_tokens.get(token).filter(|token| world.now() < token.expires);
    known.map(|token| token.session).filter(|session| !state.sessions[*session].ended).ok_or_else(unauthorized)
}

fn required<'a>(query: &'a Fields, name: &str) -> Result<&'a str, SsoRefusal> {
    field(query, name).filter(|value| !value.is_empty()).ok_or_else(|| invalid(format!("{name} is missing")))
}

fn account_id(query: &Fields) -> Result<&str, SsoRefusal> {
    let account = required(query, "account_id")?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(account) } else { Err(invalid("account_id has not twelve digits")) }
}

fn role_names(account: &Value) -> Vec<&str> {
    account["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn role_credentials(world: &Common, session: usize, query: &Fields) -> Result<Value, SsoRefusal> {
    let (account, role) = (account_id(query)?, required(query, "role_name")?);
    let all = assignments(world);
    if !all.iter().any(|assigned| assigned["account_id"] == account && role_names(assigned).contains(&role)) {
        return Err(reject(403, "ForbiddenException", "No access"));
    }
    let user = world.identity_center.0.lock().unwrap().sessions[session].user.clone();
    let lifetime = world.knobs.take(Knob::CredentialLifetime).and_then(|value| value.as_i64()).unwrap_or(3600);
    let folder = "aws-reserved/sso.amazonaws.com";
    let arn = format!("arn:aws:iam::{account}:role/{folder}/AWSReservedSSO_{role}_{ROLE_SUFFIX}");
    let issued = world.sts.issue(world, &arn, &user, lifetime, None);
    Ok(json!({
        "roleCredentials": {
            "accessKeyId": issued.access_key,
            "secretAccessKey": issued.secret_key,
            "sessionToken": issued.session_token,
            "expiration": issued.expires * 1000,
        },
    }))
}

fn accounts(world: &Common, query: &Fields) -> Result<Value, SsoRefusal> {
    let entry = |account: &Value| json!({ "accountId": account["account_id"], "accountName": account["name"], "emailAddress": account["email"] });
    page(query, "accounts", "accountList", assignments(world).iter().map(entry).collect())
}

fn roles(world: &Common, query: &Fields) -> Result<Value, SsoRefusal> {
    let account = account_id(query)?;
    let all = assignments(world);
    let assigned = all.iter().find(|assigned| assigned["account_id"] == account);
    let assigned = assigned.ok_or_else(|| reject(404, "ResourceNotFoundException", "No such account"))?;
    let entry = |role| json!({ "roleName": role, "accountId": account });
    page(query, account, "roleList", role_names(assigned).into_iter().map(entry).collect())
}

/// One page of a list. The token says which list it continues and where.
fn page(query: &Fields, list: &str, member: &str, entries: Vec<Value>) -> Result<Value, SsoRefusal> {
    let count = match field(query, "max_result").map(str::parse) {
        None => PAGE,
        Some(Ok(count @ 1..=100)) => count,
        Some(_) => return Err(invalid("max_result is not a number from 1 to 100")),
    };
    let start = match field(query, "next_token") {
        None => 0,
        Some(token) => parse_next_token(token, list).ok_or_else(|| invalid("next_token is not one of this list"))?,
    };
    let rest = entries.get(start..).unwrap_or_default();
    let (shown, left) = rest.split_at(count.min(rest.len()));
    let next = (!left.is_empty()).then(|| keys::encode(format!("{list} {}", start + count).as_bytes()));
    Ok(json!({ member: shown, "nextToken": next }))
}

fn parse_next_token(token: &str, list: &str) -> Option<usize> {
    let text = String::from_utf8(keys::decode(token)?).ok()?;
    text.strip_prefix(list)?.strip_prefix(' ')?.parse().ok()
}

/// Credentials that were issued already stay valid, as at AWS.
fn log_out(world: &Common, session: usize) -> Value {
    world.identity_center.0.lock().unwrap().sessions[session].ended = true;
    Value::Null
}
