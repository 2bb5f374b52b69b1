//! Plans the changes to all files without writing anything, and then applies them.
//!
//! Before each write, the plan compares the file with what it read: if another program has changed the file in between,
//! the plan does not overwrite it. The record of what was there before is saved first, so `--remove` works even after a
//! run that was interrupted half way.

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

/// The planned change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The path by which the file is known. If it is a symbolic link, the link stays and its target is written.
    pub path: PathBuf,
    /// The text when the change was planned. `None`: the file does not exist.
    before: Option<String>,
    /// The text to write. `None`: the file is to be deleted.
    after: Option<String>,
    pub diff: Vec<DiffLine>,
    /// The new entry in the record, still without the folders that are created. `None`: the entry is to be removed,
    /// because the change undoes all of ours.
    record: Option<FileRecord>,
}

/// All planned changes, and the record of earlier runs.
///
/// Building a plan only reads. [`SetupPlan::apply`] is the one function that edits files.
#[derive(Debug)]
pub struct SetupPlan {
    pub changes: Vec<FileChange>,
    record: SetupRecord,
    record_path: PathBuf,
    access: ReadableBy,
    /// Whether entries were dropped from the record, because their files contain nothing of ours any more.
    forgets_files: bool,
}

impl SetupPlan {
    /// Loads the record of earlier runs. `access` says who may read the files that this run creates. Fails if another
    /// version wrote the record.
    pub fn new(record_path: &Path, access: ReadableBy) -> Result<Self, Error> {
        let record = SetupRecord::load(record_path)?;
        let record_path = record_path.to_owned();
        Ok(Self { changes: Vec::new(), record, record_path, access, forgets_files: false })
    }

