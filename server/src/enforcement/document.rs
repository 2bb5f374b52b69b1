//! The documents of the policies: what one says, as text for IAM, and read back from it.
//!
//! A document has a statement for each end: AWS ends a refusal at its time, even if no program runs then.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_sso::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::person::Person;

/// What IAM accepts in a managed policy: characters that are not white space. Our documents have no white space, and only
/// ASCII.
pub const MAX_DOCUMENT: usize = 6144;

/// What a refused person may not do: the same as in the template's first version.
const REFUSED_ACTIONS: [&str; 5] = ["bedrock:*", "bedrock-mantle:*", "cloudwatch:*", "logs:*", "sts:*"];

/// A call of a model, in whatever form.
const MODEL_CALLS: &str = "bedrock:InvokeModel*";

/// A name that no session can have: the template's first version refuses it, because IAM requires some value.
const NOBODY: &str = "*:(nobody)";

/// What one policy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PolicyContent {
    /// The refused people, with the end of each refusal.
    pub(super) refused: BTreeMap<Person, Option<Timestamp>>,
    /// Patterns of models that these people may not call.
    pub(super) banned_for: BTreeMap<String, BTreeSet<Person>>,
    /// Patterns of models that nobody may call, except these people.
    pub(super) banned_except: BTreeMap<String, BTreeSet<Person>>,
}

impl PolicyContent {
    /// The document. The same content always has the same text.
    pub(super) fn render(&self, partition: &str) -> String {
        let mut by_end = BTreeMap::<Option<Timestamp>, Vec<&Person>>::new();
        for (person, end) in &self.refused {
            by_end.entry(*end).or_default().push(person);
        }
        let refusals = by_end.into_iter().map(|(end, people)| refuse_everything(None, &list_sessions(people), end));
        let banned = self.banned_for.iter().map(|(pattern, people)| {
            refuse_model(partition, pattern, Some(json!({ "StringLike": { "aws:userid": list_sessions(people) } })))
        });
        let banned_except = self.banned_except.iter().map(|(pattern, exempt)| {
            let condition = json!({ "StringNotLike": { "aws:userid": list_sessions(exempt) } });
            refuse_model(partition, pattern, (!exempt.is_empty()).then_some(condition))
        });
        let mut statements: Vec<Value> = refusals.chain(banned).chain(banned_except).collect();
        if statements.is_empty() {
            statements.push(refuse_everything(Some("Blocked"), &[NOBODY.to_owned()], None));
        }
        json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
    }

