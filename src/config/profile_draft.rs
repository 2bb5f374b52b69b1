//! Profiles that `setup` is about to write: renders them as TOML, and loads the profile that a new text would give.
//!
//! This file never writes to disk, so `setup` can check a text completely before it replaces a working file.

use std::{collections::BTreeMap, path::Path};

use toml::de::DeValue;

use super::{
    ConfigFault, ConfigInputs, ConfigKey, Error, Profile, RedirectUri, RoleArn, ValueLocation,
    keys::{self, KEYS, SECTIONS, find_key},
    layers::{LayerTexts, Layers},
    parsers::reject_text,
    setting::ConfigSetting,
    source_file::{FileOwner, SourceFile},
    syntax::{PROFILE_NAME_RULE, is_profile_name},
    toml_value::to_toml,
};

/// A key and its value, written as in an environment variable: plain text for keys that hold text, and TOML's syntax
/// for the others.
pub type KeyValue = (&'static ConfigKey, String);

/// Fails unless the value of `flag` can be the name of a profile.
pub fn check_profile_name(flag: &'static str, name: &str) -> Result<(), Error> {
    if is_profile_name(name) {
        return Ok(());
    }
    let fault = reject_text(flag, name, PROFILE_NAME_RULE);
    Err(Error::invalid(ValueLocation::Flag(flag), fault))
}

/// The role that the flag `--role-arn` names.
pub fn parse_role_flag(arn: &str) -> Result<RoleArn, Error> {
    let role = (keys::ROLE_ARN.parse)(keys::ROLE_ARN.name, &DeValue::String(arn.into()));
    role.map_err(|fault| Error::invalid(ValueLocation::Flag("--role-arn"), fault))
}

/// The profile as a TOML table that can be appended to any configuration file.
pub fn render_profile_table(name: &str, facts: &[KeyValue]) -> Result<String, Error> {
    check_profile_name("--profile", name)?;
    render_table(&format!("profiles.{}", quote_profile_name(name)), facts)
}

/// A TOML table with this title, followed by its inner tables, which TOML requires to come last.
pub(super) fn render_table(title: &str, facts: &[KeyValue]) -> Result<String, Error> {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    for fact in facts {
        let (key, _) = fact;
        let line = format!("{} = {}\n", key.own_name(), render_value(fact)?);
        sections.entry(key.section()).or_default().push_str(&line);
    }
    let own = sections.remove("");
    // An inner table implies the outer one.
    let own = own.or_else(|| sections.is_empty().then(String::new)).map(|lines| format!("[{title}]\n{lines}"));
    let inner = sections.into_iter().map(|(section, lines)| format!("[{title}.{section}]\n{lines}"));
    Ok(own.into_iter().chain(inner).collect::<Vec<_>>().join("\n"))
}

/// The value in TOML's syntax.
pub(super) fn render_value((key, text): &KeyValue) -> Result<String, Error> {
    // A text that is pasted unparsed could contain a line break and further tables.
    let value = key.value_from_text(text).map_err(|error| {
        let what = format!("{} in the value of {}", error.message(), key.name);
        reject_set_flag(ConfigFault::Syntax { what })
    })?;
    Ok(to_toml(&value))
}

/// Reads the values of a profile from another configuration file (`setup --from`): the profile that the call names, or
/// the only one. Returns its name too, or `None` for a file that has `[defaults]` but no profile. Fails for a file with
/// `enforce`, because the rules of an administrator cannot be copied into a user's profile.
pub fn read_key_values(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
) -> Result<(Option<String>, Vec<KeyValue>), Error> {
    let source = SourceFile::from_text(file, FileOwner::of_written_file(inputs), text, inputs.environment);
    LayerTexts::from_file(source).with_layers(|layers| {
        if let Some(enforcing) = layers.files.iter().find(|file| !file.enforced_keys.is_empty()) {
            let location = enforcing.source.location_at(enforcing.enforce_offset);
            return Err(Error::invalid(location, ConfigFault::AdministratorOnly { key: "enforce" }));
        }
        let key_value = |(key, setting): &(&'static ConfigKey, ConfigSetting<'_>)| {
            let text = setting.value.as_str().filter(|_| key.toml_rule.is_none()).map(str::to_owned);
            (*key, text.unwrap_or_else(|| to_toml(setting.value)))
        };
        let defaults: Vec<KeyValue> = layers.files.iter().flat_map(|file| &file.defaults).map(key_value).collect();
        if layers.profile_names().is_empty() && !defaults.is_empty() {
            return Ok((None, defaults));
        }
        let name = layers.choose_profile_name(inputs)?;
        let settings = layers.files.iter().filter_map(|file| Some(file.settings_of(file.find_profile(&name)?)));
        let facts = settings.flatten().map(key_value).collect();
        Ok((Some(name), facts))
    })
}

/// Adds a value to those of a profile, or replaces the earlier one. Of two tables, the result has the entries of both, and
/// `added` wins.
pub fn merge_value(values: &mut Vec<KeyValue>, added: KeyValue) {
    let (key, text) = added;
    match values.iter_mut().find(|(known, _)| *known == key) {
        Some((_, before)) => *before = merge_tables(key, before, &text).unwrap_or(text),
        None => values.push((key, text)),
    }
}

/// The entries of two tables. `None` if one of the texts is not a table.
fn merge_tables(key: &ConfigKey, before: &str, added: &str) -> Option<String> {
    let DeValue::Table(mut entries) = key.value_from_text(before).ok()? else { return None };
    let DeValue::Table(more) = key.value_from_text(added).ok()? else { return None };
    entries.extend(more);
    Some(to_toml(&DeValue::Table(entries)))
}

/// The profile that would be loaded if `file`, the administrator's or the user's, had this text.
pub fn preview_file(inputs: &ConfigInputs<'_>, file: &Path, text: &str) -> Result<Profile, Error> {
    LayerTexts::load_with_text(inputs, file, text)?.with_layers(|layers| layers.build_chosen_profile(inputs))
}

/// The profile that would be loaded on a computer that has this text as the administrator's file and no other file.
pub fn preview_administrator_file(inputs: &ConfigInputs<'_>, file: &Path, text: &str) -> Result<Profile, Error> {
    let source = SourceFile::from_text(file, FileOwner::Administrator, text, inputs.environment);
    LayerTexts::from_file(source).with_layers(|layers| layers.build_chosen_profile(inputs))
}

/// The redirect URI that a profile with these values would have in `file`. Only the issuer is required, so the wizard
/// can check the redirect URI before the user has answered all questions.
pub fn preview_redirect_uri(inputs: &ConfigInputs<'_>, file: &Path, facts: &[KeyValue]) -> Result<RedirectUri, Error> {
    let name = "draft";
    let text = format!("version = {}\n{}", keys::VERSION, render_profile_table(name, facts)?);
    let build = |layers: &Layers<'_>| layers.build_redirect_uri(name, inputs).map_err(Error::Invalid);
    LayerTexts::load_with_text(inputs, file, &text)?.with_layers(build)
}

/// The names of all profiles that would exist if `file` had this text; empty if the text is not a valid configuration.
pub fn list_profile_names(inputs: &ConfigInputs<'_>, file: &Path, text: &str) -> Vec<String> {
    let names = |layers: &Layers<'_>| Ok(layers.profile_names().into_iter().map(str::to_owned).collect());
    LayerTexts::load_with_text(inputs, file, text).and_then(|texts| texts.with_layers(names)).unwrap_or_default()
}

/// The keys for which the profile would have another value than these, if `file` had this text. Further values of the
/// profile do not matter.
pub fn find_differing_keys(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
    name: &str,
    facts: &[KeyValue],
) -> Result<Vec<&'static str>, Error> {
    let drafted = format!("version = {}\n{}", keys::VERSION, render_profile_table(name, facts)?);
    // Both texts go through the same layers, so that defaults and enforced values are compared as well.
    let values_in = |text: &str| {
        LayerTexts::load_with_text(inputs, file, text)?.with_layers(|layers| {
            let settings = layers.merge_for_profile(name).map_err(Error::Invalid)?;
            let values = facts.iter().map(|(key, _)| settings.get(key).map(|setting| to_toml(setting.value)));
            Ok(values.collect::<Vec<_>>())
        })
    };
    let pairs = values_in(text)?.into_iter().zip(values_in(&drafted)?).zip(facts);
    Ok(pairs.filter(|((present, wanted), _)| present != wanted).map(|(_, (key, _))| key.name).collect())
}

