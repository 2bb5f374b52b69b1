//! The Secret Service: one small item in the person's own collection, by as few questions as it takes.
//!
//! The client is our own because the ready-made stores all negotiate an encrypted session, at eight times the cost of
//! `cat` for a warm read where this takes less than two. It would hide nothing: the bus is a socket of this user's, and
//! whoever may listen on it may ask for the item as well.

use std::time::Duration;

use zeroize::Zeroizing;

use super::{
    Fault, Item, Missing, SERVICE,
    dbus::{BUS, Connection, Error, Serial},
    wire::{Call, Reader, Writer},
};
use crate::{host::Environment, log};

const SECRETS: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const OF_SERVICE: &str = "org.freedesktop.Secret.Service";
const OF_COLLECTION: &str = "org.freedesktop.Secret.Collection";
const OF_ITEM: &str = "org.freedesktop.Secret.Item";
const OF_PROMPT: &str = "org.freedesktop.Secret.Prompt";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// The path that means none.
const NOTHING: &str = "/";

/// The names under which KWallet is on the bus as well, newest first; from KDE Frameworks 6.14 on it is `ksecretd` that
/// has the secrets.
const KWALLET: [&str; 3] = ["org.kde.ksecretd", "org.kde.kwalletd6", "org.kde.kwalletd5"];
/// The bus itself is quick, if it answers at all.
const GLANCE: Duration = Duration::from_millis(500);

type Bytes = Zeroizing<Vec<u8>>;

/// A conversation with the service, and what it said to the first question.
pub(super) struct Service {
    bus: Connection,
    session: String,
    /// The default collection, or [`NOTHING`].
    default: String,
    found: Found,
    item: Item,
    patience: Duration,
    may_ask: bool,
}

/// Items with our attributes.
struct Found {
    unlocked: Vec<String>,
    locked: Vec<String>,
}

impl Service {
    /// Opens a session and looks for the item, in one breath; but a harmless question goes first, for gnome-keyring can
    /// crash when a session is the first thing that a caller asks it for (launchpad.net/bugs/2162595).
    pub(super) fn connect(
        environment: &Environment,
        item: Item,
        patience: Duration,
        may_ask: bool,
    ) -> Result<Self, Fault> {
        let told = |error| fault(error, patience);
        let mut bus = Connection::open(environment, patience).map_err(told)?;
        let greeting = bus.call(&alias("default"));
        let [default] = paths(&bus.answer(greeting, "o").map_err(told)?)?;
        let plain = Writer::new().string("plain").signature("s").string("");
        let session = bus.call(&call(ROOT, OF_SERVICE, "OpenSession", "sv", plain));
        let search = bus.call(&search(item));
        let session = bus.answer(session, "vo").and_then(|body| session_path(&body)).map_err(told)?;
        let found = bus.answer(search, "aoao").and_then(|body| found(&body)).map_err(told)?;
        Ok(Self { bus, session, default, found, item, patience, may_ask })
    }

    /// What the item holds; `None` only if an open collection has no such item.
    pub(super) fn secret(mut self) -> Result<Option<Bytes>, Fault> {
        let Some(item) = self.item()? else { return Ok(None) };
        let session = Writer::new().string(&self.session);
        let body = self.ask(&call(&item, OF_ITEM, "GetSecret", "o", session), "(oayays)")?;
        secret(&body).map(Some).ok_or_else(malformed)
    }

    /// Puts the item into the default collection, in place of one that is there.
    pub(super) fn keep(mut self, secret: &[u8]) -> Result<(), Fault> {
        let collection = self.collection()?;
        self.opened(&collection)?;
        let item = written(self.item, &self.session, secret);
        let body = self.ask(&call(&collection, OF_COLLECTION, "CreateItem", "a{sv}(oayays)b", item), "oo")?;
        let [_, prompt] = paths(&body)?;
        self.prompted(&prompt)
    }

    pub(super) fn forget(mut self) -> Result<(), Fault> {
        while let Some(item) = self.item()? {
            let body = self.ask(&call(&item, OF_ITEM, "Delete", "", Writer::new()), "o")?;
            let [prompt] = paths(&body)?;
            self.prompted(&prompt)?;
            self.search()?;
        }
        Ok(())
    }

