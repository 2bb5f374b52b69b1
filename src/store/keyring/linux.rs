//! Linux: the Secret Service of the session, found through the environment.
//!
//! What is said to it is `secret_service`'s business.

use super::{Fault, Place, patience, place, secret_service::Service};
use crate::{
    host::Environment,
    store::key::{Key, of_bytes},
};

const ENVIRONMENT: Environment = Environment::Process;

/// Without a display nobody would see the keyring's question.
pub(super) fn may_ask() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| ENVIRONMENT.os(name).is_some())
}

pub(super) fn read() -> Result<Option<Key>, Fault> {
    let secret = service()?.secret()?;
    Ok(secret.and_then(|bytes| of_bytes(&bytes)))
}

pub(super) fn write(key: &Key) -> Result<(), Fault> {
    service()?.keep(key.as_ref())
}

pub(super) fn remove() -> Result<(), Fault> {
    service()?.forget()
}

pub(super) fn place() -> Place {
    place::place(&ENVIRONMENT)
}

fn service() -> Result<Service, Fault> {
    Service::connect(&ENVIRONMENT, patience(), may_ask())
}
