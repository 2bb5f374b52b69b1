//! Placeholders for text that differs from run to run, so that output can be compared with a golden file.

/// Texts of one test, such as the path of its home or the address of its provider, each with its placeholder.
pub(crate) type Placeholders = Vec<(String, &'static str)>;

/// Replaces what differs from run to run by a name in braces: the given texts, ports, temporary folders, record names,
/// times, durations, process ids, the program's version and the ids of AWS requests.
pub(crate) fn replace_variable_parts(text: &str, placeholders: &Placeholders) -> String {
    let mut text = placeholders.iter().fold(text.to_owned(), |text, (place, name)| text.replace(place, name));
    for host in ["127.0.0.1:", "localhost:", "[::1]:"] {
        text = replace_after(&text, host, "{port}", |rest| count_start(rest, |letter| letter.is_ascii_digit()));
    }
    text = replace_after(&text, ":{port}/", "{start}", count_start_address);
    text = replace_after(&text, "process ", "{pid}", |rest| count_start(rest, |letter| letter.is_ascii_digit()));
    text = replace_after(&text, "(request ", "{id}", |rest| count_start(rest, |letter| letter != ')'));
    text = replace_after(&text, "\"x-bedrock-sso-version\":\"", "{version}", |rest| {
        count_start(rest, |letter| letter != '"')
    });
    let folder = format!("{}/", std::env::temp_dir().display());
    text = replace_after(&text, &folder, "{folder}", |rest| count_start(rest, is_part_of_name));
    text = replace_words(&text, "{record}", count_record_name);
    text = replace_words(&text, "{time}", count_time);
    replace_words(&text, "{duration}", count_duration)
}

/// Replaces the text after each `start`, as many bytes as `count` returns for the rest.
fn replace_after(text: &str, start: &str, name: &str, count: impl Fn(&str) -> usize) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(start) {
        let (before, after) = rest.split_at(at + start.len());
        let length = count(after);
        replaced.push_str(before);
        replaced.push_str(if length > 0 { name } else { "" });
        rest = &after[length..];
    }
    replaced + rest
}

/// Replaces text at the beginning of words, as many bytes as `count` returns for the rest.
fn replace_words(text: &str, name: &str, count: impl Fn(&str) -> usize) -> String {
    let (mut replaced, mut rest, mut in_word) = (String::new(), text, false);
    while let Some(first) = rest.chars().next() {
        let length = if in_word { 0 } else { count(rest) };
        if length > 0 {
            replaced.push_str(name);
            rest = &rest[length..];
        } else {
            replaced.push(first);
            rest = &rest[first.len_utf8()..];
        }
        in_word = first.is_alphanumeric();
    }
    replaced
}

/// The length of the text before the first letter for which `belongs` is false.
fn count_start(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.len() - text.trim_start_matches(belongs).len()
}

fn is_part_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || "-_.".contains(letter)
}

/// The random path of the start address.
fn count_start_address(text: &str) -> usize {
    let length = count_start(text, |letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if length == 8 && &text[..length] != "callback" { length } else { 0 }
}

/// The hash that names a record in the data folder.
fn count_record_name(text: &str) -> usize {
    let length = count_start(text, |letter| letter.is_ascii_hexdigit());
    if length == 32 { length } else { 0 }
}

/// `2026-11-20T11:45:00Z` or, in the user's time zone, `2026-11-20 11:45`
fn count_time(text: &str) -> usize {
    let count =
        |example: &str, is_time: fn(&str) -> bool| text.get(..example.len()).filter(|time| is_time(time)).map(str::len);
    let in_utc = || count("2026-11-20T11:45:00Z", |time| chrono::DateTime::parse_from_rfc3339(time).is_ok());
    let local = |time: &str| chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M").is_ok();
    in_utc().or_else(|| count("2026-11-20 11:45", local)).unwrap_or(0)
}

/// `11 h 59 min`
fn count_duration(text: &str) -> usize {
    let number = count_start(text, |letter| letter.is_ascii_digit());
    let Some(after) = text[number..].strip_prefix(' ').filter(|_| number > 0) else { return 0 };
    let unit = count_start(after, char::is_alphanumeric);
    if !["s", "min", "h", "d", "days"].contains(&&after[..unit]) {
        return 0;
    }
    let length = number + 1 + unit;
    match text[length..].strip_prefix(' ').map_or(0, count_duration) {
        0 => length,
        next => length + 1 + next,
    }
}
