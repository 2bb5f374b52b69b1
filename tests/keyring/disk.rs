//! Full and read-only disks, and a process that is killed at each step of a write, with both storages.
//!
//! Root mounts a small file system for the records. `strace` kills the process.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use testworld::{Desk, Knob, World};

use super::{desks, session::Session, stored_files};

/// A file system of a few hundred kilobytes in the place of the program's data folder.
struct Disk {
    place: PathBuf,
}

impl Disk {
    fn under(desk: &Desk<'_>) -> Self {
        let place = data(desk);
        fs::create_dir_all(&place).unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=512k,mode=700", "none"], &place);
        Self { place }
    }

    fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro"], &self.place);
    }

    /// Fills the disk up to this many bytes.
    fn fill(&self, but: usize) -> PathBuf {
        let path = self.place.join("filler");
        let mut filler = fs::File::create(&path).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        filler.set_len(filler.metadata().unwrap().len() - but as u64).unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.place);
    }
}

fn run(program: &str, words: &[&str], place: &Path) {
    assert!(Command::new(program).args(words).arg(place).status().unwrap().success(), "{program} {words:?}");
}

fn data(desk: &Desk<'_>) -> PathBuf {
    desk.home().join(".local/share/bedrock-sso")
}

#[test]
#[ignore = "tests/keyring/run"]
fn full_disk_fails_login_before_any_request() {
    let (world, session) = (World::new(), Session::unlocked());
    for desk in desks(&world, &session) {
        let disk = Disk::under(&desk);
        let before = desk.credentials();
        let (requests, tabs) = (world.ledger().total(), desk.tabs());
        for left in [0, 64 << 10] {
            let filler = disk.fill(left);
            let failed = desk.run(["login", "--force"]).fails_without_golden(10, "storage/files");
            failed.message_has(&["No space left"]);
            assert_eq!(desk.credentials(), before, "the cached credentials are served");
            fs::remove_file(filler).unwrap();
        }
        assert_eq!((world.ledger().total(), desk.tabs()), (requests, tabs), "login sent a request");
        world.revoke_credentials();
        desk.run(["login"]).expect_code(0);
        assert_eq!(desk.tabs(), tabs, "the refresh token is still valid");
        desk.settle();
    }
}

#[test]
#[ignore = "tests/keyring/run"]
fn read_only_disk_serves_the_cache_and_refuses_writes() {
    let (world, session) = (World::new(), Session::unlocked());
    for desk in desks(&world, &session) {
        let disk = Disk::under(&desk);
        let before = desk.credentials();
        desk.settle();
        disk.make_read_only();
        assert_eq!(desk.credentials(), before);
        let requests = world.ledger().total();
        let failed = desk.run(["login", "--force"]).fails_without_golden(10, "storage/files");
        failed.message_has(&["Read-only file system"]);
        desk.run(["logout"]).fails_without_golden(10, "storage/files");
        assert_eq!((desk.credentials(), world.ledger().total()), (before, requests));
    }
}

#[test]
#[ignore = "tests/keyring/run"]
fn expiring_credentials_are_served_from_a_read_only_disk() {
    let (world, session) = (World::new(), Session::unlocked());
    for lifetime in [200, 900] {
        for desk in desks(&world, &session) {
            let disk = Disk::under(&desk);
            world.next(1, Knob::CredentialLifetime, lifetime);
            let before = desk.credentials();
            desk.settle();
            disk.make_read_only();
            assert_eq!(desk.credentials(), before, "{lifetime}");
            desk.settle();
        }
    }
}

#[test]
#[ignore = "tests/keyring/run"]
fn killed_write_leaves_the_old_or_the_new_record() {
    let (world, session) = (World::new(), Session::unlocked());
    for desk in desks(&world, &session) {
        let mut before = desk.credentials();
        for step in ["/^unlink", "/^open", "/^write$", "/^f(data)?sync$", "/^rename"] {
            let mut times = 0;
            while !kill_login_at(&desk, step, times + 1) {
                times += 1;
                let tabs = desk.tabs();
                before = desk.credentials();
                assert_eq!(desk.tabs(), tabs, "{step} {times}: the old or the new record is complete");
            }
            assert!(times > 0, "{step}: no process reached this step");
            let after = desk.credentials();
            assert_ne!(after, before, "{step}: the last login was not killed");
            before = after;
        }
        let names = stored_files(&desk);
        assert!(!names.iter().any(|name| name.ends_with(".new") || name.ends_with(".room")), "{names:?}");
    }
}

/// Runs `login --force` and kills its worker before it makes this system call for the nth time. Returns true if no
/// process made it that often, so that the login succeeded.
fn kill_login_at(desk: &Desk<'_>, step: &str, time: usize) -> bool {
    let call = desk.command();
    let mut strace = Command::new("strace");
    let variables = call.get_envs().filter_map(|(name, value)| Some((name, value?)));
    strace.env_clear().envs(variables).current_dir(desk.home());
    strace.args(["-f", "-qqq", "-o", "/dev/null", "-e", &format!("trace={step}")]);
    strace.args(["-e", &format!("inject={step}:signal=SIGKILL:when={time}")]);
    strace.arg("-P").arg(data(desk));
    for name in stored_files(desk).iter().filter(|name| name.ends_with(".sign-in") || name.ends_with(".credentials")) {
        let path = data(desk).join(name);
        strace.arg("-P").arg(&path).arg("-P").arg(path.with_added_extension("new"));
    }
    strace.arg(call.get_program()).args(["login", "--force"]);
    let outcome = desk.start_command(strace).finish();
    desk.settle();
    outcome.code == Some(0)
}
