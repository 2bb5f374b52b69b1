//! The configuration: one TOML file, or its text in a variable where there are no files.
//!
//! Every value is checked when it is read, so that the server does not start with a configuration that would fail later.

mod relay_table;

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bedrock_sso::{
    config::{Issuer, list_user_info_claims},
    secret::Secret,
    text::display_path,
    url::SecureUrl,
};
use serde::Deserialize;

use self::relay_table::RelayTable;
pub use self::relay_table::{OtlpEndpoint, RelayConfig};
use crate::{
    aws_calls::{FunctionName, PolicyArn, TopicArn},
    calendar::Calendar,
    failure::Failure,
};

/// The configuration, with paths that count from its own folder.
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// `None` only on loopback.
    pub tls: Option<TlsFiles>,
    pub store: StoreLocation,
    pub calendar: Calendar,
    /// The administrator's prices; `None` for those that ship with the program.
    pub prices: Option<PathBuf>,
    pub group_rule: GroupRule,
    pub issuers: Vec<TrustedIssuer>,
    /// Whose signed requests are believed, in AWS Lambda.
    pub identity_center: Vec<TrustedAssignment>,
    /// Whom a person with a spent limit can ask, such as an address or the name of a channel.
    pub contact: Option<String>,
    /// Where notices about nearly spent limits are sent; `None` for no notices.
    pub webhook: Option<SecureUrl>,
    /// The topic of SNS that gets the same notices.
    pub topic: Option<TopicArn>,
    /// `None` if nobody is refused in AWS.
    pub enforcement: Option<EnforcementConfig>,
    /// `None` if clients may send no telemetry.
    pub relay: Option<RelayConfig>,
    /// The bearer of `POST /ingest`; `None` if nobody may send records.
    pub ingest_token: Option<Secret>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    File(PathBuf),
    DynamoDb {
        table: String,
    },
    /// Nothing is stored. Only the function with the role `relay` works so.
    Nowhere,
}

/// Which limit holds for a person of several groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupRule {
    #[default]
    Strictest,
    MostGenerous,
}

/// An issuer whose ID tokens are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// Compared with `iss` of a token as it is written: a final slash makes another issuer.
    pub issuer: Issuer,
    pub audiences: Vec<String>,
    /// The claims that name the person, in order of preference, as `session_name` of the client's profile.
    pub person: Vec<String>,
    pub group_claims: Vec<String>,
    pub department_claims: Vec<String>,
    pub team_claims: Vec<String>,
}

/// A permission set of IAM Identity Center in one account. The users of its role have no ID token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedAssignment {
    pub account_id: String,
    pub permission_set: String,
}

/// The most policies that a role can have attached.
const MAX_POLICIES: usize = 10;

