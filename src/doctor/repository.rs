//! Finds settings of the current repository that could redirect a sign-in or run another program for it.
//!
//! Claude Code passes the `env` of a repository's settings to every hook, with `claude -p` even without a trust
//! dialog. So the author of a repository could set a proxy or an AWS endpoint. The report names each setting and never
//! shows its value: a value comes from an untrusted author, and a user or an agent might run it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{
    failure::doctor::{self, RepositorySettings},
    files,
    setup::{claude::HOOKS, settings},
    text::sanitize_line,
};

/// How many folders are searched at most, so that a broken file system cannot make `doctor` hang.
const MAX_FOLDERS: usize = 64;
/// How many names of one file are shown. The report counts the others, so that a long list cannot hide the other
/// checks.
const MAX_NAMES: usize = 8;

/// Names the settings that matter, each with its file, and says which ones the managed settings pin.
pub(super) fn check_repository(context: &DoctorContext<'_>) -> CheckOutcome {
    let Ok(folder) = std::env::current_dir() else {
        return Ok(Finding::Skipped("the working directory cannot be read".to_owned()));
    };
    let managed = context.read_text_or_empty(&context.tool_config.claude_managed);
    let managed = settings::list_key_names(&managed).unwrap_or_default();
    let (mut planted, mut unreadable, mut found) = (Vec::new(), None, 0);
    let own = context.tool_config.claude_settings.canonicalize().ok();
    // In the home folder, the file in this place is the user's own settings file.
    for file in list_settings_files(&folder) {
        if own.is_some() && file.canonicalize().ok() == own {
            continue;
        }
        let names = match read_setting_names(&file) {
            Ok(None) => continue,
            Ok(Some(names)) => names,
            Err(()) => {
                // Go on: an unreadable file must not hide the settings of another file.
                unreadable.get_or_insert_with(|| context.display_path(&file));
                continue;
            }
        };
        found += 1;
        planted.extend(classify_names(context.display_path(&file), &names, &managed));
    }
    if !planted.is_empty() {
        let managed = context.display_path(&context.tool_config.claude_managed);
        return Ok(Finding::Warn(doctor::describe_repository(&planted, &managed)));
    }
    Ok(match (unreadable, found) {
        (Some(file), _) => Finding::Warn(doctor::describe_unreadable_settings(&file)),
        (None, 0) => Finding::Skipped("no repository settings of Claude Code apply to this directory".to_owned()),
        (None, _) => Finding::Ok("this repository's settings do not affect the sign-in".to_owned()),
    })
}

/// The possible settings files of the working directory and of each folder above it, up to the repository's root.
/// Outside of a repository, only those of the working directory.
fn list_settings_files(folder: &Path) -> Vec<PathBuf> {
    let is_root = |folder: &&Path| folder.join(".git").exists();
    let depth = folder.ancestors().take(MAX_FOLDERS).position(|folder| is_root(&folder)).unwrap_or_default();
    let folders = folder.ancestors().take(depth + 1);
    let files = |folder: &Path| ["settings.json", "settings.local.json"].map(|name| folder.join(".claude").join(name));
    folders.flat_map(files).collect()
}

/// The names of the settings in a file; `Ok(None)` if the file does not exist. Fails for a file that cannot be read or
/// parsed, and for a device or a pipe, because reading one might never end.
fn read_setting_names(file: &Path) -> Result<Option<BTreeSet<String>>, ()> {
    let Some(foreign) = files::read_untrusted(file, files::MAX_FILE_SIZE).map_err(drop)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&foreign.bytes).map_err(drop)?;
    settings::list_key_names(text).map(Some).map_err(drop)
}

