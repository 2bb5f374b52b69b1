//! Writes the files for a fleet into a folder that contains nothing else.
//!
//! A list of digests in the folder shows which files an earlier run wrote. Only those are replaced or deleted, and only
//! if they are unchanged since. Any other file stops the run before it writes anything, so that a wrong path cannot
//! destroy files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ring::digest;

use super::{super::Error, CONFIGURATION, FleetFile};
use crate::{
    files::{self, ReadableBy},
    text::encode_hex,
};

/// The list of the digests of all other files. Its format is the one that `sha256sum --check` reads.
const DIGEST_LIST: &str = "bedrock-sso.sha256";

/// A folder with its planned changes. Nothing is written before [`FleetFolder::write_changes`].
#[derive(Debug)]
pub struct FleetFolder {
    path: PathBuf,
    /// In the order in which they are written. The list of digests is the last.
    pub changes: Vec<FolderChange>,
}

/// The planned change of one file in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderChange {
    pub path: PathBuf,
    pub kind: FolderChangeKind,
    /// The new content. `None` if the file is to be removed.
    pub file: Option<FleetFile>,
}

/// How a file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderChangeKind {
    New,
    Changed,
    /// An earlier version wrote the file, and this one does not.
    Removed,
}

impl FleetFolder {
    /// Compares the folder with the wanted files. Fails with `UnknownFile` if it contains a file that no earlier run
    /// wrote or that was edited since. The folder need not exist.
    pub fn plan(path: &Path, mut wanted: Vec<FleetFile>) -> Result<Self, Error> {
        let list: String = wanted.iter().map(|file| format!("{}  {}\n", hash_bytes(&file.bytes), file.name)).collect();
        wanted.push(FleetFile::new(DIGEST_LIST, list));
        let list_path = path.join(DIGEST_LIST);
        let known = match files::read_if_exists(&list_path)? {
            Some(list) => parse_digest_list(&list).ok_or(Error::UnknownFile { path: list_path })?,
            None => BTreeMap::new(),
        };
        let mut changes = Vec::new();
        for name in files::list_recursively(path)? {
            let found = path.join(&name);
            let bytes = files::read_if_exists(&found)?.unwrap_or_default();
            let position = wanted.iter().position(|file| file.name == name);
            let file = position.map(|position| wanted.remove(position));
            let is_same = file.as_ref().is_some_and(|file| file.bytes == bytes);
            if !is_same && name != DIGEST_LIST && known.get(&name) != Some(&hash_bytes(&bytes)) {
                return Err(Error::UnknownFile { path: found });
            }
            if !is_same {
                let kind = if file.is_some() { FolderChangeKind::Changed } else { FolderChangeKind::Removed };
                changes.push(FolderChange { path: found, kind, file });
            }
        }
        let new = wanted.into_iter().map(|file| FolderChange {
            path: path.join(file.name),
            kind: FolderChangeKind::New,
            file: Some(file),
        });
        changes.extend(new);
        // The list is written last. After an interrupted run, files with the wanted content are not in the list yet;
        // the next run accepts them, because their content is right.
        changes.sort_by_key(|change| (change.path.ends_with(DIGEST_LIST), change.path.clone()));
        Ok(Self { path: path.to_owned(), changes })
    }

    /// Writes and deletes the files, and deletes folders that are empty afterwards.
    pub fn write_changes(&self) -> Result<(), Error> {
        for FolderChange { path, kind: _, file } in &self.changes {
            files::create_parent_folders(path, ReadableBy::Everyone)?;
            match file {
                Some(file) => files::replace_preserving_owner(path, &file.bytes, ReadableBy::Everyone)?,
                None => {
                    files::remove_file(path)?;
                    let within = path.ancestors().skip(1).take_while(|folder| *folder != self.path);
                    within.for_each(files::remove_empty_folder);
                }
            }
        }
        Ok(())
    }
}

fn hash_bytes(bytes: &[u8]) -> String {
    encode_hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Parses the list of an earlier run into digests by file name. Returns `None` for a file that this program did not
/// write: each of our lists contains the configuration.
fn parse_digest_list(list: &[u8]) -> Option<BTreeMap<String, String>> {
    let pair = |line: &str| {
        let (digest, name) = line.split_once("  ").filter(|(digest, _)| digest.len() == 64)?;
        Some((name.to_owned(), digest.to_owned()))
    };
    let digests = std::str::from_utf8(list).ok()?.lines().map(pair).collect::<Option<BTreeMap<_, _>>>();
    digests.filter(|digests| digests.contains_key(CONFIGURATION))
}
