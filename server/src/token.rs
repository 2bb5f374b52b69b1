//! Whose request it is: verifies the ID token of a request, and reads the person, the groups and the department from it.
//!
//! The client's own library verifies it: signature, issuer, audience, authorized party and times, with the same leeway.
//! This module chooses the issuer, and caches its keys.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bedrock_sso::{
    config::{Issuer, Provider},
    http::Client,
    identity::{derive_session_name, read_claim},
    log,
    oidc::{
        self, ExpectedClaims, ProviderKeys, ProviderMetadata, TokenGrant, TokenRejection, UnverifiedToken,
        VerifiedToken,
    },
    secret::Secret,
    time::Timestamp,
};
use serde_json::{Map, Value};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{config::TrustedIssuer, person::Person, store::PersonRecord};

/// Keys of this age are fetched again, so that a key that the provider has withdrawn stops to verify tokens.
const KEY_LIFETIME: Duration = Duration::from_secs(3600);

/// Keys of this age verify nothing, even if the provider cannot be reached: it may have withdrawn them.
const MAX_KEY_AGE: Duration = Duration::from_secs(24 * 3600);

/// Between two fetches from one provider, while there are keys. Otherwise forged tokens could cause requests without
/// limit.
const FETCH_INTERVAL: Duration = Duration::from_secs(60);

/// For discovery and keys together. Clients wait five seconds for an answer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(4);

/// Verifies ID tokens of the configured issuers.
#[derive(Debug)]
pub struct TokenVerifier {
    client: Client,
    issuers: Vec<IssuerState>,
}

/// Who has sent a request, by a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub person: Person,
    pub record: PersonRecord,
    /// The provider has left groups out of the token, because there are too many of them.
    pub are_groups_missing: bool,
}

/// Why a token identifies nobody.
#[derive(Debug)]
pub enum TokenError {
    /// The token is not believed. The text says why; it contains no part of the token's signature.
    NotBelieved(String),
    /// The provider's keys are missing, so nobody knows whether the token is true.
    NoKeys { issuer: String, cause: String },
    /// The token is true, and has none of the claims that name a person.
    NobodyNamed { claims: Vec<String> },
}

/// One issuer with its cached keys.
struct IssuerState {
    trusted: TrustedIssuer,
    cached: RwLock<Option<Arc<CachedKeys>>>,
    /// Held during a fetch, so that there is one at a time.
    last_fetch: Mutex<Option<LastFetch>>,
}

struct CachedKeys {
    metadata: ProviderMetadata,
    keys: ProviderKeys,
    fetched_at: Timestamp,
}

/// The latest fetch, and why it failed.
struct LastFetch {
    at: Timestamp,
    ended: Instant,
    failure: Option<String>,
}

impl fmt::Debug for IssuerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IssuerState").field(&self.trusted.issuer).finish()
    }
}

impl TokenVerifier {
    pub fn new(client: Client, issuers: &[TrustedIssuer]) -> Self {
        let state = |trusted: &TrustedIssuer| IssuerState {
            trusted: trusted.clone(),
            cached: RwLock::default(),
            last_fetch: Mutex::default(),
        };
        Self { client, issuers: issuers.iter().map(state).collect() }
    }

    /// Verifies a token and reads who it is about.
    pub async fn identify_caller(&self, token: &Secret, now: Timestamp) -> Result<Caller, TokenError> {
        let (trusted, verified) = self.verify(token, now).await?;
        read_caller(trusted, &verified)
    }

    /// Verifies a token, and returns it with its issuer.
    pub async fn verify(&self, token: &Secret, now: Timestamp) -> Result<(&TrustedIssuer, VerifiedToken), TokenError> {
        let not_believed = |why: &str| TokenError::NotBelieved(why.to_owned());
        let claims = read_unverified_claims(token).ok_or_else(|| not_believed("the token is not a JSON Web Token"))?;
        let stated = claims.get("iss").and_then(Value::as_str);
        let state = self.issuers.iter().find(|state| stated.is_some_and(|stated| state.is_named(stated)));
        let state = state.ok_or_else(|| not_believed("the token's issuer is not one of the configured issuers"))?;
        let audience = AudienceChoice::from_claims(&state.trusted, &claims);
        let verified = state.verify(&self.client, token, &audience, now).await?;
        Ok((&state.trusted, verified))
    }
}

