//! Verifies an ID token (OIDC Core §3.1.3.7). No other module stores, exchanges or displays a token before this one
//! accepts it.
//!
//! Each check, the attack that it stops, and the section that demands it ("Core" is OIDC Core):
//!
//! | Check | Stops | Section |
//! |---|---|---|
//! | size, three parts, unique names | exhausted memory; parsers that read different values | RFC 7519 §4 and §7.2 |
//! | `crit` | extensions that this program would ignore | RFC 7515 §4.1.11 |
//! | `typ` | an access or logout token in place of an ID token | RFC 8725 §3.11 |
//! | `alg` | unsigned tokens; HMAC with the public key as secret | RFC 8725 §3.1, Core §3.1.3.7 item 7 |
//! | signature by a key of `jwks_uri` | forged tokens | Core §3.1.3.7 item 6 |
//! | no key from the token itself | tokens that supply the attacker's key | RFC 8725 §3.10 |
//! | `iss` | tokens of another provider or tenant | Core §3.1.3.7 item 2 |
//! | `aud`, `azp` | tokens that the provider issued to another application | Core §3.1.3.7 items 3 to 5 |
//! | organization | users of another tenant of the same issuer | the provider's documentation |
//! | `require` | a sign-in that is weaker or older than the profile demands, or of a foreign account | Core §2 and §3.1.3.7 items 12 and 13 |
//! | `nonce` | a code or token from another sign-in | Core §3.1.3.7 item 11, RFC 9700 §4.5 |
//! | `exp`, `nbf`, `iat` | replay of old tokens | Core §3.1.3.7 items 9 and 10, RFC 7519 §4.1.5 |
//! | `at_hash` | a substituted access token | Core §3.1.3.8 |
//! | `sub` | a refresh that changes the user | Core §2 and §12.2 |
//!
//! The module is pure: it has no clock and no network. When [`TokenRejection::needs_fresh_keys`] says so, the caller
//! fetches the keys once and verifies again.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    ProviderMetadata,
    claims::{Claims, LEEWAY},
    key_set::{ProviderKeys, TokenSigner, parse_algorithm},
    provider::RequiredOrganization,
    rejection::{ClockSkew, TokenPart, TokenRejection},
    sign_in_proof::{self, ProofRules},
};
use crate::{secret::Secret, store::UnsealedRecord, text::UntrustedText, time::Timestamp};

/// The largest accepted token. Tokens with many groups reach tens of kilobytes. The limit bounds the memory and time
/// that a hostile answer can use.
const MAX_TOKEN_BYTES: usize = 256 * 1024;

/// An ID token as the provider sent it. Callers can only verify it: the type gives no access to its text or claims.
#[derive(Clone, Debug)]
pub struct UnverifiedToken(Secret);

impl UnverifiedToken {
    pub fn new(raw: Secret) -> Self {
        Self(raw)
    }
}

/// Proof that this program verified a token, in this run or before it sealed the token. Only an unsealed record or a
/// [`VerifiedToken`] yields one, so text from anywhere else, for example a pipe, cannot become a [`VerifiedToken`]
/// without verification.
#[derive(Clone, Copy, Debug)]
pub struct RecallProof(());

impl From<&UnsealedRecord> for RecallProof {
    fn from(_: &UnsealedRecord) -> Self {
        Self(())
    }
}

#[cfg(test)]
impl RecallProof {
    /// Lets tests recall tokens that have no valid signature.
    pub(crate) fn for_tests() -> Self {
        Self(())
    }
}

/// An ID token that passed every check of this module.
///
/// Invariant: only [`verify_token`] and [`VerifiedToken::from_sealed_store`] create one.
#[derive(Clone)]
pub struct VerifiedToken {
    raw: Secret,
    claims: Map<String, Value>,
    /// Claims of the provider's UserInfo about the same user. The provider did not sign them, so they are separate.
    user_info: BTreeMap<String, String>,
    subject: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

/// The values that an acceptable token must contain, and the facts of the response that it came in.
#[derive(Debug)]
pub struct ExpectedClaims<'a> {
    pub issuer: &'a str,
    pub issuer_alias: Option<&'a str>,
    pub client_id: &'a str,
    /// `None` where the profile requires no organization.
    pub organization: Option<RequiredOrganization<'a>>,
    /// The signature algorithms that AWS accepts for the exchange of this profile; `None` if AWS does not name them.
    pub exchange_algorithms: Option<&'static [&'static str]>,
    /// What the sign-in must prove; `None` where the profile requires nothing.
    pub proof: Option<ProofRules<'a>>,
    pub grant: TokenGrant<'a>,
    /// The access token of the same response. It is compared with `at_hash` if the ID token has that claim.
    pub access_token: Option<&'a Secret>,
    pub now: Timestamp,
    /// The provider's clock, from the `Date` header of its response. It separates a wrong local clock from an expired
    /// token in messages. It never makes a token acceptable.
    pub server_date: Option<Timestamp>,
}

