//! Compiles and runs `turns`, the small program that starts the commands in turn, and parses its output.
//!
//! It is a static C program, like the other two: the peak memory of a process includes that of the process that started
//! it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::contender::Contender;

/// What one command costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Wall time in microseconds: the median, and the tenth and ninetieth percentile.
    pub median: f64,
    pub low: f64,
    pub high: f64,
    /// Processor time in microseconds.
    pub processor: f64,
    pub peak_kib: u64,
    pub faults: u64,
}

pub(super) struct Turns {
    folder: TempDir,
}

impl Turns {
    pub(super) fn compiled() -> Self {
        let turns = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["turns", "cat", "secret"] {
            let source = format!("{}/benches/warm/{name}.c", env!("CARGO_MANIFEST_DIR"));
            let fresh = turns.folder.path().join("fresh");
            let mut compiler = Command::new("cc");
            compiler.args(["-O2", "-static", "-o"]).arg(&fresh).arg(source);
            assert!(compiler.status().is_ok_and(|status| status.success()), "the C compiler failed for {name}");
            installed(&fresh, &turns.program(name));
        }
        turns
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn wall(&self, contenders: &[Contender], rounds: usize) -> Vec<Cost> {
        self.costs(&["wall", &rounds.to_string()], contenders)
    }

    pub(super) fn crowd(&self, contenders: &[Contender], size: usize, rounds: usize) -> Vec<Cost> {
        self.costs(&["crowd", &rounds.to_string(), &size.to_string()], contenders)
    }

    /// The number of system calls; `None` where tracing is forbidden.
    pub(super) fn calls(&self, contenders: &[Contender]) -> Vec<Option<u64>> {
        let output = self.run(&["calls", "1"], contenders);
        output.lines().map(|line| line.parse().ok()).collect()
    }

    /// Whether a command succeeds, so that it can be measured.
    pub(super) fn works(&self, contender: &Contender) -> bool {
        self.command(&["wall", "1"], std::slice::from_ref(contender)).output().unwrap().status.success()
    }

    fn costs(&self, mode: &[&str], contenders: &[Contender]) -> Vec<Cost> {
        let output = self.run(mode, contenders);
        let cost = |line: &str| {
            let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
            let [median, low, high, processor, peak, faults] = numbers.try_into().unwrap();
            Cost { median, low, high, processor, peak_kib: peak as u64, faults: faults as u64 }
        };
        output.lines().map(cost).collect()
    }

    fn run(&self, mode: &[&str], contenders: &[Contender]) -> String {
        let output = self.command(mode, contenders).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self, mode: &[&str], contenders: &[Contender]) -> Command {
        let mut command = Command::new(self.program("turns"));
        command.args(mode);
        for contender in contenders {
            command.arg("--").args(contender.words());
        }
        command
    }
}

/// Copies a program, as an installer does. A file fresh from the linker is in the page cache in another form, and
/// starts slower.
pub(super) fn installed(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}
