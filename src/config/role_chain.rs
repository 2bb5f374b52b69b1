//! The roles of `read_role_chain`, each an ARN or a table with an ARN in it.
//!
//! It judges each link by itself; whether they go together is for `resolve`.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    ClaimTemplate, RoleArn,
    error::ConfigFault,
    federation::{CHAINED_SESSION_LIMIT, ChainedRole},
    keys::{ConfigKey, KeyDefault, ValueKind, VariablePolicy, declare_key, find_nearest_name},
    parsers::{self, TEMPLATE_RULE, reject_type, reject_value},
};

/// What a table may hold.
pub(super) const FIELDS: [&str; 7] =
    ["role_arn", "external_id", "duration", "session_name", "tags", "transitive", "source_identity"];

/// The least that STS grants. Nobody keeps the sessions in the middle, so that they are no longer.
const MIN_SESSION_DURATION: Duration = Duration::from_secs(900);

/// Fields that are read as keys are.
/// A key inside a link, which no variable sets by itself.
const fn declare_chain_key(name: &'static str, kind: ValueKind, default: KeyDefault) -> ConfigKey {
    declare_key(name, kind, default, VariablePolicy::WithoutFile, "")
}

static ROLE: ConfigKey = declare_chain_key("role_chain.role_arn", ValueKind::Role, KeyDefault::Required);
static DURATION: ConfigKey =
    declare_chain_key("role_chain.duration", ValueKind::DurationRange(900, 3600), KeyDefault::Text(""));
static TEXT: ConfigKey = declare_chain_key("role_chain.external_id", ValueKind::Text, KeyDefault::Text(""));
static TAGS: ConfigKey = declare_chain_key("role_chain.tags", ValueKind::Table, KeyDefault::Table);
static TRANSITIVE: ConfigKey =
    declare_chain_key("role_chain.transitive", ValueKind::Tokens, KeyDefault::List(&[]));
static NAME: ConfigKey = declare_chain_key("role_chain.session_name", ValueKind::Text, KeyDefault::Text(""));
static SOURCE: ConfigKey =
    declare_chain_key("role_chain.source_identity", ValueKind::Text, KeyDefault::Text(""));

/// The links in their order; the last lasts as long as is wanted, where AWS allows it.
pub(super) fn parse_role_chain(
    key: &ConfigKey,
    value: &DeValue<'_>,
    wanted: Duration,
) -> Result<Vec<ChainedRole>, ConfigFault> {
    const EXPECTED: &str = "a list of role ARNs or tables";
    let DeValue::Array(items) = value else { return Err(reject_type(key, EXPECTED, value)) };
    let links = items.iter().enumerate().map(|(at, item)| {
        let duration =
            if at + 1 == items.len() { wanted.min(CHAINED_SESSION_LIMIT) } else { MIN_SESSION_DURATION };
        match item.get_ref() {
            text @ DeValue::String(_) => {
                Ok(ChainedRole::new(parsers::parse_role_arn(&ROLE, text)?, duration))
            }
            DeValue::Table(table) => parse_chained_role(key, table, item.get_ref(), duration),
            other => Err(reject_type(key, EXPECTED, other)),
        }
    });
    links.collect()
}

impl ChainedRole {
    pub(super) fn new(role: RoleArn, duration: Duration) -> Self {
        let (tags, transitive) = (BTreeMap::new(), Vec::new());
        Self {
            role,
            external_id: None,
            duration,
            session_name: None,
            tags,
            transitive,
            source_identity: None,
        }
    }
}

fn parse_chained_role(
    key: &ConfigKey,
    table: &DeTable<'_>,
    whole: &DeValue<'_>,
    usual: Duration,
) -> Result<ChainedRole, ConfigFault> {
    if let Some((name, _)) = table.iter().find(|(name, _)| !FIELDS.contains(&name.get_ref().as_ref())) {
        let (name, table) = (name.get_ref().to_string(), "role_chain".to_owned());
        let nearest = find_nearest_name(&name, FIELDS.into_iter()).map(str::to_owned);
        return Err(ConfigFault::UnknownKey { key: name, table, nearest });
    }
    let field = |name: &str| table.get(name).map(|value| value.get_ref());
    let role = field("role_arn").ok_or_else(|| reject_value(key, whole, "a link needs a role_arn"))?;
    let mut link = ChainedRole::new(parsers::parse_role_arn(&ROLE, role)?, usual);
    if let Some(value) = field("duration") {
        link.duration = parsers::parse_duration(&DURATION, value)?;
    }
    link.external_id = field("external_id").map(parse_external_id).transpose()?;
    link.session_name = field("session_name").map(|value| parse_template(&NAME, value)).transpose()?;
    link.source_identity =
        field("source_identity").map(|value| parse_template(&SOURCE, value)).transpose()?;
    link.tags = field("tags").map(parse_tags).transpose()?.unwrap_or_default();
    link.transitive = field("transitive")
        .map(|value| parsers::parse_string_list(&TRANSITIVE, value))
        .transpose()?
        .unwrap_or_default();
    match (field("transitive"), link.transitive.iter().find(|name| !link.tags.contains_key(*name))) {
        (Some(value), Some(_)) => {
            Err(reject_value(&TRANSITIVE, value, "names a tag that the link does not set"))
        }
        _ => Ok(link),
    }
}

/// STS: `[\w+=,.@:\/-]{2,1224}`.
fn parse_external_id(value: &DeValue<'_>) -> Result<String, ConfigFault> {
    let text = parsers::parse_text(&TEXT, value)?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    match (2..=1224).contains(&text.len()) && text.bytes().all(is_legal) {
        true => Ok(text),
        false => Err(reject_value(&TEXT, value, "must be 2 to 1224 letters, digits or any of _+=,.@:/-")),
    }
}

fn parse_template(key: &ConfigKey, value: &DeValue<'_>) -> Result<ClaimTemplate, ConfigFault> {
    let text = parsers::parse_text(key, value)?;
    if text.trim().is_empty() {
        return Err(reject_value(key, value, "must not be empty"));
    }
    ClaimTemplate::parse(&text).ok_or_else(|| reject_value(key, value, TEMPLATE_RULE))
}

fn parse_tags(value: &DeValue<'_>) -> Result<BTreeMap<String, ClaimTemplate>, ConfigFault> {
    let mut tags = BTreeMap::new();
    for (name, text) in parsers::parse_string_table(&TAGS, value)? {
        if !is_tag_name(&name) {
            let name = DeValue::String(Cow::Owned(name));
            return Err(reject_value(&TAGS, &name, "not the name of a tag"));
        }
        let template = ClaimTemplate::parse(&text)
            .ok_or_else(|| reject_value(&TAGS, &DeValue::String(Cow::Owned(text)), TEMPLATE_RULE))?;
        tags.insert(name, template);
    }
    Ok(tags)
}

/// STS: `[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`, and none of AWS's own.
fn is_tag_name(name: &str) -> bool {
    let is_legal = |part: char| part.is_alphanumeric() || part == ' ' || "_.:/=+-@".contains(part);
    (1..=128).contains(&name.chars().count())
        && name.chars().all(is_legal)
        && !name.to_ascii_lowercase().starts_with("aws:")
}
