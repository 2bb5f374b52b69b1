//! What an administrator types: the program itself, alone and beside a server that runs.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "the tests start the program")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso-server");

/// A folder with a configuration, and the store that it names.
struct Office {
    folder: tempfile::TempDir,
}

/// What a command printed, and its exit code.
struct Output {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Office {
    fn new() -> Self {
        let office = Self { folder: tempfile::tempdir().unwrap() };
        office.configure("");
        office
    }

    fn configure(&self, more: &str) {
        let text = format!(
            "version = 1\nlisten = \"127.0.0.1:0\"\nstore = \"file:usage.redb\"\ntime_zone = \"Europe/Berlin\"\n{more}\n\
             [[issuer]]\nissuer = \"https://acme.okta.com\"\naudience = [\"0oa1\"]\n"
        );
        fs::write(self.path("server.toml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words).arg("--config").arg(self.path("server.toml"));
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        Output::of(&mut self.command(words))
    }

    /// The rows of a command with `--json`.
    fn rows(&self, words: &[&str]) -> Vec<Value> {
        let printed = self.run(&[words, &["--json"]].concat()).succeeds();
        let document: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(document["version"], 1);
        document["rows"].as_array().unwrap().clone()
    }

    /// Writes a file of the invocation log with one call of each of these people.
    fn write_log(&self, name: &str, calls: &[(&str, &str, u64)]) -> String {
        let line = |(person, request, input): &(&str, &str, u64)| {
            let record = json!({
                "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": "2026-11-30T22:30:00Z",
                "accountId": "123456789012", "requestId": request, "operation": "InvokeModel", "region": "us-east-1",
                "identity": { "arn": format!("arn:aws:sts::123456789012:assumed-role/BedrockUser/{person}") },
                "modelId": "us.anthropic.claude-opus-4-6-v1", "input": { "inputTokenCount": input },
                "output": { "outputTokenCount": 0 },
            });
            format!("{record}\n")
        };
        fs::write(self.path(name), calls.iter().map(line).collect::<String>()).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

impl Output {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn succeeds(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    #[track_caller]
    fn fails(self, code: i32, slug: &str) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        assert!(self.stderr.contains(&format!(" [{slug}]\n  hint: ")), "{}", self.stderr);
        self.stderr
    }
}

/// A server that runs until the test ends.
struct Server(Child);

impl Server {
    fn start(office: &Office) -> Self {
        let mut child = office.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("bedrock-sso-server: listening on http://127.0.0.1:"), "{line}");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn limits_are_set_listed_replaced_and_removed() {
    let office = Office::new();
    assert_eq!(office.run(&["limits", "list"]).succeeds(), "there are no limits\n");
    office.run(&["limits", "set", "--default", "--day", "5M", "--month", "200USD"]).succeeds();
    office.run(&["limits", "set", "--person", "alice@example.com", "--day", "1M", "--action", "warn"]).succeeds();
    office.run(&["limits", "set", "--group", "ml", "--model", "*opus*", "--hour", "0"]).succeeds();
    office.run(&["limits", "set", "--default", "--day", "6M"]).succeeds();
    let rows = office.rows(&["limits", "list"]);
    let default_day = json!({ "scope": "default", "identifier": null, "model": null, "period": "day",
                              "unit": "tokens", "limit": 6_000_000, "action": "block" });
    assert_eq!((rows.len(), rows.contains(&default_day)), (4, true), "{rows:?}");
    assert_eq!(office.rows(&["limits", "list", "--group", "ml"])[0]["model"], "*opus*");
    assert_eq!(office.rows(&["limits", "remove", "--default", "--day"]).len(), 1);
    assert_eq!(office.rows(&["limits", "remove", "--person", "alice@example.com"]).len(), 1);
    assert_eq!(office.run(&["limits", "remove", "--person", "bob"]).succeeds(), "there was no such limit\n");
    assert_eq!(office.rows(&["limits", "list"]).len(), 2);
}

#[test]
fn usage_is_counted_once_and_shown_by_the_month_of_the_zone() {
    let office = Office::new();
    let log = office.write_log("a.jsonl", &[("alice", "r1", 1_000_000), ("bob", "r2", 10), ("alice", "r1", 1_000_000)]);
    let counted = office.rows(&["ingest", &log, &log]);
    assert_eq!(counted, [json!({ "accepted": 2, "repeated": 4, "rejected": 0 })]);
    // In Berlin, it is still November.
    let rows = office.rows(&["usage", "--month", "2026-11"]);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0],
        json!({ "person": "alice", "month": "2026-11", "input_tokens": 1_000_000, "output_tokens": 0,
                "cache_read_tokens": 0, "cache_write_tokens": 0, "micro_usd": 5_500_000 })
    );
    assert_eq!(office.rows(&["usage", "--month", "2026-11", "--person", "bob"]).len(), 1);
    assert_eq!(office.rows(&["usage", "--month", "2026-11", "--by", "account"])[0]["account"], "123456789012");
    // No token has said in which groups they are.
    let rows = office.rows(&["usage", "--month", "2026-11", "--by", "group"]);
    assert_eq!((rows.len(), &rows[0]["group"], &rows[0]["input_tokens"]), (1, &Value::Null, &json!(1_000_010)));
    assert_eq!(office.run(&["usage", "--month", "2026-10"]).succeeds(), "no usage is known\n");
}

#[test]
fn what_cannot_be_counted_is_shown() {
    let office = Office::new();
    let log = office.write_log("a.jsonl", &[("alice", "r1", 2_000_000_000)]);
    let text = fs::read_to_string(&log).unwrap();
    let unknown = text.replace("2000000000", "5").replace("us.anthropic.claude-opus-4-6-v1", "acme.model-1");
    fs::write(&log, format!("{text}junk\n{unknown}")).unwrap();
    assert_eq!(office.rows(&["ingest", &log]), [json!({ "accepted": 1, "repeated": 0, "rejected": 2 })]);
    let fault = |kind: &str, what: &str| json!({ "fault": kind, "what": what, "count": 1 });
    let expected = [
        fault("rejected", "count"),
        fault("rejected", "not_a_record"),
        fault("unknown_model", "acme.model-1"),
        fault("no_verified_token", "alice"),
    ];
    assert_eq!(office.rows(&["faults"]), expected);
}

/// A person who may call models can name as many as they like in calls that fail.
#[test]
fn failed_calls_leave_no_names_of_models() {
    let office = Office::new();
    let log = office.write_log("a.jsonl", &[("alice", "r1", 5), ("alice", "r2", 0), ("alice", "r3", 7)]);
    let text = fs::read_to_string(&log).unwrap().replace("us.anthropic.claude-opus-4-6-v1", "acme.model-1");
    // The first call fails, the second one used nothing.
    fs::write(&log, text.replacen("\"region\"", "\"errorCode\":\"ValidationException\",\"region\"", 1)).unwrap();
    assert_eq!(office.rows(&["ingest", &log]), [json!({ "accepted": 3, "repeated": 0, "rejected": 0 })]);
    assert_eq!(office.rows(&["faults"])[0], json!({ "fault": "unknown_model", "what": "acme.model-1", "count": 1 }));
    assert_eq!(office.rows(&["ingest", &log]), [json!({ "accepted": 0, "repeated": 3, "rejected": 0 })]);
}

#[test]
fn commands_say_when_aws_follows() {
    let office = Office::new();
    office.configure("enforce = { policies = [\"arn:aws:iam::123456789012:policy/quota-1\"] }");
    let block = office.run(&["block", "--person", "alice", "--json"]);
    assert!(block.stderr.contains("within a minute"), "{}", block.stderr);
    // It is no part of the document.
    assert_eq!(serde_json::from_str::<Value>(&block.stdout).unwrap()["rows"][0]["person"], "alice");
    assert_eq!(office.run(&["limits", "list"]).stderr, "");
    office.configure("");
    assert_eq!(office.run(&["unblock", "--person", "alice"]).stderr, "");
}

#[test]
fn grants_and_blocks_end_in_the_zone() {
    let office = Office::new();
    let grant =
        office.rows(&["grant", "--person", "alice", "--until", "2099-07-01", "--amount", "20USD", "--reason", "x"]);
    assert_eq!((&grant[0]["until"], &grant[0]["amount"]), (&json!("2099-06-30T22:00:00Z"), &json!(20.0)));
    let shown = office.run(&["revoke", "--person", "alice"]).succeeds();
    assert!(shown.contains("  2099-07-01 00:00 Europe/Berlin  usd "), "{shown}");
    let block = office.rows(&["block", "--person", "alice", "--until", "2099-01-01T08:00", "--reason", "\u{1b}[2J"]);
    assert_eq!(block[0]["until"], "2099-01-01T07:00:00Z");
    assert!(!office.run(&["block", "--person", "alice", "--reason", "\u{1b}[2J"]).succeeds().contains('\u{1b}'));
    assert_eq!(office.rows(&["unblock", "--person", "alice"])[0]["was_blocked"], true);
    assert_eq!(office.rows(&["unblock", "--person", "alice"])[0]["was_blocked"], false);
    let past = ["grant", "--person", "alice", "--until", "2020-01-01", "--reason", "x"];
    office.run(&past).fails(2, "usage/argument");
    office.run(&["block", "--person", "alice", "--until", "soon"]).fails(2, "usage/argument");
}

#[test]
fn an_export_restores_another_store() {
    let (office, other) = (Office::new(), Office::new());
    office.run(&["limits", "set", "--default", "--month", "12.5USD"]).succeeds();
    office.run(&["grant", "--person", "alice", "--until", "2099-01-01", "--reason", "release"]).succeeds();
    office.run(&["block", "--person", "bob"]).succeeds();
    let export = office.run(&["export"]).succeeds();
    fs::write(other.path("export.json"), &export).unwrap();
    assert_eq!(other.rows(&["import", other.path("export.json").to_str().unwrap()]).len(), 3);
    assert_eq!(other.run(&["export"]).succeeds(), export);
    fs::write(other.path("export.json"), "{}").unwrap();
    other.run(&["import", other.path("export.json").to_str().unwrap()]).fails(2, "usage/argument");
}

#[test]
fn commands_reach_a_server_that_runs() {
    let office = Office::new();
    let server = Server::start(&office);
    office.run(&["limits", "set", "--default", "--day", "5M"]).succeeds();
    let log = office.write_log("a.jsonl", &[("alice", "r1", 7)]);
    office.run(&["ingest", &log]).succeeds();
    assert_eq!(office.rows(&["limits", "list"]).len(), 1);
    drop(server);
    // The server was killed; what it had answered is stored.
    assert_eq!(office.rows(&["limits", "list"]).len(), 1);
    assert_eq!(office.rows(&["usage", "--month", "2026-11"])[0]["input_tokens"], 7);
    let _again = Server::start(&office);
    assert_eq!(office.rows(&["limits", "list"]).len(), 1);
}

#[test]
fn a_damaged_store_is_an_error_and_stays_as_it_is() {
    let office = Office::new();
    for content in [&b""[..], b"not a store"] {
        fs::write(office.path("usage.redb"), content).unwrap();
        office.run(&["limits", "list"]).fails(10, "store/damaged");
        office.run(&["serve"]).fails(10, "store/damaged");
        assert_eq!(fs::read(office.path("usage.redb")).unwrap(), content);
    }
}

#[test]
fn a_configuration_is_checked_before_anything_happens() {
    let office = Office::new();
    office.configure("colour = 1");
    assert!(office.run(&["limits", "list"]).fails(3, "config/invalid").contains("line 5: unknown field `colour`"));
    office.configure("prices = \"absent.toml\"");
    office.run(&["prices"]).fails(2, "usage/argument");
    fs::write(office.path("absent.toml"), "date = 1").unwrap();
    office.run(&["prices"]).fails(3, "config/invalid");
    assert!(!office.path("usage.redb").exists());
    let nothing = Output::of(Command::new(PROGRAM).args(["limits", "list"]).env_remove("BEDROCK_SSO_SERVER_CONFIG"));
    nothing.fails(2, "usage/no_configuration");
}

/// Only the first of them would ever be used.
#[test]
fn an_issuer_is_named_once() {
    let office = Office::new();
    office.configure("[[issuer]]\nissuer = \"https://acme.okta.com\"\naudience = [\"0oa2\"]");
    assert!(office.run(&["limits", "list"]).fails(3, "config/invalid").contains("https://acme.okta.com"));
    office.configure("[[issuer]]\nissuer = \"https://acme.okta.com/\"\naudience = [\"0oa2\"]");
    office.run(&["limits", "list"]).succeeds();
}

#[test]
fn an_empty_name_is_not_accepted() {
    let office = Office::new();
    for words in [["--group", ""], ["--model", ""]] {
        let refused = office.run(
            &[&["limits", "set", "--day", "5M"][..], &words, &["--default"][..usize::from(words[0] == "--model")]]
                .concat(),
        );
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{words:?}");
    }
}

#[test]
fn a_grant_is_taken_back() {
    let office = Office::new();
    for (name, reason) in [("alice", "a typo"), ("alice", "another"), ("bob", "release")] {
        office.run(&["grant", "--person", name, "--until", "2099-01-01", "--reason", reason]).succeeds();
    }
    let rows = office.rows(&["revoke", "--person", "alice"]);
    assert_eq!((rows.len(), &rows[0]["person"]), (2, &json!("alice")));
    assert_eq!(office.rows(&["export"])[0]["person"], "bob");
    assert_eq!(office.run(&["revoke", "--person", "alice"]).succeeds(), "alice has no grant\n");
}

#[test]
fn prices_that_ship_are_replaced_by_a_file() {
    let office = Office::new();
    assert!(office.rows(&["prices"]).len() > 50);
    let own = "date = \"2026-12-01\"\nsource = \"contract\"\n[[price]]\nmodel = \"*\"\ninput = 1\noutput = 2\n\
               cache_read = 0\ncache_write = 3.5\n";
    fs::write(office.path("own.toml"), own).unwrap();
    office.configure("prices = \"own.toml\"");
    let row = json!({
        "model": "*", "min_prompt": 0, "from": null, "input": 1.0, "output": 2.0, "cache_read": 0.0, "cache_write": 3.5
    });
    assert_eq!(office.rows(&["prices"]), [row]);
    let exported: Value = serde_json::from_str(&office.run(&["export", "prices"]).succeeds()).unwrap();
    let row = json!({
        "position": 0, "model": "*", "model_like": "%", "min_prompt_tokens": 0, "from_day": "", "input": 1_000_000,
        "output": 2_000_000, "cache_read": 0, "cache_write": 3_500_000, "list_date": "2026-12-01"
    });
    assert_eq!(exported, row);
    assert_eq!(office.rows(&["export", "prices"]), [row]);
    let log = office.write_log("a.jsonl", &[("alice", "r1", 3_000_000)]);
    office.run(&["ingest", &log]).succeeds();
    assert_eq!(office.rows(&["usage", "--month", "2026-11"])[0]["micro_usd"], 3_000_000);
}

#[test]
fn a_report_is_written_for_its_reader_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let office = Office::new();
    let log = office.write_log("a.jsonl", &[("alice@example.com", "r1", 3_000_000), ("bob", "r2", 1)]);
    office.run(&["ingest", &log]).succeeds();
    let file = office.path("report.html");
    let words = ["report", "--month", "2026-11", "--html", file.to_str().unwrap()];
    assert_eq!(office.run(&words).succeeds(), "");
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.contains("Amazon Bedrock in November 2026") && page.contains("Person 2") && !page.contains("alice"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Without a file, the page is what the command prints. A server that runs gives the same answer.
    let named = office.run(&["report", "--month", "2026-11", "--people", "names"]).succeeds();
    assert!(named.contains("alice@example.com"));
    let rows = office.rows(&["report", "--month", "2026-11"]);
    let usage = office.rows(&["usage", "--month", "2026-11"]);
    assert_eq!(rows[0]["micro_usd"], usage[0]["micro_usd"].as_u64().unwrap() + usage[1]["micro_usd"].as_u64().unwrap());
    let server = Server::start(&office);
    assert_eq!(office.rows(&["report", "--month", "2026-11"]), rows);
    drop(server);
    let nowhere = office.path("absent/report.html");
    office.run(&["report", "--html", nowhere.to_str().unwrap()]).fails(2, "usage/argument");
}

#[test]
fn files_of_the_guide_are_accepted() {
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/organisation/limits.md")).unwrap();
    let blocks = |info: &str| -> Vec<String> {
        let fence = format!("```toml,{info}\n");
        guide.split(&fence).skip(1).map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
    };
    let office = Office::new();
    fs::write(office.path("ingest.token"), "secret").unwrap();
    fs::write(office.path("prices.toml"), &blocks("prices")[0]).unwrap();
    let (files, tables): (Vec<_>, Vec<_>) =
        blocks("server").into_iter().partition(|block| block.trim_start().starts_with("version"));
    assert_eq!((files.len(), tables.len()), (2, 1));
    // A table belongs to the first file.
    let server = format!("prices = \"prices.toml\"\n{}{}", files[0], tables[0]);
    for (text, store) in [(server, "file:usage.redb"), (files[1].clone(), "dynamodb:bedrock-sso-limits")] {
        assert!(text.contains(store), "{text}");
        let text = text.replace(store, "file:usage.redb");
        fs::write(office.path("server.toml"), text).unwrap();
        assert_eq!(office.run(&["limits", "list"]).succeeds(), "there are no limits\n");
    }
    fs::write(office.path("server.toml"), format!("prices = \"prices.toml\"\n{}", files[0])).unwrap();
    assert_eq!(office.rows(&["prices"]).len(), 1);
}