/// How the program obtained the token. It decides which check binds the token to this sign-in.
#[derive(Clone, Copy, Debug)]
pub enum TokenGrant<'a> {
    /// The token must contain the nonce of the authorization request (OIDC Core §3.1.3.7 item 11).
    AuthorizationCode { nonce: &'a Secret },
    /// RFC 8628 has no nonce. The device code, which only this program and the provider know, binds the token.
    DeviceCode,
    /// The token must belong to the same user. A nonce in it comes from the original sign-in and is not checked (OIDC
    /// Core §12.2). `subject` is `None` only for stored records that do not name the user.
    RefreshToken { subject: Option<&'a str> },
}

/// Verifies a token, or returns the first check that it failed.
///
/// The signature comes before the claims: the program reads no claim of a token that the provider did not sign, so an
/// attacker cannot choose the claims that a rejection quotes.
pub fn verify_token(
    token: UnverifiedToken,
    keys: &ProviderKeys,
    metadata: &ProviderMetadata,
    expected: &ExpectedClaims<'_>,
) -> Result<VerifiedToken, TokenRejection> {
    let parts = SplitToken::split(token.0.expose())?;
    let signer = find_signer(&parts, keys, metadata, expected)?;
    let claims = Claims::from_encoded_part(parts.claims).ok_or(TokenRejection::Malformed(TokenPart::Claims))?;
    check_parties(&claims, expected)?;
    check_organization(&claims, expected)?;
    check_nonce(&claims, expected)?;
    check_proof(&claims, expected)?;
    let (issued_at, expires_at) = check_times(&claims, expected)?;
    check_access_token(&claims, expected, &signer)?;
    let subject = check_subject(&claims, expected)?;
    Ok(VerifiedToken { raw: token.0, claims: claims.0, user_info: BTreeMap::new(), subject, issued_at, expires_at })
}

impl VerifiedToken {
    /// Recreates a token that this program verified and then sealed. It does not verify the signature again, because
    /// the provider may have removed the key meanwhile. That is safe because the store is authenticated: an attacker
    /// who can forge a record has the store's key, and so already reads every secret that the token could be exchanged
    /// for.
    pub fn from_sealed_store(raw: Secret, _: RecallProof) -> Option<Self> {
        let claims = Claims::from_encoded_part(SplitToken::split(raw.expose()).ok()?.claims)?;
        let subject = claims.require_text("sub").ok()?.to_owned();
        let expires = claims.require_time("exp").ok()?;
        // Verification requires `iat`. Without it, the lifetime counts as zero, so that the token is refreshed as soon
        // as its expiry is near.
        let issued = claims.require_time("iat").unwrap_or(expires);
        let user_info = BTreeMap::new();
        Some(Self { raw, claims: claims.0, user_info, subject, issued_at: issued, expires_at: expires })
    }

    /// The same token, with claims of UserInfo. The caller guarantees that they are about the token's subject.
    #[must_use]
    pub fn with_user_info(self, user_info: BTreeMap<String, String>) -> Self {
        Self { user_info, ..self }
    }

    /// A claim of UserInfo. It names the user, and must decide nothing.
    pub fn user_info(&self, name: &str) -> Option<&str> {
        self.user_info.get(name).map(String::as_str)
    }

    pub fn recall_proof(&self) -> RecallProof {
        RecallProof(())
    }

    pub fn raw(&self) -> &Secret {
        &self.raw
    }

    /// When the provider issued the token (`iat`), by the provider's clock.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The algorithm that signed the token. `None` only for a token of the tests without a signature.
    pub fn signature_algorithm(&self) -> Option<String> {
        let header = Claims::from_encoded_part(SplitToken::split(self.raw.expose()).ok()?.header)?;
        header.require_text("alg").ok().map(str::to_owned)
    }

    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Returns whether the token omits the user's groups because there are too many. It then has a distributed claim
    /// (OIDC Core §5.6.2) or Entra's short form of it ("Groups overage claim"). A rule on groups would otherwise see
    /// no group.
    pub fn has_groups_overage(&self) -> bool {
        let elsewhere = self.claim("_claim_names").and_then(|names| names.get("groups"));
        elsewhere.is_some() || self.claim("hasgroups").is_some_and(|has| *has != Value::Bool(false))
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken").field("expires", &self.expires_at).finish_non_exhaustive()
    }
}

/// A token split at its dots (JWS compact serialization, RFC 7515 §7.1).
struct SplitToken<'a> {
    header: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    /// The encoded header and claims, byte for byte: the input of the signature (RFC 7515 §5.2).
    signed_text: &'a str,
}

