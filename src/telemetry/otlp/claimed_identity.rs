//! Finds and removes what a sender says about identity.
//!
//! Names are compared as the readers of telemetry may fold them: Prometheus, for example, turns `user.email` into
//! `user_email`, so `user_email` from the sender would stand in the same place.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{OtlpSignal, list_mut, schema::METRIC_KINDS};

/// Names that say who somebody is, apart from those that the relay decides. Claude Code sends some of them about the
/// account at Anthropic.
const IDENTITY_NAMES: [&str; 8] = [
    "user.account_uuid", "user.account_id", "user.full_name", "user.hash", "user.roles", "organization.id",
    "organization.name", "enduser",
];

/// Names that begin like these say who somebody is, or where AWS places a resource, or are this program's own.
const IDENTITY_PREFIXES: [&str; 3] = ["enduser.", "aws.", "bedrock_sso."];

/// The names that a sender may not set, folded.
pub(super) struct ClaimedIdentity {
    names: BTreeSet<String>,
    prefixes: [String; 3],
}

/// The form in which names are compared: lower case, with an underscore for everything but letters and digits.
fn fold_name(name: &str) -> String {
    name.chars().map(|part| if part.is_ascii_alphanumeric() { part.to_ascii_lowercase() } else { '_' }).collect()
}

impl ClaimedIdentity {
    pub(super) fn new<'a>(decided: impl Iterator<Item = &'a str>) -> Self {
        let names = decided.chain(IDENTITY_NAMES).map(fold_name).collect();
        Self { names, prefixes: IDENTITY_PREFIXES.map(fold_name) }
    }

    /// Whether a sender may not set this name.
    fn matches(&self, name: &str) -> bool {
        let folded = fold_name(name);
        self.names.contains(&folded) || self.prefixes.iter().any(|prefix| folded.starts_with(prefix))
    }

    /// Removes the attributes of resources, scopes, data points and log records, and metrics under this program's names.
    pub(super) fn remove_from(&self, signal: OtlpSignal, tree: &mut Map<String, Value>) {
        for resource in list_mut(tree.get_mut(signal.resources_key())) {
            self.clean(resource.get_mut("resource"), "attributes");
            for scope in list_mut(resource.get_mut(signal.scopes_key())) {
                self.clean(scope.get_mut("scope"), "attributes");
                match signal {
                    OtlpSignal::Metrics => self.clean_metrics(scope),
                    OtlpSignal::Logs => {
                        list_mut(scope.get_mut("logRecords"))
                            .iter_mut()
                            .for_each(|record| self.clean(Some(record), "attributes"));
                    }
                }
            }
        }
    }

    fn clean_metrics(&self, scope: &mut Value) {
        let Some(Value::Array(metrics)) = scope.get_mut("metrics") else { return };
        let own = fold_name("bedrock_sso");
        metrics.retain(|metric| {
            let name = metric.get("name").and_then(Value::as_str).unwrap_or_default();
            !fold_name(name).starts_with(&own)
        });
        for metric in metrics {
            self.clean(Some(metric), "metadata");
            for kind in METRIC_KINDS {
                let points = metric.get_mut(kind).and_then(|data| data.get_mut("dataPoints"));
                for point in list_mut(points) {
                    self.clean(Some(point), "attributes");
                    for exemplar in list_mut(point.get_mut("exemplars")) {
                        self.clean(Some(exemplar), "filteredAttributes");
                    }
                }
            }
        }
    }

    fn clean(&self, owner: Option<&mut Value>, key: &str) {
        if let Some(attributes) = owner.and_then(|owner| owner.get_mut(key)) {
            self.clean_attributes(attributes, "");
        }
    }

    /// Removes entries of a list of keys and values. Some readers join the keys of nested lists with dots, so `user`
    /// with a list that has `email` is `user.email`.
    fn clean_attributes(&self, attributes: &mut Value, outer: &str) {
        let Some(attributes) = attributes.as_array_mut() else { return };
        attributes.retain_mut(|attribute| {
            let key = attribute.get("key").and_then(Value::as_str).unwrap_or_default();
            let path = if outer.is_empty() { key.to_owned() } else { format!("{outer}.{key}") };
            if self.matches(&path) {
                return false;
            }
            let nested = attribute.get_mut("value").and_then(|value| value.get_mut("kvlistValue"));
            if let Some(values) = nested.and_then(|nested| nested.get_mut("values")) {
                self.clean_attributes(values, &path);
            }
            true
        });
    }
}
