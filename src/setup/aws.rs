//! Adds our profiles to the text of AWS's configuration file, `~/.aws/config`, and removes them again.
//!
//! Every byte that is not ours stays: comments, line endings, a byte order mark. The module edits lines and does not
//! rewrite the file from parsed values, because that would lose them. It works on texts only; callers read and write
//! files.

mod sso;

use std::{borrow::Cow, ops::Range};

pub use self::sso::{SsoProfile, has_sso_keys, list_sso_profiles};
use super::{DiffLine, FileEdit, split_byte_order_mark};

/// An AWS profile that gets its credentials from this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsProfileEntry {
    /// The name of the AWS profile.
    pub profile: String,
    /// The value of `credential_process`: a command line.
    pub process: String,
    pub region: String,
    /// Whether the keys of a sign-in at IAM Identity Center are removed from the profile. The user must have agreed.
    pub replaces_sso: bool,
}

/// Why the file cannot be edited safely. Line numbers begin with 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsEditRefused {
    /// The profile occurs twice. AWS's own tools reject such a file, so it is unclear which one counts.
    DuplicateProfile { profile: String, lines: [usize; 2] },
    /// A key occurs twice in the profile.
    DuplicateKey { key: &'static str, lines: [usize; 2] },
    /// The profile has a key for another source of credentials, which AWS's tools prefer to `credential_process`.
    OtherCredentialSource { profile: String, key: String, line: usize },
}

const PROCESS: &str = "credential_process";
const REGION: &str = "region";

/// Keys that give a profile credentials from another source. Every SDK uses them before `credential_process`, so our
/// line would have no effect.
const OTHER_SOURCE_KEYS: [&str; 13] = [
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "credential_source", "login_session",
    "role_arn", "source_profile", "sso_account_id", "sso_region", "sso_role_name", "sso_session", "sso_start_url",
    "web_identity_token_file",
];

/// Adds each of the profiles, or updates its `credential_process` if it exists. A `region` that exists already stays,
/// because the user chose it.
pub fn add_profiles(text: &str, wanted: &[AwsProfileEntry]) -> Result<FileEdit, AwsEditRefused> {
    let mut whole = FileEdit { after: text.to_owned(), diff: Vec::new() };
    for entry in wanted {
        let edit = add_profile(&whole.after, entry)?;
        whole.after = edit.after;
        whole.diff.extend(edit.diff);
    }
    Ok(whole)
}

pub(super) fn add_profile(text: &str, wanted: &AwsProfileEntry) -> Result<FileEdit, AwsEditRefused> {
    let AwsProfileEntry { profile, process, region, replaces_sso } = wanted;
    let mut file = AwsConfigFile::parse(text);
    match *file.find_headers(profile) {
        [] => file.append_profile(wanted),
        [header] => {
            if *replaces_sso {
                file.remove_sso_keys(header);
            }
            file.check_other_sources(header, profile)?;
            let after_process = file.set_key(header, PROCESS, process)?;
            if file.find_keys(header, REGION).is_empty() {
                file.insert_line(after_process, &format!("{REGION} = {region}"));
            }
        }
        [first, second, ..] => {
            let lines = [first + 1, second + 1];
            return Err(AwsEditRefused::DuplicateProfile { profile: profile.clone(), lines });
        }
    }
    Ok(file.into_edit())
}

/// Undoes the edit that turned `before` into `wrote`, in a text that may have changed since.
///
/// It removes or restores only values that are still as we wrote them: a value that the user changed later is theirs.
/// `profiles` must be in the order in which they were added.
pub fn remove_profiles<'p>(
    text: &str,
    before: &str,
    wrote: &str,
    profiles: impl IntoIterator<Item = &'p String>,
) -> FileEdit {
    let [mut file, before, wrote] = [text, before, wrote].map(AwsConfigFile::parse);
    let mut is_set_apart = before.lines.last().is_some_and(|line| !is_blank(line));
    for profile in profiles {
        file.restore_sso_keys(&before, &wrote, profile);
        file.remove_profile(&before, &wrote, profile);
        if before.find_headers(profile).is_empty() {
            file.remove_empty_section(profile, is_set_apart);
            // Each further section has a blank line before it, which separates it from the section above.
            is_set_apart = true;
        }
    }
    file.into_edit()
}

/// Whether a profile of this name exists, with any content.
pub fn has_profile(text: &str, profile: &str) -> bool {
    !AwsConfigFile::parse(text).find_headers(profile).is_empty()
}

/// Lists every profile that has a `credential_process`, with its command line.
pub fn list_processes(text: &str) -> Vec<(String, String)> {
    let file = AwsConfigFile::parse(text);
    let names = file.sections().filter_map(|(_, title)| parse_profile_title(title));
    names.filter_map(|name| Some((name.to_owned(), file.find_value(name, PROCESS)?))).collect()
}

