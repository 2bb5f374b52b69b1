//! What collectors are told about the person, and which of them.
//!
//! Settings only; what is said of a person is the business of the module of the same name.

use std::collections::BTreeMap;

use super::{
    error::ConfigFault,
    parsers,
    profile_builder::ProfileBuilder,
    setting::{ConfigSetting, ValueOrigin},
    telemetry_headers,
    toml_value::to_toml,
};
use crate::url::SecureUrl;

/// What a collector is told about the person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Names in small letters, and the claims that fill them; empty: the usual ones.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The collectors that are told anything; empty: any.
    pub collectors: Vec<SecureUrl>,
    /// Whether these are given the ID token as well.
    pub send_token: bool,
}

impl ProfileBuilder<'_> {
    pub(super) fn build_telemetry(&mut self) -> Option<TelemetrySettings> {
        let headers = self.read_key("telemetry.headers", telemetry_headers::parse_header_claims);
        let collectors = self.read_key("telemetry.collectors", parsers::parse_urls);
        let send_token = self.read_key("telemetry.send_token", parsers::parse_bool)?;
        if send_token {
            self.check_collectors(collectors.as_ref()?)?;
        }
        Some(TelemetrySettings { headers: headers?, collectors: collectors?, send_token })
    }

    /// A token goes only to collectors that a file in a default place names: another file may be a repository's.
    fn check_collectors(&mut self, collectors: &[SecureUrl]) -> Option<()> {
        let (_, named) = self.require_setting("telemetry.collectors")?;
        let rule = match (collectors.is_empty(), is_from_default_location(named)) {
            (true, _) => "nothing says to which collectors",
            (false, false) => "its collectors are believed only from a file in its default place",
            (false, true) => return Some(()),
        };
        let (_, setting) = self.require_setting("telemetry.send_token")?;
        let (key, value) = ("telemetry.send_token", to_toml(setting.value));
        let instead =
            "[profiles.NAME.telemetry] collectors = [\"https://…\"], in the administrator's file or your own";
        self.report_fault(
            setting,
            ConfigFault::Conflict { key, value, rule: rule.to_owned(), remedy: instead.to_owned() },
        )
    }
}

fn is_from_default_location(setting: ConfigSetting<'_>) -> bool {
    matches!(setting.origin, ValueOrigin::File(source, _) if !source.is_named)
}
