//! A profile to work with, for the tests of other modules.

use std::path::PathBuf;

use super::{ConfigInputs, OidcSettings, Profile, SignInSettings, load_profile};
use crate::host::{Environment, HostPaths};

/// A profile named `claude` of a generic provider, with the defaults of all keys that can be empty, and stored in files.
pub(crate) fn profile() -> Profile {
    let environment = Environment::fixed([
        ("BEDROCK_SSO_PROFILE", "claude"),
        ("BEDROCK_SSO_ISSUER", "https://login.example.com"),
        ("BEDROCK_SSO_CLIENT_ID", "client"),
        ("BEDROCK_SSO_ROLE_ARN", "arn:aws:iam::123456789012:role/BedrockUser"),
        ("BEDROCK_SSO_REGION", "us-east-1"),
        ("BEDROCK_SSO_STORAGE", "file"),
        ("BEDROCK_SSO_STS_FALLBACK_REGIONS", "[]"),
    ]);
    let nowhere = PathBuf::from("/nonexistent/bedrock-sso");
    let paths = HostPaths {
        user_config: nowhere.clone(),
        system_config: nowhere.clone(),
        home_data: nowhere.clone(),
        data: nowhere,
    };
    let inputs = ConfigInputs {
        environment: &environment,
        paths: &paths,
        file: None,
        profile: None,
        flags: &[],
        with_user_layers: true,
    };
    let profile = load_profile(&inputs).expect("the variables make a profile");
    Profile { session_name: Vec::new(), is_default_choice: false, ..profile }
}

/// The settings of its provider.
pub(crate) fn oidc_settings() -> OidcSettings {
    profile().oidc().expect("the profile has an OpenID provider").clone()
}

/// The same profile with changed settings of its provider.
pub(crate) fn profile_with(change: impl FnOnce(&mut OidcSettings)) -> Profile {
    let mut profile = profile();
    let SignInSettings::Oidc(oidc) = &mut profile.sign_in else { panic!("the profile has an OpenID provider") };
    change(oidc);
    profile
}