/// The claims before any check. They only choose the issuer and the audience with which the token is verified.
fn read_unverified_claims(token: &Secret) -> Option<Map<String, Value>> {
    let mut parts = token.expose().split('.');
    let (_, claims) = (parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// The configured audiences with which a token may be verified: those that it names, or else the first, so that the
/// library rejects it.
struct AudienceChoice<'a>(Vec<&'a str>);

impl<'a> AudienceChoice<'a> {
    fn from_claims(trusted: &'a TrustedIssuer, claims: &Map<String, Value>) -> Self {
        let names = |audience: &str| match claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one == audience),
            _ => false,
        };
        let configured = || trusted.audiences.iter().map(String::as_str);
        let mut named: Vec<&str> = configured().filter(|audience| names(audience)).collect();
        if named.is_empty() {
            named.extend(configured().next());
        }
        Self(named)
    }
}

impl IssuerState {
    fn is_named(&self, stated: &str) -> bool {
        stated == self.trusted.issuer.as_str() || Some(stated) == find_bare_issuer(&self.trusted.issuer)
    }

    /// Verifies a token with the cached keys, and once more with fresh ones if the cached ones do not fit.
    async fn verify(
        &self,
        client: &Client,
        token: &Secret,
        audience: &AudienceChoice<'_>,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        let begun = Instant::now();
        let cached = match self.cached() {
            Some(cached) if now.duration_since(cached.fetched_at) < KEY_LIFETIME => cached,
            Some(cached) => match self.refresh(client, now).await {
                Some(fresh) => fresh,
                None if now.duration_since(cached.fetched_at) < MAX_KEY_AGE => cached,
                None => self.fetch_again(client, begun, now).await.map_err(|cause| self.no_keys(cause))?,
            },
            None => self.fetch_first(client, begun, now).await?,
        };
        let rejection = match self.verify_with(&cached, token, audience, now) {
            Ok(verified) => return Ok(verified),
            Err(rejection) if !rejection.needs_fresh_keys() => return Err(not_believed(&rejection)),
            Err(rejection) => rejection,
        };
        match self.fetch_again(client, begun, now).await {
            Ok(fresh) => self.verify_with(&fresh, token, audience, now).map_err(|rejection| not_believed(&rejection)),
            // The provider may have published the key meanwhile, so the token may be true.
            Err(cause) if matches!(rejection, TokenRejection::UnknownKey { .. }) => Err(self.no_keys(cause)),
            Err(_) => Err(not_believed(&rejection)),
        }
    }

