//! Files that are not regular files, in every place where somebody else may put or name one.
//!
//! Each must end the call at once with a slug, and none may keep the sign-in's lock.

use std::{fs, path::Path, time::Duration};

use testworld::{Desk, Outcome, World, make_fifo};

use super::{desk, signed_in, signed_in_and_spent};

/// Longer than any of these calls takes, and shorter than any deadline of the program.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Paths of a FIFO that nobody writes to, a link to it, a folder, and, on Linux, an endless device and a kernel file
/// that blocks.
fn special_files(desk: &Desk<'_>) -> Vec<String> {
    let [fifo, link, folder] = ["fifo", "link", "folder"].map(|name| desk.home().join(name));
    make_fifo(&fifo);
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    fs::create_dir(&folder).unwrap();
    let mut paths = vec![fifo, link, folder, "/dev/zero".into()];
    if cfg!(target_os = "linux") {
        // The first blocks its reader, and only root may open it.
        let kernels = ["/proc/kmsg", "/proc/version"].map(Path::new);
        paths.extend(kernels.into_iter().filter(|path| fs::File::open(path).is_ok()).map(Path::to_owned));
    }
    paths.into_iter().map(|path| path.into_os_string().into_string().unwrap()).collect()
}

#[track_caller]
fn refused(outcome: &Outcome, code: i32, slug: &str, place: &str) {
    assert!(outcome.took < AT_ONCE, "{place}: {outcome:?}");
    // Which files of the kernel there are depends on the system and the user.
    match place.contains("/proc/") {
        true => outcome.fails_without_golden(code, slug),
        false => outcome.fails(code, slug),
    };
}

#[test]
fn special_configuration_files_are_refused_at_once() {
    let world = World::new();
    let desk = desk(&world);
    for path in special_files(&desk) {
        for arguments in [["status", "--config"], ["credentials", "--config"], ["config", "check"]] {
            let outcome = desk.run([arguments[0], arguments[1], &path]);
            refused(&outcome, 3, "config/unreadable", &format!("{arguments:?} {path}"));
        }
    }
    fs::remove_file(desk.config_file()).unwrap();
    make_fifo(&desk.config_file());
    refused(&desk.run(["credentials"]), 3, "config/unreadable", "the file in its default place");
}

#[test]
fn special_files_given_to_setup_are_refused_at_once() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    for path in special_files(&desk) {
        let outcome = desk.run(["setup", "--yes", "--from", &path]);
        assert!(outcome.took < AT_ONCE, "{path}: {outcome:?}");
        assert_ne!(outcome.code, Some(0), "{path}: {outcome:?}");
        assert!(!desk.config_file().exists(), "{path}: {outcome:?}");
    }
}

#[test]
fn a_fifo_in_place_of_claudes_settings_ends_setup_and_doctor() {
    let world = World::new();
    let desk = signed_in(&world);
    fs::create_dir_all(desk.home().join(".claude")).unwrap();
    fs::create_dir_all(desk.home().join(".aws")).unwrap();
    make_fifo(&desk.home().join(".claude/settings.json"));
    make_fifo(&desk.home().join(".aws/config"));
    assert!(desk.run(["doctor"]).took < AT_ONCE);
    let outcome = desk.run(["setup", "--yes"]);
    assert!(outcome.took < AT_ONCE && outcome.code == Some(10), "{outcome:?}");
    assert!(outcome.stderr.contains("[storage/files]"), "{outcome:?}");
}

#[test]
fn a_fifo_in_place_of_a_stored_file_is_refused_or_replaced() {
    let world = World::new();
    for kind in ["sign-in", "credentials", "json", "holder", "provider", "key"] {
        let desk = signed_in_and_spent(&world);
        let stored = fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().path());
        let stored: Vec<_> = stored.collect();
        let find = |kind: &str| stored.iter().find(|path| path.extension().is_some_and(|it| it == kind)).unwrap();
        let place = match kind {
            "key" => desk.data().join("key"),
            "credentials" => find("credentials").clone(),
            kind => find("sign-in").with_extension(kind),
        };
        drop(fs::remove_file(&place));
        make_fifo(&place);
        for verb in ["status", "credentials", "doctor"] {
            let outcome = desk.run([verb]);
            assert!(outcome.took < AT_ONCE, "{kind}: {verb}: {outcome:?}");
        }
        if ["sign-in", "credentials", "key"].contains(&kind) {
            desk.run(["status"]).fails(10, "storage/files").message_has(&[&place.display().to_string()]);
        }
    }
}

#[test]
fn a_worker_whose_bundle_or_key_is_special_ends_and_frees_the_lock() {
    let world = World::new();
    let desk = desk(&world);
    let good = fs::read_to_string(desk.config_file()).unwrap();
    for path in special_files(&desk) {
        desk.configure(&format!("{good}ca_bundle = {path:?}\n"));
        refused(&desk.run(["credentials"]), 3, "config/ca_bundle", &path);
        desk.configure(&format!("{good}client_auth = \"private_key_jwt\"\nclient_key = {path:?}\n"));
        refused(&desk.run(["credentials"]), 3, "config/client_key", &path);
    }
    desk.configure(&good);
    desk.run(["credentials"]).expect_code(0);
}

#[test]
fn bare_file_name_in_an_open_folder_is_warned_about() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.home().join("open");
    fs::create_dir(&folder).unwrap();
    fs::copy(desk.config_file(), folder.join("other.toml")).unwrap();
    let check = || {
        let mut command = desk.command();
        command.current_dir(&folder).args(["config", "check", "--config", "other.toml"]);
        let Outcome { stdout, stderr, .. } = desk.start_command(command).finish().expect_code(0);
        stdout + &stderr
    };
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!check().contains("warning: "), "{}", check());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(check().contains("warning: "), "{}", check());
}
