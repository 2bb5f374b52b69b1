//! The knobs a scenario turns: one value each, until changed or for the next N uses.
//!
//! Their meaning is with the code that reads them; unknown names cannot be set.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;

/// By the control address the same names in kebab-case: `refresh-fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knob {
    // Each a [`Fault`].
    DiscoveryFault,
    KeysFault,
    AuthorizeFault,
    CodeFault,
    RefreshFault,
    RevokeFault,
    DeviceCodeFault,
    PollFault,
    AssumeFault,
    IdentityFault,
    /// AssumeRole.
    LinkFault,
    /// Either question to the identity pool.
    PoolFault,
    QuotaFault,
    /// Any question to Bedrock.
    BedrockFault,
    /// getSigninToken of the console's sign-in.
    SigninFault,
    /// What the quota service answers; within the limits by default.
    Quota,
    /// Seconds by which everybody else's clock is ahead of this machine's: `Date`, token times, expirations.
    Clock,
    /// Seconds by which the provider alone is ahead, on top of `Clock`.
    ProviderClock,
    /// Appended to the provider's origin to make its issuer: `"/"`, `"/tenant/v2.0"`.
    IssuerSuffix,
    /// Members of the discovery document to replace, or to remove with null.
    DiscoveryDocument,
    /// Members of the key set to replace, or to remove with null.
    KeysDocument,
    /// `"auto"` (the default) signs in by itself; `"page"` shows a page with a button.
    Login,
    /// `{"error": …, "description": …}` in place of a code, properly returned to the callback.
    AuthorizeError,
    /// The provider gives device codes, with these members of its answer replaced or removed: `{}`, `{"expires_in": 2}`.
    DeviceCodes,
    /// Queries with which a hostile neighbour visits the callback before the person comes back.
    Forged,
    /// Parameters of the callback to replace, or to remove with null: `{"iss": null}`.
    CallbackQuery,
    /// How the application is registered: `none` (the default), `client_secret_basic`, `client_secret_post`,
    /// `private_key_jwt`.
    ClientAuth,
    /// The scopes that the provider knows, in discovery too; all of the standard's by default.
    Scopes,
    /// What brings a refresh token: `scope` (the default) is `offline_access`, `always` needs nothing, and `access-type` is
    /// Google's pair of parameters.
    Offline,
    /// Whether codes and refresh tokens are redeemed from an `OriginRetry`: Entra's `required`, or `refused`.
    Origin,
    /// The status of every refusal at the token endpoint, 400 by default.
    RefusalStatus,
    /// Whom the application's assertions must be for: `issuer` (the default) or `endpoint`.
    AssertionAudience,
    /// The names of the algorithms that they may be signed with.
    AssertionAlgorithms,
    /// Redirect addresses registered exactly, in place of any port on loopback with `/callback`.
    RedirectUris,
    /// Name of the signature algorithm, RS256 by default.
    Algorithm,
    /// `none`, `hs256-public-key`, `broken-signature`, `other-key`, `unknown-kid`, `no-kid`.
    Forgery,
    /// What the provider knows of the person: claims to replace, or to remove with null.
    Claims,
    /// Like `Claims`, but applied last, so that any claim may be wrong.
    IdTokenClaims,
    /// Seconds from the provider's now, by claim: `{"exp": -100}`.
    IdTokenTimes,
    /// Seconds an ID token lives, 3600 by default.
    IdTokenLifetime,
    /// true: a refresh is answered without an ID token.
    RefreshWithoutIdToken,
    /// true: no refresh token is ever given.
    WithoutRefreshToken,
    /// true: a refresh token stays good, and none comes with a refresh.
    WithoutRotation,
    /// The role's longest session in seconds, 43200 by default.
    RoleMaximum,
    /// Seconds until credentials end, whatever was asked.
    CredentialLifetime,
    /// `[{"issuer": …, "audiences": […]}]`: what the account has registered; the provider by default.
    Registered,
    /// true: the role's trust policy lacks `sts:TagSession`.
    WithoutTagSession,
    /// `[role ARN, …]`: roles that trust the provider besides the usual one, none by default.
    FurtherRoles,
    /// `[{"arn": …, "trusts": role ARN, "suggest_external_id": …, "tags": bool, "source_identity": bool}]`: the roles that
    /// AssumeRole knows, none by default.
    ChainRoles,
    /// The name by which the pool knows the provider; its issuer without scheme and last slash by default.
    PoolLogin,
    /// true: the pool has no role for people who are signed in.
    PoolWithoutRole,
    /// What AWS says of revoked credentials, `InvalidClientTokenId` by default.
    RevokedAs,
    /// How Bedrock refuses, by question in kebab-case: `{"converse": {"status": 403, "code": …, "message": …}}`.
    BedrockRefusals,
    /// Members of each foundation model to replace, by its identifier, or the model to remove with null.
    BedrockModels,
    /// What becomes of a stream: `"cut"`, or `{"code": "throttlingException", "message": …}` in the middle of it.
    BedrockStream,
}