/// How refused people are refused in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnforcementConfig {
    /// The policies that name refused people, all of one partition. Nothing else may write them.
    pub policies: Vec<PolicyArn>,
    /// The function that writes the policies; without it, the stand-alone server does.
    pub function: Option<FunctionName>,
    /// The namespace in CloudWatch of the numbers that each run prints; `None` for none.
    pub metrics: Option<String>,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    version: u32,
    #[serde(default = "default_listen")]
    listen: SocketAddr,
    tls: Option<TlsTable>,
    store: String,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    prices: String,
    #[serde(default)]
    groups: GroupRule,
    #[serde(default)]
    issuer: Vec<IssuerTable>,
    #[serde(default)]
    identity_center: Vec<TrustedAssignment>,
    contact: Option<String>,
    #[serde(default)]
    ingest: IngestTable,
    #[serde(default)]
    notify: NotifyTable,
    enforce: Option<EnforceTable>,
    relay: Option<RelayTable>,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8787))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsTable {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerTable {
    issuer: String,
    audience: Vec<String>,
    #[serde(default = "default_person")]
    person: Vec<String>,
    #[serde(default)]
    claims: BTreeMap<KnownClaim, Vec<String>>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KnownClaim {
    Groups,
    Department,
    Team,
}

/// The client's default `session_name`.
fn default_person() -> Vec<String> {
    ["email", "preferred_username", "upn", "sub"].map(str::to_owned).into()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct IngestTable {
    token_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NotifyTable {
    webhook: Option<String>,
    topic: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnforceTable {
    policies: Vec<String>,
    function: Option<String>,
    metrics: Option<String>,
}

impl Config {
    /// Whether this program calls AWS for something else than its store.
    pub fn needs_aws(&self) -> bool {
        self.enforcement.is_some() || self.topic.is_some()
    }

    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::configuration(
                format!("the configuration {} cannot be read: {error}", display_path(path)),
                "name a file with --config; docs/organisation/limits.md has a complete one",
            )
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|what| {
            Failure::configuration(
                format!("{}: {what}", display_path(path)),
                "correct the file; docs/organisation/limits.md explains each key",
            )
        })
    }

    /// Parses the text of a file in this folder, and reads the file of the ingest token. The error is one line.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| describe_syntax(text, &error))?;
        if file.version != 1 {
            return Err(format!("version = {} is not known to this program, which knows version 1", file.version));
        }
        let tls = file.tls.map(|tls| TlsFiles { certificate: folder.join(tls.certificate), key: folder.join(tls.key) });
        if tls.is_none() && !file.listen.ip().is_loopback() {
            return Err(format!("listen = \"{}\" is not a loopback address, and needs [tls]", file.listen));
        }
        if file.relay.is_some() && file.issuer.is_empty() {
            return Err("[relay] needs [[issuer]]: without one, no sender of telemetry would be believed".to_owned());
        }
        let zone = file.time_zone.as_deref().unwrap_or("UTC");
        Ok(Self {
            listen: file.listen,
            tls,
            store: parse_store(&file.store, folder)?,
            calendar: zone
                .parse()
                .map_err(|_| format!("time_zone = \"{zone}\" is not a name such as Europe/Berlin"))?,
            prices: (!file.prices.is_empty()).then(|| folder.join(&file.prices)),
            group_rule: file.groups,
            contact: file.contact.filter(|contact| !contact.trim().is_empty()),
            issuers: check_issuers(file.issuer)?,
            identity_center: file
                .identity_center
                .into_iter()
                .map(TrustedAssignment::check)
                .collect::<Result<_, _>>()?,
            webhook: file.notify.webhook.map(|address| parse_webhook(&address)).transpose()?,
            topic: file.notify.topic.map(|topic| parse_topic(&topic)).transpose()?,
            enforcement: file.enforce.map(EnforceTable::check).transpose()?,
            relay: file.relay.map(RelayTable::check).transpose()?,
            ingest_token: file.ingest.token_file.map(|path| read_token(&folder.join(path))).transpose()?,
        })
    }
}

/// Checks each issuer. A second table of one would never be used.
fn check_issuers(tables: Vec<IssuerTable>) -> Result<Vec<TrustedIssuer>, String> {
    let mut issuers: Vec<TrustedIssuer> = Vec::new();
    for table in tables {
        let trusted = table.check()?;
        if issuers.iter().any(|other| other.issuer.as_str() == trusted.issuer.as_str()) {
            return Err(format!(
                "issuer = \"{}\" occurs twice: put all of its client IDs into one audience",
                trusted.issuer.as_str()
            ));
        }
        issuers.push(trusted);
    }
    Ok(issuers)
}

impl IssuerTable {
    fn check(self) -> Result<TrustedIssuer, String> {
        let issuer =
            Issuer::parse(&self.issuer).map_err(|_| format!("issuer = \"{}\" is not an https address", self.issuer))?;
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            return Err(format!(
                "audience of \"{}\" is empty: every token of the issuer would be believed",
                self.issuer
            ));
        }
        if self.person.is_empty() {
            return Err(format!("person of \"{}\" is empty: nobody would have a name", self.issuer));
        }
        if let Some(claim) = self.person.iter().find(|claim| !list_user_info_claims(claim).is_empty()) {
            return Err(format!("person = \"{claim}\" is not in an ID token, which is all that the server gets"));
        }
        let mut claims = self.claims;
        Ok(TrustedIssuer {
            issuer,
            audiences: self.audience,
            person: self.person,
            group_claims: claims.remove(&KnownClaim::Groups).unwrap_or_else(|| vec!["groups".to_owned()]),
            department_claims: claims.remove(&KnownClaim::Department).unwrap_or_else(|| vec!["department".to_owned()]),
            team_claims: claims.remove(&KnownClaim::Team).unwrap_or_else(|| vec!["team".to_owned()]),
        })
    }
}

impl TrustedAssignment {
    /// Refuses what no account and no permission set is called. Otherwise it would match nobody, silently.
    fn check(self) -> Result<Self, String> {
        let Self { account_id, permission_set } = &self;
        if account_id.len() != 12 || !account_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("account_id = \"{account_id}\" in [[identity_center]] does not have twelve digits"));
        }
        let is_legal = |part: char| part.is_ascii_alphanumeric() || "_+=,.@-".contains(part);
        if !(1..=32).contains(&permission_set.len()) || !permission_set.chars().all(is_legal) {
            return Err(format!(
                "permission_set = \"{permission_set}\" in [[identity_center]] is not the name of a permission set"
            ));
        }
        Ok(self)
    }
}

