//! The values of a new profile: from the flags of `setup`, and from the file of `--from`.

use std::path::Path;

use super::{SetupContext, write_stderr};
use crate::{
    cli::SetupArgs,
    config::{self, ConfigKey, KeyValue, keys},
    failure::Failure,
    hint::Invocation,
    setup::{
        Error, SetupPlan,
        sample_import::{self, ImportError},
    },
};

impl SetupContext<'_> {
    /// The file from which values are read, besides the command line. With `--system`, `--config` also means a source:
    /// the destination is always the administrator's file.
    pub(super) fn source_path(&self) -> Option<&Path> {
        let named = self.context.global.config.as_deref().filter(|_| self.arguments.system);
        self.arguments.from.as_deref().or(named)
    }

    /// Collects the values from the source file and the command line, which wins. Also returns the profile's name in
    /// the source file, if it has one.
    pub(super) fn collect_values(&self) -> Result<(Option<String>, Vec<KeyValue>), Failure> {
        let SetupArgs { issuer, client_id, role_arn, region, set, .. } = self.arguments;
        let (name, mut values) = match self.source_path() {
            Some(path) => self.read_source_values(path)?,
            None => (None, Vec::new()),
        };
        let flags: [(&ConfigKey, &[String]); 4] = [
            (&keys::ISSUER, issuer.as_slice()),
            (&keys::CLIENT_ID, client_id.as_slice()),
            (&keys::ROLE_ARN, role_arn),
            (&keys::REGION, region.as_slice()),
        ];
        let set = set.iter().map(|(name, value)| Ok((config::require_known_key(name)?, std::slice::from_ref(value))));
        let set = set.collect::<Result<Vec<_>, config::Error>>()?;
        for (key, given) in flags.into_iter().chain(set).filter(|(_, given)| !given.is_empty()) {
            values.retain(|(known, _)| *known != key);
            values.extend(given.iter().map(|value| (key, value.clone())));
        }
        Ok((name, values))
    }

    /// Reads the values from a configuration of ours, or from a file of AWS's guidance sample. Prints what the user has
    /// to do about settings of the sample that cannot be imported.
    fn read_source_values(&self, path: &Path) -> Result<(Option<String>, Vec<KeyValue>), Failure> {
        let text = read_source(path)?;
        if self.is_config_file(path) {
            return Ok(config::read_key_values(&self.inputs(), path, &text)?);
        }
        let imported = sample_import::import_profile(&text, self.requested_profile().as_deref())
            .map_err(|error| Error::Import { path: path.to_owned(), error })?;
        let name = self.requested_profile().or_else(|| imported.name.clone());
        let invocation = Invocation::new(name.as_deref(), self.named_config());
        let notes = imported.notes.iter().map(|note| format!("note: {}\n", note.render(&invocation)));
        write_stderr(&notes.collect::<String>());
        Ok((imported.name, imported.values))
    }

    /// Whether the file is a configuration of ours. The file of `--config` always is, whatever its name ends with.
    pub(super) fn is_config_file(&self, path: &Path) -> bool {
        is_toml(path) || self.context.global.config.as_deref() == Some(path)
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
        let Self { issuer, client_id, role_arn, region, set, aws_profile, .. } = self;
        [issuer, client_id, region, aws_profile].into_iter().any(Option::is_some)
            || !role_arn.is_empty()
            || !set.is_empty()
    }
}
