//! Which file is the user's in this run: the one in its default place, or one that the call names.
//!
//! It chooses; reading the file is the caller's business.

use std::path::{Path, PathBuf};

use super::{
    ConfigFault, ConfigInputs, Error, ValueLocation, config_file,
    overrides::CONFIG_VARIABLE,
    source_file::{FileOwner, SourceFile, expand_home},
};

/// The user's file, and how it was chosen.
pub(super) struct UserFile {
    pub path: PathBuf,
    /// By `--config` or by a variable.
    pub is_named: bool,
    /// By a variable, which a file in a default place trusts.
    pub is_trusted: bool,
}

impl UserFile {
    /// A variable of the environment, which may be a repository's, names no other file than the one that exists, unless
    /// that says so itself.
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
        // A host's settings file is no shell: it leaves the tilde as it is.
        let opened = named.to_str().and_then(|text| expand_home(text, inputs.environment));
        let path = opened.unwrap_or(named);
        if !path.is_absolute() {
            return reject(ConfigFault::RelativePath);
        }
        Ok(Self { path, is_named: true, is_trusted: !existing.is_empty() })
    }
}