fn parse_store(text: &str, folder: &Path) -> Result<StoreLocation, String> {
    match text.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Ok(StoreLocation::File(folder.join(path))),
        Some(("dynamodb", table)) if !table.is_empty() => Ok(StoreLocation::DynamoDb { table: table.to_owned() }),
        None if text == "none" => Ok(StoreLocation::Nowhere),
        _ => Err(format!("store = \"{text}\" is neither file:PATH nor dynamodb:TABLE")),
    }
}

/// The address may contain a secret, so the error does not repeat it.
fn parse_webhook(address: &str) -> Result<SecureUrl, String> {
    SecureUrl::parse(address).map_err(|_| "webhook in [notify] is not an https address".to_owned())
}

fn parse_topic(text: &str) -> Result<TopicArn, String> {
    text.parse().map_err(|_| format!("topic = \"{text}\" in [notify] is not the ARN of an SNS topic"))
}

impl EnforceTable {
    fn check(self) -> Result<EnforcementConfig, String> {
        let mut policies: Vec<PolicyArn> = Vec::new();
        for text in self.policies {
            let policy = text
                .parse::<PolicyArn>()
                .map_err(|_| format!("policies in [enforce]: \"{text}\" is not the ARN of an account's policy"))?;
            if policies.contains(&policy) {
                return Err(format!("policies in [enforce]: {policy} occurs twice"));
            }
            if policies.first().is_some_and(|first| first.partition() != policy.partition()) {
                return Err(format!("policies in [enforce]: {policy} is in another partition than the first"));
            }
            policies.push(policy);
        }
        if policies.is_empty() || policies.len() > MAX_POLICIES {
            return Err(format!("policies in [enforce] must name one to {MAX_POLICIES} policies"));
        }
        let function = self.function.map(|name| {
            name.parse::<FunctionName>()
                .map_err(|_| format!("function = \"{name}\" in [enforce] is not the name of a function"))
        });
        if let Some(namespace) = self.metrics.as_deref().filter(|namespace| !is_namespace(namespace)) {
            return Err(format!(
                "metrics = \"{namespace}\" in [enforce] is not a namespace of one's own in CloudWatch"
            ));
        }
        Ok(EnforcementConfig { policies, function: function.transpose()?, metrics: self.metrics })
    }
}

/// Whether metrics of our own can have this namespace. AWS's own have those with `AWS/`.
fn is_namespace(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/#".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(is_legal) && !text.starts_with("AWS/")
}

