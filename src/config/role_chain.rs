//! Parses `role_chain`: a list of roles, each an ARN or a table with an ARN and further settings.
//!
//! The rules for the settings are those of STS `AssumeRole`, so that a mistake is found before the user signs in.

use std::{collections::BTreeMap, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    ClaimTemplate, ConfigFault,
    error::ParseResult,
    federation::{CHAINED_SESSION_LIMIT, ChainedRole},
    parsers::{
        TEMPLATE_RULE, expect_list, parse_duration, parse_required_text, parse_role_arn, parse_string_list,
        parse_string_table, parse_text, reject_text, reject_type, reject_value, require,
    },
};

/// The keys that the table of a role may contain.
pub(super) const FIELDS: [&str; 7] =
    ["role_arn", "external_id", "duration", "session_name", "tags", "transitive", "source_identity"];

/// The shortest session that STS grants. All roles but the last get it, because their credentials are used once, to
/// assume the next role.
const MIN_SESSION_DURATION: Duration = Duration::from_secs(900);

/// Parses the roles in their order. The session of the last one lasts as long as `wanted`, but no longer than AWS
/// allows.
pub(super) fn parse_role_chain(key: &str, value: &DeValue<'_>, wanted: Duration) -> ParseResult<Vec<ChainedRole>> {
    const EXPECTED: &str = "a list of role ARNs or tables";
    let items = expect_list(key, value, EXPECTED)?;
    let links = items.iter().enumerate().map(|(at, item)| {
        let duration = if at + 1 == items.len() { wanted.min(CHAINED_SESSION_LIMIT) } else { MIN_SESSION_DURATION };
        let item = item.get_ref();
        match (item.as_str(), item.as_table()) {
            (Some(_), _) => Ok(ChainedRole::new(parse_role_arn("role_chain.role_arn", item)?, duration)),
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
    let role = parse_field(table, "role_arn", parse_role_arn)?;
    let role = role.ok_or_else(|| reject_value(key, whole, "each link of the chain needs a role_arn"))?;
    let duration = parse_field(table, "duration", parse_duration::<900, 3600>)?.unwrap_or(usual);
    let external_id = parse_field(table, "external_id", parse_external_id)?;
    let session_name = parse_field(table, "session_name", parse_template)?;
    let source_identity = parse_field(table, "source_identity", parse_template)?;
    let tags = parse_field(table, "tags", parse_tags)?.unwrap_or_default();
    let transitive = parse_field(table, "transitive", |key, value| {
        let names = parse_string_list(key, value)?;
        let is_set = names.iter().all(|name| tags.contains_key(name));
        require(is_set, key, value, "each of these tags must also be set in `tags`").map(|()| names)
    })?;
    let transitive = transitive.unwrap_or_default();
    Ok(ChainedRole { role, external_id, duration, session_name, tags, transitive, source_identity })
}

/// Parses one key of the table; `None` if the table does not set it. Messages call it `role_chain.NAME`.
fn parse_field<T>(
    table: &DeTable<'_>,
    name: &str,
    parse: impl Fn(&str, &DeValue<'_>) -> ParseResult<T>,
) -> ParseResult<Option<T>> {
    table.get(name).map(|value| parse(&format!("role_chain.{name}"), value.get_ref())).transpose()
}

/// STS: `[\w+=,.@:\/-]{2,1224}`.
fn parse_external_id(key: &str, value: &DeValue<'_>) -> ParseResult<String> {
    let text = parse_text(key, value)?;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    let is_legal = (2..=1224).contains(&text.len()) && text.bytes().all(is_legal);
    require(is_legal, key, value, "it must be 2 to 1224 letters, digits or any of _+=,.@:/-")?;
    Ok(text)
}

fn parse_template(key: &str, value: &DeValue<'_>) -> ParseResult<ClaimTemplate> {
    let text = parse_required_text(key, value)?;
    ClaimTemplate::parse(&text).ok_or_else(|| reject_value(key, value, TEMPLATE_RULE))
}

fn parse_tags(key: &str, value: &DeValue<'_>) -> ParseResult<BTreeMap<String, ClaimTemplate>> {
    let mut tags = BTreeMap::new();
    for (name, text) in parse_string_table(key, value)? {
        if !is_tag_name(&name) {
            return Err(reject_text(key, &name, "this is not a valid tag name"));
        }
        let template = ClaimTemplate::parse(&text).ok_or_else(|| reject_text(key, &text, TEMPLATE_RULE))?;
        tags.insert(name, template);
    }
    Ok(tags)
}

/// STS: `[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`. The prefix `aws:` is reserved.
fn is_tag_name(name: &str) -> bool {
    let is_legal = |part: char| part.is_alphanumeric() || part == ' ' || "_.:/=+-@".contains(part);
    (1..=128).contains(&name.chars().count())
        && name.chars().all(is_legal)
        && !name.to_ascii_lowercase().starts_with("aws:")
}
