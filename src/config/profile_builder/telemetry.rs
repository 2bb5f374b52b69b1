//! Builds the settings of telemetry: who receives what about the user, and the relay.
//!
//! A relay of the organization gets the ID token, and the relay on the computer sends telemetry with the user's AWS
//! credentials. So only a file in its default place may name either.

use super::ProfileBuilder;
use crate::{
    config::{
        ConfigKey, LaptopRelay, RelayChoice, Storage, TelemetryRelay, TelemetrySettings, error::ValueConflict, keys,
    },
    url::SecureUrl,
};

impl ProfileBuilder<'_> {
    /// `has_provider` is whether the user signs in at an OpenID provider; `None` if the settings do not say.
    pub(super) fn build_telemetry(
        &mut self,
        storage: Option<Storage>,
        has_provider: Option<bool>,
    ) -> Option<TelemetrySettings> {
        let headers = self.read_key(&keys::TELEMETRY_HEADERS);
        let collectors = self.read_key(&keys::TELEMETRY_COLLECTORS);
        let relay = self.build_relay(storage, has_provider);
        let send_token = self.read_key(&keys::TELEMETRY_SEND_TOKEN)?;
        let (mut collectors, relay) = (collectors?, relay?);
        match &relay {
            TelemetryRelay::None if send_token => self.check_collectors(&collectors)?,
            TelemetryRelay::None => {}
            TelemetryRelay::Laptop(_) => self.check_unused_by_laptop(&collectors, send_token)?,
            TelemetryRelay::Remote(address) => {
                if !collectors.is_empty() {
                    self.check_collectors(&collectors)?;
                }
                collectors.push(address.clone());
            }
        }
        let send_token = send_token || matches!(relay, TelemetryRelay::Remote(_));
        let fixed = self.read_key(&keys::TELEMETRY_STATIC);
        Some(TelemetrySettings { headers: headers?, fixed: fixed?, collectors, send_token, relay })
    }

    fn build_relay(&mut self, storage: Option<Storage>, has_provider: Option<bool>) -> Option<TelemetryRelay> {
        let choice = self.read_key(&keys::TELEMETRY_RELAY);
        let port = self.read_key(&keys::TELEMETRY_RELAY_PORT);
        let endpoints = self.read_key(&keys::TELEMETRY_RELAY_ENDPOINT);
        let log_group = self.read_key(&keys::TELEMETRY_LOG_GROUP);
        let log_stream = self.read_key(&keys::TELEMETRY_LOG_STREAM);
        let choice = choice?;
        if choice != RelayChoice::None && !self.require_setting(&keys::TELEMETRY_RELAY)?.is_from_default_location() {
            let remedy = "set `relay` in [profiles.NAME.telemetry] of a file in its default location";
            return self.report_relay_conflict("only a configuration file in its default location may name it", remedy);
        }
        match choice {
            RelayChoice::None => Some(TelemetryRelay::None),
            RelayChoice::Laptop if storage == Some(Storage::None) => {
                let rule = "the relay on the computer needs a stored session, and `storage` is \"none\"";
                self.report_relay_conflict(rule, "set `storage = \"file\"`, or `relay` to the address of a relay")
            }
            RelayChoice::Laptop => Some(TelemetryRelay::Laptop(LaptopRelay {
                port: port?,
                endpoints: endpoints?,
                log_group: log_group?,
                log_stream: log_stream?,
            })),
            RelayChoice::Remote(_) if has_provider == Some(false) => {
                let rule = "your organization's relay needs an ID token, and IAM Identity Center issues none";
                self.report_relay_conflict(rule, "set `relay = \"laptop\"`")
            }
            RelayChoice::Remote(address) => Some(TelemetryRelay::Remote(address)),
        }
    }

    fn report_relay_conflict<T>(&mut self, rule: &str, remedy: &str) -> Option<T> {
        self.report_conflict(&keys::TELEMETRY_RELAY, ValueConflict::new(rule, remedy))
    }

    /// Reports keys that have no effect together with the relay on the computer, since the user expects one.
    fn check_unused_by_laptop(&mut self, collectors: &[SecureUrl], send_token: bool) -> Option<()> {
        let is_set: [(bool, &'static ConfigKey); 2] =
            [(!collectors.is_empty(), &keys::TELEMETRY_COLLECTORS), (send_token, &keys::TELEMETRY_SEND_TOKEN)];
        for (_, key) in is_set.into_iter().filter(|(is_set, _)| *is_set) {
            let rule = "it has no effect with relay = \"laptop\", which gets neither headers nor the ID token";
            self.report_illegal_value::<()>(key, rule);
        }
        is_set.iter().all(|(is_set, _)| !is_set).then_some(())
    }

    /// Checks that the collectors may receive the ID token. A file in a default place must name them, because another
    /// file could belong to an untrusted repository.
    fn check_collectors(&mut self, collectors: &[SecureUrl]) -> Option<()> {
        let is_trusted = self.require_setting(&keys::TELEMETRY_COLLECTORS)?.is_from_default_location();
        let rule = match (collectors.is_empty(), is_trusted) {
            (true, _) => "it needs at least one collector in `collectors`",
            (false, false) => "it needs `collectors` in a configuration file in its default location",
            (false, true) => return Some(()),
        };
        let remedy =
            "set `collectors = [\"https://…\"]` in [profiles.NAME.telemetry] of a file in its default location";
        self.report_conflict(&keys::TELEMETRY_SEND_TOKEN, ValueConflict::new(rule, remedy))
    }
}