/// Why a profile could not work with this program, apart from the command line that it has. `doctor` reports this.
pub fn find_edit_obstacle(text: &str, profile: &str) -> Option<AwsEditRefused> {
    let (profile, empty) = (profile.to_owned(), String::new());
    let wanted = AwsProfileEntry { profile, process: empty.clone(), region: empty, replaces_sso: false };
    add_profile(text, &wanted).err()
}

/// Whether a shared credentials file, `~/.aws/credentials`, has access keys for a profile. Every SDK uses those first.
/// In that file a section is named after the profile alone, without the word `profile`.
pub fn has_fixed_keys(credentials: &str, profile: &str) -> bool {
    let file = AwsConfigFile::parse(credentials);
    file.sections().any(|(header, title)| title == profile && !file.find_keys(header, "aws_access_key_id").is_empty())
}

/// The file as a list of lines. Joining the lines gives the exact text again.
struct AwsConfigFile<'t> {
    /// The byte order mark, or an empty string.
    bom: &'t str,
    /// Each line includes its ending. Only the last line can have none.
    lines: Vec<Cow<'t, str>>,
    /// The ending for new lines.
    line_ending: &'static str,
    /// The changes so far.
    diff: Vec<DiffLine>,
}

impl<'t> AwsConfigFile<'t> {
    fn parse(text: &'t str) -> Self {
        let (bom, text) = split_byte_order_mark(text);
        let lines: Vec<Cow<'_, str>> = text.split_inclusive('\n').map(Into::into).collect();
        // New lines end as the first line does.
        let line_ending = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
        Self { bom, lines, line_ending, diff: Vec::new() }
    }

    fn into_edit(self) -> FileEdit {
        FileEdit { after: self.bom.to_owned() + &self.lines.concat(), diff: self.diff }
    }

    /// The index of each section's header line, and the title between its brackets.
    fn sections(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines.iter().enumerate();
        lines.filter_map(|(header, line)| Some((header, line.strip_prefix('[')?.split_once(']')?.0.trim())))
    }

    /// The header lines of a profile. A correct file has at most one.
    fn find_headers(&self, profile: &str) -> Vec<usize> {
        let named = self.sections().filter(|(_, title)| parse_profile_title(title) == Some(profile));
        named.map(|(header, _)| header).collect()
    }

