//! Linux: the key is an item of the session's Secret Service (for example GNOME Keyring or KWallet), found through the
//! environment. `secret_service` speaks to it.

use super::{
    KeyringContext, KeyringFault, KeyringItem, KeyringOptions,
    secret_service::{SecretService, is_kwallet},
};
use crate::{
    host::{Environment, ExecutionContext},
    store::sealing_key::{SealingKey, key_from_bytes},
};

const ENVIRONMENT: Environment = Environment::Process;

/// Whether the user would see a prompt by the keyring: it opens a window.
pub(super) fn can_prompt() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| ENVIRONMENT.var_os(name).is_some())
}

pub(super) fn read_item(item: KeyringItem, options: KeyringOptions) -> Result<Option<SealingKey>, KeyringFault> {
    let secret = SecretService::connect(&ENVIRONMENT, item, options)?.read_secret()?;
    Ok(secret.and_then(|bytes| key_from_bytes(&bytes)))
}

pub(super) fn write_item(item: KeyringItem, key: &SealingKey, options: KeyringOptions) -> Result<(), KeyringFault> {
    SecretService::connect(&ENVIRONMENT, item, options)?.write_secret(key.as_ref())
}

pub(super) fn remove_item(item: KeyringItem, options: KeyringOptions) -> Result<(), KeyringFault> {
    SecretService::connect(&ENVIRONMENT, item, options)?.delete_items()
}

/// The kind of session, as far as it explains why there is no keyring. Called only after a fault, because it takes
/// time.
pub(super) fn detect_context() -> KeyringContext {
    if is_kwallet(&ENVIRONMENT) {
        return KeyringContext::KWallet;
    }
    from_surroundings(&ExecutionContext::detect(&ENVIRONMENT, false))
}

/// The innermost environment of this process: a container can run on WSL's kernel, and SSH can lead into either.
fn from_surroundings(around: &ExecutionContext) -> KeyringContext {
    match around {
        ExecutionContext { ssh: true, .. } => KeyringContext::Ssh,
        ExecutionContext { container: true, .. } => KeyringContext::Container,
        ExecutionContext { wsl: true, .. } => KeyringContext::Wsl,
        _ => KeyringContext::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyring_context_is_the_innermost_environment() {
        let wsl = ExecutionContext { wsl: true, ..ExecutionContext::default() };
        let container = ExecutionContext { container: true, ..wsl };
        let ssh = ExecutionContext { ssh: true, ..container };
        let contexts = [ExecutionContext::default(), wsl, container, ssh].map(|around| from_surroundings(&around));
        assert_eq!(
            contexts,
            [KeyringContext::Plain, KeyringContext::Wsl, KeyringContext::Container, KeyringContext::Ssh]
        );
    }
}
