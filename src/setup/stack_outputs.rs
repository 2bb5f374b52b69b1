//! Reads the outputs of CloudFormation stacks: the JSON of `aws cloudformation describe-stacks`, or a part of it.
//!
//! The stacks of `packaging/aws` have one output, `BedrockSsoConfig`, whose value is a `config.toml`. That of the
//! federation describes the sign-in; those of teams and of chained accounts add keys to it. This module finds these
//! texts and combines their values. `config` reads each text, with the same code as a file.

use serde_json::{Map, Value};

use super::ImportError;
use crate::config::{self, ConfigKey, KeyValue, keys};

/// The output whose value is a configuration.
const CONFIG_OUTPUT: &str = "BedrockSsoConfig";

/// The outputs of one or more stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackOutputs {
    /// All outputs by name. Of outputs with the same name in several stacks, it has the last one.
    pub(super) values: Map<String, Value>,
    /// The configurations, in the order of the file.
    pub configs: Vec<OutputConfig>,
    /// The region of the first stack, from its ARN.
    region: Option<String>,
}

/// The text of one output `BedrockSsoConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputConfig {
    /// How messages name the output.
    pub label: String,
    pub text: String,
}

/// The profile that one configuration defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputProfile {
    /// That of the [`OutputConfig`].
    pub label: String,
    pub name: Option<String>,
    pub values: Vec<KeyValue>,
}

