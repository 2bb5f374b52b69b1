//! AWS configuration files in the shapes that users have: edited, edited again, and restored.

use super::*;

/// Files that accept our profile, each with what is special about it.
pub(crate) const SHAPES: [(&str, &str); 34] = [
    ("nothing", ""),
    ("a blank line", "\n"),
    ("several blank lines", "\n\n\n"),
    ("white space only", "  \n\t\n"),
    ("a comment only", "# mine\n"),
    ("a comment, no final newline", "# mine"),
    ("a default profile", "[default]\nregion = eu-west-1\noutput = json\n"),
    ("no final newline", "[default]\nregion = eu-west-1"),
    ("a blank line at the end", "[default]\nregion = eu-west-1\n\n"),
    ("CRLF", "[default]\r\nregion = eu-west-1\r\n"),
    ("CRLF, no final newline", "[default]\r\nregion = eu-west-1"),
    ("mixed endings", "[default]\r\nregion = eu-west-1\noutput = json\r\n"),
    ("a byte order mark", "\u{feff}[default]\nregion = eu-west-1\n"),
    ("a byte order mark and nothing else", "\u{feff}"),
    ("other profiles", "[profile a]\nregion = x\n\n[profile b]\nregion = y\n"),
    ("profiles without blank lines", "[profile a]\nregion = x\n[profile b]\nregion = y\n"),
    ("an sso-session", "[sso-session corp]\nsso_start_url = https://x\nsso_region = us-east-1\n"),
    ("a services section", "[services local]\ns3 =\n  endpoint_url = http://localhost:9000\n"),
    ("nested settings", "[profile a]\ns3 =\n  max_concurrent_requests = 20\n  signature_version = s3v4\n"),
    ("comments inside", "[profile a]\n# first\n; second\nregion = x\n"),
    ("spaces in titles", "[ profile a ]\nregion = x\n"),
    ("a quoted name", "[profile \"two words\"]\nregion = x\n"),
    ("tabs", "[profile\ta]\nregion\t=\tx\n"),
    ("umlauts", "[profile büro]\nregion = x\n# größer\n"),
    ("a process of another program", "[profile a]\ncredential_process = /opt/x --y\n"),
    ("a name that begins with ours", "[profile claude-two]\nregion = x\n"),
    ("a title in another case", "[profile Claude]\nregion = x\n"),
    ("a section that is not a profile", "[claude]\nregion = x\n"),
    ("text before the first section", "region = x\n[default]\noutput = json\n"),
    ("ours, empty", "[profile claude]\n"),
    ("ours, empty, no final newline", "[profile claude]"),
    ("ours with a region of its own", "[profile claude]\nregion = eu-west-3\noutput = json\n"),
    (
        "ours with the sample's process",
        "[profile claude]\ncredential_process = /home/u/claude-code-with-bedrock/credential-process --profile claude\nregion = us-west-2\n",
    ),
    (
        "ours in the middle",
        "[profile a]\nregion = x\n[profile claude]\n# mine\noutput = json\n\n[profile b]\nregion = y\n",
    ),
];

pub(crate) fn wanted() -> AwsProfileEntry {
    AwsProfileEntry {
        profile: "claude".into(),
        process: "\"/opt/Jane Doe/bedrock-sso\" credentials --profile claude".into(),
        region: "us-east-1".into(),
        replaces_sso: false,
    }
}

/// Whether `after` has all lines of `before` in their order, except for the process that is replaced.
fn has_all_lines(before: &str, after: &str) -> bool {
    let [before, after] = [before, after].map(|text| text.trim_start_matches('\u{feff}'));
    let mut lines = after.lines();
    before
        .lines()
        .filter(|line| !line.contains("claude-code-with-bedrock"))
        .all(|line| lines.any(|other| other == line))
}

#[test]
fn every_aws_shape_gets_our_profile_and_nothing_else() {
    for (what, before) in SHAPES {
        let edit = add_profile(before, &wanted()).unwrap();
        assert_eq!(AwsConfigFile::parse(&edit.after).find_value("claude", PROCESS), Some(wanted().process), "{what}");
        assert!(has_all_lines(before, &edit.after), "{what}: {}", edit.after);
        assert!(!edit.diff.is_empty(), "{what}");
        assert_eq!(edit.after.starts_with('\u{feff}'), before.starts_with('\u{feff}'), "{what}");
    }
}

