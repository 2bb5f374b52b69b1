//! `setup --fleet`: writes what a fleet's management distributes into a folder, and leaves this machine as it is.
//!
//! One configuration makes all of it; nobody is asked, for nothing is replaced that an earlier run did not write.

use std::path::{Path, PathBuf};

use super::{SetupContext, is_toml, roles::RoleProfiles, write_stderr, write_stdout};
use crate::{
    config::{self, ConfigInputs, ProfileDraft, keys},
    failure::Failure,
    setup::{
        Error, SetupPlan,
        fleet::{FleetFolder, FolderChange, FolderChangeKind, build_files},
    },
    text::{display_path, escape_controls},
};

pub(super) fn write_fleet_files(place: &SetupContext<'_>, folder: &Path) -> Result<(), Failure> {
    let (file, text) = read_configuration(place)?;
    let inputs = ConfigInputs { profile: place.requested_profile(), ..place.context.inputs() };
    let profile = config::preview_administrator_file(&inputs, &file, &text)?;
    let folder = FleetFolder::plan(folder, build_files(&text, &profile))?;
    if folder.changes.is_empty() {
        write_stderr("Everything is there already.\n");
        return Ok(());
    }
    write_stdout(folder.changes.iter().map(format_change).collect::<String>().as_bytes())?;
    if place.arguments.dry_run {
        return Ok(());
    }
    folder.write_changes()?;
    write_stderr("Done. What goes where is in docs/fleet.md.\n");
    Ok(())
}

/// The administrator's file: a configuration as it is, or what facts make.
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
        let (name, mut facts) = place.collect_facts()?;
        if let Some(profiles) = place.draft_role_profiles(&facts)? {
            return Ok(("config.toml".into(), render_role_profiles(place, profiles)?));
        }
        let name = place.requested_profile().or(name).unwrap_or_else(|| "claude".to_owned());
        if !facts.iter().any(|(key, _)| **key == *keys::AWS_PROFILE) {
            // Nobody runs `setup` on these laptops.
            let given = arguments.aws_profile.as_ref().unwrap_or(&name);
            facts.push((&keys::AWS_PROFILE, given.clone()));
        }
        return Ok(("config.toml".into(), format!("version = 1\n\n{}", config::render_profile_table(&name, &facts)?)));
    };
    if arguments.has_value_flags() || from.is_some_and(|from| from != path) {
        return Err(Error::FlagsBesideFile { path: path.to_owned() }.into());
    }
    let missing = || Error::NothingToDistribute { path: path.to_owned() };
    Ok((path.to_owned(), SetupPlan::read_text(path)?.ok_or_else(missing)?))
}

/// The administrator's file for several roles. `login` gives each user an AWS profile for each role that they use.
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
    let (file, inputs) = (Path::new("config.toml"), ConfigInputs { with_user_layers: false, ..place.context.inputs() });
    let empty = config::render_empty_file();
    let text = config::add_profiles(&inputs, file, &empty, &profiles.drafts, &profiles.shared)?;
    Ok(config::set_default_profile(&inputs, file, &text, &default)?)
}

fn format_change(change: &FolderChange) -> String {
    let fate = match change.kind {
        FolderChangeKind::New => "new",
        FolderChangeKind::Changed => "changed",
        FolderChangeKind::Removed => "no longer wanted",
    };
    let telling = change.file.as_ref().filter(|piece| piece.should_print());
    let text = telling.map(|piece| String::from_utf8_lossy(&piece.bytes)).unwrap_or_default();
    let lines = text.lines().map(|line| format!("  + {}", escape_controls(line)).trim_end().to_owned() + "\n");
    std::iter::once(format!("{} ({fate})\n", display_path(&change.path))).chain(lines).collect()
}
