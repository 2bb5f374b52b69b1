//! The judgement of an ID token (OIDC Core §3.1.3.7): nothing is kept, sent or exchanged before it.
//!
//! Pure: no clock, no network. Who calls it fetches the keys anew, once, when the answer asks for that.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    Metadata,
    claims::{Claims, Unusable},
    keys::{Algorithm, Keys, NoSigner, Signer},
    provider::Organization,
    rejection::{Part, Rejection, Skew},
};
use crate::{secret::Secret, text::Foreign, time::Moment};

/// How far two honest clocks may lie apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// Group-heavy tokens reach tens of kilobytes; nothing honest reaches this.
const LARGEST: usize = 256 * 1024;

/// An ID token as it came. It can be verified, and nothing else.
#[derive(Clone, Debug)]
pub struct Unverified(Secret);

impl Unverified {
    pub fn new(raw: Secret) -> Self {
        Self(raw)
    }
}

/// An ID token that was judged and found good.
pub struct VerifiedToken {
    raw: Secret,
    claims: Map<String, Value>,
    subject: String,
    issued: Moment,
    expires: Moment,
}

/// What a good token says.
#[derive(Debug)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    /// Another name that the issuer goes by, where its provider has one.
    pub issuer_alias: Option<&'a str>,
    pub client_id: &'a str,
    /// `None` where the profile asks for none.
    pub organization: Option<Organization<'a>>,
    /// `None` for a refresh: its nonce belongs to a sign-in long past (OIDC Core §12.2).
    pub nonce: Option<&'a Secret>,
    /// The access token of the same answer, compared with `at_hash` where the token has one.
    pub access_token: Option<&'a Secret>,
    /// Whose token it must be, when an earlier one is renewed.
    pub previous_subject: Option<&'a str>,
    pub now: Moment,
    /// The provider's clock, from the `Date` of its answer: tells a wrong clock from an old token.
    pub server_date: Option<Moment>,
}

/// Believes a token, or says why not.
pub fn verify(
    token: Unverified,
    keys: &Keys,
    metadata: &Metadata,
    expected: &Expected<'_>,
) -> Result<VerifiedToken, Rejection> {
    let parts = Parts::of(token.0.expose())?;
    let header = Header::read(parts.header, metadata)?;
    let signer = header.signer(keys, &parts)?;
    let claims = Claims::decode(parts.claims).ok_or(Rejection::Malformed(Part::Claims))?;
    check_parties(&claims, expected)?;
    check_organization(&claims, expected)?;
    check_nonce(&claims, expected)?;
    check_times(&claims, expected)?;
    check_access_token(&claims, expected, &signer)?;
    let subject = subject(&claims, expected)?;
    let issued = required("iat", claims.moment("iat"))?;
    let expires = required("exp", claims.moment("exp"))?;
    Ok(VerifiedToken { raw: token.0, claims: claims.into_map(), subject, issued, expires })
}

impl VerifiedToken {
    /// Takes back what this program itself verified and then sealed, without judging it again: the keys that signed it
    /// may be gone by now. That is sound because the sealed store is authenticated: who could forge a record there
    /// holds its key, and so everything that this token could win. Never give it text from anywhere else.
    pub fn recalled_from_our_own_store(raw: Secret) -> Option<Self> {
        let claims = Claims::decode(Parts::of(raw.expose()).ok()?.claims)?;
        let subject = claims.text("sub").ok()?.to_owned();
        let expires = claims.moment("exp").ok()?;
        // Verification requires `iat`; a token without it counts as old.
        let issued = claims.moment("iat").unwrap_or(expires);
        Some(Self { raw, claims: claims.into_map(), subject, issued, expires })
    }

    pub fn raw(&self) -> &Secret {
        &self.raw
    }

    /// When the provider issued it (`iat`), by the provider's clock.
    pub fn issued(&self) -> Moment {
        self.issued
    }

    pub fn expires(&self) -> Moment {
        self.expires
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
    pub fn leaves_groups_out(&self) -> bool {
        let elsewhere = self.claim("_claim_names").and_then(|names| names.get("groups"));
        elsewhere.is_some() || self.claim("hasgroups").is_some_and(|has| *has != Value::Bool(false))
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A token taken apart at its dots (RFC 7515 §7.1).
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
    /// Header and claims as they came: what was signed.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Rejection> {
        if token.len() > LARGEST {
            return Err(Rejection::TooLarge);
        }
        let shape = || Rejection::Malformed(Part::Shape);
        let (signed, signature) = token.rsplit_once('.').ok_or_else(shape)?;
        let (header, claims) = signed.split_once('.').ok_or_else(shape)?;
        if claims.contains('.') {
            return Err(shape());
        }
        let signature =
            URL_SAFE_NO_PAD.decode(signature).map_err(|_| Rejection::Malformed(Part::Signature))?;
        Ok(Self { header, claims, signature, signed })
    }
}

/// What the header says of the signature. Keys and addresses of keys inside it are not looked at.
struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    fn read(part: &str, metadata: &Metadata) -> Result<Self, Rejection> {
        let malformed = |_| Rejection::Malformed(Part::Header);
        let header = Claims::decode(part).ok_or(Rejection::Malformed(Part::Header))?;
        if header.value("crit").is_some() {
            return Err(Rejection::Critical);
        }
        if let Some(typ) = header.optional_text("typ").map_err(malformed)?
            && !typ.eq_ignore_ascii_case("JWT")
        {
            return Err(Rejection::Type { named: Foreign::new(typ) });
        }
        let name = header.text("alg").map_err(malformed)?;
        let algorithm = Algorithm::named(name)
            .filter(|_| metadata.offers_algorithm(name))
            .ok_or_else(|| Rejection::Algorithm { named: Foreign::new(name) })?;
        let kid = header.optional_text("kid").map_err(malformed)?.map(str::to_owned);
        Ok(Self { algorithm, kid })
    }

