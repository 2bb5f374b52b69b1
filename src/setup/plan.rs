//! The changes to come, file by file: planned without touching anything, then applied.
//!
//! A file that another program changed between the two is left alone.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    Edit, Error, Kind, Mark, aws,
    record::{Record, Written},
    settings::{self, Key, Setting},
};
use crate::{
    files::{self, Access},
    host,
};

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As it is named; what a link points to is what is written.
    pub path: PathBuf,
    /// `None`: there is none.
    before: Option<String>,
    after: Option<String>,
    pub marks: Vec<Mark>,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// With the file as it would be without us.
    Write {
        kind: Kind,
        without_us: Option<String>,
    },
    Undo {
        folders: Vec<PathBuf>,
    },
}

/// All changes, and where they are remembered.
#[derive(Debug)]
pub struct Plan {
    pub changes: Vec<Change>,
    record: Record,
    record_path: PathBuf,
    access: Access,
}

impl Plan {
    /// `access` is who may read the files that are made.
    pub fn new(record_path: &Path, access: Access) -> Result<Self, Error> {
        let record = Record::read(record_path)?;
        Ok(Self { changes: Vec::new(), record, record_path: record_path.to_owned(), access })
    }

    /// What the file says now, as text.
    pub fn text_of(path: &Path) -> Result<Option<String>, Error> {
        let Some(bytes) = files::read(path)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| Error::NotText { path: path.to_owned() })
    }

    pub fn aws(&mut self, path: &Path, wanted: &aws::Wanted) -> Result<(), Error> {
        let kind = Kind::Aws { profile: wanted.profile.clone() };
        self.edit(path, kind, |text| {
            aws::with(text, wanted).map_err(|refusal| Error::Aws { path: path.to_owned(), refusal })
        })
    }

    pub fn claude(&mut self, path: &Path, wanted: &[Setting]) -> Result<(), Error> {
        self.edit(path, kind_of(wanted), |text| {
            settings::with(text, wanted).map_err(|refusal| Error::Settings { path: path.to_owned(), refusal })
        })
    }

    /// Our own configuration, whole.
    pub fn configuration(&mut self, path: &Path, edit: Edit) -> Result<(), Error> {
        self.edit(path, Kind::Configuration, |_| Ok(edit))
    }

    fn edit(
        &mut self,
        path: &Path,
        kind: Kind,
        edit: impl FnOnce(&str) -> Result<Edit, Error>,
    ) -> Result<(), Error> {
        // A link that leads nowhere would be lost.
        let is_one = std::fs::metadata(path).map_or_else(|_| !path.is_symlink(), |found| found.is_file());
        if !is_one {
            let source = io::Error::other("it is no regular file");
            return Err(files::Error { doing: "replace", path: path.to_owned(), source }.into());
        }
        let before = Self::text_of(path)?;
        let Edit { after, marks } = edit(before.as_deref().unwrap_or_default())?;
        if before.as_deref() == Some(after.as_str()) {
            return Ok(());
        }
        let without_us = match self.record.of(path) {
            Some(written) => undone(written, before.as_deref())?.map(|edit| edit.after),
            None => before.clone(),
        };
        let (path, after) = (path.to_owned(), Some(after));
        self.changes.push(Change { path, before, after, marks, what: What::Write { kind, without_us } });
        Ok(())
    }

    /// Takes back everything that is remembered. Returns the files that it must leave, because they were changed since
    /// and cannot be told apart from what we wrote.
    pub fn undo(&mut self) -> Result<Vec<PathBuf>, Error> {
        let mut left = Vec::new();
        for written in self.record.files.clone() {
            let before = Self::text_of(&written.path)?;
            if before == written.before {
                self.record.forget(&written.path);
                continue;
            }
            if before.as_deref() != Some(&written.wrote) && written.kind == Kind::Configuration {
                left.extend(before.map(|_| written.path.clone()));
                self.record.forget(&written.path);
                continue;
            }
            let (after, marks) = match undone(&written, before.as_deref())? {
                Some(Edit { after, marks }) => (Some(after), marks),
                None => (None, removed(before.as_deref().unwrap_or_default(), &written.kind)),
            };
            let what = What::Undo { folders: written.folders };
            self.changes.push(Change { path: written.path, before, after, marks, what });
        }
        Ok(left)
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Remembers, then writes. A file that could not be written leaves those before it as they are meant to be; setup is
    /// run again for the rest.
    pub fn apply(mut self) -> Result<(), Error> {
        for change in &self.changes {
            if let (What::Write { kind, without_us }, Some(after)) = (&change.what, &change.after) {
                self.record.put(Written {
                    path: change.path.clone(),
                    kind: kind.clone(),
                    before: without_us.clone(),
                    wrote: after.clone(),
                    folders: self.folders_for(&change.path),
                });
            }
        }
        self.record.folders.extend(files::missing_folders(&self.record_path));
        if let Some(folder) = self.record_path.parent().filter(|_| self.access == Access::Everyone) {
            let fault = |source| files::Error { doing: "create", path: folder.to_owned(), source };
            host::make_folder_for_all(folder).map_err(fault)?;
        }
        files::make_folders_for(&self.record_path, self.access)?;
        self.record.keep(&self.record_path)?;
        for change in &self.changes {
            change.write(self.access)?;
            if let What::Undo { folders } = &change.what {
                folders.iter().rev().for_each(|folder| files::remove_empty_folder(folder));
                self.record.forget(&change.path);
                self.record.keep(&self.record_path)?;
            }
        }
        if self.record.files.is_empty() {
            self.record.folders.iter().rev().for_each(|folder| files::remove_empty_folder(folder));
        }
        Ok(())
    }

    /// Those that are still to be made, and those that were made by us earlier.
    fn folders_for(&self, path: &Path) -> Vec<PathBuf> {
        let mut folders = self.record.of(path).map(|written| written.folders.clone()).unwrap_or_default();
        folders.extend(files::missing_folders(path));
        folders
    }
}

