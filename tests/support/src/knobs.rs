//! The knobs by which a test changes the world: each has one value, until it is changed or for the next N uses.
//!
//! The code that reads a knob defines its meaning. The names below are the only ones.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::Fault;

/// The control address has the same names in kebab-case: `refresh-fault`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knob {
    // The value of each of these is a [`Fault`].
    DiscoveryFault,
    KeysFault,
    AuthorizeFault,
    CodeFault,
    RefreshFault,
    RevokeFault,
    UserInfoFault,
    DeviceCodeFault,
    PollFault,
    AssumeFault,
    IdentityFault,
    /// The fault of AssumeRole.
    LinkFault,
    /// The fault of both operations of the identity pool.
    PoolFault,
    // The faults of IAM Identity Center. Where two knobs cover an operation, its own one is read first.
    RegisterClientFault,
    PortalAuthorizeFault,
    /// The fault of CreateToken with an authorization code.
    PortalCodeFault,
    /// The fault of CreateToken with a refresh token.
    PortalRefreshFault,
    PortalDeviceCodeFault,
    /// The fault of CreateToken with a device code.
    PortalPollFault,
    /// The fault of every operation of SSO OIDC.
    SsoOidcFault,
    RoleCredentialsFault,
    PortalLogoutFault,
    /// The fault of every operation of the access portal.
    PortalFault,
    QuotaFault,
    TelemetryFault,
    /// The fault of every Bedrock operation.
    BedrockFault,
    /// The fault of getSigninToken, at the console's federation endpoint.
    SigninFault,
    /// What the quota service answers; within the limits by default.
    Quota,
    /// The answer to `GET /me`. Without it the service has no such address, like that of AWS's guidance sample.
    QuotaOverview,
    /// Seconds by which the provider's and AWS's clocks are ahead of this machine's: `Date`, token times, expirations.
    Clock,
    /// Seconds by which the provider's clock is ahead, on top of `Clock`.
    ProviderClock,
    /// Appended to the provider's origin: the result is the issuer. `"/"`, `"/tenant/v2.0"`.
    IssuerSuffix,
    /// Members of the discovery document to replace, or with null to remove.
    DiscoveryDocument,
    /// Members of the key set to replace, or with null to remove.
    KeysDocument,
    /// `"auto"` (the default) signs the user in without a page; `"page"` shows a page with a button.
    Login,
    /// `{"error": …, "description": …}` for the callback in place of a code.
    AuthorizeError,
    /// The provider supports device codes. The value replaces or removes members of its answer: `{}`, `{"expires_in":
    /// 2}`.
    DeviceCodes,
    /// Query strings that another local program sends to the callback before the user's browser arrives there.
    Forged,
    /// Parameters of the callback to replace, or with null to remove: `{"iss": null}`.
    CallbackQuery,
    /// How the application is registered: `none` (the default), `client_secret_basic`, `client_secret_post`,
    /// `private_key_jwt`.
    ClientAuth,
    /// The scopes that the provider knows and lists in its discovery document; all standard ones by default.
    Scopes,
    /// The condition for a refresh token: the scope `offline_access` with `scope` (the default), that scope and
    /// `prompt=consent` with `consent` (OIDC Core §11), Google's pair of parameters with `access-type`, no condition with
    /// `always`.
    Offline,
    /// Entra's rules for the `Origin` header at the token endpoint: `required` or `refused`.
    Origin,
    /// The status of every refusal at the token endpoint, 400 by default.
    RefusalStatus,
    /// The audience that the application's assertions must have: `issuer` (the default) or `endpoint`.
    AssertionAudience,
    /// The algorithms that may sign the application's assertions.
    AssertionAlgorithms,
    /// The exact redirect URIs that are registered. By default every loopback port with `/callback` is.
    RedirectUris,
    /// Name of the signature algorithm, RS256 by default.
    Algorithm,
    /// `none`, `hs256-public-key`, `broken-signature`, `other-key`, `unknown-kid`, `no-kid`.
    Forgery,
    /// Claims about the user to replace, or with null to remove.
    Claims,
    /// Like `Claims`, but applied last, so that any claim can be made wrong.
    IdTokenClaims,
    /// The provider has a UserInfo endpoint. The value replaces or removes members of its answer, which has all claims about
    /// the user.
    UserInfo,
    /// Seconds from the provider's current time, by claim: `{"exp": -100}`.
    IdTokenTimes,
    /// Lifetime of an ID token in seconds, 3600 by default.
    IdTokenLifetime,
    /// true: a refresh returns no ID token.
    RefreshWithoutIdToken,
    /// true: the provider never issues a refresh token.
    WithoutRefreshToken,
    /// true: a refresh returns no new refresh token, and the old one stays valid.
    WithoutRotation,
    /// The role's longest session in seconds, 43200 by default.
    RoleMaximum,
    /// Seconds until credentials expire, whatever the request says.
    CredentialLifetime,
    /// `[{"issuer": …, "audiences": […]}]`: the identity providers of the AWS account; this provider by default.
    Registered,
    /// true: the role's trust policy lacks `sts:TagSession`.
    WithoutTagSession,
    /// `[role ARN, …]`: roles besides the usual one whose trust policy names the provider; none by default.
    FurtherRoles,
    /// `[{"arn": …, "trusts": role ARN, "suggest_external_id": …, "tags": bool, "source_identity": bool}]`: the roles that
    /// AssumeRole knows, none by default.
    ChainRoles,
    /// The name under which the pool knows the provider; by default its issuer without scheme and final slash.
    PoolLogin,
    /// true: the pool has no role for authenticated users.
    PoolWithoutRole,
    /// Seconds until a client registration at IAM Identity Center expires, ninety days by default.
    RegistrationLifetime,
    /// Lifetime of an access token of IAM Identity Center in seconds, 3600 by default.
    PortalTokenLifetime,
    /// The name of the user who signs in to IAM Identity Center, `jane@example.com` by default.
    PortalUser,
    /// Members of the answer of StartDeviceAuthorization to replace, or with null to remove: `{"expiresIn": 2}`.
    PortalDeviceCodes,
    /// `[{"account_id": …, "name": …, "email": …, "roles": [permission set, …]}]`: what is assigned to the user; two
    /// accounts by default.
    Assignments,
    /// The error code that AWS returns for revoked credentials, `InvalidClientTokenId` by default.
    RevokedAs,
    /// How Bedrock refuses, by operation in kebab-case: `{"converse": {"status": 403, "code": …, "message": …}}`.
    BedrockRefusals,
    /// Members of each foundation model to replace, by model identifier. Null removes the model.
    BedrockModels,
    /// How a stream ends: `"cut"`, or with an exception: `{"code": "throttlingException", "message": …}`.
    BedrockStream,
}

