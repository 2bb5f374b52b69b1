//! Linux: the Secret Service of the session, found through the environment.
//!
//! What is said to it is `secret_service`'s business.

use super::{
    KeyringContext, KeyringFault, KeyringItem, KeyringOptions,
    secret_service::{SecretService, is_kwallet},
};
use crate::{
    host::{Environment, ExecutionContext},
    store::sealing_key::{SealingKey, key_from_bytes},
};

const ENVIRONMENT: Environment = Environment::Process;

/// Without a display nobody would see the keyring's question.
pub(super) fn can_prompt() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| ENVIRONMENT.var_os(name).is_some())
}

pub(super) fn read_item(item: KeyringItem, manner: KeyringOptions) -> Result<Option<SealingKey>, KeyringFault> {
    let secret = SecretService::connect(&ENVIRONMENT, item, manner)?.read_secret()?;
    Ok(secret.and_then(|bytes| key_from_bytes(&bytes)))
}

pub(super) fn write_item(item: KeyringItem, key: &SealingKey, manner: KeyringOptions) -> Result<(), KeyringFault> {
    SecretService::connect(&ENVIRONMENT, item, manner)?.write_secret(key.as_ref())
}

pub(super) fn remove_item(item: KeyringItem, manner: KeyringOptions) -> Result<(), KeyringFault> {
    SecretService::connect(&ENVIRONMENT, item, manner)?.delete_items()
}

/// What kind of session this is, as far as it explains why there is no keyring. Only called when there is a fault.
pub(super) fn detect_context() -> KeyringContext {
    if is_kwallet(&ENVIRONMENT) {
        return KeyringContext::KWallet;
    }
    from_surroundings(&ExecutionContext::detect(&ENVIRONMENT, false))
}

/// The innermost of what surrounds this process: a container may run on WSL's kernel.
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
