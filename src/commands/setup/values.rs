//! The values of a new profile: from the flags of `setup`, and from the file of `--from`.

use std::path::Path;

use super::{SetupContext, write_stderr};
use crate::{
    cli::SetupArgs,
    config::{self, ConfigKey, KeyValue, keys},
    failure::Failure,
    hint::Invocation,
    setup::{
        Error, ImportError, OutputConfig, OutputProfile, SetupPlan, StackOutputs, find_portal_region, is_configuration,
        merge_profiles, normalize_start_url, sample_import,
    },
};

/// The name of a profile in the file that its values come from, and the values.
pub(super) type SourceValues = (Option<String>, Vec<KeyValue>);

impl SetupContext<'_> {
    /// The file from which values are read, besides the command line. With `--system`, `--config` also means a source:
    /// the destination is always the administrator's file.
    pub(super) fn source_path(&self) -> Option<&Path> {
        let named = self.context.global.config.as_deref().filter(|_| self.arguments.system);
        self.arguments.from.as_deref().or(named)
    }

    /// Collects the values from the source file and the command line, which wins. Also returns the profile's name in
    /// the source file, if it has one.
    pub(super) fn collect_values(&self) -> Result<SourceValues, Failure> {
        let (name, mut values) = match self.source_path() {
            Some(path) => self.read_source_values(path)?,
            None => (None, Vec::new()),
        };
        let flags = self.flag_values()?;
        values.retain(|(key, _)| !has_value(&flags, key));
        values.extend(flags);
        let own_region = values.iter().find(|(key, _)| **key == *keys::IDENTITY_CENTER_REGION);
        let needs_region = has_value(&values, &keys::IDENTITY_CENTER_START_URL) && !has_value(&values, &keys::REGION);
        if let Some((_, region)) = own_region.cloned().filter(|_| needs_region && !self.may_have_defaults()) {
            // A profile needs a region, and that of Identity Center is the only one that is known.
            values.push((&keys::REGION, region));
        }
        Ok((name, values))
    }

    /// The values of the command line. `--set` replaces another flag of the same key.
    pub(super) fn flag_values(&self) -> Result<Vec<KeyValue>, config::Error> {
        let SetupArgs { issuer, client_id, role_arn, region, set, .. } = self.arguments;
        let center = self.arguments.identity_center_values();
        let mut values: Vec<KeyValue> = Vec::new();
        let flags: [(&ConfigKey, &[String]); 4] = [
            (&keys::ISSUER, issuer.as_slice()),
            (&keys::CLIENT_ID, client_id.as_slice()),
            (&keys::ROLE_ARN, role_arn),
            (&keys::REGION, region.as_slice()),
        ];
        let set = set.iter().map(|(name, value)| Ok((config::require_known_key(name)?, std::slice::from_ref(value))));
        let set = set.collect::<Result<Vec<_>, config::Error>>()?;
        let center = center.iter().map(|(key, value)| (*key, std::slice::from_ref(value)));
        for (key, given) in center.chain(flags).chain(set).filter(|(_, given)| !given.is_empty()) {
            values.retain(|(known, _)| *known != key);
            values.extend(given.iter().map(|value| (key, value.clone())));
        }
        Ok(values)
    }

    /// Fails if `values` have the start URL of a profile for IAM Identity Center, but not all that it needs.
    pub(super) fn require_assignment(&self, values: &[KeyValue]) -> Result<(), Failure> {
        if !has_value(values, &keys::IDENTITY_CENTER_START_URL) {
            return Ok(());
        }
        let needs: [(&ConfigKey, &'static str); 3] = [
            (&keys::IDENTITY_CENTER_ACCOUNT_ID, "--account"),
            (&keys::IDENTITY_CENTER_PERMISSION_SET, "--permission-set"),
            (&keys::REGION, "--region"),
        ];
        let is_known = |key: &ConfigKey| *key == *keys::REGION && self.may_have_defaults();
        let missing = needs.into_iter().filter(|(key, _)| !has_value(values, key) && !is_known(key));
        let missing: Vec<_> = missing.map(|(_, flag)| flag).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let has_lists = !self.arguments.system && self.arguments.fleet.is_none();
        let is_from_list = has_lists && missing.iter().any(|flag| *flag != "--region");
        Err(Error::NoAssignment { missing, is_from_list }.into())
    }

    /// Reads the values from a configuration of ours, which may be an output of our stacks, from one of AWS, or from
    /// one of AWS's guidance sample. Prints what the user has to do about settings of the sample that cannot be
    /// imported.
    fn read_source_values(&self, path: &Path) -> Result<SourceValues, Failure> {
        let text = read_source(path)?;
        if self.is_config_file(path) || is_configuration(&text) {
            return Ok(config::read_key_values(&self.inputs(), path, &text)?);
        }
        let configs = StackOutputs::parse(&text).unwrap_or_default().configs;
        if !configs.is_empty() {
            return self.read_output_configs(path, &configs);
        }
        let unusable = |error| Error::Import { path: path.to_owned(), error };
        if let Some(found) = self.read_sso_profile(&text).map_err(unusable)? {
            return Ok(found);
        }
        let imported = sample_import::import_profile(&text, self.requested_profile().as_deref()).map_err(unusable)?;
        let name = self.requested_profile().or_else(|| imported.name.clone());
        let invocation = Invocation::new(name.as_deref(), self.named_config());
        let notes = imported.notes.iter().map(|note| format!("note: {}\n", note.render(&invocation)));
        write_stderr(&notes.collect::<String>());
        Ok((imported.name, imported.values))
    }

    /// Reads the configurations that outputs of our stacks contain, and combines them. Messages about a text name its
    /// output beside the file.
    fn read_output_configs(&self, path: &Path, configs: &[OutputConfig]) -> Result<SourceValues, Failure> {
        let read = |OutputConfig { label, text }: &OutputConfig| {
            let place = format!("{} ({label})", path.display());
            let (name, values) = config::read_key_values(&self.inputs(), Path::new(&place), text)?;
            Ok(OutputProfile { label: label.clone(), name, values })
        };
        let profiles = configs.iter().map(read).collect::<Result<Vec<_>, config::Error>>()?;
        Ok(merge_profiles(profiles).map_err(|error| Error::Import { path: path.to_owned(), error })?)
    }

    /// Whether the file is a configuration of ours. The file of `--config` always is, whatever its name ends with.
    pub(super) fn is_config_file(&self, path: &Path) -> bool {
        is_toml(path) || self.context.global.config.as_deref() == Some(path)
    }

    /// Whether a file exists that may have further values in `[defaults]`. Then the check of the whole profile decides
    /// what is missing.
    pub(super) fn may_have_defaults(&self) -> bool {
        self.arguments.fleet.is_none() && self.has_configuration_file()
    }
}