    fn signer<'a>(&'a self, keys: &'a Keys, parts: &Parts<'_>) -> Result<Signer<'a>, Rejection> {
        let kid = self.kid.as_deref();
        keys.signer(kid, &self.algorithm, parts.signed.as_bytes(), &parts.signature).map_err(|none| {
            match (none, kid) {
                (NoSigner::Forged, Some(_)) => Rejection::Signature,
                // Without a name, "another key signed it" is all that can be known.
                _ => Rejection::UnknownKey { kid: kid.map(Foreign::new) },
            }
        })
    }
}

/// Who issued it, for whom, and through whom.
fn check_parties(claims: &Claims, expected: &Expected<'_>) -> Result<(), Rejection> {
    let issuer = required("iss", claims.text("iss"))?;
    if issuer != expected.issuer && Some(issuer) != expected.issuer_alias {
        let (expected, actual) = (Foreign::new(expected.issuer), Foreign::new(issuer));
        return Err(Rejection::Issuer { expected, actual });
    }
    let audiences = required("aud", claims.audiences())?;
    if !audiences.contains(&expected.client_id) {
        let actual = audiences.into_iter().map(Foreign::new).collect();
        return Err(Rejection::Audience { expected: Foreign::new(expected.client_id), actual });
    }
    let party = required("azp", claims.optional_text("azp"))?;
    // A token for several needs to say whose it is; a token that says so must say us.
    if party.map_or(audiences.len() > 1, |party| party != expected.client_id) {
        let (expected, actual) = (Foreign::new(expected.client_id), party.map(Foreign::new));
        return Err(Rejection::AuthorizedParty { expected, actual });
    }
    Ok(())
}

/// The provider was asked for people of one organization, and lets others choose to be somebody else.
fn check_organization(claims: &Claims, expected: &Expected<'_>) -> Result<(), Rejection> {
    let Some(organization) = expected.organization else { return Ok(()) };
    let claim = organization.claim;
    let stated = required(claim, claims.optional_text(claim))?;
    if organization.is(stated) {
        return Ok(());
    }
    let (expected, actual) = (Foreign::new(organization.named), stated.map(Foreign::new));
    Err(Rejection::Organization { claim, expected, actual })
}

fn check_nonce(claims: &Claims, expected: &Expected<'_>) -> Result<(), Rejection> {
    let Some(nonce) = expected.nonce else { return Ok(()) };
    if required("nonce", claims.text("nonce"))? == nonce.expose() { Ok(()) } else { Err(Rejection::Nonce) }
}

fn check_times(claims: &Claims, expected: &Expected<'_>) -> Result<(), Rejection> {
    let now = expected.now;
    let expiry = required("exp", claims.moment("exp"))?;
    let issued = required("iat", claims.moment("iat"))?;
    let begins = match claims.moment("nbf") {
        Err(Unusable::Missing) => None,
        other => Some(required("nbf", other)?),
    };
    let latest = now.plus(LEEWAY);
    let fault = if now >= expiry.plus(LEEWAY) {
        Rejection::Expired { at: expiry, now }
    } else if issued > latest {
        Rejection::IssuedInTheFuture { at: issued, now }
    } else if let Some(from) = begins.filter(|begins| *begins > latest) {
        Rejection::NotYetValid { from, now }
    } else {
        return Ok(());
    };
    Err(expected.server_date.and_then(|there| skew(now, there)).map_or(fault, Rejection::Clock))
}

/// How our clock stands to theirs, when the difference is more than leeway would forgive.
fn skew(here: Moment, there: Moment) -> Option<Skew> {
    let (ahead, behind) = (here.since(there), there.since(here));
    match () {
        () if ahead > LEEWAY => Some(Skew::AheadBy(ahead)),
        () if behind > LEEWAY => Some(Skew::BehindBy(behind)),
        () => None,
    }
}

fn check_access_token(
    claims: &Claims,
    expected: &Expected<'_>,
    signer: &Signer<'_>,
) -> Result<(), Rejection> {
    let stated = required("at_hash", claims.optional_text("at_hash"))?;
    let (Some(stated), Some(access_token)) = (stated, expected.access_token) else { return Ok(()) };
    if signer.half_hash(access_token.expose()).as_deref() == Some(stated) {
        Ok(())
    } else {
        Err(Rejection::AccessTokenHash)
    }
}

fn subject(claims: &Claims, expected: &Expected<'_>) -> Result<String, Rejection> {
    let subject = required("sub", claims.text("sub"))?;
    if subject.is_empty() || subject.len() > 255 {
        return Err(Rejection::Subject);
    }
    if expected.previous_subject.is_some_and(|previous| previous != subject) {
        return Err(Rejection::OtherSubject);
    }
    Ok(subject.to_owned())
}

/// Says which claim it was that cannot be used.
fn required<T>(claim: &'static str, value: Result<T, Unusable>) -> Result<T, Rejection> {
    value.map_err(|why| match why {
        Unusable::Missing => Rejection::Missing { claim },
        Unusable::WrongKind => Rejection::WrongKind { claim },
    })
}

#[cfg(test)]
mod signing;
#[cfg(test)]
mod tests;
