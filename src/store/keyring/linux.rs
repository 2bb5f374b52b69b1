//! Linux: the Secret Service of the session, found through the environment.
//!
//! What is said to it is `secret_service`'s business.

use super::{
    KeyringContext, KeyringFault, KeyringItem, KeyringOptions, place, secret_service::SecretService,
};
use crate::{
    host::Environment,
    store::key::{SealingKey, key_from_bytes},
};

const ENVIRONMENT: Environment = Environment::Process;

/// Without a display nobody would see the keyring's question.
pub(super) fn can_prompt() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| ENVIRONMENT.var_os(name).is_some())
}

pub(super) fn read_item(
    item: KeyringItem,
    manner: KeyringOptions,
) -> Result<Option<SealingKey>, KeyringFault> {
    let secret = connect_service(item, manner)?.read_secret()?;
    Ok(secret.and_then(|bytes| key_from_bytes(&bytes)))
}

pub(super) fn write_item(
    item: KeyringItem,
    key: &SealingKey,
    manner: KeyringOptions,
) -> Result<(), KeyringFault> {
    connect_service(item, manner)?.write_secret(key.as_ref())
}

pub(super) fn remove_item(item: KeyringItem, manner: KeyringOptions) -> Result<(), KeyringFault> {
    connect_service(item, manner)?.delete_items()
}

pub(super) fn detect_context() -> KeyringContext {
    place::detect_context(&ENVIRONMENT)
}

fn connect_service(
    item: KeyringItem,
    KeyringOptions { timeout: patience, may_prompt: may_ask }: KeyringOptions,
) -> Result<SecretService, KeyringFault> {
    SecretService::connect(&ENVIRONMENT, item, patience, may_ask)
}
