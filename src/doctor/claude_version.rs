//! Checks whether the installed Claude Code is new enough for its hooks, and how long it waits for credentials.
//!
//! The version comes from the files of the installation. Claude Code is not started, because the program of that name
//! could be any program.

use std::{path::Path, time::Duration};

use serde::Deserialize;

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{
    config,
    failure::doctor,
    files, host,
    setup::settings::{self, ClaudeSettingKey},
    time::format_duration,
};

type Version = [u64; 3];

/// A change in Claude Code that a hook or setting needs.
struct VersionFloor {
    /// The hook, or `None` for the AWS profile, which every set-up uses.
    hook: Option<&'static str>,
    since: Version,
    /// What an older version does.
    otherwise: &'static str,
}

/// From the most to the least important. `docs/claude-code.md` lists them too.
const FLOORS: [VersionFloor; 3] = [
    VersionFloor {
        hook: Some("awsCredentialExport"),
        since: [2, 1, 176],
        otherwise: "does not notice when the credentials of `awsCredentialExport` expire",
    },
    VersionFloor {
        hook: None,
        since: [2, 1, 207],
        otherwise: "requests credentials at every turn, and waits for them without a limit",
    },
    VersionFloor {
        hook: Some("awsAuthRefresh"),
        since: [2, 0, 24],
        otherwise: "does not show what `awsAuthRefresh` prints, such as the address to open",
    },
];

/// The version since which Claude Code limits how long it waits for credentials.
const LIMIT_SINCE: Version = [2, 1, 207];
const LIMIT_VARIABLE: &str = "CLAUDE_CODE_AWS_CHAIN_RESOLVE_TIMEOUT_MS";
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);

/// How long `credentials` can take without a prompt, if the provider is silent.
const LONGEST_REFRESH: Duration = Duration::from_secs(25);

/// The npm package. Its programs are in packages whose names begin with this one.
const PACKAGE: &str = "@anthropic-ai/claude-code";

/// How many folders above the program can hold its `package.json`.
const MAX_PARENTS: usize = 4;

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Reports the most important thing that the installed version lacks, and otherwise the version and the limit.
pub(super) fn check_claude_version(context: &DoctorContext<'_>, _: &Profile) -> CheckOutcome {
    let programs = host::find_on_path(&context.host.environment, "claude");
    let Some(program) = programs.first() else {
        return Ok(Finding::Skipped("Claude Code is not on PATH".to_owned()));
    };
    let Some(version) = read_version(program) else {
        let program = context.display_path(program);
        return Ok(Finding::Skipped(format!("the files of {program} do not say which version it is")));
    };
    let files = [&context.tool_config.claude_managed, &context.tool_config.claude_settings];
    let texts = files.map(|file| context.read_text_or_empty(file));
    let uses = |hook| texts.iter().any(|text| settings::read_setting(text, &ClaudeSettingKey::Top(hook)).is_some());
    let is_missed = |floor: &&VersionFloor| version < floor.since && floor.hook.is_none_or(uses);
    let missed: Vec<&VersionFloor> = FLOORS.iter().filter(is_missed).collect();
    let shown = format_version(version);
    if let (Some(first), Some(newest)) = (missed.first(), missed.iter().map(|floor| floor.since).max()) {
        let newest = format_version(newest);
        let failure = doctor::describe_old_claude(&shown, first.otherwise, missed.len() - 1, &newest);
        return Ok(Finding::Warn(failure));
    }
    if version < LIMIT_SINCE {
        return Ok(Finding::Ok(format!("Claude Code {shown}")));
    }
    let set =
        texts.iter().find_map(|text| settings::read_setting(text, &ClaudeSettingKey::Env(LIMIT_VARIABLE.to_owned())));
    let set = set.or_else(|| context.host.environment.var_text(LIMIT_VARIABLE));
    let limit = set.and_then(|set| set.trim().parse().ok()).map_or(DEFAULT_LIMIT, Duration::from_millis);
    Ok(match limit < LONGEST_REFRESH {
        true => Finding::Warn(doctor::describe_short_chain_limit(LIMIT_VARIABLE, limit, LONGEST_REFRESH)),
        false => Finding::Ok(format!("Claude Code {shown} waits {} for credentials", format_duration(limit))),
    })
}

/// Reads the version from the installation of Claude Code that this program belongs to: from the path of a native or
/// Homebrew installation, or from the `package.json` of npm.
fn read_version(program: &Path) -> Option<Version> {
    let real = program.canonicalize().ok()?;
    let names: Vec<&str> = real.iter().filter_map(|name| name.to_str()).collect();
    let is_folder = |pair: &&[&str]| matches!(pair.first(), Some(&("versions" | "claude-code")));
    let in_path = names.windows(2).filter(is_folder).find_map(|pair| config::parse_version(pair.last()?));
    // npm for Windows puts a script beside the folder `node_modules`.
    let beside = program.parent().map(|folder| folder.join("node_modules").join(PACKAGE));
    let above = real.ancestors().skip(1).take(MAX_PARENTS).map(Path::to_owned);
    in_path.or_else(|| above.chain(beside).find_map(|folder| read_package_version(&folder.join("package.json"))))
}

fn read_package_version(file: &Path) -> Option<Version> {
    let file = files::read_untrusted(file, files::MAX_FILE_SIZE).ok()??;
    let package: Package = serde_json::from_slice(&file.bytes).ok()?;
    config::parse_version(&package.version).filter(|_| package.name.starts_with(PACKAGE))
}

fn format_version([major, minor, patch]: Version) -> String {
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn version_is_read_from_each_kind_of_installation() {
        let home = tempfile::tempdir().unwrap();
        let install = |file: &str, package: Option<(&str, &str, &str)>| {
            let write = |file: &str, text: &str| {
                let place = home.path().join(file);
                fs::create_dir_all(place.parent().unwrap()).unwrap();
                files::write_atomically(&place, text.as_bytes()).unwrap();
                place
            };
            if let Some((folder, name, version)) = package {
                let text = format!("{{\"name\": \"{name}\", \"version\": \"{version}\"}}");
                write(&format!("{folder}/package.json"), &text);
            }
            write(file, "")
        };
        assert_eq!(read_version(&install(".local/share/claude/versions/2.1.328", None)), Some([2, 1, 328]));
        assert_eq!(read_version(&install("Caskroom/claude-code/2.1.200/claude", None)), Some([2, 1, 200]));
        let folder = "lib/node_modules/@anthropic-ai/claude-code";
        let npm = install(&format!("{folder}/bin/claude.exe"), Some((folder, PACKAGE, "2.1.150")));
        assert_eq!(read_version(&npm), Some([2, 1, 150]));
        let script =
            install("npm/claude.cmd", Some(("npm/node_modules/@anthropic-ai/claude-code", PACKAGE, "2.1.151")));
        assert_eq!(read_version(&script), Some([2, 1, 151]));
        let other = install("other/claude", Some(("other", "@acme/claude", "9.9.9")));
        assert_eq!(read_version(&other), None);
        assert_eq!(read_version(&home.path().join("absent")), None);
    }
}