    /// The item, unlocked. That there is none can only be said of a collection that is open.
    fn item(&mut self) -> Result<Option<String>, Fault> {
        if let Some(item) = self.found.unlocked.first() {
            return Ok(Some(item.clone()));
        }
        if let Some(item) = self.found.locked.first().cloned() {
            self.unlock(&item)?;
            return Ok(Some(item));
        }
        let collection = self.collection()?;
        if self.opened(&collection)? {
            self.search()?;
        }
        Ok(self.found.unlocked.first().cloned())
    }

    fn search(&mut self) -> Result<(), Fault> {
        let body = self.ask(&search(self.item), "aoao")?;
        self.found = found(&body).map_err(|error| fault(error, self.patience))?;
        Ok(())
    }

    /// Whether a collection had to be opened. It is open now.
    fn opened(&mut self, collection: &str) -> Result<bool, Fault> {
        let was_locked = self.is_locked(collection)?;
        if was_locked {
            self.unlock(collection)?;
        }
        Ok(was_locked)
    }

    /// The collection for things that are to be kept.
    fn collection(&mut self) -> Result<String, Fault> {
        let mut found = self.default.clone();
        if found == NOTHING {
            [found] = paths(&self.ask(&alias("login"), "o")?)?;
        }
        if found == NOTHING { Err(Fault::Absent { what: Missing::Vault }) } else { Ok(found) }
    }

    fn is_locked(&mut self, collection: &str) -> Result<bool, Fault> {
        let names = Writer::new().string(OF_COLLECTION).string("Locked");
        let body = self.ask(&call(collection, PROPERTIES, "Get", "ss", names), "v")?;
        let mut reader = Reader::new(&body);
        let is_boolean = reader.signature() == Some("b");
        is_boolean.then(|| reader.boolean()).flatten().ok_or_else(malformed)
    }

    /// Asking to unlock makes some services put up a window, so it is not even asked where nobody would see one.
    fn unlock(&mut self, path: &str) -> Result<(), Fault> {
        if !self.may_ask {
            return Err(Fault::Locked);
        }
        log::info("keyring", format_args!("locked: the keyring is asked to unlock itself"));
        let body =
            self.ask(&call(ROOT, OF_SERVICE, "Unlock", "ao", Writer::new().strings(&[path])), "aoo")?;
        let mut reader = Reader::new(&body);
        reader.strings().ok_or_else(malformed)?;
        let prompt = reader.string().ok_or_else(malformed)?;
        self.prompted(prompt)
    }

    /// Lets the service ask the person, if it has to, and waits for the answer.
    fn prompted(&mut self, prompt: &str) -> Result<(), Fault> {
        if prompt == NOTHING {
            return Ok(());
        }
        if !self.may_ask {
            return Err(Fault::Locked);
        }
        let rule = format!("type='signal',interface='{OF_PROMPT}',member='Completed',path='{prompt}'");
        let mut watch = call("/org/freedesktop/DBus", BUS, "AddMatch", "s", Writer::new().string(&rule));
        watch.destination = BUS;
        let watch = self.bus.call(&watch);
        let show = self.bus.call(&call(prompt, OF_PROMPT, "Prompt", "s", Writer::new().string("")));
        self.answer(watch, "")?;
        self.answer(show, "")?;
        let told = |error| fault(error, self.patience);
        let body = self.bus.signal(prompt, "Completed", "bv").map_err(told)?;
        let was_dismissed = Reader::new(&body).boolean().ok_or_else(malformed)?;
        if was_dismissed { Err(Fault::Locked) } else { Ok(()) }
    }

    fn ask(&mut self, call: &Call<'_>, signature: &str) -> Result<Bytes, Fault> {
        let serial = self.bus.call(call);
        self.answer(serial, signature)
    }

    fn answer(&mut self, serial: Serial, signature: &str) -> Result<Bytes, Fault> {
        self.bus.answer(serial, signature).map_err(|error| fault(error, self.patience))
    }
}

