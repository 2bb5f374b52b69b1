//! A server in this process, with a store in a file and all lines of its log.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use bedrock_sso::{
    host::{Environment, now},
    http::{Client, HttpSettings},
    log::{self, LogFilter, LogLevel},
};
use bedrock_sso_server::{
    api::{Service, build_router},
    config::Config,
    limits::{Action, Limit, Scope},
    person::Person,
    prices::PriceList,
    serve::Listening,
    store::{Store, StoreResult, file_store::FileStore},
};
use serde_json::{Value, json};
use testworld::{Browser, CLIENT_ID, Got, World};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

pub(crate) const INGEST_TOKEN: &str = "planted-ingest-secret";
/// The name of the world's user.
pub(crate) const PERSON: &str = "demo@example.com";

/// A server in this process, and its store.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) running: Option<JoinHandle<()>>,
    pub(crate) runtime: Runtime,
    pub(crate) ca_bundle: Option<std::path::PathBuf>,
    pub(crate) folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(world: &World) -> Self {
        Self::with_store(world, "", |path| Arc::new(FileStore::open(path).unwrap()))
    }

    /// `more` has further lines of the configuration.
    pub(crate) fn with_store(world: &World, more: &str, open: impl FnOnce(&Path) -> Arc<dyn Store>) -> Self {
        log::start_logging(LogFilter::up_to(LogLevel::Debug), String::new, Box::new(LogSink));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ingest.token"), INGEST_TOKEN).unwrap();
        let text = format!(
            "version = 1\nlisten = \"127.0.0.1:0\"\nstore = \"file:usage.redb\"\ncontact = \"it-help@example.com\"\n\
             {more}\n[[issuer]]\nissuer = {}\naudience = [{}]\nperson = [\"email\"]\n\
             [ingest]\ntoken_file = \"ingest.token\"\n",
            json!(world.issuer()),
            json!(CLIENT_ID),
        );
        let config = Config::parse(&text, folder.path()).unwrap();
        let store = open(&folder.path().join("usage.redb"));
        let runtime = Runtime::new().unwrap();
        let environment = Environment::Fixed(BTreeMap::new());
        let client = Client::new(HttpSettings::from_environment(&environment)).unwrap();
        let service = Service::new(&config, PriceList::shipped(), Arc::clone(&store), client);
        let listening = runtime.block_on(Listening::bind(&config)).unwrap();
        let (url, (stop, stopped)) = (listening.url(), oneshot::channel());
        let running = runtime.spawn(listening.run(build_router(Arc::new(service)), async {
            let _ = stopped.await;
        }));
        Self { url, store, stop: Some(stop), running: Some(running), runtime, ca_bundle: None, folder }
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Got {
        let browser = Browser::new(self.ca_bundle.as_deref());
        browser.fetch(method, &format!("{}{path}", self.url), headers, body).unwrap()
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let got = self.request("GET", path, &[("Authorization", &format!("Bearer {token}"))], b"");
        (got.status, serde_json::from_slice(&got.body).unwrap_or(Value::Null))
    }

    pub(crate) fn ingest(&self, bearer: &str, body: &[u8]) -> (u16, Value) {
        let got = self.request("POST", "/ingest", &[("Authorization", bearer)], body);
        (got.status, serde_json::from_slice(&got.body).unwrap_or(Value::Null))
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = StoreResult<T>>) -> T {
        self.runtime.block_on(work).unwrap()
    }

    pub(crate) fn set_limit(&self, scope: Scope, words: &str) {
        let mut words = words.split(' ');
        let period = serde_json::from_value(json!(words.next().unwrap())).unwrap();
        let amount = words.next().unwrap().parse().unwrap();
        let limit = Limit { scope, model: words.next().map(str::to_owned), period, amount, action: Action::Block };
        self.wait(self.store.set_limit(&limit));
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.runtime.block_on(self.running.take().unwrap()).unwrap();
    }
}

pub(crate) fn person() -> Person {
    Person::parse(PERSON).unwrap()
}

pub(crate) fn group(name: &str) -> Scope {
    Scope::Group(name.to_owned())
}

/// A record of the invocation log, of this moment.
pub(crate) fn record(id: &str, input_tokens: u64) -> String {
    json!({
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": now().to_string(),
        "accountId": "123456789012", "region": "us-east-1", "requestId": id, "operation": "InvokeModel",
        "identity": { "arn": format!("arn:aws:sts::123456789012:assumed-role/BedrockUser/{PERSON}") },
        "modelId": "us.anthropic.claude-opus-4-6-v1",
        "input": { "inputTokenCount": input_tokens }, "output": { "outputTokenCount": 0 },
    })
    .to_string()
}

/// The log of this process.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct LogSink;

impl Write for LogSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All lines that servers of this process have written so far.
pub(crate) fn read_log() -> String {
    String::from_utf8(LOG.lock().unwrap().clone()).unwrap()
}
