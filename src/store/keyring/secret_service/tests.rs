//! The conversation with services that differ from the one the whole program is tried with.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::*;
use crate::store::keyring::{
    KEY,
    testing::{Bus, Reply},
};

const PATIENCE: Duration = Duration::from_millis(500);
const ITEM: &str = "/org/freedesktop/secrets/collection/login/1";

/// A service with one locked item, whose prompt is answered in this way; and the methods it was asked for.
fn locked(dismissed: bool) -> (Bus, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (told, is_open) = (asked.clone(), AtomicBool::new(false));
    let bus = Bus::start(move |method, call| {
        told.lock().unwrap().push(method.to_owned());
        match method {
            "SearchItems" => vec![Reply::Return("aoao", Writer::new().strings(&[]).strings(&[ITEM]))],
            "Unlock" => vec![Reply::Return("aoo", Writer::new().strings(&[]).string("/prompt"))],
            "Prompt" => {
                is_open.store(!dismissed, Ordering::SeqCst);
                let done = Writer::new().boolean(dismissed).signature("ao").strings(&[ITEM]);
                let other = Writer::new().boolean(true).signature("s").string("");
                vec![
                    Reply::Signal("/other", "Completed", "bv", other),
                    // It may overtake the answer.
                    Reply::Signal("/prompt", "Completed", "bv", done),
                    Reply::Return("", Writer::new()),
                ]
            }
            "GetSecret" if !is_open.load(Ordering::SeqCst) => {
                vec![Reply::Error("org.freedesktop.Secret.Error.IsLocked")]
            }
            _ => usual(method, call),
        }
    });
    (bus, asked)
}

/// What any service says.
fn usual(method: &str, _: &[u8]) -> Vec<Reply> {
    vec![match method {
        "Hello" => Reply::Return("s", Writer::new().string(":1.1")),
        "AddMatch" => Reply::Return("", Writer::new()),
        "OpenSession" => Reply::Return("vo", Writer::new().signature("s").string("").string("/session")),
        "GetSecret" => {
            let secret = Writer::new().structure().string("/session").bytes(b"").bytes(b"the secret");
            Reply::Return("(oayays)", secret.string("text/plain"))
        }
        "ReadAlias" => Reply::Return("o", Writer::new().string("/collection")),
        "Get" => Reply::Return("v", Writer::new().signature("b").boolean(false)),
        "SearchItems" => Reply::Return("aoao", Writer::new().strings(&[]).strings(&[])),
        "CreateItem" => Reply::Return("oo", Writer::new().string(ITEM).string("/")),
        _ => Reply::Error("org.freedesktop.DBus.Error.UnknownMethod"),
    }]
}

fn service(bus: &Bus, may_ask: bool) -> Result<Service, Fault> {
    Service::connect(&bus.environment(), KEY, PATIENCE, may_ask)
}

#[test]
fn a_person_who_answers_the_question_opens_the_item() {
    let (bus, _) = locked(false);
    let secret = service(&bus, true).unwrap().secret().unwrap().unwrap();
    assert_eq!(secret.as_slice(), b"the secret");
}

#[test]
fn a_person_who_sends_the_question_away_leaves_it_locked() {
    let (bus, _) = locked(true);
    assert!(matches!(service(&bus, true).unwrap().secret(), Err(Fault::Locked)));
}

#[test]
fn nobody_is_asked_where_nobody_would_see_it() {
    let (bus, asked) = locked(false);
    assert!(matches!(service(&bus, false).unwrap().secret(), Err(Fault::Locked)));
    assert_eq!(*asked.lock().unwrap(), ["Hello", "ReadAlias", "OpenSession", "SearchItems"]);
}

#[test]
fn a_warm_read_asks_for_nothing_but_the_item() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = asked.clone();
    let bus = Bus::start(move |method, call| {
        told.lock().unwrap().push(method.to_owned());
        match method {
            "SearchItems" => vec![Reply::Return("aoao", Writer::new().strings(&[ITEM]).strings(&[]))],
            _ => usual(method, call),
        }
    });
    assert_eq!(service(&bus, false).unwrap().secret().unwrap().unwrap().as_slice(), b"the secret");
    assert_eq!(*asked.lock().unwrap(), ["Hello", "ReadAlias", "OpenSession", "SearchItems", "GetSecret"]);
}

#[test]
fn an_item_is_kept_with_its_names_and_replaces() {
    let calls: Arc<Mutex<Vec<u8>>> = Arc::default();
    let told = calls.clone();
    let bus = Bus::start(move |method, call| {
        if method == "CreateItem" {
            told.lock().unwrap().extend(call);
        }
        usual(method, call)
    });
    service(&bus, false).unwrap().keep(&[7; 32]).unwrap();
    let call = calls.lock().unwrap();
    assert_eq!(call[call.len() - 4..], 1u32.to_ne_bytes(), "it replaces");
    for part in [&[7; 32][..], SERVICE.as_bytes(), KEY.account.as_bytes(), b"application/octet-stream\0"] {
        assert!(call.windows(part.len()).any(|bytes| bytes == part), "{part:?}");
    }
}

#[test]
fn only_an_open_collection_can_say_that_there_is_nothing() {
    let bus = Bus::start(usual);
    assert!(service(&bus, false).unwrap().secret().unwrap().is_none());
    let shut = Bus::start(|method, call| match method {
        "Get" => vec![Reply::Return("v", Writer::new().signature("b").boolean(true))],
        _ => usual(method, call),
    });
    assert!(matches!(service(&shut, false).unwrap().secret(), Err(Fault::Locked)));
    let bare = Bus::start(|method, call| match method {
        "ReadAlias" => vec![Reply::Return("o", Writer::new().string("/"))],
        _ => usual(method, call),
    });
    let nothing = service(&bare, true).unwrap().secret();
    assert!(matches!(nothing, Err(Fault::Absent { what: Missing::Vault })));
}

#[test]
fn errors_on_the_bus_become_facts() {
    let answered = |name: &'static str| {
        let bus = Bus::start(move |method, call| match method {
            "OpenSession" => vec![Reply::Error(name)],
            _ => usual(method, call),
        });
        service(&bus, false).map(drop).unwrap_err()
    };
    let told = |name| format!("{:?}", answered(name));
    assert_eq!(told("org.freedesktop.DBus.Error.ServiceUnknown"), "Absent { what: Service }");
    assert_eq!(told("org.freedesktop.DBus.Error.Spawn.ExecFailed"), "Absent { what: Service }");
    assert_eq!(told("org.freedesktop.DBus.Error.AccessDenied"), "Denied");
    assert_eq!(told("org.freedesktop.Secret.Error.IsLocked"), "Locked");
    assert_eq!(told("org.freedesktop.DBus.Error.TimedOut"), "TimedOut { after: 500ms }");
    assert!(told("org.freedesktop.DBus.Error.NoReply").contains("because"), "its end is no silence");
    assert!(
        told("org.freedesktop.DBus.Error.Failed").contains("because (org.freedesktop.DBus.Error.Failed)")
    );
}
