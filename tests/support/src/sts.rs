//! STS: AssumeRoleWithWebIdentity and GetCallerIdentity, as strict as the real service and with its messages.
//! AssumeRole is in `chain`.
//!
//! Each token is verified with the registered provider's published keys.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::{
    chain,
    fault::Fault,
    keys::{self, Algorithm, Flaw},
    knobs::Knob,
    ledger::Endpoint,
    sigv4,
    wire::{Ending, Fields, Reply, Request, Serve, field},
    world::{ACCOUNT, CLIENT_ID, Common, ROLE_ARN},
};

pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const NOT_AUTHORIZED: &str = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
const TAGS: &str = "https://aws.amazon.com/tags";

#[derive(Default)]
pub(crate) struct Sts(pub(crate) Mutex<HashMap<String, Issued>>);

/// Issued credentials. The map has them by access key.
#[derive(Clone)]
pub(crate) struct Issued {
    pub secret_key: String,
    pub session_token: String,
    pub access_key: String,
    pub expires: i64,
    revoked: bool,
    /// ARN of the session.
    pub arn: String,
    pub role: String,
    pub source_identity: Option<String>,
}

pub(crate) struct Refused {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

pub(crate) fn refused(status: u16, code: &'static str, message: impl Into<String>) -> Refused {
    Refused { status, code, message: message.into() }
}

pub(crate) fn serve(world: Arc<Common>) -> Serve {
    Arc::new(move |request| {
        let form = request.form().unwrap_or_default();
        let (endpoint, knob) = match field(&form, "Action") {
            Some("AssumeRoleWithWebIdentity") => (Endpoint::Assume, Some(Knob::AssumeFault)),
            Some("AssumeRole") => (Endpoint::Link, Some(Knob::LinkFault)),
            Some("GetCallerIdentity") => (Endpoint::Identity, Some(Knob::IdentityFault)),
            _ => (Endpoint::Unknown, None),
        };
        world.note(endpoint, request);
        let fault = knob.and_then(|knob| world.knobs.fault(knob));
        match Fault::around(fault, &world.gate, || answer(&world, endpoint, request, &form)) {
            Ending::Answer(reply) => Ending::Answer(reply.with("Date", &world.http_date(world.now()))),
            ending => ending,
        }
    })
}

fn answer(world: &Common, endpoint: Endpoint, request: &Request, form: &Fields) -> Reply {
    let result = match (endpoint, field(form, "Version")) {
        _ if request.method != "POST" || request.path() != "/" => Err(invalid_action()),
        (Endpoint::Unknown, _) => Err(invalid_action()),
        (_, version) if version != Some("2011-06-15") => Err(invalid_action()),
        (Endpoint::Assume, _) => assume(world, request, form),
        (Endpoint::Link, _) => chain::assume(world, request, form),
        _ => identity(world, request),
    };
    result.unwrap_or_else(|refused| refusal(refused.status, refused.code, &refused.message))
}

fn invalid_action() -> Refused {
    refused(400, "InvalidAction", "Could not find operation for version 2011-06-15")
}

pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{code}</Code>\n    \
         <Message>{}</Message>\n  </Error>\n  <RequestId>{}</RequestId>\n</ErrorResponse>\n",
        escaped(message),
        keys::unguessable(12)
    );
    Reply::new(status, "text/xml", &body)
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

// AssumeRoleWithWebIdentity

fn assume(world: &Common, request: &Request, form: &Fields) -> Result<Reply, Refused> {
    if request.header("authorization").is_some() {
        // This call is unsigned. A signed one has taken credentials from somewhere.
        return Err(refused(403, "InvalidClientTokenId", "The security token included in the request is invalid."));
    }
    let seconds = checked_duration(world, form)?;
    let name = checked_session_name(form)?;
    let token = checked_length(form, "WebIdentityToken", 4, 20_000)?;
    let role = checked_length(form, "RoleArn", 20, 2048)?;
    let claims = verify_token(world, token)?;
    let further = world.knobs.peek(Knob::FurtherRoles).unwrap_or_default();
    let is_known = role == ROLE_ARN || further.as_array().is_some_and(|roles| roles.iter().any(|known| known == role));
    if !is_known {
        return Err(refused(403, "AccessDenied", NOT_AUTHORIZED));
    }
    if seconds > world.knobs.number(Knob::RoleMaximum, 43_200) {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(refused(400, "ValidationError", message));
    }
    if claims.get(TAGS).is_some() && world.knobs.flag(Knob::WithoutTagSession) {
        return Err(refused(403, "AccessDenied", "Not authorized to perform sts:TagSession"));
    }
    let lifetime = world.knobs.take(Knob::CredentialLifetime).and_then(|value| value.as_i64()).unwrap_or(seconds);
    Ok(assume_reply(world, role, name, &claims, lifetime))
}

