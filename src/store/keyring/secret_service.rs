//! A client of the Secret Service API: one item in the user's default collection, with as few calls as possible.
//!
//! The client is our own, because the existing crates cannot query a locked keyring without a prompt, and need four
//! times as long for the first call of a day (docs/performance.md). The session is not encrypted ("plain"). Encryption
//! would protect nothing: only processes of this user can listen on the bus, and such a process can also ask for the
//! item.

use std::time::Duration;

use zeroize::Zeroizing;

use super::{
    KeyringFault, KeyringItem, KeyringOptions, MissingPart, SERVICE,
    dbus::BusConnection,
    wire::{BodyReader, MethodCall, WireReader, WireWriter},
};
use crate::{host::Environment, log};

const SERVICE_NAME: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
const COLLECTION_INTERFACE: &str = "org.freedesktop.Secret.Collection";
const ITEM_INTERFACE: &str = "org.freedesktop.Secret.Item";
const PROMPT_INTERFACE: &str = "org.freedesktop.Secret.Prompt";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// The object path by which the API says "no object".
const NO_OBJECT: &str = "/";

/// The names that KWallet owns on the bus in addition, newest first. From KDE Frameworks 6.14 on, `ksecretd` provides
/// the Secret Service.
const KWALLET_NAMES: [&str; 3] = ["org.kde.ksecretd", "org.kde.kwalletd6", "org.kde.kwalletd5"];
/// The timeout for questions to the bus itself, which answers at once or not at all.
const OWNER_TIMEOUT: Duration = Duration::from_millis(500);

type SecretBytes = Zeroizing<Vec<u8>>;

/// A conversation with the service, with the results of the first calls.
pub(super) struct SecretService {
    bus: BusConnection,
    session: String,
    /// The default collection, or [`NO_OBJECT`].
    default_collection: String,
    items: FoundItems,
    item: KeyringItem,
    options: KeyringOptions,
}

/// The items that have our attributes.
struct FoundItems {
    unlocked: Vec<String>,
    locked: Vec<String>,
}

impl SecretService {
    /// Opens a session and searches for the item, in one round trip. A harmless `ReadAlias` goes first and is waited
    /// for: gnome-keyring can crash if `OpenSession` is the first call of a client (launchpad.net/bugs/2162595).
    pub(super) fn connect(
        environment: &Environment,
        item: KeyringItem,
        options: KeyringOptions,
    ) -> Result<Self, KeyringFault> {
        let mut bus = BusConnection::open(environment, options.timeout)?;
        let greeting = bus.queue_call(&build_alias_call("default"));
        let default_collection = bus.wait_for_reply(greeting, "o", |reader| reader.read_text())?;
        let plain = WireWriter::new().string("plain").signature("s").string("");
        let session = bus.queue_call(&build_call(SERVICE_PATH, SERVICE_INTERFACE, "OpenSession", "sv", plain));
        let search = bus.queue_call(&build_search_call(item));
        let session =
            bus.wait_for_reply(session, "vo", |reader| reader.skip_variant().and_then(|()| reader.read_text()))?;
        let items = bus.wait_for_reply(search, "aoao", read_found_items)?;
        Ok(Self { bus, session, default_collection, items, item, options })
    }

    /// The content of the item; `None` only if an unlocked collection has no such item.
    pub(super) fn read_secret(mut self) -> Result<Option<SecretBytes>, KeyringFault> {
        let Some(item) = self.find_item()? else { return Ok(None) };
        let session = WireWriter::new().string(&self.session);
        let call = build_call(&item, ITEM_INTERFACE, "GetSecret", "o", session);
        self.call_method(&call, "(oayays)", read_secret).map(Some)
    }

