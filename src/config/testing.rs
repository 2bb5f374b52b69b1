//! A profile to stand on, for the tests of whatever works with one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    AwsEndpoints, ClientAuth, Federation, Issuer, LoginMode, Profile, Provider, RedirectHost, RedirectUri,
    RoleArn, SignInFlow, Storage, TelemetrySettings,
};
use crate::http::ProxyChoice;

pub(crate) fn profile() -> Profile {
    Profile {
        name: "claude".into(),
        issuer: Issuer::parse("https://login.example.com").unwrap(),
        login_domain: None,
        client_id: "client".into(),
        federation: Federation::Sts {
            role: RoleArn::parse("arn:aws:iam::123456789012:role/BedrockUser").unwrap(),
        },
        role_chain: Vec::new(),
        region: "us-east-1".into(),
        provider: Provider::Generic,
        scopes: Vec::new(),
        extra_params: BTreeMap::new(),
        redirect_uri: RedirectUri {
            host: RedirectHost::LoopbackIp,
            ports: Vec::new(),
            path: "/callback".into(),
        },
        flow: SignInFlow::Auto,
        browser: Vec::new(),
        login: LoginMode::Auto,
        login_timeout: Duration::from_secs(165),
        session_duration: Duration::from_hours(12),
        session_name: Vec::new(),
        storage: Storage::File,
        client_auth: ClientAuth::None,
        aws_endpoints: AwsEndpoints::default(),
        sts_fallback_regions: Vec::new(),
        proxy: ProxyChoice::Variables,
        ca_bundle: None,
        aws_profile: None,
        telemetry: TelemetrySettings::default(),
        quota: None,
        deciding_file: None,
        is_default_choice: false,
        enforced_keys: BTreeSet::new(),
        set_by_administrator: BTreeSet::new(),
    }
}
