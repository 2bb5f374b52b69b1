//! Files as they lie on disks: absent, marked, foreign, huge.

use super::{GOOD, Home, assert_has};

#[test]
fn without_any_file_the_places_that_were_looked_at_are_named() {
    testworld::expect_wording(
        "config",
        "without any file the places that were looked at are named",
        &Home::new().line(),
    );
}

#[test]
fn a_file_that_was_named_must_exist() {
    let missing = "~/mine.toml: this file does not exist";
    assert_eq!(Home::new().user(GOOD).file("mine.toml").line(), missing);
    let home = Home::new();
    let path = home.at("mine.toml").to_str().unwrap().to_owned();
    assert_eq!(home.variable("BEDROCK_SSO_CONFIG", &path).line(), missing);
    assert_eq!(Home::new().variable("BEDROCK_SSO_CONFIG", "~/mine.toml").line(), missing);
}

#[test]
fn a_file_that_was_named_takes_the_users_place() {
    let home = Home::new()
        .system(GOOD)
        .user("this is never read")
        .with("mine.toml", "version = 1\n[profiles.claude]\nregion = \"eu-west-3\"");
    assert_eq!(home.file("mine.toml").load().unwrap().region, "eu-west-3");
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_no_hindrance() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(Home::new().user(&text).load().unwrap().name, "claude");
    assert_has(
        &Home::new().user(text.replace("issuer", "isuer")).line(),
        &["~/user.toml:4:", "\"isuer\"", "\"issuer\"", "[profiles.claude]"],
    );
}

#[test]
fn what_is_not_utf_8_is_said_to_be_so_with_its_line() {
    testworld::expect_wording(
        "config",
        "what is not utf 8 is said to be so with its line",
        &Home::new().user(b"version = 1\n# caf\xe9\n").line(),
    );
    testworld::expect_wording(
        "config",
        "what is not utf 8 is said to be so with its line",
        &Home::new().user(b"\xff\xfev\0e\0").line(),
    );
}

#[test]
fn a_directory_in_the_files_place_is_said_to_be_one() {
    let home = Home::new().system(GOOD);
    std::fs::create_dir(home.at("user.toml")).unwrap();
    testworld::expect_wording("config", "a directory in the files place is said to be one", &home.line());
}

#[test]
fn a_megabyte_is_refused_without_being_parsed() {
    testworld::expect_wording(
        "config",
        "a megabyte is refused without being parsed",
        &Home::new().user("#".repeat(1 << 20)).line(),
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_an_error_not_an_absence() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let home = Home::new().system(GOOD);
    symlink("user.toml", home.at("user.toml")).unwrap();
    assert!(home.line().starts_with("~/user.toml: cannot be read: "), "{}", home.line());

    let home = Home::new().user(GOOD);
    std::fs::set_permissions(home.at("user.toml"), PermissionsExt::from_mode(0o000)).unwrap();
    // Root can read every file. Its golden files are the same as everybody's, so the wording is not compared here.
    if std::fs::read(home.at("user.toml")).is_err() {
        let error = home.load().expect_err("an unreadable file is an error");
        assert!(matches!(error.problem_lines().as_slice(), [line] if line.starts_with("~/user.toml: ")), "{error:?}");
    }
}

#[test]
fn a_file_outside_the_home_is_shown_with_its_whole_path() {
    let home = Home::new().variable("HOME", "/elsewhere").variable("USERPROFILE", "/elsewhere").user("x");
    assert!(home.line().starts_with(home.folder().to_str().unwrap()), "{}", home.line());
}

/// Windows has no such names.
#[cfg(unix)]
#[test]
fn a_path_with_control_characters_is_shown_without_them() {
    let home = Home::new().variable("BEDROCK_SSO_CONFIG", "/no/\u{1b}[31mred");
    testworld::expect_wording("config", "a path with control characters is shown without them", &home.line());
}

#[test]
fn a_variable_that_is_no_text_is_an_error() {
    // Only the process's own environment can hold one; a fixed one is text.
    use crate::config::{ConfigFault, ConfigProblem, ValueLocation};
    let fault = ConfigFault::NotUnicode { key: "issuer".to_owned() };
    let problem = ConfigProblem { location: ValueLocation::Variable("BEDROCK_SSO_ISSUER".to_owned()), fault };
    assert_eq!(problem.to_string(), "BEDROCK_SSO_ISSUER: the value of \"issuer\" is not valid Unicode");
}

#[cfg(unix)]
#[test]
fn a_file_that_every_user_may_change_is_warned_about() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use crate::config::ConfigFinding;
    let mut home = Home::new().user(GOOD);
    // The administrator's folder is judged by itself.
    home.paths.system_config = home.at("system/config.toml");
    let allow = |path: &std::path::Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let warned = || {
        home.ask(crate::config::check_all_files)
            .unwrap()
            .iter()
            .any(|finding| *finding == ConfigFinding::WritableFile { file: "~/user.toml".to_owned() })
    };
    let (file, folder) = (home.at("user.toml"), home.folder().to_owned());
    for (in_file, in_folder, expected) in [
        (0o644, 0o755, false),
        (0o664, 0o775, false),
        (0o646, 0o755, true),
        (0o644, 0o777, true),
        (0o644, 0o1777, false),
    ] {
        allow(&file, in_file);
        allow(&folder, in_folder);
        assert_eq!(warned(), expected, "{in_file:o} in {in_folder:o}");
    }
}

/// Whoever can write the folder can take the file away, and put another there.
#[cfg(unix)]
#[test]
fn folder_of_the_administrators_file_is_judged_without_the_file() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
    let mut home = Home::new().user(GOOD);
    home.paths.system_config = home.at("system/config.toml");
    assert!(home.load().is_ok(), "there is no folder");
    std::fs::create_dir(home.at("system")).unwrap();
    assert!(home.load().is_ok(), "it is one's own");
    std::fs::set_permissions(home.at("system"), Permissions::from_mode(0o777)).unwrap();
    let error = home.load().unwrap_err();
    assert!(error.to_string().starts_with("~/system: not used, because every user can write to it"), "{error}");
    assert_eq!(crate::failure::Failure::from(error).slug(), "config/untrusted");
}