impl Knob {
    /// Looked at many times in one request, so that uses cannot be counted.
    pub(crate) fn is_state(self) -> bool {
        use Knob::{
            AssertionAlgorithms, AssertionAudience, BedrockModels, BedrockRefusals, BedrockStream, ChainRoles,
            ClientAuth, Clock, DeviceCodes, FurtherRoles, IssuerSuffix, Offline, Origin, PoolLogin, ProviderClock,
            RedirectUris, RefusalStatus, Registered, RoleMaximum, Scopes,
        };
        matches!(
            self,
            AssertionAlgorithms
                | AssertionAudience
                | BedrockModels
                | BedrockRefusals
                | BedrockStream
                | ChainRoles
                | ClientAuth
                | Clock
                | DeviceCodes
                | FurtherRoles
                | IssuerSuffix
                | Offline
                | Origin
                | PoolLogin
                | ProviderClock
                | RedirectUris
                | RefusalStatus
                | Registered
                | RoleMaximum
                | Scopes
        )
    }
}

struct Setting {
    value: Value,
    /// `None`: until changed.
    left: Option<u32>,
}

#[derive(Default)]
pub struct Knobs(Mutex<BTreeMap<Knob, VecDeque<Setting>>>);

impl Knobs {
    /// Holds until changed, and forgets what was set before.
    pub fn set(&self, knob: Knob, value: impl Into<Value>) {
        self.all().insert(knob, [Setting { value: value.into(), left: None }].into());
    }

    /// Holds for the next uses only, in the order of calls; null stands for the normal course. A state has no uses
    /// to count, and cannot be set so.
    pub fn next(&self, times: u32, knob: Knob, value: impl Into<Value>) {
        assert!(!knob.is_state(), "{knob:?} is a state: it can be set, but not for some uses");
        let setting = Setting { value: value.into(), left: Some(times) };
        let mut all = self.all();
        let settings = all.entry(knob).or_default();
        let standing = settings.iter().position(|setting| setting.left.is_none());
        settings.insert(standing.unwrap_or(settings.len()), setting);
    }

    pub fn clear(&self, knob: Knob) {
        self.all().remove(&knob);
    }

    pub fn clear_all(&self) {
        self.all().clear();
    }

    /// The value in force; a counted one is used up by this.
    pub(crate) fn take(&self, knob: Knob) -> Option<Value> {
        let mut all = self.all();
        let settings = all.get_mut(&knob)?;
        settings.retain(|setting| setting.left != Some(0));
        let front = settings.front_mut()?;
        front.left = front.left.map(|left| left - 1);
        Some(front.value.clone()).filter(|value| !value.is_null())
    }

    /// The value in force, for what is a state rather than an event.
    pub(crate) fn peek(&self, knob: Knob) -> Option<Value> {
        let all = self.all();
        let front = all.get(&knob)?.iter().find(|setting| setting.left != Some(0))?;
        Some(front.value.clone()).filter(|value| !value.is_null())
    }

    pub(crate) fn fault(&self, knob: Knob) -> Option<Fault> {
        self.take(knob)
            .map(|value| serde_json::from_value(value.clone()).unwrap_or_else(|why| panic!("{knob:?} {value}: {why}")))
    }

    pub(crate) fn flag(&self, knob: Knob) -> bool {
        self.take(knob).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    pub(crate) fn number(&self, knob: Knob, otherwise: i64) -> i64 {
        self.peek(knob).and_then(|value| value.as_i64()).unwrap_or(otherwise)
    }

    pub(crate) fn text(&self, knob: Knob) -> Option<String> {
        self.take(knob)?.as_str().map(str::to_owned)
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<Knob, VecDeque<Setting>>> {
        self.0.lock().unwrap()
    }
}

/// Replaces members of `target` by those of `patch`; null removes (RFC 7396, one level deep).
pub(crate) fn merge(target: &mut Value, patch: Option<Value>) {
    let (Value::Object(target), Some(Value::Object(patch))) = (target, patch) else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            target.insert(name, value);
        }
    }
}