impl Knob {
    /// Whether the knob is a state. One request may read it several times, so its uses cannot be counted.
    pub(crate) fn is_state(self) -> bool {
        use Knob::{
            AssertionAlgorithms, AssertionAudience, Assignments, BedrockModels, BedrockRefusals, BedrockStream,
            ChainRoles, ClientAuth, Clock, DeviceCodes, FurtherRoles, IssuerSuffix, Offline, Origin, PoolLogin,
            PortalDeviceCodes, ProviderClock, RedirectUris, RefusalStatus, Registered, RegistrationLifetime,
            RoleMaximum, Scopes, UserInfo,
        };
        matches!(
            self,
            AssertionAlgorithms
                | AssertionAudience
                | Assignments
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
                | PortalDeviceCodes
                | ProviderClock
                | RedirectUris
                | RefusalStatus
                | Registered
                | RegistrationLifetime
                | RoleMaximum
                | Scopes
                | UserInfo
        )
    }
}

struct Setting {
    value: Value,
    /// Remaining uses; `None` if the value holds until it is changed.
    left: Option<u32>,
}

#[derive(Default)]
pub struct Knobs(Mutex<BTreeMap<Knob, VecDeque<Setting>>>);

impl Knobs {
    /// Sets a value that holds until it is changed. Earlier settings of this knob are dropped.
    pub fn set(&self, knob: Knob, value: impl Into<Value>) {
        self.all().insert(knob, [Setting { value: value.into(), left: None }].into());
    }

    /// Sets a value for the next uses, which follows earlier counted values. Null means the normal behaviour.
    ///
    /// # Panics
    /// If the knob is a state, whose uses cannot be counted.
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

    /// Returns the current value, and uses it up once if it is counted.
    pub(crate) fn take(&self, knob: Knob) -> Option<Value> {
        let mut all = self.all();
        let settings = all.get_mut(&knob)?;
        settings.retain(|setting| setting.left != Some(0));
        let front = settings.front_mut()?;
        front.left = front.left.map(|left| left - 1);
        Some(front.value.clone()).filter(|value| !value.is_null())
    }

    /// Returns the current value without using it up.
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

/// Replaces members of `target` by those of `patch`; null removes a member (RFC 7396, one level deep).
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