/// Reads a file that the user named. Unlike the files that `setup` writes, it must exist.
pub(super) fn read_source(path: &Path) -> Result<String, Failure> {
    let missing = || Error::Import { path: path.to_owned(), error: ImportError::Missing };
    Ok(SetupPlan::read_text(path)?.ok_or_else(missing)?)
}

pub(super) fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "toml")
}

impl SetupArgs {
    /// Whether the command line itself gives values, besides those in a file.
    pub(super) fn has_value_flags(&self) -> bool {
        let Self { issuer, client_id, role_arn, region, set, aws_profile, all_roles, .. } = self;
        [issuer, client_id, region, aws_profile].into_iter().any(Option::is_some)
            || !role_arn.is_empty()
            || !self.identity_center_values().is_empty()
            || *all_roles
            || !set.is_empty()
    }

    /// The values of the flags for IAM Identity Center.
    fn identity_center_values(&self) -> Vec<KeyValue> {
        let start_url = self.start_url.as_deref().map(normalize_start_url);
        let mut values = start_url.map(list_start_url_values).unwrap_or_default();
        if self.sso_region.is_some() {
            values.retain(|(key, _)| **key != *keys::IDENTITY_CENTER_REGION);
        }
        let flags: [(&'static ConfigKey, Option<String>); 3] = [
            (&keys::IDENTITY_CENTER_REGION, self.sso_region.clone()),
            (&keys::IDENTITY_CENTER_ACCOUNT_ID, self.account.clone()),
            (&keys::IDENTITY_CENTER_PERMISSION_SET, self.permission_set.clone()),
        ];
        values.extend(flags.into_iter().filter_map(|(key, value)| Some((key, value?))));
        values
    }
}

pub(super) fn has_value(values: &[KeyValue], key: &ConfigKey) -> bool {
    values.iter().any(|(known, _)| *known == key)
}

/// The values that follow from a start URL alone.
pub(super) fn list_start_url_values(start_url: &str) -> Vec<KeyValue> {
    let region = find_portal_region(start_url).map(|region| (&*keys::IDENTITY_CENTER_REGION, region.to_owned()));
    let federation = (&*keys::FEDERATION, "identity-center".to_owned());
    let start_url = (&*keys::IDENTITY_CENTER_START_URL, start_url.to_owned());
    [federation, start_url].into_iter().chain(region).collect()
}