/// Whether the service is KWallet. The bus says so, whether the service itself answers or not; on a connection of its own,
/// for the first may hang.
pub(super) fn is_kwallet(environment: &Environment) -> bool {
    let Ok(mut bus) = Connection::open(environment, GLANCE) else { return false };
    let mut owner = |name: &str| {
        let mut ask = call("/org/freedesktop/DBus", BUS, "GetNameOwner", "s", Writer::new().string(name));
        ask.destination = BUS;
        let serial = bus.call(&ask);
        let body = bus.answer(serial, "s").ok()?;
        Reader::new(&body).string().map(str::to_owned)
    };
    owner(SECRETS).is_some_and(|secrets| KWALLET.iter().any(|name| owner(name).as_ref() == Some(&secrets)))
}

fn call<'a>(
    path: &'a str,
    interface: &'a str,
    member: &'a str,
    signature: &'a str,
    body: Writer,
) -> Call<'a> {
    Call { destination: SECRETS, path, interface, member, signature, body }
}

fn alias(name: &str) -> Call<'static> {
    call(ROOT, OF_SERVICE, "ReadAlias", "s", Writer::new().string(name))
}

fn search(item: Item) -> Call<'static> {
    call(ROOT, OF_SERVICE, "SearchItems", "a{ss}", Writer::new().texts(&attributes(item)))
}

/// By which the item is found again.
fn attributes(item: Item) -> [(&'static str, &'static str); 2] {
    [("service", SERVICE), ("account", item.account)]
}

/// The arguments of `CreateItem`: label and attributes, the secret, and that it replaces.
fn written(item: Item, session: &str, secret: &[u8]) -> Writer {
    Writer::new()
        .structures(|writer| {
            let label = writer.structure().string("org.freedesktop.Secret.Item.Label").signature("s");
            let named = label.string(item.label).structure().string("org.freedesktop.Secret.Item.Attributes");
            named.signature("a{ss}").texts(&attributes(item))
        })
        .structure()
        .string(session)
        .bytes(b"")
        .bytes(secret)
        .string("application/octet-stream")
        .boolean(true)
}

fn session_path(body: &[u8]) -> Result<String, Error> {
    let mut reader = Reader::new(body);
    let path = reader.skip_variant().and_then(|()| reader.string());
    path.map(str::to_owned).ok_or(Error::Malformed)
}

fn found(body: &[u8]) -> Result<Found, Error> {
    let mut reader = Reader::new(body);
    let both = reader.strings().zip(reader.strings());
    both.map(|(unlocked, locked)| Found { unlocked, locked }).ok_or(Error::Malformed)
}

fn secret(body: &[u8]) -> Option<Bytes> {
    let mut reader = Reader::new(body);
    reader.structure()?;
    let (_session, _parameters) = (reader.string()?, reader.bytes()?);
    reader.bytes().map(|value| Zeroizing::new(value.to_vec()))
}

fn paths<const N: usize>(body: &[u8]) -> Result<[String; N], Fault> {
    let mut reader = Reader::new(body);
    let found: Option<Vec<String>> = (0..N).map(|_| reader.string().map(str::to_owned)).collect();
    found.and_then(|found| found.try_into().ok()).ok_or_else(malformed)
}

fn malformed() -> Fault {
    Fault::broken("it sent an answer that cannot be read")
}

/// What an error on the bus says about the keyring.
fn fault(error: Error, after: Duration) -> Fault {
    match error {
        Error::NoBus => Fault::Absent { what: Missing::Bus },
        Error::Rejected => Fault::Denied,
        Error::TimedOut => Fault::TimedOut { after },
        Error::Malformed => malformed(),
        Error::Io(error) => Fault::broken(error.to_string()),
        Error::Refused { name, why } => refused(&name, &why, after),
    }
}

fn refused(name: &str, why: &str, after: Duration) -> Fault {
    let (family, word) = name.rsplit_once('.').unwrap_or(("", name));
    match (family, word) {
        (_, "ServiceUnknown" | "NameHasNoOwner") | ("org.freedesktop.DBus.Error.Spawn", _) => {
            Fault::Absent { what: Missing::Service }
        }
        (_, "Timeout" | "TimedOut") => Fault::TimedOut { after },
        (_, "AccessDenied" | "AuthFailed") => Fault::Denied,
        (_, "IsLocked") => Fault::Locked,
        _ => Fault::broken(format!("{why} ({name})")),
    }
}

#[cfg(test)]
mod tests;
