//! The judgement of an ID token (OIDC Core §3.1.3.7): nothing is kept, sent or exchanged before it.
//!
//! Pure: no clock, no network. Who calls it fetches the keys anew, once, when the answer asks for that.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    ProviderMetadata,
    claims::Claims,
    key_set::{ProviderKeys, TokenSigner, parse_algorithm},
    provider::RequiredOrganization,
    rejection::{ClockSkew, TokenPart, TokenRejection},
};
use crate::{secret::Secret, store::UnsealedRecord, text::UntrustedText, time::Timestamp};

/// How far two honest clocks may lie apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// Group-heavy tokens reach tens of kilobytes; nothing honest reaches this.
const MAX_TOKEN_BYTES: usize = 256 * 1024;

/// An ID token as it came. It can be verified, and nothing else.
#[derive(Clone, Debug)]
pub struct UnverifiedToken(Secret);

impl UnverifiedToken {
    pub fn new(raw: Secret) -> Self {
        Self(raw)
    }
}

/// Proof that a token was verified by this program, in this run or before it was sealed. `cache` asks for it: text from
/// anywhere else, such as a pipe, cannot become a [`VerifiedToken`] without being verified.
#[derive(Clone, Copy, Debug)]
pub struct RecallProof(());

impl From<&UnsealedRecord> for RecallProof {
    fn from(_: &UnsealedRecord) -> Self {
        Self(())
    }
}

#[cfg(test)]
impl RecallProof {
    /// Tests take tokens back that nobody signed.
    pub(crate) fn for_tests() -> Self {
        Self(())
    }
}

/// An ID token that was judged and found good.
#[derive(Clone)]
pub struct VerifiedToken {
    raw: Secret,
    claims: Map<String, Value>,
    subject: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

/// What a good token says.
#[derive(Debug)]
pub struct ExpectedClaims<'a> {
    pub issuer: &'a str,
    /// Another name that the issuer goes by, where its provider has one.
    pub issuer_alias: Option<&'a str>,
    pub client_id: &'a str,
    /// `None` where the profile asks for none.
    pub organization: Option<RequiredOrganization<'a>>,
    pub grant: TokenGrant<'a>,
    /// The access token of the same answer, compared with `compute_at_hash` where the token has one.
    pub access_token: Option<&'a Secret>,
    pub now: Timestamp,
    /// The provider's clock, from the `Date` of its answer: tells a wrong clock from an old token.
    pub server_date: Option<Timestamp>,
}

/// How the token was obtained. It decides what ties the token to this sign-in.
#[derive(Clone, Copy, Debug)]
pub enum TokenGrant<'a> {
    /// The token must contain the nonce of the authorization request.
    AuthorizationCode { nonce: &'a Secret },
    /// There is no nonce (RFC 8628): the device code ties the token to the request.
    DeviceCode,
    /// The token must be of the same user. A nonce in it is that of an earlier sign-in (OIDC Core §12.2). `subject` is
    /// `None` only in records that do not name the user.
    RefreshToken { subject: Option<&'a str> },
}

/// Believes a token, or says why not.
pub fn verify_token(
    token: UnverifiedToken,
    keys: &ProviderKeys,
    metadata: &ProviderMetadata,
    expected: &ExpectedClaims<'_>,
) -> Result<VerifiedToken, TokenRejection> {
    let parts = SplitToken::split(token.0.expose())?;
    let signer = find_signer(&parts, keys, metadata)?;
    let claims = Claims::from_encoded_part(parts.claims).ok_or(TokenRejection::Malformed(TokenPart::Claims))?;
    check_parties(&claims, expected)?;
    check_organization(&claims, expected)?;
    check_nonce(&claims, expected)?;
    let (issued_at, expires_at) = check_times(&claims, expected)?;
    check_access_token(&claims, expected, &signer)?;
    let subject = check_subject(&claims, expected)?;
    Ok(VerifiedToken { raw: token.0, claims: claims.0, subject, issued_at, expires_at })
}

impl VerifiedToken {
    /// Takes back a token that this program verified and then sealed, without verifying it again: the keys that signed it
    /// may be gone by now. That is sound because the store is authenticated: whoever could forge a record in it has its
    /// key, and with that everything that the token could be exchanged for.
    pub fn from_sealed_store(raw: Secret, _: RecallProof) -> Option<Self> {
        let claims = Claims::from_encoded_part(SplitToken::split(raw.expose()).ok()?.claims)?;
        let subject = claims.require_text("sub").ok()?.to_owned();
        let expires = claims.require_time("exp").ok()?;
        // Verification requires `iat`; a token without it counts as old.
        let issued = claims.require_time("iat").unwrap_or(expires);
        Some(Self { raw, claims: claims.0, subject, issued_at: issued, expires_at: expires })
    }

    /// Lets this very token be taken back out of the session that it is stored in.
    pub fn recall_proof(&self) -> RecallProof {
        RecallProof(())
    }

    pub fn raw(&self) -> &Secret {
        &self.raw
    }

    /// When the provider issued it (`iat`), by the provider's clock.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whether the person's groups are too many for the token, which says instead where to ask for them: in a claim of
    /// OIDC Core §5.6.2, or in Entra's short form of it ("Groups overage claim").
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

/// A token taken apart at its dots (RFC 7515 §7.1).
struct SplitToken<'a> {
    header: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    /// Header and claims as they came: what was signed.
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

/// The key that signed, by what the header says of it. Keys and addresses of keys inside the header are not looked at.
fn find_signer<'k>(
    parts: &SplitToken<'_>,
    keys: &'k ProviderKeys,
    metadata: &ProviderMetadata,
) -> Result<TokenSigner<'k>, TokenRejection> {
    let malformed = |_| TokenRejection::Malformed(TokenPart::Header);
    let header = Claims::from_encoded_part(parts.header).ok_or(TokenRejection::Malformed(TokenPart::Header))?;
    if header.value("crit").is_some() {
        return Err(TokenRejection::CriticalHeader);
    }
    if let Some(typ) = header.optional_text("typ").map_err(malformed)?
        && !typ.eq_ignore_ascii_case("JWT")
    {
        return Err(TokenRejection::WrongTokenType { named: UntrustedText::new(typ) });
    }
    let name = header.require_text("alg").map_err(malformed)?;
    let algorithm = parse_algorithm(name)
        .filter(|_| metadata.offers_algorithm(name))
        .ok_or_else(|| TokenRejection::Algorithm { named: UntrustedText::new(name) })?;
    let kid = header.optional_text("kid").map_err(malformed)?;
    keys.find_signer(kid, algorithm, parts.signed_text.as_bytes(), &parts.signature)
}

/// Who issued it, for whom, and through whom.
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
    // A token for several needs to say whose it is; a token that says so must say us.
    if party.map_or(audiences.len() > 1, |party| party != expected.client_id) {
        let (expected, actual) = (UntrustedText::new(expected.client_id), party.map(UntrustedText::new));
        return Err(TokenRejection::AuthorizedParty { expected, actual });
    }
    Ok(())
}

/// The provider was asked for people of one organization, and lets others choose to be somebody else.
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

fn check_nonce(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<(), TokenRejection> {
    let nonce = match expected.grant {
        TokenGrant::AuthorizationCode { nonce } => nonce,
        TokenGrant::DeviceCode | TokenGrant::RefreshToken { .. } => return Ok(()),
    };
    if claims.require_text("nonce")? == nonce.expose() { Ok(()) } else { Err(TokenRejection::NonceMismatch) }
}

/// When it was issued and when it expires, where now lies between the two.
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