impl Change {
    /// Whether there is no such file yet.
    pub fn makes_it(&self) -> bool {
        self.before.is_none()
    }

    fn write(&self, access: Access) -> Result<(), Error> {
        let target = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        if Plan::text_of(&target)? != self.before {
            let source = io::Error::other("another program changed it in this moment");
            return Err(files::Error { doing: "replace", path: self.path.clone(), source }.into());
        }
        match &self.after {
            Some(after) => {
                files::make_folders_for(&target, access)?;
                Ok(files::replace_anothers(&target, after.as_bytes(), access)?)
            }
            None => Ok(files::remove(&target)?),
        }
    }
}

/// The file without us: as it was, when nobody else has touched it since; else with only our own taken out.
/// `None` when there was none.
fn undone(written: &Written, now: Option<&str>) -> Result<Option<Edit>, Error> {
    let Written { path, kind, before, wrote, folders: _ } = written;
    let Some(now) = now else { return Ok(None) };
    let was = before.as_deref().unwrap_or_default();
    let edit = match kind {
        Kind::Configuration => Edit { after: was.to_owned(), marks: Vec::new() },
        Kind::Aws { profile } => aws::without(now, was, wrote, profile),
        Kind::Claude { top, env } => settings::without(now, was, wrote, &keys(top, env))
            .map_err(|refusal| Error::Settings { path: path.clone(), refusal })?,
    };
    if now == wrote {
        return Ok(before.clone().map(|before| Edit { after: before, ..edit }));
    }
    Ok(Some(edit))
}

fn kind_of(wanted: &[Setting]) -> Kind {
    let (mut top, mut env) = (Vec::new(), Vec::new());
    for Setting { key, value: _ } in wanted {
        match key {
            Key::Top(name) => top.push((*name).to_owned()),
            Key::Env(name) => env.push(name.clone()),
        }
    }
    Kind::Claude { top, env }
}

fn keys(top: &[String], env: &[String]) -> Vec<Key> {
    const KNOWN: [&str; 3] = ["awsAuthRefresh", "awsCredentialExport", "otelHeadersHelper"];
    let top = KNOWN.into_iter().filter(|known| top.iter().any(|name| name == known)).map(Key::Top);
    top.chain(env.iter().cloned().map(Key::Env)).collect()
}

/// What is shown of a file of ours that goes as a whole.
fn removed(text: &str, kind: &Kind) -> Vec<Mark> {
    match kind {
        Kind::Claude { .. } => vec![Mark::Removed("the whole file, which setup made".to_owned())],
        _ => text.lines().map(|line| Mark::Removed(line.to_owned())).collect(),
    }
}

#[cfg(test)]
mod tests;