pub(crate) fn constraint_error(value: &str, member: &str, what: &str) -> Refused {
    let shown = if member == "webIdentityToken" { "" } else { value };
    let message = format!(
        "1 validation error detected: Value '{shown}' at '{member}' failed to satisfy constraint: Member must {what}"
    );
    refused(400, "ValidationError", message)
}

pub(crate) fn checked_length<'a>(form: &'a Fields, name: &str, least: usize, most: usize) -> Result<&'a str, Refused> {
    let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
    let value = field(form, name).unwrap_or_default();
    match value.chars().count() {
        0 => Err(constraint_error("", &member, "not be null")),
        length if length < least => {
            Err(constraint_error(value, &member, &format!("have length greater than or equal to {least}")))
        }
        length if length > most => {
            Err(constraint_error(value, &member, &format!("have length less than or equal to {most}")))
        }
        _ => Ok(value),
    }
}

fn checked_duration(world: &Common, form: &Fields) -> Result<i64, Refused> {
    let Some(text) = field(form, "DurationSeconds") else {
        return Ok(3600.min(world.knobs.number(Knob::RoleMaximum, 3600)));
    };
    let seconds = text.parse::<i64>().map_err(|_| refused(400, "MalformedInput", "DurationSeconds is no number"))?;
    match seconds {
        ..900 => Err(constraint_error(text, "durationSeconds", "have value greater than or equal to 900")),
        43_201.. => Err(constraint_error(text, "durationSeconds", "have value less than or equal to 43200")),
        _ => Ok(seconds),
    }
}

pub(crate) fn checked_session_name(form: &Fields) -> Result<&str, Refused> {
    let name = checked_length(form, "RoleSessionName", 2, 64)?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if name.bytes().all(is_legal) {
        return Ok(name);
    }
    Err(constraint_error(name, "roleSessionName", "satisfy regular expression pattern: [\\w+=,.@-]*"))
}

/// The claims of a token whose signature, issuer, audience and times are valid.
pub(crate) fn verify_token(world: &Common, token: &str) -> Result<Value, Refused> {
    let invalid = |message: &str| refused(400, "InvalidIdentityToken", message);
    let not_a_jwt = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
    let unverified = unverified_claims(token).ok_or_else(|| invalid(not_a_jwt))?;
    let issuer = unverified["iss"].as_str().ok_or_else(|| invalid("Missing a required claim: iss"))?;
    let audiences = registered(world, issuer)
        .ok_or_else(|| invalid(&format!("No OpenIDConnect provider found in your account for {issuer}")))?;
    // The algorithms that IAM documents for OIDC providers.
    use Algorithm::{ES256, ES384, ES512, RS256, RS384, RS512};
    if !keys::declared_algorithm(token).is_some_and(|a| [RS256, RS384, RS512, ES256, ES384, ES512].contains(&a)) {
        return Err(invalid("Unsupported signature algorithm"));
    }
    let claims = world.keys.read().unwrap().verify(token).map_err(|flaw| match flaw {
        Flaw::UnknownKey => invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        ),
        Flaw::Signature => invalid("Token signature invalid"),
        Flaw::NoJwt | Flaw::Algorithm => invalid(not_a_jwt),
    })?;
    for required in ["sub", "aud", "exp", "iat"] {
        if claims[required].is_null() {
            return Err(invalid(&format!("Missing a required claim: {required}")));
        }
    }
    check_audience(&claims, &audiences)?;
    check_times(world, &claims)?;
    Ok(claims)
}

fn unverified_claims(token: &str) -> Option<Value> {
    let [_, claims, _] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    serde_json::from_slice(&keys::decode(claims)?).ok()
}

