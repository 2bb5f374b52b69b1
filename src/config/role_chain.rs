//! The roles of `role_chain`, each an ARN or a table with an ARN in it.
//!
//! It checks each role by itself; whether they go together is for `profile_builder`.

use std::{collections::BTreeMap, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    ClaimTemplate,
    error::{ConfigFault, ParseResult},
    federation::{CHAINED_SESSION_LIMIT, ChainedRole},
    parsers::{self, TEMPLATE_RULE, expect_list, reject_text, reject_type, reject_value},
};

/// What a table may hold.
pub(super) const FIELDS: [&str; 7] =
    ["role_arn", "external_id", "duration", "session_name", "tags", "transitive", "source_identity"];

/// The least that STS grants. Nobody keeps the sessions in the middle, so that they are no longer.
const MIN_SESSION_DURATION: Duration = Duration::from_secs(900);

const ROLE_ARN: &str = "role_chain.role_arn";
const EXTERNAL_ID: &str = "role_chain.external_id";
const TAGS: &str = "role_chain.tags";
const TRANSITIVE: &str = "role_chain.transitive";

/// The links in their order; the last lasts as long as is wanted, where AWS allows it.
pub(super) fn parse_role_chain(key: &str, value: &DeValue<'_>, wanted: Duration) -> ParseResult<Vec<ChainedRole>> {
    const EXPECTED: &str = "a list of role ARNs or tables";
    let items = expect_list(key, value, EXPECTED)?;
    let links = items.iter().enumerate().map(|(at, item)| {
        let duration = if at + 1 == items.len() { wanted.min(CHAINED_SESSION_LIMIT) } else { MIN_SESSION_DURATION };
        let item = item.get_ref();
        match (item.as_str(), item.as_table()) {
            (Some(_), _) => Ok(ChainedRole::new(parsers::parse_role_arn(ROLE_ARN, item)?, duration)),
            (None, Some(table)) => parse_chained_role(key, table, item, duration),
            (None, None) => Err(reject_type(key, EXPECTED, item)),
        }
    });
    links.collect()
}

fn parse_chained_role(
    key: &str,
    table: &DeTable<'_>,
    whole: &DeValue<'_>,
    usual: Duration,
) -> ParseResult<ChainedRole> {
    if let Some((name, _)) = table.iter().find(|(name, _)| !FIELDS.contains(&name.get_ref().as_ref())) {
        return Err(ConfigFault::unknown_key(name.get_ref(), "role_chain", FIELDS.into_iter()));
    }
    let field = |name: &str| table.get(name).map(|value| value.get_ref());
    let role = field("role_arn").ok_or_else(|| reject_value(key, whole, "a link needs a role_arn"))?;
    let mut link = ChainedRole::new(parsers::parse_role_arn(ROLE_ARN, role)?, usual);
    if let Some(value) = field("duration") {
        link.duration = parsers::parse_duration::<900, 3600>("role_chain.duration", value)?;
    }
    link.external_id = field("external_id").map(parse_external_id).transpose()?;
    link.session_name =
        field("session_name").map(|value| parse_template("role_chain.session_name", value)).transpose()?;
    link.source_identity =
        field("source_identity").map(|value| parse_template("role_chain.source_identity", value)).transpose()?;
    link.tags = field("tags").map(parse_tags).transpose()?.unwrap_or_default();
    link.transitive =
        field("transitive").map(|value| parsers::parse_string_list(TRANSITIVE, value)).transpose()?.unwrap_or_default();
    match (field("transitive"), link.transitive.iter().find(|name| !link.tags.contains_key(*name))) {
        (Some(value), Some(_)) => Err(reject_value(TRANSITIVE, value, "names a tag that the link does not set")),
        _ => Ok(link),
    }
}

/// STS: `[\w+=,.@:\/-]{2,1224}`.
fn parse_external_id(value: &DeValue<'_>) -> ParseResult<String> {
    let text = parsers::parse_text(EXTERNAL_ID, value)?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    match (2..=1224).contains(&text.len()) && text.bytes().all(is_legal) {
        true => Ok(text),
        false => Err(reject_value(EXTERNAL_ID, value, "must be 2 to 1224 letters, digits or any of _+=,.@:/-")),
    }
}

fn parse_template(key: &str, value: &DeValue<'_>) -> ParseResult<ClaimTemplate> {
    let text = parsers::parse_required_text(key, value)?;
    ClaimTemplate::parse(&text).ok_or_else(|| reject_value(key, value, TEMPLATE_RULE))
}

fn parse_tags(value: &DeValue<'_>) -> ParseResult<BTreeMap<String, ClaimTemplate>> {
    let mut tags = BTreeMap::new();
    for (name, text) in parsers::parse_string_table(TAGS, value)? {
        if !is_tag_name(&name) {
            return Err(reject_text(TAGS, &name, "not the name of a tag"));
        }
        let template = ClaimTemplate::parse(&text).ok_or_else(|| reject_text(TAGS, &text, TEMPLATE_RULE))?;
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
