//! `setup --fleet DIR`: writes the files that a device management distributes into a folder.
//!
//! All files follow from one configuration. The command changes nothing else on this computer, and it never prompts: it
//! replaces only files that an earlier run wrote and that are unchanged since.

use std::path::{Path, PathBuf};

use super::{SetupContext, is_toml, roles::RoleProfiles, write_stderr, write_stdout};
use crate::{
    config::{self, ConfigInputs, ProfileDraft, keys},
    failure::Failure,
    setup::{
        Error, SetupPlan,
        fleet::{FleetFile, FleetFolder, FolderChange, FolderChangeKind, build_files},
    },
    text::{display_path, escape_controls},
};

/// Where the files belong, for an administrator who has only the program. `docs/fleet.md` explains each.
const DESTINATIONS: &str = r"Done. Distribute these files:
  config.toml                       /etc/bedrock-sso (Linux), /Library/Application Support/bedrock-sso (macOS)
  linux/managed-settings.json       /etc/claude-code
  macos/claude-code.mobileconfig    the profiles of a device, or instead:
  macos/managed-settings.json       /Library/Application Support/ClaudeCode
  windows/Install-Configuration.ps1 run it as administrator: it installs config.toml in %ProgramData%\bedrock-sso
  windows/claude-code.reg           reg import, or instead the .admx and .adml as a policy, or instead:
  windows/managed-settings.json     C:\Program Files\ClaudeCode
";

/// The same for the files that only a profile with an Identity Center has.
const DESKTOP_DESTINATIONS: &str = r"For Claude Desktop's own sign-in, which does not use this program:
  macos/claude-desktop.mobileconfig the profiles of a device
  windows/claude-desktop.reg        reg import
";

/// Prints the files that differ from those in `folder` and, without `--dry-run`, writes them. Fails if the folder
/// contains anything that an earlier run did not write.
pub(super) fn write_fleet_files(place: &SetupContext<'_>, folder: &Path) -> Result<(), Failure> {
    let (file, text) = read_configuration(place)?;
    let inputs = ConfigInputs { profile: place.requested_profile(), ..place.context.inputs() };
    let profile = config::preview_administrator_file(&inputs, &file, &text)?;
    let files = build_files(&text, &profile);
    let configures_desktop = files.iter().any(FleetFile::is_for_desktop);
    let folder = FleetFolder::plan(folder, files)?;
    if folder.changes.is_empty() {
        write_stderr("The folder is already up to date.\n");
        return Ok(());
    }
    write_stdout(folder.changes.iter().map(format_change).collect::<String>().as_bytes())?;
    if place.arguments.dry_run {
        return Ok(());
    }
    folder.write_changes()?;
    write_stderr(DESTINATIONS);
    if configures_desktop {
        write_stderr(DESKTOP_DESTINATIONS);
    }
    Ok(())
}

/// Returns the name and the text of the administrator's file: an existing configuration without any change, or a new
/// one from the values on the command line and of a `--from` file in another format.
///
/// Values that would have to change an existing configuration are refused, so that what the administrator wrote is what
/// every laptop gets.
fn read_configuration(place: &SetupContext<'_>) -> Result<(PathBuf, String), Failure> {
    let arguments = place.arguments;
    let from = arguments.from.as_deref();
    let own = place.config_path();
    let whole = match (from, arguments.has_value_flags()) {
        (Some(path), _) if is_toml(path) => Some(path),
        (Some(_), _) | (None, true) => place.context.global.config.as_deref(),
        (None, false) => Some(own.as_path()),
    };
    let Some(path) = whole else {
        let (name, mut values) = place.collect_values()?;
        place.require_assignment(&values)?;
        if let Some(profiles) = place.draft_role_profiles(&values)? {
            return Ok(("config.toml".into(), render_role_profiles(place, profiles)?));
        }
        let name = place.requested_profile().or(name).unwrap_or_else(|| "claude".to_owned());
        if !values.iter().any(|(key, _)| **key == *keys::AWS_PROFILE) {
            // No user of these laptops runs `setup`, so `login` must add the AWS profile.
            let given = arguments.aws_profile.as_ref().unwrap_or(&name);
            values.push((&keys::AWS_PROFILE, given.clone()));
        }
        return Ok(("config.toml".into(), format!("version = 1\n\n{}", config::render_profile_table(&name, &values)?)));
    };
    if arguments.has_value_flags() || from.is_some_and(|from| from != path) {
        return Err(Error::FlagsBesideFile { path: path.to_owned() }.into());
    }
    let missing = || Error::NothingToDistribute { path: path.to_owned() };
    Ok((path.to_owned(), SetupPlan::read_text(path)?.ok_or_else(missing)?))
}

/// Writes the administrator's file for several roles. Each profile names an AWS profile, which `login` adds for the
/// users who sign in to it, unless the shared values name one already.
fn render_role_profiles(place: &SetupContext<'_>, mut profiles: RoleProfiles) -> Result<String, Failure> {
    if !profiles.shared.iter().any(|(key, _)| **key == *keys::AWS_PROFILE) {
        for ProfileDraft { name, values } in &mut profiles.drafts {
            let given = place.arguments.aws_profile.as_ref().unwrap_or(name);
            values.push((&keys::AWS_PROFILE, given.clone()));
        }
    }
    let names = profiles.names();
    let default = place.requested_profile().or_else(|| names.first().cloned()).unwrap_or_default();
    if !names.contains(&default) {
        return Err(Error::UnknownDefaultProfile { name: default, names }.into());
    }
    // The files of the user who prepares a fleet must not affect what other users get.
    let (file, inputs) = (Path::new("config.toml"), ConfigInputs { with_user_layers: false, ..place.context.inputs() });
    let empty = config::render_empty_file();
    let text = config::add_profiles(&inputs, file, &empty, &profiles.drafts, &profiles.shared)?;
    Ok(config::set_default_profile(&inputs, file, &text, &default)?)
}

/// Formats one changed file. Only the two files from which all others follow are printed in full: the others contain
/// the same settings in other formats.
fn format_change(change: &FolderChange) -> String {
    let kind = match change.kind {
        FolderChangeKind::New => "new",
        FolderChangeKind::Changed => "changed",
        FolderChangeKind::Removed => "removed",
    };
    let printed = change.file.as_ref().filter(|file| file.should_print());
    let text = printed.map(|file| String::from_utf8_lossy(&file.bytes)).unwrap_or_default();
    let lines = text.lines().map(|line| format!("  + {}", escape_controls(line)).trim_end().to_owned() + "\n");
    std::iter::once(format!("{} ({kind})\n", display_path(&change.path))).chain(lines).collect()
}
