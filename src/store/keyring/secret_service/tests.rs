//! The client against services that behave differently from the ones in `tests/keyring`.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::*;
use crate::store::keyring::{
    KEY_ITEM,
    testing::{BusReply, FakeBus},
};

const TIMEOUT: Duration = Duration::from_millis(500);
const ITEM: &str = "/org/freedesktop/secrets/collection/login/1";

/// A service with one locked item, whose prompt the user answers or dismisses; and the list of the called methods.
fn locked(dismissed: bool) -> (FakeBus, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (calls, is_open) = (asked.clone(), AtomicBool::new(false));
    let bus = FakeBus::start(move |method, call| {
        calls.lock().unwrap().push(method.to_owned());
        match method {
            "SearchItems" => {
                vec![BusReply::Return("aoao", WireWriter::new().string_array(&[]).string_array(&[ITEM]))]
            }
            "Unlock" => vec![BusReply::Return("aoo", WireWriter::new().string_array(&[]).string("/prompt"))],
            "Prompt" => {
                is_open.store(!dismissed, Ordering::SeqCst);
                let done = WireWriter::new().boolean(dismissed).signature("ao").string_array(&[ITEM]);
                let other = WireWriter::new().boolean(true).signature("s").string("");
                vec![
                    BusReply::Signal("/other", "Completed", "bv", other),
                    // The signal can arrive before the reply.
                    BusReply::Signal("/prompt", "Completed", "bv", done),
                    BusReply::Return("", WireWriter::new()),
                ]
            }
            "GetSecret" if !is_open.load(Ordering::SeqCst) => {
                vec![BusReply::Error("org.freedesktop.Secret.Error.IsLocked")]
            }
            _ => usual(method, call),
        }
    });
    (bus, asked)
}

/// The usual reply of a service.
fn usual(method: &str, _: &[u8]) -> Vec<BusReply> {
    vec![match method {
        "Hello" => BusReply::Return("s", WireWriter::new().string(":1.1")),
        "AddMatch" => BusReply::Return("", WireWriter::new()),
        "OpenSession" => BusReply::Return("vo", WireWriter::new().signature("s").string("").string("/session")),
        "GetSecret" => {
            let secret = WireWriter::new().begin_struct().string("/session").byte_array(b"").byte_array(b"the secret");
            BusReply::Return("(oayays)", secret.string("text/plain"))
        }
        "ReadAlias" => BusReply::Return("o", WireWriter::new().string("/collection")),
        "Get" => BusReply::Return("v", WireWriter::new().signature("b").boolean(false)),
        "SearchItems" => BusReply::Return("aoao", WireWriter::new().string_array(&[]).string_array(&[])),
        "CreateItem" => BusReply::Return("oo", WireWriter::new().string(ITEM).string("/")),
        _ => BusReply::Error("org.freedesktop.DBus.Error.UnknownMethod"),
    }]
}

fn service(bus: &FakeBus, may_ask: bool) -> Result<SecretService, KeyringFault> {
    SecretService::connect(&bus.environment(), KEY_ITEM, KeyringOptions { timeout: TIMEOUT, may_prompt: may_ask })
}

#[test]
fn an_answered_unlock_prompt_opens_the_item() {
    let (bus, _) = locked(false);
    let secret = service(&bus, true).unwrap().read_secret().unwrap().unwrap();
    assert_eq!(secret.as_slice(), b"the secret");
}

#[test]
fn a_dismissed_unlock_prompt_leaves_the_item_locked() {
    let (bus, _) = locked(true);
    assert!(matches!(service(&bus, true).unwrap().read_secret(), Err(KeyringFault::Locked)));
}

#[test]
fn a_locked_item_without_prompts_is_not_unlocked() {
    let (bus, asked) = locked(false);
    assert!(matches!(service(&bus, false).unwrap().read_secret(), Err(KeyringFault::Locked)));
    assert_eq!(*asked.lock().unwrap(), ["Hello", "ReadAlias", "OpenSession", "SearchItems"]);
}

#[test]
fn a_read_of_an_unlocked_item_makes_five_calls() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let calls = asked.clone();
    let bus = FakeBus::start(move |method, call| {
        calls.lock().unwrap().push(method.to_owned());
        match method {
            "SearchItems" => {
                vec![BusReply::Return("aoao", WireWriter::new().string_array(&[ITEM]).string_array(&[]))]
            }
            _ => usual(method, call),
        }
    });
    assert_eq!(service(&bus, false).unwrap().read_secret().unwrap().unwrap().as_slice(), b"the secret");
    assert_eq!(*asked.lock().unwrap(), ["Hello", "ReadAlias", "OpenSession", "SearchItems", "GetSecret"]);
}

#[test]
fn a_written_item_has_its_names_and_replaces() {
    let calls: Arc<Mutex<Vec<u8>>> = Arc::default();
    let recorded = calls.clone();
    let bus = FakeBus::start(move |method, call| {
        if method == "CreateItem" {
            recorded.lock().unwrap().extend(call);
        }
        usual(method, call)
    });
    service(&bus, false).unwrap().write_secret(&[7; 32]).unwrap();
    let call = calls.lock().unwrap();
    assert_eq!(call[call.len() - 4..], 1u32.to_ne_bytes(), "it replaces");
    for part in [&[7; 32][..], SERVICE.as_bytes(), KEY_ITEM.account.as_bytes(), b"application/octet-stream\0"] {
        assert!(call.windows(part.len()).any(|bytes| bytes == part), "{part:?}");
    }
}

#[test]
fn only_an_unlocked_collection_proves_an_absent_item() {
    let bus = FakeBus::start(usual);
    assert!(service(&bus, false).unwrap().read_secret().unwrap().is_none());
    let locked = FakeBus::start(|method, call| match method {
        "Get" => vec![BusReply::Return("v", WireWriter::new().signature("b").boolean(true))],
        _ => usual(method, call),
    });
    assert!(matches!(service(&locked, false).unwrap().read_secret(), Err(KeyringFault::Locked)));
    let without_collection = FakeBus::start(|method, call| match method {
        "ReadAlias" => vec![BusReply::Return("o", WireWriter::new().string("/"))],
        _ => usual(method, call),
    });
    let nothing = service(&without_collection, true).unwrap().read_secret();
    assert!(matches!(nothing, Err(KeyringFault::Absent { what: MissingPart::Vault })));
}

#[test]
fn bus_errors_map_to_keyring_faults() {
    let answered = |name: &'static str| {
        let bus = FakeBus::start(move |method, call| match method {
            "OpenSession" => vec![BusReply::Error(name)],
            _ => usual(method, call),
        });
        service(&bus, false).map(drop).unwrap_err()
    };
    let fault = |name| format!("{:?}", answered(name));
    assert_eq!(fault("org.freedesktop.DBus.Error.ServiceUnknown"), "Absent { what: Service }");
    assert_eq!(fault("org.freedesktop.DBus.Error.Spawn.ExecFailed"), "Absent { what: Service }");
    assert_eq!(fault("org.freedesktop.DBus.Error.AccessDenied"), "Denied");
    assert_eq!(fault("org.freedesktop.Secret.Error.IsLocked"), "Locked");
    assert_eq!(fault("org.freedesktop.DBus.Error.TimedOut"), "TimedOut { after: 500ms }");
    assert!(
        fault("org.freedesktop.DBus.Error.NoReply").contains("because"),
        "the name ends differently from a timeout's"
    );
    assert!(fault("org.freedesktop.DBus.Error.Failed").contains("because (org.freedesktop.DBus.Error.Failed)"));
}
