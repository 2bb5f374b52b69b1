//! Checks the keys that begin with `client_` against each other, and builds the application's authentication from them.
//!
//! It does not open the files that the keys name; see `config::client_auth`.

use super::ProfileBuilder;
use crate::config::{ClientAuth, ClientAuthChoice, ClientKey, ConfigFault, ConfigKey, Provider, Storage, keys};

/// The keys that have a meaning only with a private key.
static PRIVATE_KEY_SETTINGS: [&ConfigKey; 5] = [
    keys::CLIENT_KEY.untyped(),
    keys::CLIENT_CERTIFICATE.untyped(),
    keys::CLIENT_KEY_ID.untyped(),
    keys::CLIENT_ALGORITHM.untyped(),
    keys::CLIENT_AUDIENCE.untyped(),
];

const WITH_PRIVATE_KEY: &str = "client_auth = \"private_key_jwt\"";

impl ProfileBuilder<'_> {
    /// The method of authentication with its settings. A client secret requires storage, because the program never
    /// takes it from the configuration.
    pub(super) fn build_client_auth(
        &mut self,
        provider: Option<Provider>,
        storage: Option<Storage>,
    ) -> Option<ClientAuth> {
        let method = self.read_key(&keys::CLIENT_AUTH)?;
        let setting = self.require_setting(&keys::CLIENT_AUTH)?;
        if method == ClientAuthChoice::PrivateKeyJwt {
            return self.build_client_key().map(ClientAuth::PrivateKey);
        }
        self.reject_key_settings();
        // Google issues a secret to every desktop application, so an unset `client_auth` means "secret" there.
        let has_secret = setting.is_default() && provider.is_some_and(|it| it.spec().always_issues_secret);
        if method == ClientAuthChoice::None && !has_secret {
            return Some(ClientAuth::None);
        }
        if let Some(storage) = storage.filter(|storage| !storage.stores_anything()) {
            let fault = ConfigFault::NeedsStorage { key: "client_auth", value: "secret", storage: storage.name() };
            return self.report_fault(setting, fault);
        }
        Some(ClientAuth::Secret)
    }

    fn build_client_key(&mut self) -> Option<ClientKey> {
        let file = self.read_file_path(&keys::CLIENT_KEY);
        let certificate = self.read_file_path(&keys::CLIENT_CERTIFICATE);
        let id = self.read_key(&keys::CLIENT_KEY_ID);
        let algorithm = self.read_key(&keys::CLIENT_ALGORITHM);
        let audience = self.read_key(&keys::CLIENT_AUDIENCE);
        let Some(file) = file? else {
            let setting = self.require_setting(&keys::CLIENT_AUTH)?;
            let fault = ConfigFault::NeedsKey { key: WITH_PRIVATE_KEY, needs: keys::CLIENT_KEY.name };
            return self.report_fault(setting, fault);
        };
        Some(ClientKey {
            file,
            certificate: certificate?,
            id: id.map(|id| Some(id).filter(|id| !id.is_empty()))?,
            algorithm: algorithm?,
            audience: audience?,
        })
    }

    /// Reports settings of a private key that would have no effect. Otherwise a user who forgets `client_auth` would
    /// sign in without the key and not notice it.
    fn reject_key_settings(&mut self) {
        for key in PRIVATE_KEY_SETTINGS {
            let Some(setting) = self.require_setting(key) else { continue };
            if !matches!(setting.value.as_str(), Some("" | "auto")) {
                let fault = ConfigFault::NeedsKey { key: key.name, needs: WITH_PRIVATE_KEY };
                self.problems.push(setting.problem(fault));
            }
        }
    }
}