    /// Writes the item into the default collection, in place of an earlier one.
    pub(super) fn write_secret(mut self, secret: &[u8]) -> Result<(), KeyringFault> {
        let collection = self.find_collection()?;
        self.ensure_unlocked(&collection)?;
        let item = build_create_arguments(self.item, &self.session, secret);
        let call = build_call(&collection, COLLECTION_INTERFACE, "CreateItem", "a{sv}(oayays)b", item);
        let prompt =
            self.call_method(&call, "oo", |reader| reader.read_string().and_then(|_item| reader.read_text()))?;
        self.run_prompt(&prompt)
    }

    /// Deletes every item with our attributes, and unlocks them first if necessary.
    pub(super) fn delete_items(mut self) -> Result<(), KeyringFault> {
        while let Some(item) = self.find_item()? {
            let call = build_call(&item, ITEM_INTERFACE, "Delete", "", WireWriter::new());
            let prompt = self.call_method(&call, "o", |reader| reader.read_text())?;
            self.run_prompt(&prompt)?;
            self.refresh_items()?;
        }
        Ok(())
    }

    /// The path of the item, unlocked. A locked collection can hide its items, so an absent item is believed only after
    /// the collection is unlocked. Otherwise a new key would replace the hidden one, and every record would be lost.
    fn find_item(&mut self) -> Result<Option<String>, KeyringFault> {
        if let Some(item) = self.items.unlocked.first() {
            return Ok(Some(item.clone()));
        }
        if let Some(item) = self.items.locked.first().cloned() {
            self.unlock(&item)?;
            return Ok(Some(item));
        }
        let collection = self.find_collection()?;
        if self.ensure_unlocked(&collection)? {
            self.refresh_items()?;
        }
        Ok(self.items.unlocked.first().cloned())
    }

    fn refresh_items(&mut self) -> Result<(), KeyringFault> {
        self.items = self.call_method(&build_search_call(self.item), "aoao", read_found_items)?;
        Ok(())
    }

    /// Unlocks a collection if it is locked; returns whether it was.
    fn ensure_unlocked(&mut self, collection: &str) -> Result<bool, KeyringFault> {
        let was_locked = self.is_locked(collection)?;
        if was_locked {
            self.unlock(collection)?;
        }
        Ok(was_locked)
    }

    /// The default collection; without one, the login collection.
    fn find_collection(&mut self) -> Result<String, KeyringFault> {
        let mut found = self.default_collection.clone();
        if found == NO_OBJECT {
            found = self.call_method(&build_alias_call("login"), "o", |reader| reader.read_text())?;
        }
        if found == NO_OBJECT { Err(KeyringFault::Absent { what: MissingPart::Vault }) } else { Ok(found) }
    }

    fn is_locked(&mut self, collection: &str) -> Result<bool, KeyringFault> {
        let names = WireWriter::new().string(COLLECTION_INTERFACE).string("Locked");
        let call = build_call(collection, PROPERTIES, "Get", "ss", names);
        self.call_method(
            &call,
            "v",
            |reader| if reader.read_signature()? == "b" { reader.read_boolean() } else { None },
        )
    }

    /// Asks the service to unlock an object. Some services open a window for that, so the request is not even made if
    /// this call may not prompt.
    fn unlock(&mut self, path: &str) -> Result<(), KeyringFault> {
        if !self.options.may_prompt {
            return Err(KeyringFault::Locked);
        }
        log::info("keyring", format_args!("the keyring is locked; asking it to prompt the user"));
        let paths = WireWriter::new().string_array(&[path]);
        let call = build_call(SERVICE_PATH, SERVICE_INTERFACE, "Unlock", "ao", paths);
        let prompt = self
            .call_method(&call, "aoo", |reader| reader.read_string_array().and_then(|_unlocked| reader.read_text()))?;
        self.run_prompt(&prompt)
    }

