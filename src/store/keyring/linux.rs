//! Linux: the Secret Service of the session, found through the environment.
//!
//! What is said to it is `secret_service`'s business.

use super::{Fault, Item, Manner, Place, place, secret_service::Service};
use crate::{
    host::Environment,
    store::key::{Key, of_bytes},
};

const ENVIRONMENT: Environment = Environment::Process;

/// Without a display nobody would see the keyring's question.
pub(super) fn may_ask() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| ENVIRONMENT.os(name).is_some())
}

pub(super) fn read(item: Item, manner: Manner) -> Result<Option<Key>, Fault> {
    let secret = service(item, manner)?.secret()?;
    Ok(secret.and_then(|bytes| of_bytes(&bytes)))
}

pub(super) fn write(item: Item, key: &Key, manner: Manner) -> Result<(), Fault> {
    service(item, manner)?.keep(key.as_ref())
}

pub(super) fn remove(item: Item, manner: Manner) -> Result<(), Fault> {
    service(item, manner)?.forget()
}

pub(super) fn place() -> Place {
    place::place(&ENVIRONMENT)
}

fn service(item: Item, Manner { patience, may_ask }: Manner) -> Result<Service, Fault> {
    Service::connect(&ENVIRONMENT, item, patience, may_ask)
}
