//! The roles of `role_chain`, each an ARN or a table with an ARN in it.
//!
//! It judges each link by itself; whether they go together is for `resolve`.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    RoleArn, Template,
    error::Fault,
    federation::{HOUR, Link},
    key::{Default, Key, Kind, Variable, key, nearest},
    read::{self, TEMPLATE_RULE, illegal, wrong_type},
};

/// What a table may hold.
pub(super) const FIELDS: [&str; 7] =
    ["role_arn", "external_id", "duration", "session_name", "tags", "transitive", "source_identity"];

/// The least that STS grants. Nobody keeps the sessions in the middle, so that they are no longer.
const SHORTEST: Duration = Duration::from_secs(900);

/// Fields that are read as keys are.
/// A key inside a link, which no variable sets by itself.
const fn part(name: &'static str, kind: Kind, default: Default) -> Key {
    key(name, kind, default, Variable::WithoutFile, "")
}

static ROLE: Key = part("role_chain.role_arn", Kind::Role, Default::Required);
static DURATION: Key = part("role_chain.duration", Kind::Span(900, 3600), Default::Text(""));
static TEXT: Key = part("role_chain.external_id", Kind::Text, Default::Text(""));
static TAGS: Key = part("role_chain.tags", Kind::Table, Default::Table);
static TRANSITIVE: Key = part("role_chain.transitive", Kind::Words, Default::List(&[]));
static NAME: Key = part("role_chain.session_name", Kind::Text, Default::Text(""));
static SOURCE: Key = part("role_chain.source_identity", Kind::Text, Default::Text(""));

/// The links in their order; the last lasts as long as is wanted, where AWS allows it.
pub(super) fn links(key: &Key, value: &DeValue<'_>, wanted: Duration) -> Result<Vec<Link>, Fault> {
    const EXPECTED: &str = "a list of role ARNs or tables";
    let DeValue::Array(items) = value else { return Err(wrong_type(key, EXPECTED, value)) };
    let links = items.iter().enumerate().map(|(at, item)| {
        let duration = if at + 1 == items.len() { wanted.min(HOUR) } else { SHORTEST };
        match item.get_ref() {
            text @ DeValue::String(_) => Ok(Link::plain(read::role(&ROLE, text)?, duration)),
            DeValue::Table(table) => link(key, table, item.get_ref(), duration),
            other => Err(wrong_type(key, EXPECTED, other)),
        }
    });
    links.collect()
}

impl Link {
    pub(super) fn plain(role: RoleArn, duration: Duration) -> Self {
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

fn link(key: &Key, table: &DeTable<'_>, whole: &DeValue<'_>, usual: Duration) -> Result<Link, Fault> {
    if let Some((name, _)) = table.iter().find(|(name, _)| !FIELDS.contains(&name.get_ref().as_ref())) {
        let (name, table) = (name.get_ref().to_string(), "role_chain".to_owned());
        let nearest = nearest(&name, FIELDS.into_iter()).map(str::to_owned);
        return Err(Fault::UnknownKey { key: name, table, nearest });
    }
    let field = |name: &str| table.get(name).map(|value| value.get_ref());
    let role = field("role_arn").ok_or_else(|| illegal(key, whole, "a link needs a role_arn"))?;
    let mut link = Link::plain(read::role(&ROLE, role)?, usual);
    if let Some(value) = field("duration") {
        link.duration = read::span(&DURATION, value)?;
    }
    link.external_id = field("external_id").map(external_id).transpose()?;
    link.session_name = field("session_name").map(|value| template(&NAME, value)).transpose()?;
    link.source_identity = field("source_identity").map(|value| template(&SOURCE, value)).transpose()?;
    link.tags = field("tags").map(tags).transpose()?.unwrap_or_default();
    link.transitive =
        field("transitive").map(|value| read::list(&TRANSITIVE, value)).transpose()?.unwrap_or_default();
    match (field("transitive"), link.transitive.iter().find(|name| !link.tags.contains_key(*name))) {
        (Some(value), Some(_)) => Err(illegal(&TRANSITIVE, value, "names a tag that the link does not set")),
        _ => Ok(link),
    }
}

/// STS: `[\w+=,.@:\/-]{2,1224}`.
fn external_id(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = read::text(&TEXT, value)?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    match (2..=1224).contains(&text.len()) && text.bytes().all(is_legal) {
        true => Ok(text),
        false => Err(illegal(&TEXT, value, "must be 2 to 1224 letters, digits or any of _+=,.@:/-")),
    }
}

fn template(key: &Key, value: &DeValue<'_>) -> Result<Template, Fault> {
    let text = read::text(key, value)?;
    if text.trim().is_empty() {
        return Err(illegal(key, value, "must not be empty"));
    }
    Template::parse(&text).ok_or_else(|| illegal(key, value, TEMPLATE_RULE))
}

fn tags(value: &DeValue<'_>) -> Result<BTreeMap<String, Template>, Fault> {
    let mut tags = BTreeMap::new();
    for (name, text) in read::strings(&TAGS, value)? {
        if !is_tag_name(&name) {
            let name = DeValue::String(Cow::Owned(name));
            return Err(illegal(&TAGS, &name, "not the name of a tag"));
        }
        let template = Template::parse(&text)
            .ok_or_else(|| illegal(&TAGS, &DeValue::String(Cow::Owned(text)), TEMPLATE_RULE))?;
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
