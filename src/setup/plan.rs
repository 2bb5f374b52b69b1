//! The changes to come, file by file: planned without touching anything, then applied.
//!
//! A file that another program changed between the two is left alone.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    DiffLine, Error, FileEdit, SetupFileKind,
    aws::{self, AwsProfileEntry},
    claude, diff_lines,
    record::{FileRecord, SetupRecord},
    settings::{self, ClaudeSetting, ClaudeSettingKey},
};
use crate::{
    files::{self, FileAction, ReadableBy},
    host,
};

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// As it is named; what a link points to is what is written.
    pub path: PathBuf,
    /// `None`: there is none.
    before: Option<String>,
    after: Option<String>,
    pub diff: Vec<DiffLine>,
    /// What is remembered of it, but for the folders; `None`: everything of ours goes.
    record: Option<FileRecord>,
}

/// All changes, and where they are remembered.
#[derive(Debug)]
pub struct SetupPlan {
    pub changes: Vec<FileChange>,
    record: SetupRecord,
    record_path: PathBuf,
    access: ReadableBy,
    /// Whether the record names files in which nothing of ours is left.
    forgets_files: bool,
}

impl SetupPlan {
    /// `access` is who may read the files that are made.
    pub fn new(record_path: &Path, access: ReadableBy) -> Result<Self, Error> {
        let record = SetupRecord::load(record_path)?;
        let record_path = record_path.to_owned();
        Ok(Self { changes: Vec::new(), record, record_path, access, forgets_files: false })
    }

    /// What the file says now, as text.
    pub fn read_text(path: &Path) -> Result<Option<String>, Error> {
        let Some(bytes) = files::read_if_exists(path)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| Error::NotText { path: path.to_owned() })
    }

    pub fn add_aws_profiles(&mut self, path: &Path, wanted: &[AwsProfileEntry]) -> Result<(), Error> {
        let mut names: Vec<String> = match self.record.find_file(path).map(|written| &written.kind) {
            Some(SetupFileKind::Aws { profile, more }) => std::iter::once(profile).chain(more).cloned().collect(),
            Some(SetupFileKind::Configuration | SetupFileKind::Claude { .. }) | None => Vec::new(),
        };
        for AwsProfileEntry { profile, .. } in wanted {
            if !names.contains(profile) {
                names.push(profile.clone());
            }
        }
        let Some((profile, more)) = names.split_first() else { return Ok(()) };
        let kind = SetupFileKind::Aws { profile: profile.clone(), more: more.to_vec() };
        self.add_edit(path, kind, |text| {
            aws::add_profiles(text, wanted).map_err(|refusal| Error::Aws { path: path.to_owned(), refusal })
        })
    }

    pub fn add_claude_settings(&mut self, path: &Path, wanted: &[ClaudeSetting]) -> Result<(), Error> {
        self.add_edit(path, kind_from_settings(wanted), |text| {
            settings::add_settings(text, wanted).map_err(|refusal| Error::Settings { path: path.to_owned(), refusal })
        })
    }

    /// Our own configuration, whole.
    pub fn add_configuration(&mut self, path: &Path, edit: FileEdit) -> Result<(), Error> {
        self.add_edit(path, SetupFileKind::Configuration, |_| Ok(edit))
    }

    fn add_edit(
        &mut self,
        path: &Path,
        kind: SetupFileKind,
        edit: impl FnOnce(&str) -> Result<FileEdit, Error>,
    ) -> Result<(), Error> {
        // A link that leads nowhere would be lost.
        let is_one = std::fs::metadata(path).map_or_else(|_| !path.is_symlink(), |found| found.is_file());
        if !is_one {
            let source = io::Error::other("it is no regular file");
            return Err(files::Error::at(FileAction::Replace, path)(source).into());
        }
        let before = Self::read_text(path)?;
        let FileEdit { after, diff } = edit(before.as_deref().unwrap_or_default())?;
        if before.as_deref() == Some(after.as_str()) {
            return Ok(());
        }
        let without_us = match self.record.find_file(path) {
            Some(written) => undo_edit(written, before.as_deref())?.map(|edit| edit.after),
            None => before.clone(),
        };
        let (path, folders) = (path.to_owned(), Vec::new());
        let record = FileRecord { path: path.clone(), kind, before: without_us, wrote: after.clone(), folders };
        self.changes.push(FileChange { path, before, after: Some(after), diff, record: Some(record) });
        Ok(())
    }

    /// Takes back everything that is remembered. Returns the files that it must leave, because they were changed since
    /// and cannot be told apart from what we wrote.
    pub fn plan_removal(&mut self) -> Result<Vec<PathBuf>, Error> {
        let mut left = Vec::new();
        for written in self.record.files.clone() {
            let before = Self::read_text(&written.path)?;
            let is_reverted = before == written.before;
            let is_edited = before.as_deref() != Some(&written.wrote);
            if is_reverted || is_edited && written.kind == SetupFileKind::Configuration {
                left.extend(before.filter(|_| !is_reverted).map(|_| written.path.clone()));
                self.record.remove_file(&written.path);
                self.forgets_files = true;
                continue;
            }
            let (after, diff) = match undo_edit(&written, before.as_deref())? {
                Some(FileEdit { after, diff }) => (Some(after), diff),
                None => (None, list_removed_lines(before.as_deref().unwrap_or_default(), &written.kind)),
            };
            self.changes.push(FileChange { path: written.path, before, after, diff, record: None });
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
            if let Some(record) = &change.record {
                // Those that are still to be made, and those that were made by us earlier.
                let mut folders = self.record.folders_of(&change.path);
                folders.extend(files::find_missing_folders(&change.path));
                self.record.put_file(FileRecord { folders, ..record.clone() });
            }
        }
        self.record.folders.extend(files::find_missing_folders(&self.record_path));
        if let Some(folder) = self.record_path.parent().filter(|_| self.access == ReadableBy::Everyone) {
            host::create_admin_folder(folder).map_err(files::Error::at(FileAction::Create, folder))?;
        }
        files::create_parent_folders(&self.record_path, self.access)?;
        self.record.save(&self.record_path)?;
        for change in &self.changes {
            change.write_file(self.access)?;
            if change.record.is_none() {
                let folders = self.record.folders_of(&change.path);
                folders.iter().rev().for_each(|folder| files::remove_empty_folder(folder));
                self.record.remove_file(&change.path);
                self.record.save(&self.record_path)?;
            }
        }
        self.remove_record_folders();
        Ok(())
    }

    /// Saves what `plan_removal` found out where there is nothing to apply: which files hold nothing of ours any more.
    pub fn forget_reverted_files(&self) -> Result<(), Error> {
        if self.forgets_files {
            self.record.save(&self.record_path)?;
            self.remove_record_folders();
        }
        Ok(())
    }

    fn remove_record_folders(&self) {
        if self.record.files.is_empty() {
            self.record.folders.iter().rev().for_each(|folder| files::remove_empty_folder(folder));
        }
    }
}