/// Selects the names that affect a sign-in, and splits them by whether the managed settings set them too. Names that
/// are not pinned come first when the list is cut. Returns `None` if no name affects a sign-in.
fn classify_names(file: String, names: &BTreeSet<String>, managed: &BTreeSet<String>) -> Option<RepositorySettings> {
    let (mut pinned, mut open) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| affects_sign_in(name)) {
        let list = if managed.contains(name) { &mut pinned } else { &mut open };
        list.push(sanitize_line(name.strip_prefix("env.").unwrap_or(name)));
    }
    let more = (pinned.len() + open.len()).saturating_sub(MAX_NAMES);
    open.truncate(MAX_NAMES);
    pinned.truncate(MAX_NAMES - open.len());
    (!open.is_empty() || !pinned.is_empty()).then_some(RepositorySettings { file, not_pinned: open, pinned, more })
}

/// Whether a setting decides where a sign-in sends its requests, which certificates it trusts, or which program runs.
fn affects_sign_in(name: &str) -> bool {
    let Some(variable) = name.strip_prefix("env.") else {
        return HOOKS.iter().any(|(hook, _)| *hook == name);
    };
    // Names of variables ignore case on Windows, and those of proxies have both spellings on every system.
    let variable = variable.to_ascii_uppercase();
    ["BEDROCK_SSO_", "AWS_ENDPOINT_URL"].iter().any(|start| variable.starts_with(start))
        || WATCHED_VARIABLES.contains(&variable.as_str())
}

/// Variables that affect a sign-in, besides those with one of the two prefixes above.
const WATCHED_VARIABLES: [&str; 13] = [
    "ALL_PROXY", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_DEFAULT_PROFILE", "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED",
    "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> BTreeSet<String> {
        settings::list_key_names(text).unwrap()
    }

    #[test]
    fn settings_are_searched_up_to_the_repositorys_root() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("repository");
        let within = root.join("a/b");
        std::fs::create_dir_all(&within).unwrap();
        let both =
            |folder: &Path| ["settings.json", "settings.local.json"].map(|name| folder.join(".claude").join(name));
        assert_eq!(list_settings_files(&within), both(&within), "no repository");
        std::fs::create_dir(root.join(".git")).unwrap();
        let wanted = [within.as_path(), &root.join("a"), &root].map(both).concat();
        assert_eq!(list_settings_files(&within), wanted);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("settings.json");
        assert_eq!(read_setting_names(&pipe), Ok(None));
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(read_setting_names(&pipe), Err(()));
    }

    #[test]
    fn planted_names_are_split_by_what_managed_settings_pin() {
        let planted = names(
            r#"{"env": {"AWS_PROFILE": "x", "bedrock_sso_config": 1, "EDITOR": "vi", "https_proxy": null},
                "env": {"AWS_ENDPOINT_URL_S3": "x"}, "otelHeadersHelper": "x", "model": "x"}"#,
        );
        let managed = names(r#"{"otelHeadersHelper": "y", "env": {"AWS_PROFILE": ""}}"#);
        let RepositorySettings { file: _, not_pinned: open, pinned, more } =
            classify_names("f".to_owned(), &planted, &managed).unwrap();
        assert_eq!(open, ["AWS_ENDPOINT_URL_S3", "bedrock_sso_config", "https_proxy"]);
        assert_eq!((pinned, more), (vec!["AWS_PROFILE".to_owned(), "otelHeadersHelper".to_owned()], 0));
    }

    #[test]
    fn harmless_settings_are_not_reported() {
        let harmless = names(r#"{"env": {"EDITOR": "vi", "AWS_REGION": "eu-west-1"}, "model": "x", "hooks": {}}"#);
        assert!(classify_names("f".to_owned(), &harmless, &BTreeSet::new()).is_none());
    }

    #[test]
    fn many_names_are_counted_and_unpinned_ones_come_first() {
        let env: Vec<_> = (0..20).map(|number| format!("\"BEDROCK_SSO_{number:02}\": \"\"")).collect();
        let planted = names(&format!("{{\"env\": {{{}, \"AWS_PROFILE\": \"\"}}}}", env.join(",")));
        let managed = names(r#"{"env": {"AWS_PROFILE": ""}}"#);
        let RepositorySettings { file: _, not_pinned: open, pinned, more } =
            classify_names("f".to_owned(), &planted, &managed).unwrap();
        assert_eq!((open.len(), pinned.len(), more), (8, 0, 13));
    }
}
