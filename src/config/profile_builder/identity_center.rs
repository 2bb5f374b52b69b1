//! Builds the sign-in at IAM Identity Center, and reports keys that have no meaning there.

use super::ProfileBuilder;
use crate::config::{
    ChainedRole, ClaimTemplate, ConfigKey, IdentityCenterSettings, RedirectHost, RedirectUri, SignInSettings,
    TemplatePart, keys, toml_value::to_toml,
};

/// The path to which AWS redirects the browser. It accepts no other one.
const REDIRECT_PATH: &str = "/oauth/callback";

/// The keys of the sign-in at an OpenID provider, and those that need its ID token.
static PROVIDER_KEYS: [&ConfigKey; 25] = [
    keys::ISSUER.untyped(),
    keys::CLIENT_ID.untyped(),
    keys::ROLE_ARN.untyped(),
    keys::OKTA_DOMAIN.untyped(),
    keys::OKTA_AUTH_SERVER.untyped(),
    keys::ENTRA_TENANT.untyped(),
    keys::AUTH0_DOMAIN.untyped(),
    keys::COGNITO_USER_POOL_ID.untyped(),
    keys::COGNITO_DOMAIN.untyped(),
    keys::COGNITO_ENDPOINT.untyped(),
    keys::PROVIDER.untyped(),
    keys::IDENTITY_POOL_ID.untyped(),
    keys::SCOPES.untyped(),
    keys::EXTRA_PARAMS.untyped(),
    keys::REQUIRE.untyped(),
    keys::REDIRECT_HOST.untyped(),
    keys::REDIRECT_PATH.untyped(),
    keys::SESSION_NAME.untyped(),
    keys::CLIENT_AUTH.untyped(),
    keys::CLIENT_KEY.untyped(),
    keys::CLIENT_CERTIFICATE.untyped(),
    keys::CLIENT_KEY_ID.untyped(),
    keys::CLIENT_ALGORITHM.untyped(),
    keys::TELEMETRY_HEADERS.untyped(),
    keys::TELEMETRY_SEND_TOKEN.untyped(),
];

/// The keys of the sign-in at an Identity Center.
static IDENTITY_CENTER_KEYS: [&ConfigKey; 5] = [
    keys::IDENTITY_CENTER_START_URL.untyped(),
    keys::IDENTITY_CENTER_REGION.untyped(),
    keys::IDENTITY_CENTER_ACCOUNT_ID.untyped(),
    keys::IDENTITY_CENTER_PERMISSION_SET.untyped(),
    keys::IDENTITY_CENTER_ENDPOINT.untyped(),
];

impl ProfileBuilder<'_> {
    pub(super) fn build_identity_center(&mut self) -> Option<(SignInSettings, RedirectUri)> {
        for key in PROVIDER_KEYS {
            self.reject_set_key(
                key,
                "it works only with an OpenID provider, not with federation = \"identity-center\"",
            );
        }
        let start_url = self.read_key(&keys::IDENTITY_CENTER_START_URL);
        // The profile builder reports a missing `region`.
        let profile_region = self.settings.get(&keys::REGION).and_then(|setting| setting.value.as_str());
        let own_region = self.read_key(&keys::IDENTITY_CENTER_REGION);
        let account_id = self.read_key(&keys::IDENTITY_CENTER_ACCOUNT_ID);
        let permission_set = self.read_key(&keys::IDENTITY_CENTER_PERMISSION_SET);
        let ports = self.read_key(&keys::REDIRECT_PORTS);
        let needs = [
            (start_url.as_ref().is_some_and(Option::is_none), "it needs start_url in the table identity_center"),
            (account_id.as_ref().is_some_and(Option::is_none), "it needs account_id in the table identity_center"),
            (
                permission_set.as_ref().is_some_and(Option::is_none),
                "it needs permission_set in the table identity_center",
            ),
        ];
        for (is_missing, rule) in needs {
            if is_missing {
                self.report_illegal_value::<()>(&keys::FEDERATION, rule);
            }
        }
        let settings = IdentityCenterSettings {
            start_url: start_url??,
            region: own_region?.or_else(|| profile_region.map(str::to_owned))?,
            account_id: account_id??,
            permission_set: permission_set??,
        };
        let redirect_uri =
            RedirectUri { host: RedirectHost::LoopbackIp, ports: ports?, path: REDIRECT_PATH.to_owned() };
        Some((SignInSettings::IdentityCenter(settings), redirect_uri))
    }

    pub(super) fn reject_identity_center_keys(&mut self) {
        for key in IDENTITY_CENTER_KEYS {
            self.reject_set_key(key, "it works only with federation = \"identity-center\"");
        }
    }

    /// Reports claims in the templates of the chain, because only an ID token has claims.
    pub(super) fn reject_claims_in_chain(&mut self, chain: &[ChainedRole]) {
        let has_claim = |template: &ClaimTemplate| template.parts().any(|part| matches!(part, TemplatePart::Claim(_)));
        let uses_claim = chain.iter().any(|link| {
            let names = link.session_name.iter().chain(&link.source_identity);
            names.chain(link.tags.values()).any(has_claim)
        });
        if uses_claim {
            let rule = "it must not use claims such as {email}, because IAM Identity Center issues no ID token";
            self.report_illegal_value::<()>(&keys::ROLE_CHAIN, rule);
        }
    }

    /// Reports a key that would have no effect, unless it has its default. Otherwise the user would expect one.
    fn reject_set_key(&mut self, key: &'static ConfigKey, rule: &'static str) {
        let Some(setting) = self.settings.get(key) else { return };
        let default = key.default_value().map(|default| to_toml(&default));
        if !setting.is_default() && Some(to_toml(setting.value)) != default {
            self.report_illegal_value::<()>(key, rule);
        }
    }
}