fn read_token(path: &Path) -> Result<Secret, String> {
    let text = fs::read_to_string(path)
        .map_err(|error: io::Error| format!("the token file {} cannot be read: {error}", display_path(path)))?;
    match text.trim() {
        "" => Err(format!("the token file {} is empty", display_path(path))),
        token => Ok(Secret::new(token)),
    }
}

/// The error of the parser on one line, with the line of the file.
fn describe_syntax(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
    format!("line {line}: {}", error.message().replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
version = 1
store = "file:usage.redb"
[[issuer]]
issuer = "https://acme.okta.com"
audience = ["0oa1b2c3d4"]
"#;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/limits"))
    }

    #[test]
    fn defaults_fill_a_small_file() {
        let config = parse(SMALL).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8787");
        assert_eq!(config.store, StoreLocation::File("/etc/limits/usage.redb".into()));
        assert_eq!(config.group_rule, GroupRule::Strictest);
        assert_eq!(config.calendar, Calendar::utc());
        let issuer = &config.issuers[0];
        assert_eq!(issuer.person, ["email", "preferred_username", "upn", "sub"]);
        assert_eq!((issuer.group_claims.len(), issuer.department_claims.len()), (1, 1));
        assert!(config.ingest_token.is_none() && config.contact.is_none());
        // Without the slash that a parsed address would have.
        assert_eq!(issuer.issuer.as_str(), "https://acme.okta.com");
    }

    #[test]
    fn the_file_of_the_contract_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ingest.token"), "  secret\n").unwrap();
        let text = r#"