    /// Verifies with each of the audiences, until one fits.
    fn verify_with(
        &self,
        cached: &CachedKeys,
        token: &Secret,
        audience: &AudienceChoice<'_>,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenRejection> {
        let mut outcome = Err(TokenRejection::Missing { claim: "aud" });
        for client_id in &audience.0 {
            let expected = ExpectedClaims {
                issuer: self.trusted.issuer.as_str(),
                issuer_alias: find_bare_issuer(&self.trusted.issuer),
                client_id,
                organization: None,
                exchange_algorithms: None,
                proof: None,
                // A token that another program has obtained: its nonce belongs to a sign-in that is not ours.
                grant: TokenGrant::RefreshToken { subject: None },
                access_token: None,
                now,
                server_date: None,
            };
            outcome =
                oidc::verify_token(UnverifiedToken::new(token.clone()), &cached.keys, &cached.metadata, &expected);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn cached(&self) -> Option<Arc<CachedKeys>> {
        self.cached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn no_keys(&self, cause: String) -> TokenError {
        TokenError::NoKeys { issuer: self.trusted.issuer.as_str().to_owned(), cause }
    }

    /// Fetches the keys when they are missing. Requests that wait for the same fetch share its failure.
    async fn fetch_first(
        &self,
        client: &Client,
        begun: Instant,
        now: Timestamp,
    ) -> Result<Arc<CachedKeys>, TokenError> {
        let mut last_fetch = self.last_fetch.lock().await;
        if let Some(cached) = self.cached() {
            return Ok(cached);
        }
        if let Some(LastFetch { ended, failure: Some(cause), .. }) = &*last_fetch
            && *ended >= begun
        {
            return Err(self.no_keys(cause.clone()));
        }
        self.fetch(client, &mut last_fetch, now).await.map_err(|cause| self.no_keys(cause))
    }

    /// Fetches keys that are old. `None` if that failed within the last minute, or another request is just doing it: the
    /// old keys serve meanwhile.
    async fn refresh(&self, client: &Client, now: Timestamp) -> Option<Arc<CachedKeys>> {
        let mut last_fetch = self.last_fetch.try_lock().ok()?;
        if last_fetch.as_ref().is_some_and(|last| now.duration_since(last.at) < FETCH_INTERVAL) {
            return None;
        }
        self.fetch(client, &mut last_fetch, now).await.ok()
    }

    /// Fetches the keys for a token that the cached ones do not verify. Within a minute after a fetch, its result is returned.
    async fn fetch_again(&self, client: &Client, begun: Instant, now: Timestamp) -> Result<Arc<CachedKeys>, String> {
        let mut last_fetch = self.last_fetch.lock().await;
        if let Some(last) = &*last_fetch
            && (last.ended >= begun || now.duration_since(last.at) < FETCH_INTERVAL)
        {
            return match (&last.failure, self.cached()) {
                (None, Some(cached)) => Ok(cached),
                (failure, _) => Err(failure.clone().unwrap_or_default()),
            };
        }
        self.fetch(client, &mut last_fetch, now).await
    }

    async fn fetch(
        &self,
        client: &Client,
        last_fetch: &mut Option<LastFetch>,
        now: Timestamp,
    ) -> Result<Arc<CachedKeys>, String> {
        let fetched = match timeout(FETCH_TIMEOUT, fetch_keys(client, &self.trusted.issuer)).await {
            Ok(Ok((metadata, keys))) => Ok(Arc::new(CachedKeys { metadata, keys, fetched_at: now })),
            // `Debug` of the error names hosts and status codes, and no token.
            Ok(Err(error)) => Err(format!("{error:?}")),
            Err(_) => Err(format!("no answer within {} s", FETCH_TIMEOUT.as_secs())),
        };
        let issuer = self.trusted.issuer.as_str();
        match &fetched {
            Ok(fresh) => {
                log::info("token", format_args!("{issuer} has {} usable keys", fresh.keys.count()));
                *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(fresh));
            }
            Err(cause) => log::warn("token", format_args!("the keys of {issuer} cannot be fetched: {cause}")),
        }
        *last_fetch = Some(LastFetch { at: now, ended: Instant::now(), failure: fetched.as_ref().err().cloned() });
        fetched
    }
}

async fn fetch_keys(client: &Client, issuer: &Issuer) -> Result<(ProviderMetadata, ProviderKeys), oidc::Error> {
    let metadata = oidc::discover_issuer(client, issuer).await?;
    let keys = oidc::fetch_keys(client, &metadata).await?;
    Ok((metadata, keys))
}

/// The issuer without `https://`, which some tokens of Google have.
fn find_bare_issuer(issuer: &Issuer) -> Option<&str> {
    let provider = Provider::from_host(issuer.url().as_url().host_str()?);
    let (_, bare) = issuer.as_str().split_once("://")?;
    provider.spec().has_bare_issuer.then_some(bare)
}

fn not_believed(rejection: &TokenRejection) -> TokenError {
    TokenError::NotBelieved(format!("{rejection:?}"))
}

/// Reads the person as the client names their session, and what else limits depend on. Fails if none of the claims names
/// a person.
pub fn read_caller(trusted: &TrustedIssuer, token: &VerifiedToken) -> Result<Caller, TokenError> {
    let nobody = || TokenError::NobodyNamed { claims: trusted.person.clone() };
    let session = derive_session_name(token, &trusted.person);
    // The client falls back to the subject, which it then calls a last resort. It is a choice where it is configured.
    let is_subject_accepted = trusted.person.iter().any(|claim| claim == "sub");
    if session.is_last_resort && !is_subject_accepted {
        return Err(nobody());
    }
    let person = Person::parse(&session.name).map_err(|_| nobody())?;
    let read_first = |claims: &[String]| claims.iter().find_map(|claim| read_claim(token, claim)).map(str::to_owned);
    let record = PersonRecord {
        issuer: trusted.issuer.as_str().to_owned(),
        subject: token.subject().to_owned(),
        groups: read_groups(&trusted.group_claims, token.claims()),
        department: read_first(&trusted.department_claims),
        team: read_first(&trusted.team_claims),
        token_issued_at: token.issued_at(),
    };
    Ok(Caller { person, record, are_groups_missing: token.has_groups_overage() })
}

/// The groups in all of these claims, sorted and without repetitions.
fn read_groups(names: &[String], claims: &Map<String, Value>) -> Vec<String> {
    let mut groups: Vec<String> = names.iter().filter_map(|name| claims.get(name)).flat_map(list_groups).collect();
    groups.sort();
    groups.dedup();
    groups
}

/// The groups in one claim: a list of texts, a text with commas, or a text that contains a list, as Cognito writes the
/// groups of another provider (`[a, b]`).
fn list_groups(claim: &Value) -> Vec<String> {
    let is_named = |group: &str| !group.is_empty();
    match claim {
        Value::Array(list) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::trim)
            .filter(|group| is_named(group))
            .map(str::to_owned)
            .collect(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(list @ Value::Array(_)) => list_groups(&list),
            Ok(_) | Err(_) => {
                let inner = text.trim();
                let inner = inner.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(inner);
                inner.split(',').map(str::trim).filter(|group| is_named(group)).map(str::to_owned).collect()
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups_of(claims: &Value) -> Vec<String> {
        let names = ["groups", "cognito:groups"].map(str::to_owned);
        read_groups(&names, claims.as_object().unwrap())
    }

    #[test]
    fn groups_are_read_in_every_form_that_providers_use() {
        for (claims, expected) in [
            (json!({ "groups": ["b", "a", "b"] }), &["a", "b"][..]),
            (json!({ "groups": "a, b,,c " }), &["a", "b", "c"]),
            (json!({ "groups": "only one" }), &["only one"]),
            (json!({ "groups": "[a, b]" }), &["a", "b"]),
            (json!({ "groups": "[\"a,1\", \"b\"]" }), &["a,1", "b"]),
            (json!({ "cognito:groups": ["eu-central-1_abc_Okta", "ml"] }), &["eu-central-1_abc_Okta", "ml"]),
            (json!({ "groups": ["a"], "cognito:groups": ["b"] }), &["a", "b"]),
            (json!({ "groups": ["a", 7, null, "", " "] }), &["a"]),
            (json!({ "groups": "" }), &[]),
            (json!({ "groups": 7 }), &[]),
            (json!({ "groups": { "a": true } }), &[]),
            (json!({ "roles": ["a"] }), &[]),
        ] {
            assert_eq!(groups_of(&claims), expected, "{claims}");
        }
    }

    #[test]
    fn only_google_leaves_the_scheme_out_of_its_issuer() {
        let bare = |issuer: &str| find_bare_issuer(&Issuer::parse(issuer).unwrap()).map(str::to_owned);
        assert_eq!(bare("https://accounts.google.com").as_deref(), Some("accounts.google.com"));
        assert_eq!(bare("https://acme.okta.com"), None);
    }
}
