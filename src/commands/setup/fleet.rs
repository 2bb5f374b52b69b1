//! `setup --fleet`: writes what a fleet's management distributes into a folder, and leaves this machine as it is.
//!
//! One configuration makes all of it; nobody is asked, for nothing is replaced that an earlier run did not write.

use std::path::{Path, PathBuf};

use super::{Place, is_toml, print, say};
use crate::{
    config::{self, Inputs},
    failure::Failure,
    setup::{
        Error, Plan,
        fleet::{Change, Fate, Folder, pieces},
    },
    text::{path, verbatim},
};

const AWS_PROFILE: &str = "aws_profile";

pub(super) fn run(place: &Place<'_>, folder: &Path) -> Result<(), Failure> {
    let (file, text) = configuration(place)?;
    let inputs = Inputs { profile: place.wanted(), ..place.desk.inputs() };
    let (profile, claude) = config::alone(&inputs, &file, &text)?;
    let folder = Folder::plan(folder, pieces(&text, &profile, &claude))?;
    if folder.changes.is_empty() {
        say("Everything is there already.\n");
        return Ok(());
    }
    print(folder.changes.iter().map(shown).collect::<String>().as_bytes())?;
    if place.arguments.dry_run {
        return Ok(());
    }
    folder.write()?;
    say("Done. What goes where is in docs/fleet.md.\n");
    Ok(())
}

/// The administrator's file: a configuration as it is, or what facts make.
fn configuration(place: &Place<'_>) -> Result<(PathBuf, String), Failure> {
    let arguments = place.arguments;
    let from = arguments.from.as_deref();
    let own = place.configuration();
    let whole = match (from, arguments.has_flags()) {
        (Some(path), _) if is_toml(path) => Some(path),
        (Some(_), _) | (None, true) => place.desk.global.config.as_deref(),
        (None, false) => Some(own.as_path()),
    };
    let Some(path) = whole else {
        let (name, mut facts) = place.facts()?;
        let name = place.wanted().or(name).unwrap_or_else(|| "claude".to_owned());
        if !facts.iter().any(|(key, _)| key == AWS_PROFILE) {
            // Nobody runs `setup` on these laptops.
            let given = arguments.aws_profile.as_ref().unwrap_or(&name);
            facts.push((AWS_PROFILE.to_owned(), given.clone()));
        }
        return Ok(("config.toml".into(), format!("version = 1\n\n{}", config::draft(&name, &facts)?)));
    };
    if arguments.has_flags() || from.is_some_and(|from| from != path) {
        return Err(Error::Whole { path: path.to_owned() }.into());
    }
    let missing = || Error::NothingToDistribute { path: path.to_owned() };
    Ok((path.to_owned(), Plan::text_of(path)?.ok_or_else(missing)?))
}

fn shown(change: &Change) -> String {
    let fate = match change.fate {
        Fate::New => "new",
        Fate::Changed => "changed",
        Fate::Gone => "no longer wanted",
    };
    let telling = change.piece.as_ref().filter(|piece| piece.tells());
    let text = telling.map(|piece| String::from_utf8_lossy(&piece.bytes)).unwrap_or_default();
    let lines = text.lines().map(|line| format!("  + {}", verbatim(line)).trim_end().to_owned() + "\n");
    std::iter::once(format!("{} ({fate})\n", path(&change.path))).chain(lines).collect()
}