/// The key that the flag `--set` names. Fails with the most similar key if it does not exist.
pub fn require_known_key(name: &str) -> Result<&'static ConfigKey, Error> {
    find_key(name).ok_or_else(|| {
        let table = name.split_once('.').map_or("", |(table, _)| table);
        let table = SECTIONS.iter().find(|(known, _)| *known == table).map_or("", |(known, _)| known);
        reject_set_flag(ConfigFault::unknown_key(name, table, KEYS.iter().map(|key| key.name)))
    })
}

fn reject_set_flag(fault: ConfigFault) -> Error {
    Error::invalid(ValueLocation::Flag("--set"), fault)
}

/// Quotes a name that contains a dot, which TOML would read as the separator of two tables.
pub(super) fn quote_profile_name(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::check_file,
        files,
        host::{Environment, HostPaths},
    };

    fn facts(facts: &[(&str, &str)]) -> Vec<KeyValue> {
        facts.iter().map(|(key, value)| (find_key(key).unwrap(), (*value).to_owned())).collect()
    }

    fn paths_in(folder: &Path) -> HostPaths {
        let at = |name| folder.join(name);
        HostPaths { user_config: at("user"), system_config: at("system"), data: at("data"), home_data: at("data") }
    }

    fn inputs<'a>(environment: &'a Environment, paths: &'a HostPaths) -> ConfigInputs<'a> {
        ConfigInputs { environment, paths, file: None, profile: None, flags: &[], with_user_layers: true }
    }

    fn complete() -> Vec<KeyValue> {
        facts(&[
            ("issuer", "https://acme.okta.com"),
            ("client_id", "say \"hi\""),
            ("role_arn", "arn:aws:iam::123456789012:role/BedrockUser"),
            ("region", "us-east-1"),
            ("redirect_ports", "[8400, 8401]"),
            ("claude_code.models", "{ opus = \"o\" }"),
            ("telemetry.send_token", "true"),
            ("telemetry.collectors", "[\"https://otel.example\"]"),
            ("claude_code.env", "{ OTEL_EXPORTER_OTLP_ENDPOINT = \"https://otel.example\" }"),
        ])
    }

    #[test]
    fn rendered_profile_passes_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let (file, environment) = (folder.path().join("config.toml"), Environment::fixed([]));
        let text = format!("version = 1\n\n{}", render_profile_table("a.b", &complete()).unwrap());
        files::write_atomically(&file, text.as_bytes()).unwrap();
        let paths = paths_in(folder.path());
        let inputs = inputs(&environment, &paths);
        check_file(&file, &inputs).unwrap();
        let profile = preview_file(&inputs, &paths.user_config, &text).unwrap();
        assert_eq!((profile.name.as_str(), profile.oidc().unwrap().client_id.as_str()), ("a.b", "say \"hi\""));
        assert_eq!(profile.claude_code.models.get("opus").map(String::as_str), Some("o"));
        assert_eq!(list_profile_names(&inputs, &paths.user_config, &text), ["a.b"]);
    }

    #[test]
    fn redirect_uri_preview_needs_only_the_issuer() {
        let (folder, environment) = (tempfile::tempdir().unwrap(), Environment::fixed([]));
        let paths = paths_in(folder.path());
        let inputs = inputs(&environment, &paths);
        let preview = |values: &[(&str, &str)]| {
            let redirect = preview_redirect_uri(&inputs, &paths.user_config, &facts(values));
            redirect.map(|redirect| redirect.uris_to_probe()).map_err(|error| error.to_string())
        };
        let entra = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
        assert_eq!(preview(&[("issuer", entra)]).unwrap(), ["http://localhost:8400/callback"]);
        let okta = ["http://127.0.0.1:8400/callback", "http://127.0.0.1:8401/callback"];
        assert_eq!(preview(&[("issuer", "https://acme.okta.com")]).unwrap(), okta);
        let values = [("issuer", "https://acme.okta.com"), ("redirect_ports", "[9000]"), ("redirect_path", "/here")];
        assert_eq!(preview(&values).unwrap(), ["http://127.0.0.1:9000/here"]);
        assert!(preview(&[("client_id", "x")]).unwrap_err().contains("issuer"));
    }

    #[test]
    fn misspelled_key_and_illegal_profile_name_are_rejected() {
        let refused = require_known_key("isuer").unwrap_err().to_string();
        assert!(refused.contains("isuer") && refused.contains("issuer"), "{refused}");
        assert!(render_profile_table("a b", &[]).unwrap_err().to_string().contains("letters"));
    }
}