    /// The present text of a file, or `None` if the file does not exist. Fails if it is not UTF-8, because an edit
    /// would damage the file.
    pub fn read_text(path: &Path) -> Result<Option<String>, Error> {
        let Some(bytes) = files::read_if_exists(path)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| Error::NotText { path: path.to_owned() })
    }

    /// Plans to add these profiles to AWS's configuration. Profiles of earlier runs stay in the record.
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

    /// Plans to add these settings to Claude Code's settings.
    pub fn add_claude_settings(&mut self, path: &Path, wanted: &[ClaudeSetting]) -> Result<(), Error> {
        self.add_edit(path, kind_from_settings(wanted), |text| {
            settings::add_settings(text, wanted).map_err(|refusal| Error::Settings { path: path.to_owned(), refusal })
        })
    }

    /// Plans to give our own configuration this text. The path may be relative, as `--config` allows. The record gets the
    /// absolute one, because `--remove` may run in another directory.
    pub fn add_configuration(&mut self, path: &Path, edit: FileEdit) -> Result<(), Error> {
        let path = std::path::absolute(path).map_err(files::Error::at(FileAction::Read, path))?;
        self.add_edit(&path, SetupFileKind::Configuration, |_| Ok(edit))
    }

    /// Plans an edit of one file and its entry in the record. A file that the edit leaves unchanged gets neither.
    fn add_edit(
        &mut self,
        path: &Path,
        kind: SetupFileKind,
        edit: impl FnOnce(&str) -> Result<FileEdit, Error>,
    ) -> Result<(), Error> {
        // Rejects folders and devices, and a symbolic link without a target: writing would replace the link by a file.
        let is_file_or_absent = std::fs::metadata(path).map_or_else(|_| !path.is_symlink(), |found| found.is_file());
        if !is_file_or_absent {
            let source = io::Error::other("it is not a regular file");
            return Err(files::Error::at(FileAction::Replace, path)(source).into());
        }
        let before = Self::read_text(path)?;
        let FileEdit { after, diff } = edit(before.as_deref().unwrap_or_default())?;
        if before.as_deref() == Some(after.as_str()) {
            return Ok(());
        }
        // The record must hold the file as it would be without setup. After an earlier run that is not `before`, which
        // already contains our lines.
        let without_us = match self.record.find_file(path) {
            Some(written) => undo_edit(written, before.as_deref())?.map(|edit| edit.after),
            None => before.clone(),
        };
        let (path, folders) = (path.to_owned(), Vec::new());
        let record = FileRecord { path: path.clone(), kind, before: without_us, wrote: after.clone(), folders };
        self.changes.push(FileChange { path, before, after: Some(after), diff, record: Some(record) });
        Ok(())
    }

    /// Plans to undo everything in the record. Returns the configuration files that it does not touch, because the user
    /// edited them after setup wrote them and their edits are not separable from ours.
    pub fn plan_removal(&mut self) -> Result<Vec<PathBuf>, Error> {
        let mut untouched = Vec::new();
        for written in self.record.files.clone() {
            let before = Self::read_text(&written.path)?;
            let is_reverted = before == written.before;
            let is_edited = before.as_deref() != Some(&written.wrote);
            if is_reverted || is_edited && written.kind == SetupFileKind::Configuration {
                untouched.extend(before.filter(|_| !is_reverted).map(|_| written.path.clone()));
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
        Ok(untouched)
    }

    /// Whether there is nothing to write. The record may still need [`SetupPlan::forget_reverted_files`].
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Saves the record, then writes the files one by one.
    ///
    /// If one file cannot be written, those before it stay changed. Running setup again completes the rest, and
    /// `--remove` undoes what was done. An entry in the record whose file was never written does no harm.
    pub fn apply(mut self) -> Result<(), Error> {
        for change in &self.changes {
            if let Some(record) = &change.record {
                // Folders that an earlier run created, and those that this run will create: removal deletes both.
                let mut folders = self.record.folders_of(&change.path);
                folders.extend(files::find_missing_folders(&change.path));
                self.record.put_file(FileRecord { folders, ..record.clone() });
            }
        }
        // The record's folder must exist before the record can be saved. Other users must not be able to write to it.
        self.record.folders.extend(files::find_missing_folders(&self.record_path));
        if let Some(folder) = self.record_path.parent().filter(|_| self.access == ReadableBy::Everyone) {
            host::create_admin_folder(folder).map_err(files::Error::at(FileAction::Create, folder))?;
        }
        files::create_parent_folders(&self.record_path, self.access)?;
        self.record.save(&self.record_path)?;
        for change in &self.changes {
            change.write_file(self.access)?;
            // A removal updates the record after each file, so an interrupted removal can be repeated.
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

    /// Saves the record if `plan_removal` dropped entries from it. Call it when the plan is empty; otherwise
    /// [`SetupPlan::apply`] saves the record.
    pub fn forget_reverted_files(&self) -> Result<(), Error> {
        if self.forgets_files {
            self.record.save(&self.record_path)?;
            self.remove_record_folders();
        }
        Ok(())
    }

    /// Deletes the folders that were created for the record, once the record is empty and deleted too.
    fn remove_record_folders(&self) {
        if self.record.files.is_empty() {
            self.record.folders.iter().rev().for_each(|folder| files::remove_empty_folder(folder));
        }
    }
}

impl FileChange {
    /// Whether the file does not exist yet.
    pub fn creates_file(&self) -> bool {
        self.before.is_none()
    }

    /// Writes or deletes the file. Fails if it no longer has the text that the change was planned for.
    fn write_file(&self, access: ReadableBy) -> Result<(), Error> {
        let target = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        if SetupPlan::read_text(&target)? != self.before {
            let source = io::Error::other("another program changed it while setup ran");
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

/// The file as it would be if setup had never run.
///
/// If nothing has changed since setup wrote the file, this is exactly the earlier text, or `None` if the file did not
/// exist then. Otherwise only our own entries are removed, and the edits of the user and of other programs stay.
fn undo_edit(written: &FileRecord, now: Option<&str>) -> Result<Option<FileEdit>, Error> {
    let FileRecord { path, kind, before, wrote, folders: _ } = written;
    let Some(now) = now else { return Ok(None) };
    let was = before.as_deref().unwrap_or_default();
    let edit = match kind {
        // The user has edited our configuration, so it is theirs now.
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

/// The names of the settings in the form in which the record stores them.
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

/// The keys behind the names in a record. A name at the top level that is not one of our hooks is ignored: a damaged
/// record must not remove other settings.
fn parse_recorded_keys(top: &[String], env: &[String]) -> Vec<ClaudeSettingKey> {
    let known = claude::HOOKS.into_iter().map(|(name, _)| name);
    let top = known.filter(|known| top.iter().any(|name| name == known)).map(ClaudeSettingKey::Top);
    top.chain(env.iter().cloned().map(ClaudeSettingKey::Env)).collect()
}

/// The lines to show for a file that setup created and now deletes. Claude Code's settings are not listed: their JSON
/// lines would not look like the `key = value` lines of other changes.
fn list_removed_lines(text: &str, kind: &SetupFileKind) -> Vec<DiffLine> {
    match kind {
        SetupFileKind::Claude { .. } => {
            vec![DiffLine::Removed("(the whole file, which setup created)".to_owned())]
        }
        SetupFileKind::Configuration | SetupFileKind::Aws { .. } => {
            text.lines().map(|line| DiffLine::Removed(line.to_owned())).collect()
        }
    }
}

#[cfg(test)]
mod tests;
