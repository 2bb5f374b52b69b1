//! AWS's configuration file with our profile in it, and without; every other byte stays.
//!
//! Text to text: what lies on the disk, and what lay there before, is for its callers.

use std::{borrow::Cow, ops::Range};

use super::{DiffLine, FileEdit, split_byte_order_mark};

/// What the profile shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsProfileEntry {
    pub profile: String,
    pub process: String,
    pub region: String,
}

/// Why the file is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsEditRefused {
    /// AWS's own tools refuse a file in which a profile stands twice.
    DuplicateProfile { profile: String, lines: [usize; 2] },
    /// The same of a key within a profile.
    DuplicateKey { key: &'static str, lines: [usize; 2] },
    /// The profile signs in another way, which AWS's tools prefer.
    OtherCredentialSource { profile: String, key: String, line: usize },
}

const PROCESS: &str = "credential_process";
const REGION: &str = "region";

/// Keys by which a profile gets credentials in another way; every SDK looks at them before `credential_process`.
const OTHER_SOURCE_KEYS: [&str; 13] = [
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "credential_source", "login_session",
    "role_arn", "source_profile", "sso_account_id", "sso_region", "sso_role_name", "sso_session", "sso_start_url",
    "web_identity_token_file",
];

/// The file with each of the profiles in it. A region that stands there already is the person's own.
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
    let AwsProfileEntry { profile, process, region } = wanted;
    let mut file = AwsConfigFile::parse(text);
    match *file.find_headers(profile) {
        [] => file.append_profile(wanted),
        [header] => {
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

/// The file as it would be had we never written `wrote` where `before` was: only what is still as we wrote it goes.
/// `profiles` are in the order in which they were added.
pub fn remove_profiles<'p>(
    text: &str,
    before: &str,
    wrote: &str,
    profiles: impl IntoIterator<Item = &'p String>,
) -> FileEdit {
    let [mut file, before, wrote] = [text, before, wrote].map(AwsConfigFile::parse);
    let mut is_set_apart = before.lines.last().is_some_and(|line| !is_blank(line));
    for profile in profiles {
        file.remove_profile(&before, &wrote, profile);
        if before.find_headers(profile).is_empty() {
            file.remove_empty_section(profile, is_set_apart);
            // A further section has the one before it to be set apart from.
            is_set_apart = true;
        }
    }
    file.into_edit()
}

/// Whether there is a profile of this name, whatever it says.
pub fn has_profile(text: &str, profile: &str) -> bool {
    !AwsConfigFile::parse(text).find_headers(profile).is_empty()
}

/// Every profile that runs a command for credentials, with that command.
pub fn list_processes(text: &str) -> Vec<(String, String)> {
    let file = AwsConfigFile::parse(text);
    let names = file.sections().filter_map(|(_, title)| parse_profile_title(title));
    names.filter_map(|name| Some((name.to_owned(), file.find_value(name, PROCESS)?))).collect()
}

/// Why the file would not lead to us, whatever its profile runs.
pub fn find_edit_obstacle(text: &str, profile: &str) -> Option<AwsEditRefused> {
    let wanted = AwsProfileEntry { profile: profile.to_owned(), process: String::new(), region: String::new() };
    add_profile(text, &wanted).err()
}

/// Whether a shared credentials file holds fixed keys under the profile's name, which every SDK takes first.
pub fn has_fixed_keys(credentials: &str, profile: &str) -> bool {
    let file = AwsConfigFile::parse(credentials);
    file.sections().any(|(header, title)| title == profile && !file.find_keys(header, "aws_access_key_id").is_empty())
}

/// The file as lines, each with its own ending, and what was changed in it.
struct AwsConfigFile<'t> {
    bom: &'t str,
    lines: Vec<Cow<'t, str>>,
    line_ending: &'static str,
    diff: Vec<DiffLine>,
}

