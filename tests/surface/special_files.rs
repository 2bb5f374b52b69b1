//! FIFOs, devices and folders in every place where another user could put or name one instead of a regular file.
//!
//! Each call must end at once with a slug, and must release the lock of the sign-in.

use std::{fs, path::Path, time::Duration};

use testworld::{Desk, Outcome, World, make_fifo};

use super::{desk, signed_in, signed_in_with_expired_credentials};

/// A duration longer than any of these calls, and shorter than every deadline of the program.
const AT_ONCE: Duration = Duration::from_secs(8);

/// The paths of a FIFO without a writer, a link to it, a folder, an endless device and, on Linux, a kernel file that
/// blocks its reader.
fn special_files(desk: &Desk<'_>) -> Vec<String> {
    let [fifo, link, folder] = ["fifo", "link", "folder"].map(|name| desk.home().join(name));
    make_fifo(&fifo);
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    fs::create_dir(&folder).unwrap();
    let mut paths = vec![fifo, link, folder, "/dev/zero".into()];
    if cfg!(target_os = "linux") {
        // The first blocks its reader, and only root can open it.
        let kernels = ["/proc/kmsg", "/proc/version"].map(Path::new);
        paths.extend(kernels.into_iter().filter(|path| fs::File::open(path).is_ok()).map(Path::to_owned));
    }
    paths.into_iter().map(|path| path.into_os_string().into_string().unwrap()).collect()
}

#[track_caller]
fn assert_refused(outcome: &Outcome, code: i32, slug: &str, place: &str) {
    assert!(outcome.took < AT_ONCE, "{place}: {outcome:?}");
    // The golden list has no entry for kernel files, because not every system and user has them.
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
            assert_refused(&outcome, 3, "config/unreadable", &format!("{arguments:?} {path}"));
        }
    }
    fs::remove_file(desk.config_file()).unwrap();
    make_fifo(&desk.config_file());
    assert_refused(&desk.run(["credentials"]), 3, "config/unreadable", "the file in its default place");
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
fn fifo_as_claude_settings_does_not_hang_setup_or_doctor() {
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
fn fifo_as_stored_file_does_not_hang_commands() {
    let world = World::new();
    for kind in ["sign-in", "credentials", "json", "holder", "provider", "key"] {
        let desk = signed_in_with_expired_credentials(&world);
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
fn special_ca_bundle_or_key_releases_the_lock() {
    let world = World::new();
    let desk = desk(&world);
    let good = fs::read_to_string(desk.config_file()).unwrap();
    for path in special_files(&desk) {
        desk.configure(&format!("{good}ca_bundle = {path:?}\n"));
        assert_refused(&desk.run(["credentials"]), 3, "config/ca_bundle", &path);
        desk.configure(&format!("{good}client_auth = \"private_key_jwt\"\nclient_key = {path:?}\n"));
        assert_refused(&desk.run(["credentials"]), 3, "config/client_key", &path);
    }
    desk.configure(&good);
    desk.run(["credentials"]).expect_code(0);
}

#[test]
fn file_in_a_world_writable_folder_is_warned_about() {
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