/// The audiences registered for an issuer, which is compared byte for byte.
fn registered(world: &Common, issuer: &str) -> Option<Vec<String>> {
    let default = json!([{ "issuer": world.issuer(), "audiences": [CLIENT_ID] }]);
    let all = world.knobs.peek(Knob::Registered).unwrap_or(default);
    let provider = all.as_array()?.iter().find(|provider| provider["issuer"] == issuer)?;
    Some(provider["audiences"].as_array()?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// AWS compares `azp` if the token has one, otherwise `aud`.
fn check_audience(claims: &Value, audiences: &[String]) -> Result<(), Refused> {
    let named = if claims["azp"].is_string() { &claims["azp"] } else { &claims["aud"] };
    let names = match named {
        Value::Array(names) => names.iter().collect(),
        one => vec![one],
    };
    let is_known =
        names.iter().filter_map(|name| name.as_str()).any(|name| audiences.iter().any(|known| known == name));
    if is_known { Ok(()) } else { Err(refused(400, "InvalidIdentityToken", "Incorrect token audience")) }
}

fn check_times(world: &Common, claims: &Value) -> Result<(), Refused> {
    let now = world.now();
    let expires = claims["exp"].as_i64().unwrap_or_default();
    if expires <= now {
        let message =
            format!("Token expired: current date/time {now} must be before the expiration date/time {expires}");
        return Err(refused(400, "ExpiredTokenException", message));
    }
    let begins = claims["nbf"].as_i64().max(claims["iat"].as_i64()).unwrap_or_default();
    if begins > now + 300 {
        return Err(refused(400, "InvalidIdentityToken", "Token is not yet valid"));
    }
    Ok(())
}

fn assume_reply(world: &Common, role: &str, name: &str, claims: &Value, lifetime: i64) -> Reply {
    let source_identity = claims["https://aws.amazon.com/source_identity"].as_str().map(str::to_owned);
    let credentials = world.sts.issue(world, role, name, lifetime, source_identity);
    let Issued { access_key, arn, .. } = &credentials;
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"{NAMESPACE}\">\n  <AssumeRoleWithWebIdentityResult>\n    \
         <Audience>{CLIENT_ID}</Audience>\n    <AssumedRoleUser>\n      \
         <AssumedRoleId>AROADEMODEMODEMODEMOO:{name}</AssumedRoleId>\n      <Arn>{arn}</Arn>\n    </AssumedRoleUser>\n    \
         <Provider>arn:aws:iam::{ACCOUNT}:oidc-provider/{}</Provider>\n    <Credentials>\n      \
         <AccessKeyId>{access_key}</AccessKeyId>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <SessionToken>{}</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n    \
         <SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken>\n  </AssumeRoleWithWebIdentityResult>\n  \
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\n</AssumeRoleWithWebIdentityResponse>\n",
        escaped(claims["iss"].as_str().unwrap_or_default().trim_start_matches("https://")),
        credentials.secret_key,
        credentials.session_token,
        world.iso_date(credentials.expires),
        escaped(claims["sub"].as_str().unwrap_or_default()),
        keys::unguessable(12),
    );
    Reply::new(200, "text/xml", &body)
}

// GetCallerIdentity

fn identity(world: &Common, request: &Request) -> Result<Reply, Refused> {
    let issued = caller(world, request, "sts")?;
    let account = issued.arn.split(':').nth(4).unwrap_or_default();
    let arn = escaped(&issued.arn);
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    <Arn>{arn}</Arn>\n    \
         <UserId>AROADEMODEMODEMODEMOO:demo</UserId>\n    <Account>{account}</Account>\n  </GetCallerIdentityResult>\n  \
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\n</GetCallerIdentityResponse>\n",
        keys::unguessable(12)
    );
    Ok(Reply::new(200, "text/xml", &body))
}

/// Returns the credentials that signed the request for this service.
pub(crate) fn caller(world: &Common, request: &Request, service: &str) -> Result<Issued, Refused> {
    let signed = sigv4::Signed::of(request)
        .ok_or_else(|| refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token"))?;
    let invalid = || refused(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    let expired = || refused(403, "ExpiredToken", "The security token included in the request is expired");
    let issued = world.sts.0.lock().unwrap().get(&signed.access_key).cloned().ok_or_else(invalid)?;
    if request.header("x-amz-security-token") != Some(&issued.session_token) {
        return Err(invalid());
    }
    let revoked_as = world.knobs.text(Knob::RevokedAs);
    if issued.revoked {
        return Err(if revoked_as.as_deref() == Some("ExpiredToken") { expired() } else { invalid() });
    }
    if issued.expires <= world.now() {
        return Err(expired());
    }
    signed.check(request, service, &issued.secret_key, world.now())?;
    Ok(issued)
}

impl Sts {
    /// Issues credentials for a session of a role.
    pub(crate) fn issue(
        &self,
        world: &Common,
        role: &str,
        name: &str,
        lifetime: i64,
        source_identity: Option<String>,
    ) -> Issued {
        let parts: Vec<_> = role.split(':').collect();
        let role_name = role.rsplit('/').next().unwrap_or_default();
        let unique: String = keys::unguessable(24).chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let issued = Issued {
            access_key: format!("ASIA{}", unique.to_uppercase()),
            secret_key: world.ledger.record_secret("secret access key", keys::unguessable(30)),
            session_token: world.ledger.record_secret("session token", format!("IQoJ{}==", keys::unguessable(300))),
            expires: world.now() + lifetime,
            revoked: false,
            arn: format!("arn:{}:sts::{}:assumed-role/{role_name}/{name}", parts[1], parts[4]),
            role: role.to_owned(),
            source_identity,
        };
        self.0.lock().unwrap().insert(issued.access_key.clone(), issued.clone());
        issued
    }

    /// The credentials with this access key, unless they are revoked.
    pub(crate) fn find(&self, access_key: &str) -> Option<Issued> {
        self.0.lock().unwrap().get(access_key).filter(|issued| !issued.revoked).cloned()
    }

    /// Revokes all credentials issued so far.
    pub(crate) fn revoke_all(&self) {
        self.0.lock().unwrap().values_mut().for_each(|issued| issued.revoked = true);
    }
}