    /// Reads who is named in a document of any origin. What cannot be understood is left out.
    pub(super) fn read(document: &str) -> Self {
        let mut content = Self::default();
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        for statement in document.get("Statement").and_then(Value::as_array).into_iter().flatten() {
            let named = statement.pointer("/Condition/StringLike/aws:userid");
            let exempt = statement.pointer("/Condition/StringNotLike/aws:userid");
            match statement.get("Resource").and_then(find_pattern) {
                None => {
                    let end = statement.pointer("/Condition/DateLessThan/aws:CurrentTime");
                    let end = end.and_then(Value::as_str).and_then(Timestamp::from_rfc3339);
                    content.refused.extend(read_sessions(named).map(|person| (person, end)));
                }
                Some(pattern) if named.is_some() => {
                    content.banned_for.entry(pattern).or_default().extend(read_sessions(named));
                }
                Some(pattern) => {
                    content.banned_except.entry(pattern).or_default().extend(read_sessions(exempt));
                }
            }
        }
        content
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a document says the same. The template's first version refuses nobody, in whatever words.
pub(super) fn says(document: &str, content: &PolicyContent, partition: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    let is_same = parse(document).is_some_and(|found| Some(found) == parse(&content.render(partition)));
    let refuses_nobody = || content.is_empty() && document.contains(NOBODY) && PolicyContent::read(document).is_empty();
    is_same || refuses_nobody()
}

/// Whether a limit's pattern can be a resource of a policy. IAM refuses the whole document because of one that cannot.
pub fn is_expressible(pattern: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/*?".contains(&byte);
    let is_arn = |pattern: &str| {
        let parts: Vec<&str> = pattern.splitn(6, ':').collect();
        matches!(parts.as_slice(), ["arn", _, "bedrock", _, _, resource] if !resource.is_empty())
    };
    let has_legal_form =
        if pattern.starts_with("arn:") { is_arn(pattern) } else { !pattern.contains(':') || has_version(pattern) };
    !pattern.is_empty() && pattern.len() <= 200 && pattern.bytes().all(is_legal) && has_legal_form
}

/// Whether the only colons belong to a model's version, as in `anthropic.claude-opus-4-1-20250805-v1:0`.
fn has_version(pattern: &str) -> bool {
    pattern.split_once(':').is_some_and(|(model, version)| !model.is_empty() && !version.contains(':'))
}

fn refuse_everything(sid: Option<&str>, sessions: &[String], end: Option<Timestamp>) -> Value {
    let mut condition = Map::new();
    condition.insert("StringLike".to_owned(), json!({ "aws:userid": sessions }));
    if let Some(end) = end {
        condition.insert("DateLessThan".to_owned(), json!({ "aws:CurrentTime": end.to_string() }));
    }
    let mut statement = Map::new();
    statement.extend(sid.map(|sid| ("Sid".to_owned(), json!(sid))));
    statement.insert("Effect".to_owned(), json!("Deny"));
    statement.insert("Action".to_owned(), json!(REFUSED_ACTIONS));
    statement.insert("Resource".to_owned(), json!("*"));
    statement.insert("Condition".to_owned(), Value::Object(condition));
    Value::Object(statement)
}

/// Refuses the models themselves and the inference profiles with their names. A call through a profile is a call of the
/// model behind it too, so one of the two suffices.
fn refuse_model(partition: &str, pattern: &str, condition: Option<Value>) -> Value {
    let resources = match pattern.starts_with("arn:") {
        true => vec![pattern.to_owned()],
        false => vec![
            format!("arn:{partition}:bedrock:*::foundation-model/{pattern}"),
            format!("arn:{partition}:bedrock:*:*:inference-profile/{pattern}"),
        ],
    };
    match condition {
        Some(condition) => {
            json!({ "Effect": "Deny", "Action": MODEL_CALLS, "Resource": resources, "Condition": condition })
        }
        None => json!({ "Effect": "Deny", "Action": MODEL_CALLS, "Resource": resources }),
    }
}

/// The pattern of a statement about models; `None` for one about everything.
fn find_pattern(resource: &Value) -> Option<String> {
    let first = resource.as_array().and_then(|list| list.first()).unwrap_or(resource).as_str()?;
    match first.split_once(":foundation-model/") {
        Some((_, pattern)) => Some(pattern.to_owned()),
        None => (first != "*").then(|| first.to_owned()),
    }
}

/// How much longer a document becomes with another person in a statement that it has already: `,"*:PERSON"`.
pub(super) fn added_length(person: &Person) -> usize {
    person.as_str().len() + 5
}

/// `aws:userid` of a session is the role's id, a colon, and the session's name.
fn list_sessions<'p>(people: impl IntoIterator<Item = &'p Person>) -> Vec<String> {
    people.into_iter().map(|person| format!("*:{person}")).collect()
}

fn read_sessions(value: Option<&Value>) -> impl Iterator<Item = Person> {
    let values = match value {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    values.into_iter().filter_map(|value| Person::parse(value.as_str()?.strip_prefix("*:")?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_that_iam_accepts_are_expressible() {
        for legal in [
            "*claude-opus*",
            "anthropic.claude-opus-4-1-20250805-v1:0",
            "eu.anthropic.claude-?pus*",
            "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc*",
        ] {
            assert!(is_expressible(legal), "{legal}");
        }
        for illegal in
            ["", "a b", "${aws:username}", "a\"", "ä*", "arn:aws:bedrock:*", "arn:aws:s3:::bucket", "a:b:c", ":0"]
        {
            assert!(!is_expressible(illegal), "{illegal}");
        }
    }
}