impl FileChange {
    /// Whether there is no such file yet.
    pub fn creates_file(&self) -> bool {
        self.before.is_none()
    }

    fn write_file(&self, access: ReadableBy) -> Result<(), Error> {
        let target = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        if SetupPlan::read_text(&target)? != self.before {
            let source = io::Error::other("another program changed it in this moment");
            return Err(files::Error::at(FileAction::Replace, &self.path)(source).into());
        }
        match &self.after {
            Some(after) => {
                files::create_parent_folders(&target, access)?;
                Ok(files::replace_preserving_owner(&target, after.as_bytes(), access)?)
            }
            None => Ok(files::remove_file(&target)?),
        }
    }
}

/// The file without us: as it was, when nobody else has touched it since; else with only our own taken out.
/// `None` when there was none.
fn undo_edit(written: &FileRecord, now: Option<&str>) -> Result<Option<FileEdit>, Error> {
    let FileRecord { path, kind, before, wrote, folders: _ } = written;
    let Some(now) = now else { return Ok(None) };
    let was = before.as_deref().unwrap_or_default();
    let edit = match kind {
        // What the user made of it is theirs.
        SetupFileKind::Configuration if now != wrote => FileEdit { after: now.to_owned(), diff: Vec::new() },
        SetupFileKind::Configuration => FileEdit { after: was.to_owned(), diff: diff_lines(now, was) },
        SetupFileKind::Aws { profile, more } => {
            aws::remove_profiles(now, was, wrote, std::iter::once(profile).chain(more))
        }
        SetupFileKind::Claude { top, env } => {
            settings::remove_settings(now, was, wrote, &parse_recorded_keys(top, env))
                .map_err(|refusal| Error::Settings { path: path.clone(), refusal })?
        }
    };
    if now == wrote {
        return Ok(before.clone().map(|before| FileEdit { after: before, ..edit }));
    }
    Ok(Some(edit))
}

fn kind_from_settings(wanted: &[ClaudeSetting]) -> SetupFileKind {
    let (mut top, mut env) = (Vec::new(), Vec::new());
    for ClaudeSetting { key, value: _ } in wanted {
        match key {
            ClaudeSettingKey::Top(name) => top.push((*name).to_owned()),
            ClaudeSettingKey::Env(name) => env.push(name.clone()),
        }
    }
    SetupFileKind::Claude { top, env }
}

fn parse_recorded_keys(top: &[String], env: &[String]) -> Vec<ClaudeSettingKey> {
    let known = claude::HOOKS.into_iter().map(|(name, _)| name);
    let top = known.filter(|known| top.iter().any(|name| name == known)).map(ClaudeSettingKey::Top);
    top.chain(env.iter().cloned().map(ClaudeSettingKey::Env)).collect()
}

/// What is shown of a file of ours that goes as a whole.
fn list_removed_lines(text: &str, kind: &SetupFileKind) -> Vec<DiffLine> {
    match kind {
        SetupFileKind::Claude { .. } => {
            vec![DiffLine::Removed("the whole file, which setup made".to_owned())]
        }
        SetupFileKind::Configuration | SetupFileKind::Aws { .. } => {
            text.lines().map(|line| DiffLine::Removed(line.to_owned())).collect()
        }
    }
}

#[cfg(test)]
mod tests;