    /// The lines of the section that begins at `header`, without the header.
    fn body(&self, header: usize) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines.iter().map(AsRef::as_ref).enumerate().skip(header + 1);
        lines.take_while(|(_, line)| !line.starts_with('['))
    }

    /// The places of a key in the section that begins at `header`. Each range includes the indented lines that continue
    /// the value. Keys are compared without case, as AWS's tools do.
    fn find_keys(&self, header: usize, key: &str) -> Vec<Range<usize>> {
        let is_key = |line: &str| parse_key(line).is_some_and(|found| found.eq_ignore_ascii_case(key));
        let belongs = |line: &&Cow<'_, str>| line.starts_with([' ', '\t']) && !is_blank(line);
        let end = |first: usize| first + 1 + self.lines.iter().skip(first + 1).take_while(belongs).count();
        self.body(header).filter(|(_, line)| is_key(line)).map(|(first, _)| first..end(first)).collect()
    }

    fn find_key(&self, profile: &str, key: &str) -> Option<Range<usize>> {
        self.find_keys(*self.find_headers(profile).first()?, key).into_iter().next()
    }

    fn read_value(&self, found: &Range<usize>) -> String {
        let lines = self.lines.get(found.clone()).unwrap_or_default().concat();
        lines.split_once(['=', ':']).map_or("", |(_, value)| value).trim().to_owned()
    }

    fn find_value(&self, profile: &str, key: &str) -> Option<String> {
        Some(self.read_value(&self.find_key(profile, key)?))
    }

    /// Fails if the section has a key for another source of credentials.
    fn check_other_sources(&self, header: usize, profile: &str) -> Result<(), AwsEditRefused> {
        let mut keys =
            self.body(header).filter_map(|(index, line)| Some((index, parse_key(line)?.to_ascii_lowercase())));
        match keys.find(|(_, key)| OTHER_SOURCE_KEYS.contains(&key.as_str())) {
            None => Ok(()),
            Some((index, key)) => {
                let profile = profile.to_owned();
                Err(AwsEditRefused::OtherCredentialSource { profile, key, line: index + 1 })
            }
        }
    }

    /// Sets a key to a value, and returns the index of the line after it. If the value is right already, nothing
    /// changes.
    fn set_key(&mut self, header: usize, key: &'static str, value: &str) -> Result<usize, AwsEditRefused> {
        let line = format!("{key} = {value}");
        match self.find_keys(header, key).as_slice() {
            [] => {
                self.insert_line(header + 1, &line);
                Ok(header + 2)
            }
            [found] if self.read_value(found) == value => Ok(found.end),
            [found] => {
                self.replace_key(found.clone(), &line);
                Ok(found.start + 1)
            }
            [first, second, ..] => {
                Err(AwsEditRefused::DuplicateKey { key, lines: [first.start + 1, second.start + 1] })
            }
        }
    }

    /// Replaces a key and its value, with all its lines, by one line. The new line ends as the last replaced line did,
    /// which may be nothing at the end of the file.
    fn replace_key(&mut self, found: Range<usize>, line: &str) {
        let start = found.start;
        let last = self.lines.get(found.end - 1).map_or("", |line| detect_line_ending(line)).to_owned();
        self.remove_lines(found);
        self.diff.push(DiffLine::Added(line.to_owned()));
        self.lines.insert(start, (line.to_owned() + &last).into());
    }

    /// Removes lines and adds them to the changes.
    fn remove_lines(&mut self, range: Range<usize>) {
        self.diff.extend(self.lines.drain(range).map(|line| DiffLine::Removed(line.trim_end().to_owned())));
    }

    /// Inserts a line. If the line before it has no ending, it gets one first. A blank line is not shown as a change.
    fn insert_line(&mut self, at: usize, line: &str) {
        let before = at.checked_sub(1).and_then(|before| self.lines.get_mut(before));
        if let Some(unfinished) = before.filter(|line| !line.ends_with('\n')) {
            unfinished.to_mut().push_str(self.line_ending);
        }
        self.diff.extend((!line.is_empty()).then(|| DiffLine::Added(line.to_owned())));
        self.lines.insert(at, (line.to_owned() + self.line_ending).into());
    }

    /// Adds a new section at the end, after a blank line.
    fn append_profile(&mut self, AwsProfileEntry { profile, process, region, .. }: &AwsProfileEntry) {
        let title = format!("[{}]", format_profile_title(profile));
        let blank = self.lines.last().is_some_and(|line| !is_blank(line)).then(String::new);
        let keys = [format!("{PROCESS} = {process}"), format!("{REGION} = {region}")];
        for line in blank.into_iter().chain([title]).chain(keys) {
            self.insert_line(self.lines.len(), &line);
        }
    }

    /// Removes our keys from a profile, or restores their earlier values, if they are still as we wrote them.
    fn remove_profile(&mut self, before: &AwsConfigFile<'_>, wrote: &AwsConfigFile<'_>, profile: &str) {
        for key in [REGION, PROCESS] {
            let (was, ours) = (before.find_value(profile, key), wrote.find_value(profile, key));
            let Some(found) = self.find_key(profile, key) else { continue };
            if was == ours || ours.as_ref() != Some(&self.read_value(&found)) {
                continue;
            }
            match was {
                Some(was) => self.replace_key(found, &format!("{key} = {was}")),
                None => self.remove_lines(found),
            }
        }
    }

    /// Removes a section that we created and that is empty now. `set_apart` says whether we also added a blank line
    /// before it.
    fn remove_empty_section(&mut self, profile: &str, set_apart: bool) {
        let Some(header) = self.find_headers(profile).first().copied() else { return };
        if self.body(header).any(|(_, line)| !is_blank(line)) {
            return;
        }
        self.remove_lines(header..header + 1);
        let before = header.checked_sub(1).filter(|_| set_apart);
        if let Some(before) = before.filter(|before| self.lines.get(*before).is_some_and(|line| is_blank(line))) {
            self.lines.remove(before);
        }
    }
}

/// The ending of a line. It is empty for a last line without one.
fn detect_line_ending(line: &str) -> &str {
    match line.strip_suffix('\n') {
        None => "",
        Some(rest) if rest.ends_with('\r') => "\r\n",
        Some(_) => "\n",
    }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The profile that a section's title names, as in `default`, `profile work` and `profile "at work"`. Other sections,
/// such as `sso-session corp`, give `None`.
fn parse_profile_title(title: &str) -> Option<&str> {
    match title.split_once([' ', '\t']) {
        None => (title == "default").then_some(title),
        Some(("profile", name)) => Some(name.trim().trim_matches(['"', '\''])),
        Some(_) => None,
    }
}

/// The title of a profile's section. The profile `default` is the only one without the word `profile`.
fn format_profile_title(profile: &str) -> String {
    match profile {
        "default" => "default".to_owned(),
        name if name.contains(char::is_whitespace) => format!("profile \"{name}\""),
        name => format!("profile {name}"),
    }
}

/// The key that a line sets. `None` for blank lines, comments, titles, and indented lines, which continue the value
/// above.
fn parse_key(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t', '#', ';', '[']) {
        return None;
    }
    line.split_once(['=', ':']).map(|(key, _)| key.trim()).filter(|key| !key.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