version   = 1
listen    = "127.0.0.1:8787"
store     = "dynamodb:TABLE"
time_zone = "Europe/Berlin"
prices    = "prices.toml"
groups    = "most-generous"
[[issuer]]
issuer   = "https://acme.okta.com"
audience = ["0oa1b2c3d4"]
person   = ["email"]
claims   = { groups = ["groups"], department = ["department"] }
[ingest]
token_file = "ingest.token"
"#;
        let config = Config::parse(text, folder.path()).unwrap();
        assert_eq!(config.store, StoreLocation::DynamoDb { table: "TABLE".into() });
        assert_eq!(config.group_rule, GroupRule::MostGenerous);
        assert_eq!(config.ingest_token.unwrap().expose(), "secret");
        assert_eq!(config.prices, Some(folder.path().join("prices.toml")));
    }

    #[test]
    fn enforcement_names_policies_and_who_writes_them() {
        let policies = ["arn:aws:iam::123456789012:policy/quota-1", "arn:aws:iam::123456789012:policy/quota-2"];
        let text = format!(
            "{SMALL}[enforce]\npolicies = {policies:?}\nfunction = \"limits-enforce\"\nmetrics = \"limits\"\n\
             [notify]\ntopic = \"arn:aws:sns:eu-west-1:123456789012:limits\"\n"
        );
        let config = parse(&text).unwrap();
        let enforcement = config.enforcement.unwrap();
        assert_eq!(enforcement.policies.iter().map(PolicyArn::as_str).collect::<Vec<_>>(), policies);
        assert_eq!(enforcement.function.unwrap().to_string(), "limits-enforce");
        assert_eq!(enforcement.metrics.as_deref(), Some("limits"));
        assert_eq!(config.topic.unwrap().to_string(), "arn:aws:sns:eu-west-1:123456789012:limits");
        let small = parse(SMALL).unwrap();
        assert!(small.enforcement.is_none() && small.topic.is_none());
    }

    #[test]
    fn what_would_fail_later_is_refused() {
        let refused = |text: &str, expected: &str| {
            let error = parse(text).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        refused(&SMALL.replace("version = 1", "version = 2"), "version = 2 is not known");
        refused(&SMALL.replace("version = 1", "version = 1\nlisten = \"0.0.0.0:1\""), "needs [tls]");
        refused(&SMALL.replace("file:", "sqlite:"), "neither file:PATH nor dynamodb:TABLE");
        refused(&SMALL.replace("file:usage.redb", "file:"), "neither file:PATH nor dynamodb:TABLE");
        refused(&SMALL.replace("https:", "http:"), "is not an https address");
        refused(&SMALL.replace("[\"0oa1b2c3d4\"]", "[]"), "audience of");
        refused(&format!("{SMALL}person = []"), "person of");
        refused(
            &format!("{SMALL}person = [\"email\", \"userinfo:email\"]"),
            "\"userinfo:email\" is not in an ID token",
        );
        refused(&format!("{SMALL}person = [\"{{sub}}+{{userinfo:email}}\"]"), "is not in an ID token");
        refused(&SMALL.replace("version = 1", "version = 1\ntime_zone = \"Mars\""), "time_zone = \"Mars\"");
        refused(&SMALL.replace("version = 1", "version = 1\nstores = \"\""), "line 3: unknown field `stores`");
        let assigned = |account: &str, set: &str| {
            format!("{SMALL}[[identity_center]]\naccount_id = \"{account}\"\npermission_set = \"{set}\"\n")
        };
        assert_eq!(parse(&assigned("123456789012", "claude")).unwrap().identity_center[0].permission_set, "claude");
        refused(&assigned("12345678901", "claude"), "account_id = \"12345678901\"");
        refused(&assigned("arn:aws:iam:", "claude"), "does not have twelve digits");
        // The names of the roles would not be compared as they look.
        refused(&assigned("123456789012", "AWSReservedSSO_claude_*"), "is not the name of a permission set");
        refused(&assigned("123456789012", ""), "is not the name of a permission set");
        refused(&format!("{}role = \"x\"", assigned("123456789012", "claude")), "unknown field `role`");
        refused(&format!("{SMALL}[notify]\nwebhook = \"http://hooks.example.com/secret\""), "webhook in [notify]");
        refused(&format!("{SMALL}[notify]\ntopic = \"limits\""), "topic = \"limits\" in [notify]");
        let enforce = |lines: &str| format!("{SMALL}[enforce]\n{lines}");
        let arn = |end: &str| format!("arn:aws:iam::123456789012:policy/{end}");
        refused(&enforce("policies = []"), "must name one to 10 policies");
        refused(&enforce("policies = [\"limits\"]"), "\"limits\" is not the ARN");
        refused(
            &enforce("policies = [\"arn:aws:iam::aws:policy/AdministratorAccess\"]"),
            "is not the ARN of an account",
        );
        refused(&enforce(&format!("policies = [\"{0}\", \"{0}\"]", arn("a"))), "occurs twice");
        let foreign = arn("b").replace("arn:aws:", "arn:aws-cn:");
        refused(&enforce(&format!("policies = [\"{}\", \"{foreign}\"]", arn("a"))), "in another partition");
        refused(&enforce(&format!("policies = [\"{}\"]\nfunction = \"a b\"", arn("a"))), "function = \"a b\"");
        for namespace in ["", "AWS/Lambda", "a b", "a\\\"b"] {
            let lines = format!("policies = [\"{}\"]\nmetrics = \"{namespace}\"", arn("a"));
            refused(&enforce(&lines), "is not a namespace of one's own");
        }
        let many: Vec<String> = (0..11).map(|number| format!("{:?}", arn(&number.to_string()))).collect();
        refused(&enforce(&format!("policies = [{}]", many.join(","))), "must name one to 10 policies");
        refused(&format!("{SMALL}[ingest]\ntoken_file = \"absent\""), "absent cannot be read");
        refused(&format!("{SMALL}[relay]"), "says nowhere to send telemetry");
        let (nobody, _) = SMALL.split_once("[[issuer]]").unwrap();
        refused(&format!("{nobody}[relay]\nregion = \"eu-west-1\""), "[relay] needs [[issuer]]");
    }
}
