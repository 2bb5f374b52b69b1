//! What the store asks of DynamoDB: the store's own requests, sent to a table on loopback that computes their capacity by
//! the rules of DynamoDB's documentation.
//!
//! The table stores items and understands the expressions that this store writes. It checks no condition: the emulator of
//! `server/tests/dynamodb` does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{Response, header},
};
use bedrock_sso_server::{config::Config, serve::Listening};
use serde_json::{Map, Value, json};

type Item = Map<String, Value>;
type Key = (String, String);

/// Capacity in request units: a read unit is 4 KB of a consistent read, a write unit 1 KB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

impl Units {
    /// Both numbers, for a table.
    pub(crate) fn describe(self) -> String {
        match (self.reads, self.writes) {
            (0, 0) => String::new(),
            (reads, 0) => format!("{reads} r"),
            (0, writes) => format!("{writes} w"),
            (reads, writes) => format!("{reads} r, {writes} w"),
        }
    }
}

/// The capacity of some operations, by the kind of the partition key: the part before `#`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consumed(pub(crate) BTreeMap<String, Units>);

impl Consumed {
    fn add(&mut self, partition: &str, units: Units) {
        let kind = partition.split('#').next().unwrap().to_owned();
        let sum = self.0.entry(kind).or_default();
        sum.reads += units.reads;
        sum.writes += units.writes;
    }

    pub(crate) fn total(&self) -> Units {
        self.0.values().fold(Units::default(), |sum, units| Units {
            reads: sum.reads + units.reads,
            writes: sum.writes + units.writes,
        })
    }

    pub(crate) fn of(&self, kind: &str) -> Units {
        self.0.get(kind).copied().unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    items: BTreeMap<Key, Item>,
    consumed: Consumed,
}

/// The table. Cloning gives the same one.
#[derive(Clone, Default)]
pub(crate) struct Table(Arc<Mutex<State>>);

impl Table {
    /// Listens, and returns the endpoint for the store.
    pub(crate) async fn serve(&self) -> String {
        let config = "version = 1\nlisten = \"127.0.0.1:0\"\nstore = \"file:unused\"\n";
        let listening = Listening::bind(&Config::parse(config, Path::new("")).unwrap()).await.unwrap();
        let (url, table) = (listening.url(), self.clone());
        let router = Router::new().fallback(move |request: Request| {
            let table = table.clone();
            async move { table.answer(request).await }
        });
        tokio::spawn(listening.run(router, std::future::pending()));
        url
    }

    /// What was consumed since the last call.
    pub(crate) fn take_consumed(&self) -> Consumed {
        std::mem::take(&mut self.0.lock().unwrap().consumed)
    }

    /// The sizes of all items whose partition key begins so.
    pub(crate) fn sizes(&self, partition: &str) -> Vec<u64> {
        let state = self.0.lock().unwrap();
        state.items.iter().filter(|((pk, _), _)| pk.starts_with(partition)).map(|(_, item)| size_of(item)).collect()
    }

