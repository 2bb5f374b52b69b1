//! What kind of place this is, as far as it explains why there is no keyring.
//!
//! It is looked at only when there is a fault to explain.

use super::{KeyringContext, secret_service::is_kwallet};
use crate::host::{Environment, ExecutionContext};

pub(super) fn detect_context(environment: &Environment) -> KeyringContext {
    if is_kwallet(environment) {
        KeyringContext::KWallet
    } else {
        from_surroundings(&ExecutionContext::detect(environment, false))
    }
}

/// The nearest of the walls around it: a container may stand on WSL's kernel.
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
    fn a_place_is_told_by_the_nearest_of_its_walls() {
        let wsl = ExecutionContext { wsl: true, ..ExecutionContext::default() };
        let container = ExecutionContext { container: true, ..wsl };
        let ssh = ExecutionContext { ssh: true, ..container };
        let told =
            [ExecutionContext::default(), wsl, container, ssh].map(|around| from_surroundings(&around));
        assert_eq!(
            told,
            [KeyringContext::Plain, KeyringContext::Wsl, KeyringContext::Container, KeyringContext::Ssh]
        );
    }
}
