//! Configuration files that are missing, too large, not UTF-8, not readable or not trusted.

use super::{GOOD, Home, assert_has};

#[test]
fn missing_configuration_names_both_default_files() {
    testworld::expect_wording("config", "missing configuration", &Home::new().line());
}

#[test]
fn named_file_must_exist() {
    let missing = "~/mine.toml: this file does not exist";
    assert_eq!(Home::new().user(GOOD).file("mine.toml").line(), missing);
    let home = Home::new();
    let path = home.at("mine.toml").to_str().unwrap().to_owned();
    assert_eq!(home.variable("BEDROCK_SSO_CONFIG", &path).line(), missing);
    assert_eq!(Home::new().variable("BEDROCK_SSO_CONFIG", "~/mine.toml").line(), missing);
}

#[test]
fn named_file_replaces_the_users_file() {
    let home = Home::new()
        .system(GOOD)
        .user("this is never read")
        .with("mine.toml", "version = 1\n[profiles.claude]\nregion = \"eu-west-3\"");
    assert_eq!(home.file("mine.toml").load().unwrap().region, "eu-west-3");
}

#[test]
fn crlf_and_byte_order_mark_are_accepted() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(Home::new().user(&text).load().unwrap().name, "claude");
    assert_has(
        &Home::new().user(text.replace("issuer", "isuer")).line(),
        &["~/user.toml:4:", "\"isuer\"", "\"issuer\"", "[profiles.claude]"],
    );
}

#[test]
fn text_that_is_not_utf8_is_rejected_with_its_line() {
    testworld::expect_wording(
        "config",
        "text that is not utf 8",
        &Home::new().user(b"version = 1\n# caf\xe9\n").line(),
    );
    testworld::expect_wording("config", "text that is not utf 8", &Home::new().user(b"\xff\xfev\0e\0").line());
}

#[test]
fn directory_in_place_of_the_file_is_reported() {
    let home = Home::new().system(GOOD);
    std::fs::create_dir(home.at("user.toml")).unwrap();
    testworld::expect_wording("config", "directory in place of the file", &home.line());
}

#[test]
fn file_over_the_size_limit_is_rejected() {
    testworld::expect_wording("config", "file over the size limit", &Home::new().user("#".repeat(1 << 20)).line());
}

#[cfg(unix)]
#[test]
fn unreadable_file_does_not_count_as_absent() {
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
fn path_outside_the_home_is_shown_in_full() {
    let home = Home::new().variable("HOME", "/elsewhere").variable("USERPROFILE", "/elsewhere").user("x");
    assert!(home.line().starts_with(home.folder().to_str().unwrap()), "{}", home.line());
}

/// Windows does not allow control characters in file names.
#[cfg(unix)]
#[test]
fn control_characters_in_a_path_are_escaped() {
    let home = Home::new().variable("BEDROCK_SSO_CONFIG", "/no/\u{1b}[31mred");
    testworld::expect_wording("config", "path with control characters", &home.line());
}

#[test]
fn variable_that_is_not_unicode_is_an_error() {
    // Only the environment of the process can contain such a value; a fixed environment consists of text.
    use crate::config::{ConfigFault, ConfigProblem, ValueLocation};
    let fault = ConfigFault::NotUnicode { key: "issuer".to_owned() };
    let problem = ConfigProblem { location: ValueLocation::Variable("BEDROCK_SSO_ISSUER".to_owned()), fault };
    assert_eq!(problem.to_string(), "BEDROCK_SSO_ISSUER: the value of \"issuer\" is not valid Unicode");
}

#[cfg(unix)]
#[test]
fn world_writable_file_gets_a_config_warning() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use crate::config::ConfigFinding;
    let mut home = Home::new().user(GOOD);
    // The administrator's folder has a check of its own.
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

/// A user who can write the folder can replace the file.
#[cfg(unix)]
#[test]
fn administrators_folder_is_checked_without_the_file() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
    let mut home = Home::new().user(GOOD);
    home.paths.system_config = home.at("system/config.toml");
    assert!(home.load().is_ok(), "the folder does not exist");
    std::fs::create_dir(home.at("system")).unwrap();
    assert!(home.load().is_ok(), "the folder belongs to the user who runs the test");
    std::fs::set_permissions(home.at("system"), Permissions::from_mode(0o777)).unwrap();
    let error = home.load().unwrap_err();
    assert!(error.to_string().starts_with("~/system: not used, because every user can write to it"), "{error}");
    assert_eq!(crate::failure::Failure::from(error).slug(), "config/untrusted");
}