impl<'t> AwsConfigFile<'t> {
    fn parse(text: &'t str) -> Self {
        let (bom, text) = split_byte_order_mark(text);
        let lines: Vec<Cow<'_, str>> = text.split_inclusive('\n').map(Into::into).collect();
        // The file's own ending is that of its first line, where that has one.
        let line_ending = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
        Self { bom, lines, line_ending, diff: Vec::new() }
    }

    fn into_edit(self) -> FileEdit {
        FileEdit { after: self.bom.to_owned() + &self.lines.concat(), diff: self.diff }
    }

    /// The header line of each section, with what stands between its brackets.
    fn sections(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines.iter().enumerate();
        lines.filter_map(|(header, line)| Some((header, line.strip_prefix('[')?.split_once(']')?.0.trim())))
    }

    /// The header lines of a profile, of which there should be one.
    fn find_headers(&self, profile: &str) -> Vec<usize> {
        let named = self.sections().filter(|(_, title)| parse_profile_title(title) == Some(profile));
        named.map(|(header, _)| header).collect()
    }

    /// The lines of the section that begins at `header`.
    fn body(&self, header: usize) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.lines.iter().map(AsRef::as_ref).enumerate().skip(header + 1);
        lines.take_while(|(_, line)| !line.starts_with('['))
    }

    /// Where a key stands in the section that begins at `header`, each time with the indented lines that belong to it.
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

    /// Sets a key to a value; returns the line after it.
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

    fn replace_key(&mut self, found: Range<usize>, line: &str) {
        let start = found.start;
        let last = self.lines.get(found.end - 1).map_or("", |line| detect_line_ending(line)).to_owned();
        self.remove_lines(found);
        self.diff.push(DiffLine::Added(line.to_owned()));
        self.lines.insert(start, (line.to_owned() + &last).into());
    }

    fn remove_lines(&mut self, range: Range<usize>) {
        self.diff.extend(self.lines.drain(range).map(|line| DiffLine::Removed(line.trim_end().to_owned())));
    }

    /// Inserts a line, closing the one before it where that had no ending. A blank line is no difference to show.
    fn insert_line(&mut self, at: usize, line: &str) {
        let before = at.checked_sub(1).and_then(|before| self.lines.get_mut(before));
        if let Some(unfinished) = before.filter(|line| !line.ends_with('\n')) {
            unfinished.to_mut().push_str(self.line_ending);
        }
        self.diff.extend((!line.is_empty()).then(|| DiffLine::Added(line.to_owned())));
        self.lines.insert(at, (line.to_owned() + self.line_ending).into());
    }

    fn append_profile(&mut self, AwsProfileEntry { profile, process, region }: &AwsProfileEntry) {
        let title = format!("[{}]", format_profile_title(profile));
        let blank = self.lines.last().is_some_and(|line| !is_blank(line)).then(String::new);
        let keys = [format!("{PROCESS} = {process}"), format!("{REGION} = {region}")];
        for line in blank.into_iter().chain([title]).chain(keys) {
            self.insert_line(self.lines.len(), &line);
        }
    }

    /// Takes away the keys of a profile that are still as we wrote them.
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

    /// Takes away a section of ours in which nothing stands any more, and the blank line that set it apart.
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

/// How a line ends: with nothing when it is the last and unfinished.
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

/// The profile that a section's title names: `default`, `profile work`, `profile "at work"`.
fn parse_profile_title(title: &str) -> Option<&str> {
    match title.split_once([' ', '\t']) {
        None => (title == "default").then_some(title),
        Some(("profile", name)) => Some(name.trim().trim_matches(['"', '\''])),
        Some(_) => None,
    }
}

fn format_profile_title(profile: &str) -> String {
    match profile {
        "default" => "default".to_owned(),
        name if name.contains(char::is_whitespace) => format!("profile \"{name}\""),
        name => format!("profile {name}"),
    }
}

/// The key that a line sets; none on blank lines, comments, titles, and lines that go on with the value above.
fn parse_key(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t', '#', ';', '[']) {
        return None;
    }
    line.split_once(['=', ':']).map(|(key, _)| key.trim()).filter(|key| !key.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