impl StackOutputs {
    /// Parses a JSON text: a whole answer of `describe-stacks`, some of its stacks, lists of outputs, or only the values
    /// of `BedrockSsoConfig`. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
        let mut outputs = Self::default();
        outputs.collect(&value, None);
        if outputs.values.is_empty() && outputs.configs.is_empty() {
            return None;
        }
        if let Some(region) = outputs.region.take().filter(|_| !outputs.values.is_empty()) {
            outputs.values.entry("Region").or_insert_with(|| region.into());
        }
        Some(outputs)
    }

    /// Adds everything in `value`, which belongs to this stack.
    fn collect(&mut self, value: &Value, stack: Option<&str>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, stack)),
            // `--query` of the AWS CLI can reduce the answer to the values of the one output.
            Value::String(text) if is_configuration(text) => self.add_config(text, stack),
            Value::Object(object) => {
                let text = |key: &str| object.get(key).and_then(Value::as_str);
                if let (Some(key), Some(value)) = (text("OutputKey"), object.get("OutputValue")) {
                    self.add_output(key, value, stack);
                }
                let id = text("StackId");
                let region = id.and_then(|id| id.split(':').nth(3)).map(str::to_owned);
                self.region = self.region.take().or(region);
                let stack = text("StackName").or(stack);
                let inner = ["Stacks", "Outputs"].into_iter().filter_map(|key| object.get(key)?.as_array());
                inner.flatten().for_each(|item| self.collect(item, stack));
            }
            _ => {}
        }
    }

    fn add_output(&mut self, key: &str, value: &Value, stack: Option<&str>) {
        match value.as_str() {
            Some(text) if key == CONFIG_OUTPUT => self.add_config(text, stack),
            _ => {
                self.values.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// A stack that adds nothing to a profile may say so in a comment.
    fn add_config(&mut self, text: &str, stack: Option<&str>) {
        if text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#')) {
            return;
        }
        let label = stack.map_or_else(|| CONFIG_OUTPUT.to_owned(), |stack| format!("{CONFIG_OUTPUT} of {stack}"));
        self.configs.push(OutputConfig { label, text: text.to_owned() });
    }
}

/// Whether a text that is in no file of ours is a configuration nevertheless: it sets `version` before its first table.
/// The AWS CLI prints the value of an output in this form with `--output text`.
pub fn is_configuration(text: &str) -> bool {
    let top = text.trim_start_matches('\u{feff}').lines().map(str::trim).take_while(|line| !line.starts_with('['));
    top.filter_map(|line| line.split_once('=')).any(|(key, _)| key.trim() == "version")
}

/// Combines the profiles of several outputs into one. The profile that describes the sign-in comes first, and the others
/// win over it; a table gets the entries of all. The order of the stacks does not matter, because AWS does not promise
/// one: two outputs that give one key different values are an error, unless one of them describes the sign-in.
pub fn merge_profiles(profiles: Vec<OutputProfile>) -> Result<(Option<String>, Vec<KeyValue>), ImportError> {
    let mut names: Vec<_> = profiles.iter().filter_map(|profile| profile.name.clone()).collect();
    names.dedup();
    if names.len() > 1 {
        return Err(ImportError::SeveralProfiles(names));
    }
    let (bases, additions): (Vec<_>, Vec<_>) = profiles.into_iter().partition(OutputProfile::describes_sign_in);
    let mut merged = combine_equals(bases)?;
    for (key, value) in combine_equals(additions)? {
        config::merge_value(&mut merged, (key, value));
    }
    Ok((names.pop(), merged))
}

impl OutputProfile {
    /// Whether the profile says where the user signs in. Additions to it do not.
    fn describes_sign_in(&self) -> bool {
        let starts: [&ConfigKey; 2] = [&keys::CLIENT_ID, &keys::IDENTITY_CENTER_START_URL];
        self.values.iter().any(|(key, _)| starts.contains(key))
    }
}

/// The values of all these profiles, none of which outranks another.
fn combine_equals(profiles: Vec<OutputProfile>) -> Result<Vec<KeyValue>, ImportError> {
    let mut merged: Vec<(KeyValue, String)> = Vec::new();
    for OutputProfile { label, values, .. } in profiles {
        for (key, value) in values {
            match merged.iter().find(|((known, _), _)| *known == key) {
                Some(((_, same), _)) if *same == value => {}
                Some((_, other)) => {
                    return Err(ImportError::OutputsDiffer { key: key.name, outputs: [other.clone(), label] });
                }
                None => merged.push(((key, value), label.clone())),
            }
        }
    }
    Ok(merged.into_iter().map(|(value, _)| value).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FEDERATION: &str = "version = 1\n\n[profiles.claude]\nclient_id = \"0oa\"\n";
    const TEAM: &str = "version = 1\n\n[profiles.claude.claude_code]\nmodels = { default = \"arn\" }\n";

    fn stack(name: &str, text: &str) -> Value {
        json!({
            "StackId": format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/{name}/1"),
            "StackName": name,
            "Outputs": [
                { "OutputKey": "RoleArn", "OutputValue": "arn:aws:iam::123456789012:role/R" },
                { "OutputKey": "BedrockSsoConfig", "OutputValue": text },
            ],
        })
    }

    fn labels(value: &Value) -> Vec<String> {
        let configs = StackOutputs::parse(&value.to_string()).unwrap_or_default().configs;
        configs.into_iter().map(|config| config.label).collect()
    }

    #[test]
    fn configurations_of_all_stacks_are_found_with_their_names() {
        let far = stack("acme-far", "# role_chain entry: arn:aws:iam::123456789012:role/Far");
        let stacks = json!([stack("acme-federation", FEDERATION), far, stack("acme-team-ml", TEAM)]);
        let both = ["BedrockSsoConfig of acme-federation", "BedrockSsoConfig of acme-team-ml"];
        assert_eq!(labels(&json!({ "Stacks": stacks })), both);
        assert_eq!(labels(&stacks), both);
        let outputs = StackOutputs::parse(&json!({ "Stacks": stacks }).to_string()).unwrap();
        assert_eq!(outputs.configs[1].text, TEAM);
        assert_eq!(outputs.values["Region"], "eu-west-1");
    }

    #[test]
    fn reduced_answers_of_the_aws_cli_are_understood() {
        for value in [
            json!(stack("x", FEDERATION)["Outputs"]),
            json!([stack("x", FEDERATION)["Outputs"]]),
            json!(FEDERATION),
            json!([[FEDERATION]]),
        ] {
            assert_eq!(labels(&value), ["BedrockSsoConfig"], "{value}");
        }
        for value in [json!({}), json!([]), json!("version"), json!([1]), json!({ "profiles": { "a": {} } })] {
            assert_eq!(StackOutputs::parse(&value.to_string()), None, "{value}");
        }
    }

    #[test]
    fn configuration_is_recognised_by_its_version() {
        for text in [FEDERATION, "\u{feff}# comment\n\n version=1", "default_profile = \"a\"\nversion = 1\n"] {
            assert!(is_configuration(text), "{text}");
        }
        for text in ["", "[profile a]\nversion = 1", "{\"version\": 1}", "versions = 1", "version"] {
            assert!(!is_configuration(text), "{text}");
        }
    }

    fn profile(label: &str, values: &[(&'static ConfigKey, &str)]) -> OutputProfile {
        let values = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        OutputProfile { label: label.to_owned(), name: Some("claude".to_owned()), values }
    }

    #[test]
    fn additions_win_over_the_sign_in_in_any_order() {
        let base = profile(
            "base",
            &[(&keys::CLIENT_ID, "0oa"), (&keys::CLAUDE_CODE_MODELS, "{ default = \"a\", haiku = \"b\" }")],
        );
        let team = profile("team", &[(&keys::CLAUDE_CODE_MODELS, "{ default = \"c\", opus = \"d\" }")]);
        for profiles in [[base.clone(), team.clone()], [team, base]] {
            let (name, values) = merge_profiles(profiles.into()).unwrap();
            assert_eq!(name.as_deref(), Some("claude"));
            assert_eq!(
                values,
                [
                    (&*keys::CLIENT_ID, "0oa".to_owned()),
                    (&*keys::CLAUDE_CODE_MODELS, "{ default = \"c\", haiku = \"b\", opus = \"d\" }".to_owned()),
                ]
            );
        }
    }

    #[test]
    fn equal_outputs_may_not_contradict_each_other() {
        let team = |label: &str, models: &str| profile(label, &[(&keys::CLAUDE_CODE_MODELS, models)]);
        let differ =
            |outputs: [&str; 2], key| Err(ImportError::OutputsDiffer { key, outputs: outputs.map(str::to_owned) });
        let two = [team("ml", "{ default = \"a\" }"), team("web", "{ default = \"b\" }")];
        assert_eq!(merge_profiles(two.into()), differ(["ml", "web"], "claude_code.models"));
        let two = ["a", "b"].map(|id| profile(id, &[(&keys::CLIENT_ID, id)]));
        assert_eq!(merge_profiles(two.into()), differ(["a", "b"], "client_id"));
        let same = [team("ml", "{ default = \"a\" }"), team("web", "{ default = \"a\" }")];
        assert_eq!(merge_profiles(same.into()).unwrap().1.len(), 1);
        let other = OutputProfile { name: Some("other".to_owned()), ..profile("x", &[]) };
        let several = ImportError::SeveralProfiles(vec!["claude".to_owned(), "other".to_owned()]);
        assert_eq!(merge_profiles(vec![profile("y", &[]), other]), Err(several));
    }
}
