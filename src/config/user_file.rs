//! Which file is the user's in this run: the one in its default place, or one that the call names.
//!
//! It chooses; reading the file is the caller's business.

use std::path::{Path, PathBuf};

use super::{
    ConfigInputs, config_file,
    error::{ConfigFault, ConfigProblem, Error, ValueLocation},
    overrides::CONFIG_VARIABLE,
    source_file::{FileOwner, SourceFile, expand_home},
};

/// The user's file, by how it was chosen.
pub(super) enum UserFile {
    InDefaultPlace(PathBuf),
    /// By `--config`, or by a variable where no file exists in a default place.
    Named(PathBuf),
    /// By a variable, which a file in a default place trusts.
    TrustedVariable(PathBuf),
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
            return Ok(Self::Named(file.clone()));
        }
        let in_default_place = || inputs.paths.user_config.clone();
        let Some(named) = inputs.environment.var_path(CONFIG_VARIABLE).filter(|_| inputs.with_user_layers) else {
            return Ok(Self::InDefaultPlace(in_default_place()));
        };
        let user = read(&in_default_place(), FileOwner::User)?;
        let existing: Vec<&SourceFile> = system.into_iter().chain(&user).collect();
        let is_trusting = existing.iter().any(|source| {
            config_file::parse_toml(source).is_ok_and(|table| config_file::trusts_environment(table.get_ref()))
        });
        match existing.last() {
            Some(file) if !is_trusting => {
                Err(reject_config_variable(ConfigFault::ConfigFileNotAllowed { file: file.display_path.clone() }))
            }
            existing => {
                // A host's settings file is no shell: it leaves the tilde as it is.
                let opened = named.to_str().and_then(|text| expand_home(text, inputs.environment));
                let path = opened.unwrap_or(named);
                match (path.is_absolute(), existing) {
                    (false, _) => Err(reject_config_variable(ConfigFault::RelativePath)),
                    (true, None) => Ok(Self::Named(path)),
                    (true, Some(_)) => Ok(Self::TrustedVariable(path)),
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::InDefaultPlace(path) | Self::Named(path) | Self::TrustedVariable(path) => path,
        }
    }

    pub(super) fn is_named(&self) -> bool {
        match self {
            Self::InDefaultPlace(_) => false,
            Self::Named(_) | Self::TrustedVariable(_) => true,
        }
    }
}

fn reject_config_variable(fault: ConfigFault) -> Error {
    Error::Invalid(vec![ConfigProblem { location: ValueLocation::Variable(CONFIG_VARIABLE.to_owned()), fault }])
}