#[test]
fn adding_aws_profiles_twice_changes_nothing() {
    for (what, before) in SHAPES {
        let once = add_profile(before, &wanted()).unwrap().after;
        assert_eq!(add_profile(&once, &wanted()).unwrap(), FileEdit { after: once, diff: Vec::new() }, "{what}");
    }
}

/// One difference remains: a last line without an ending has one afterwards. The record restores even that.
#[test]
fn removing_aws_profiles_restores_the_text() {
    for (what, before) in SHAPES {
        let wrote = add_profile(before, &wanted()).unwrap().after;
        let undone = remove_profiles(&wrote, before, &wrote, &["claude".to_owned()]).after;
        assert_eq!(undone.trim_end(), before.trim_end(), "{what}");
        assert!(undone.len() - before.len() <= 2, "{what}: {undone:?}");
    }
}

#[test]
fn removing_aws_profiles_leaves_later_edits() {
    let before = "[default]\nregion = x\n";
    let wrote = add_profile(before, &wanted()).unwrap().after;
    let changed = wrote.replace("us-east-1", "eu-west-1") + "output = yaml\n\n[profile new]\nregion = z\n";
    let undone = remove_profiles(&changed, before, &wrote, &["claude".to_owned()]);
    let left =
        "[default]\nregion = x\n\n[profile claude]\nregion = eu-west-1\noutput = yaml\n\n[profile new]\nregion = z\n";
    assert_eq!(undone.after, left);
    assert_eq!(undone.diff, [DiffLine::Removed(format!("credential_process = {}", wanted().process))]);
    let own = wrote.replace("bedrock-sso\" credentials", "other\"");
    assert_eq!(
        remove_profiles(&own, before, &wrote, &["claude".to_owned()]).after,
        own.replace("region = us-east-1\n", "")
    );
}

#[test]
fn new_lines_end_like_the_first_line() {
    let edit = add_profile("[default]\r\nregion = x", &wanted()).unwrap();
    assert!(edit.after.lines().count() > 3 && edit.after.matches('\n').count() == edit.after.matches("\r\n").count());
}

#[test]
fn value_over_several_lines_is_replaced_whole() {
    let before = "[profile claude]\ncredential_process = /old\n  --and --more\nregion = x\n";
    let edit = add_profile(before, &wanted()).unwrap();
    let process = wanted().process;
    assert_eq!(edit.after, format!("[profile claude]\ncredential_process = {process}\nregion = x\n"));
    let removed = ["credential_process = /old", "  --and --more"].map(|line| DiffLine::Removed(line.into()));
    assert_eq!(edit.diff[..2], removed);
}

#[test]
fn duplicate_aws_profile_or_key_is_refused() {
    let text = "[profile claude]\nregion = x\n[default]\n[profile  \"claude\"]\n";
    let refusal = AwsEditRefused::DuplicateProfile { profile: "claude".into(), lines: [1, 4] };
    assert_eq!(add_profile(text, &wanted()), Err(refusal));
    let text = "[profile claude]\ncredential_process = a\ncredential_process = b\n";
    assert_eq!(
        add_profile(text, &wanted()),
        Err(AwsEditRefused::DuplicateKey { key: "credential_process", lines: [2, 3] })
    );
}

#[test]
fn profile_with_other_credential_source_is_refused() {
    for key in ["sso_session", "role_arn", "aws_access_key_id", "ROLE_ARN"] {
        let text = format!("[profile claude]\nregion = x\n{key} = y\n");
        let (profile, key) = ("claude".to_owned(), key.to_lowercase());
        assert_eq!(add_profile(&text, &wanted()), Err(AwsEditRefused::OtherCredentialSource { profile, key, line: 3 }));
    }
}

#[test]
fn default_profile_title_lacks_the_word_profile() {
    let wanted = AwsProfileEntry { profile: "default".into(), ..wanted() };
    assert!(add_profile("", &wanted).unwrap().after.starts_with("[default]\n"));
    assert_eq!(add_profile("[default]\noutput = json\n", &wanted).unwrap().after.matches('[').count(), 1);
}

#[test]
fn access_keys_of_a_profile_are_detected() {
    let text = "[default]\naws_access_key_id = AKIA\n[claude]\naws_access_key_id = AKIA\n[other]\n";
    assert!(has_fixed_keys(text, "claude") && has_fixed_keys(text, "default"));
    assert!(!has_fixed_keys(text, "other") && !has_fixed_keys(text, "missing"));
}