impl<'a> SplitToken<'a> {
    fn split(token: &'a str) -> Result<Self, TokenRejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRejection::TooLarge);
        }
        let shape = || TokenRejection::Malformed(TokenPart::Structure);
        let (signed, signature) = token.rsplit_once('.').ok_or_else(shape)?;
        let (header, claims) = signed.split_once('.').ok_or_else(shape)?;
        if claims.contains('.') {
            return Err(shape());
        }
        let signature =
            URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenRejection::Malformed(TokenPart::Signature))?;
        Ok(Self { header, claims, signature, signed_text: signed })
    }
}

/// Checks the header and verifies the signature. The header may name a key (`kid`) but cannot supply one: `jwk`, `jku`
/// and `x5u` are ignored, because an attacker would put their own key there (RFC 8725 §3.10).
fn find_signer<'k>(
    parts: &SplitToken<'_>,
    keys: &'k ProviderKeys,
    metadata: &ProviderMetadata,
    expected: &ExpectedClaims<'_>,
) -> Result<TokenSigner<'k>, TokenRejection> {
    let malformed = |_| TokenRejection::Malformed(TokenPart::Header);
    let header = Claims::from_encoded_part(parts.header).ok_or(TokenRejection::Malformed(TokenPart::Header))?;
    // RFC 7515 §4.1.11: a recipient must reject extensions that it does not implement. `b64` (RFC 7797), for example,
    // changes which bytes are signed.
    if header.value("crit").is_some() {
        return Err(TokenRejection::CriticalHeader);
    }
    // RFC 8725 §3.11: `at+jwt` or `logout+jwt`, signed by the same keys, must not pass as an ID token.
    if let Some(typ) = header.optional_text("typ").map_err(malformed)?
        && !typ.eq_ignore_ascii_case("JWT")
    {
        return Err(TokenRejection::WrongTokenType { named: UntrustedText::new(typ) });
    }
    // RFC 8725 §3.1: the fixed list of this program decides, and the provider's list can only narrow it.
    let name = header.require_text("alg").map_err(malformed)?;
    let algorithm = parse_algorithm(name)
        .filter(|_| metadata.offers_algorithm(name))
        .ok_or_else(|| TokenRejection::Algorithm { named: UntrustedText::new(name) })?;
    let kid = header.optional_text("kid").map_err(malformed)?;
    let signer = keys.find_signer(kid, algorithm, parts.signed_text.as_bytes(), &parts.signature)?;
    // The signature is right, but the token is worth nothing to this profile.
    match expected.exchange_algorithms {
        Some(accepted) if !accepted.contains(&name) => {
            Err(TokenRejection::ExchangeAlgorithm { named: UntrustedText::new(name) })
        }
        _ => Ok(signer),
    }
}