    /// Lets the service prompt the user, if it needs to, and waits until the user has answered.
    fn run_prompt(&mut self, prompt: &str) -> Result<(), KeyringFault> {
        if prompt == NO_OBJECT {
            return Ok(());
        }
        if !self.options.may_prompt {
            return Err(KeyringFault::Locked);
        }
        // The subscription comes before the prompt, or a fast answer would be missed.
        let rule = format!("type='signal',interface='{PROMPT_INTERFACE}',member='Completed',path='{prompt}'");
        let watch = MethodCall::to_bus("AddMatch", "s", WireWriter::new().string(&rule));
        let watch = self.bus.queue_call(&watch);
        let show =
            self.bus.queue_call(&build_call(prompt, PROMPT_INTERFACE, "Prompt", "s", WireWriter::new().string("")));
        self.bus.wait_for_reply(watch, "", |_| Some(()))?;
        self.bus.wait_for_reply(show, "", |_| Some(()))?;
        let was_dismissed = self.bus.wait_for_signal((prompt, "Completed"), "bv", |reader| reader.read_boolean())?;
        if was_dismissed { Err(KeyringFault::Locked) } else { Ok(()) }
    }

    fn call_method<T>(
        &mut self,
        call: &MethodCall<'_>,
        signature: &str,
        read: BodyReader<T>,
    ) -> Result<T, KeyringFault> {
        let serial = self.bus.queue_call(call);
        self.bus.wait_for_reply(serial, signature, read)
    }
}

/// Whether the service is KWallet. The bus itself answers this, so it works even if the service hangs. It uses a new
/// connection, because the first one may have hung.
pub(super) fn is_kwallet(environment: &Environment) -> bool {
    let Ok(mut bus) = BusConnection::open(environment, OWNER_TIMEOUT) else { return false };
    let mut owner = |name: &str| {
        let serial = bus.queue_call(&MethodCall::to_bus("GetNameOwner", "s", WireWriter::new().string(name)));
        bus.wait_for_reply(serial, "s", |reader| reader.read_text()).ok()
    };
    owner(SERVICE_NAME).is_some_and(|secrets| KWALLET_NAMES.iter().any(|name| owner(name).as_ref() == Some(&secrets)))
}

fn build_call<'a>(
    path: &'a str,
    interface: &'a str,
    member: &'a str,
    signature: &'a str,
    body: WireWriter,
) -> MethodCall<'a> {
    MethodCall { destination: SERVICE_NAME, path, interface, member, signature, body }
}

fn build_alias_call(name: &str) -> MethodCall<'static> {
    build_call(SERVICE_PATH, SERVICE_INTERFACE, "ReadAlias", "s", WireWriter::new().string(name))
}

fn build_search_call(item: KeyringItem) -> MethodCall<'static> {
    build_call(
        SERVICE_PATH,
        SERVICE_INTERFACE,
        "SearchItems",
        "a{ss}",
        WireWriter::new().string_map(&item_attributes(item)),
    )
}

/// The attributes by which the item is found.
fn item_attributes(item: KeyringItem) -> [(&'static str, &'static str); 2] {
    [("service", SERVICE), ("account", item.account)]
}

/// The arguments of `CreateItem`: label and attributes, the secret, and `true` to replace an earlier item.
fn build_create_arguments(item: KeyringItem, session: &str, secret: &[u8]) -> WireWriter {
    WireWriter::new()
        .struct_array(|writer| {
            let label = writer.begin_struct().string("org.freedesktop.Secret.Item.Label").signature("s");
            let named = label.string(item.label).begin_struct().string("org.freedesktop.Secret.Item.Attributes");
            named.signature("a{ss}").string_map(&item_attributes(item))
        })
        .begin_struct()
        .string(session)
        .byte_array(b"")
        .byte_array(secret)
        .string("application/octet-stream")
        .boolean(true)
}

fn read_found_items(reader: &mut WireReader<'_>) -> Option<FoundItems> {
    Some(FoundItems { unlocked: reader.read_string_array()?, locked: reader.read_string_array()? })
}

fn read_secret(reader: &mut WireReader<'_>) -> Option<SecretBytes> {
    reader.begin_struct()?;
    let (_session, _parameters) = (reader.read_string()?, reader.read_byte_array()?);
    reader.read_byte_array().map(|value| Zeroizing::new(value.to_vec()))
}

#[cfg(test)]
mod tests;
