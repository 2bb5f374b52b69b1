//! Which file is the user's in this run: the one in its default place, or one that the call names.
//!
//! It chooses; reading the file is the caller's business.

use std::path::{Path, PathBuf};

use super::{
    Inputs,
    error::{Error, Fault, Place, Problem},
    overrides::CONFIG,
    raw,
    source::{Rank, Source, expanded},
};

/// The user's file, by how it was chosen.
pub(super) enum UserFile {
    InDefaultPlace(PathBuf),
    /// By `--config`, or by a variable where no file exists in a default place.
    Named(PathBuf),
    /// By a variable, which a file in a default place trusts.
    Trusted(PathBuf),
}

impl UserFile {
    /// A variable of the environment, which may be a repository's, names no other file than the one that exists, unless
    /// that says so itself.
    pub(super) fn choose(
        inputs: &Inputs<'_>,
        system: Option<&Source>,
        read: impl Fn(&Path, Rank) -> Result<Option<Source>, Error>,
    ) -> Result<Self, Error> {
        if let Some(file) = &inputs.file {
            return Ok(Self::Named(file.clone()));
        }
        let in_default_place = || inputs.paths.user_config.clone();
        let Some(named) = inputs.environment.path(CONFIG).filter(|_| inputs.personal) else {
            return Ok(Self::InDefaultPlace(in_default_place()));
        };
        let user = read(&in_default_place(), Rank::User)?;
        let existing: Vec<&Source> = system.into_iter().chain(&user).collect();
        let is_trusting = existing
            .iter()
            .any(|source| raw::parse(source).is_ok_and(|table| raw::trusts_environment(table.get_ref())));
        match existing.last() {
            Some(file) if !is_trusting => Err(refused(Fault::FileRefused { file: file.shown.clone() })),
            existing => {
                // A host's settings file is no shell: it leaves the tilde as it is.
                let opened = named.to_str().and_then(|text| expanded(text, inputs.environment));
                let path = opened.unwrap_or(named);
                match (path.is_absolute(), existing) {
                    (false, _) => Err(refused(Fault::RelativePath)),
                    (true, None) => Ok(Self::Named(path)),
                    (true, Some(_)) => Ok(Self::Trusted(path)),
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::InDefaultPlace(path) | Self::Named(path) | Self::Trusted(path) => path,
        }
    }

    pub(super) fn is_named(&self) -> bool {
        match self {
            Self::InDefaultPlace(_) => false,
            Self::Named(_) | Self::Trusted(_) => true,
        }
    }
}

fn refused(fault: Fault) -> Error {
    Error::Invalid(vec![Problem { place: Place::Variable(CONFIG.to_owned()), fault }])
}