/// Checks `iss`, `aud` and `azp` (OIDC Core §3.1.3.7 items 2 to 5).
///
/// Without them, a token that the user gave to any other application, or that any other tenant issued, would sign in
/// here (token substitution). Comparisons are exact: a trailing slash is another issuer.
fn check_parties(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<(), TokenRejection> {
    let issuer = claims.require_text("iss")?;
    if issuer != expected.issuer && Some(issuer) != expected.issuer_alias {
        let (expected, actual) = (UntrustedText::new(expected.issuer), UntrustedText::new(issuer));
        return Err(TokenRejection::Issuer { expected, actual });
    }
    let audiences = claims.require_audiences()?;
    if !audiences.contains(&expected.client_id) {
        let actual = audiences.into_iter().map(UntrustedText::new).collect();
        return Err(TokenRejection::Audience { expected: UntrustedText::new(expected.client_id), actual });
    }
    let party = claims.optional_text("azp")?;
    // A token with several audiences must name the client that it was issued to. A named client must be this one.
    if party.map_or(audiences.len() > 1, |party| party != expected.client_id) {
        let (expected, actual) = (UntrustedText::new(expected.client_id), party.map(UntrustedText::new));
        return Err(TokenRejection::AuthorizedParty { expected, actual });
    }
    Ok(())
}

/// Checks the claim that names the user's organization. For these providers the request parameter only preselects an
/// account: the user can change it in the browser and sign in with an account of another organization.
fn check_organization(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<(), TokenRejection> {
    let Some(organization) = expected.organization else { return Ok(()) };
    let claim = organization.claim;
    let stated = claims.optional_text(claim)?;
    if organization.matches_claim(stated) {
        return Ok(());
    }
    let (expected, actual) = (UntrustedText::new(organization.name), stated.map(UntrustedText::new));
    Err(TokenRejection::Organization { claim, expected, actual })
}

/// Checks what the sign-in must prove. A refreshed token may omit these claims (OIDC Core §12.2): there the values of
/// the sign-in count, and `session` judges them.
fn check_proof(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<(), TokenRejection> {
    let Some(rules) = &expected.proof else { return Ok(()) };
    match expected.grant {
        TokenGrant::RefreshToken { .. } => Ok(()),
        TokenGrant::AuthorizationCode { .. } | TokenGrant::DeviceCode => {
            sign_in_proof::check_claims(&claims.0, rules, expected.now).map_err(TokenRejection::Requirement)
        }
    }
}

/// Checks the nonce (OIDC Core §3.1.3.7 item 11). It stops an attacker who injects a code of their own sign-in or a
/// stolen one (RFC 9700 §4.5), also at a provider that ignores PKCE.
///
/// The comparison need not run in constant time: the provider signed the token, so an attacker cannot send guesses.
fn check_nonce(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<(), TokenRejection> {
    let nonce = match expected.grant {
        TokenGrant::AuthorizationCode { nonce } => nonce,
        TokenGrant::DeviceCode | TokenGrant::RefreshToken { .. } => return Ok(()),
    };
    if claims.require_text("nonce")? == nonce.expose() { Ok(()) } else { Err(TokenRejection::NonceMismatch) }
}

/// Checks `exp`, `iat` and `nbf`, with the leeway (RFC 7519 §4.1.4 to §4.1.6), and returns the first two. An old token
/// from a log or a backup fails here.
fn check_times(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<(Timestamp, Timestamp), TokenRejection> {
    let now = expected.now;
    let expiry = claims.require_time("exp")?;
    let issued = claims.require_time("iat")?;
    let begins = claims.value("nbf").map(|_| claims.require_time("nbf")).transpose()?;
    let latest = now.saturating_add(LEEWAY);
    let fault = if now >= expiry.saturating_add(LEEWAY) {
        TokenRejection::Expired { at: expiry, now }
    } else if issued > latest {
        TokenRejection::IssuedInTheFuture { at: issued, now }
    } else if let Some(from) = begins.filter(|begins| *begins > latest) {
        TokenRejection::NotYetValid { from, now }
    } else {
        return Ok((issued, expiry));
    };
    let skew = expected.server_date.map(|there| ClockSkew::between(now, there));
    Err(skew.filter(|skew| skew.span() > LEEWAY).map_or(fault, TokenRejection::WrongClock))
}

/// Checks `at_hash` (OIDC Core §3.1.3.8): an attacker cannot put another access token beside a genuine ID token. The
/// claim is optional in the code flow. The program uses the access token only to fetch UserInfo.
fn check_access_token(
    claims: &Claims,
    expected: &ExpectedClaims<'_>,
    signer: &TokenSigner<'_>,
) -> Result<(), TokenRejection> {
    let stated = claims.optional_text("at_hash")?;
    let (Some(stated), Some(access_token)) = (stated, expected.access_token) else { return Ok(()) };
    if signer.compute_half_hash(access_token.expose()).as_deref() == Some(stated) {
        Ok(())
    } else {
        Err(TokenRejection::AccessTokenMismatch)
    }
}

/// Checks `sub`: present, at most 255 bytes (OIDC Core §2), and after a refresh the same user as before (§12.2).
/// Otherwise a refresh token from a mixed-up response would continue the session as another user.
fn check_subject(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<String, TokenRejection> {
    let subject = claims.require_text("sub")?;
    if subject.is_empty() || subject.len() > 255 {
        return Err(TokenRejection::InvalidSubject);
    }
    match expected.grant {
        TokenGrant::RefreshToken { subject: Some(previous) } if previous != subject => {
            return Err(TokenRejection::SubjectChanged);
        }
        TokenGrant::AuthorizationCode { .. } | TokenGrant::DeviceCode | TokenGrant::RefreshToken { .. } => {}
    }
    Ok(subject.to_owned())
}

#[cfg(test)]
mod signing;
#[cfg(test)]
mod tests;
