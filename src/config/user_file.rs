//! Chooses the user's configuration file: the file that `--config` or `BEDROCK_SSO_CONFIG` names, or the one in its
//! default place.
//!
//! A flag is always obeyed, because the user typed it. A variable can come from an untrusted repository, so it is an
//! error if a file exists in a default place, unless that file trusts the environment.

use std::path::{Path, PathBuf};

use super::{
    ConfigFault, ConfigInputs, Error, ValueLocation, config_file,
    overrides::CONFIG_VARIABLE,
    source_file::{FileOwner, SourceFile, expand_home},
};

/// The user's file, and how it was chosen.
pub(super) struct UserFile {
    pub path: PathBuf,
    /// Whether `--config` or a variable names the file. Such a file must exist.
    pub is_named: bool,
    /// Whether a variable names the file, and a file in a default place trusts the environment.
    pub is_trusted: bool,
}

impl UserFile {
    /// Chooses the file. `system` is the administrator's file, and `read` reads the user's file in its default place;
    /// both are needed to decide whether a variable counts.
    pub(super) fn choose_file(
        inputs: &ConfigInputs<'_>,
        system: Option<&SourceFile>,
        read: impl Fn(&Path, FileOwner) -> Result<Option<SourceFile>, Error>,
    ) -> Result<Self, Error> {
        if let Some(file) = &inputs.file {
            return Ok(Self { path: file.clone(), is_named: true, is_trusted: false });
        }
        let default_path = &inputs.paths.user_config;
        let Some(named) = inputs.environment.var_path(CONFIG_VARIABLE).filter(|_| inputs.with_user_layers) else {
            return Ok(Self { path: default_path.clone(), is_named: false, is_trusted: false });
        };
        let user = read(default_path, FileOwner::User)?;
        let existing: Vec<&SourceFile> = system.into_iter().chain(&user).collect();
        let is_trusting = existing.iter().any(|source| {
            config_file::parse_toml(source).is_ok_and(|table| config_file::trusts_environment(table.get_ref()))
        });
        let reject = |fault| Err(Error::invalid(ValueLocation::Variable(CONFIG_VARIABLE.to_owned()), fault));
        if let Some(file) = existing.last().filter(|_| !is_trusting) {
            return reject(ConfigFault::ConfigFileNotAllowed { file: file.display_path.clone() });
        }
        // A program that takes variables from a settings file does not expand the tilde as a shell does.
        let opened = named.to_str().and_then(|text| expand_home(text, inputs.environment));
        let path = opened.unwrap_or(named);
        if !path.is_absolute() {
            return reject(ConfigFault::RelativePath);
        }
        Ok(Self { path, is_named: true, is_trusted: !existing.is_empty() })
    }
}