    /// How many partition keys begin so.
    pub(crate) fn partitions(&self, prefix: &str) -> usize {
        let state = self.0.lock().unwrap();
        let keys: BTreeSet<&str> = state.items.keys().map(|(pk, _)| pk.as_str()).collect();
        keys.into_iter().filter(|pk| pk.starts_with(prefix)).count()
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body: Value = serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap();
        let operation = head.headers["x-amz-target"].to_str().unwrap().rsplit('.').next().unwrap();
        let answer = self.0.lock().unwrap().carry_out(operation, &body);
        Response::builder()
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .body(Body::from(answer.to_string()))
            .unwrap()
    }
}

impl State {
    fn carry_out(&mut self, operation: &str, body: &Value) -> Value {
        match operation {
            "GetItem" => match self.read(&body["Key"]) {
                Some(item) => json!({ "Item": item }),
                None => json!({}),
            },
            "BatchGetItem" => {
                let (table, wanted) = body["RequestItems"].as_object().unwrap().iter().next().unwrap();
                let keys = wanted["Keys"].as_array().unwrap();
                let items: Vec<Item> = keys.iter().filter_map(|key| self.read(key)).collect();
                json!({ "Responses": { table: items }, "UnprocessedKeys": {} })
            }
            "Query" => {
                let values = &body["ExpressionAttributeValues"];
                let partition = values[":pk"]["S"].as_str().unwrap();
                let prefix = values[":sk"]["S"].as_str().unwrap_or_default();
                let found = self.items.iter().filter(|((pk, sk), _)| pk == partition && sk.starts_with(prefix));
                let items: Vec<Item> = found.map(|(_, item)| item.clone()).collect();
                // A query reads its items as one.
                let reads = round_up(items.iter().map(size_of).sum(), 4096);
                self.consumed.add(partition, Units { reads, writes: 0 });
                json!({ "Items": items, "Count": items.len() })
            }
            "PutItem" => {
                self.write(body["Item"].as_object().unwrap().clone(), 1);
                json!({})
            }
            "TransactWriteItems" => {
                for action in body["TransactItems"].as_array().unwrap() {
                    let item = match &action["Put"]["Item"] {
                        Value::Object(item) => item.clone(),
                        _ => self.update(&action["Update"]),
                    };
                    // A transaction writes twice.
                    self.write(item, 2);
                }
                json!({})
            }
            other => panic!("the store has a new operation, which this table does not know: {other}"),
        }
    }

    fn read(&mut self, key: &Value) -> Option<Item> {
        let key = key_of(key.as_object().unwrap());
        let item = self.items.get(&key).cloned();
        // A read of nothing costs a unit, too.
        let reads = round_up(item.as_ref().map_or(0, size_of), 4096);
        self.consumed.add(&key.0, Units { reads, writes: 0 });
        item
    }

    /// The larger of the items before and after counts.
    fn write(&mut self, item: Item, factor: u64) {
        let key = key_of(&item);
        let before = self.items.get(&key).map_or(0, size_of);
        let writes = factor * round_up(before.max(size_of(&item)), 1024);
        self.consumed.add(&key.0, Units { reads: 0, writes });
        self.items.insert(key, item);
    }

    /// `ADD #0 :0,#1 :1 SET #expires = :expires`.
    fn update(&self, update: &Value) -> Item {
        let key = update["Key"].as_object().unwrap();
        let mut item = self.items.get(&key_of(key)).unwrap_or(key).clone();
        let expression = update["UpdateExpression"].as_str().unwrap();
        let (added, set) = expression.split_once(" SET ").unwrap_or((expression, ""));
        let named = |pair: &str, between: &str| {
            let (name, value) = pair.split_once(between).unwrap();
            let name = update["ExpressionAttributeNames"][name].as_str().unwrap().to_owned();
            (name, update["ExpressionAttributeValues"][value].clone())
        };
        for pair in added.strip_prefix("ADD ").unwrap().split(',') {
            let (name, value) = named(pair, " ");
            let sum = read_number(item.get(&name)) + read_number(Some(&value));
            item.insert(name, json!({ "N": sum.to_string() }));
        }
        if !set.is_empty() {
            item.extend([named(set, " = ")]);
        }
        item
    }
}

fn read_number(value: Option<&Value>) -> u64 {
    value.map_or(0, |value| value["N"].as_str().unwrap().parse().unwrap())
}

fn key_of(item: &Item) -> Key {
    let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
    (text("PK"), text("SK"))
}

/// Names and texts count by their bytes. A number has a byte for two digits, and one more.
fn size_of(item: &Item) -> u64 {
    let value = |value: &Value| match (value["S"].as_str(), value["N"].as_str()) {
        (Some(text), _) => text.len(),
        (None, Some(digits)) => digits.len().div_ceil(2) + 1,
        (None, None) => panic!("the store writes texts and numbers only: {value}"),
    };
    item.iter().map(|(name, held)| (name.len() + value(held)) as u64).sum()
}

/// At least one unit.
fn round_up(bytes: u64, unit: u64) -> u64 {
    bytes.div_ceil(unit).max(1)
}
