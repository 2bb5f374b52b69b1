//! Files on a disk: changed by setup, changed again, and restored by removal.

use super::*;
use crate::setup::{aws::AwsProfileEntry, generated};

struct Laptop {
    folder: tempfile::TempDir,
}

impl Laptop {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        self.write_bytes(name, text.as_bytes());
    }

    #[expect(clippy::disallowed_methods, reason = "stands for another program that writes the file")]
    fn write_bytes(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path(name)).ok()
    }

    fn plan(&self) -> SetupPlan {
        SetupPlan::new(&self.path("data/setup.json"), ReadableBy::Owner).unwrap()
    }

    fn plan_setup(&self, region: &str) -> SetupPlan {
        self.try_plan(region).unwrap()
    }

    fn try_plan(&self, region: &str) -> Result<SetupPlan, Error> {
        let mut plan = self.plan();
        let wanted = AwsProfileEntry {
            profile: "claude".into(),
            process: "\"/x\" credentials".into(),
            region: region.into(),
            replaces_sso: false,
        };
        plan.add_aws_profiles(&self.path(".aws/config"), &[wanted])?;
        let setting = |key, value: &str| ClaudeSetting { key, value: value.into() };
        let wanted = [
            setting(ClaudeSettingKey::Top("awsAuthRefresh"), "x login"),
            setting(ClaudeSettingKey::Env("AWS_REGION".into()), region),
        ];
        plan.add_claude_settings(&self.path(".claude/settings.json"), &wanted)?;
        Ok(plan)
    }

    fn set_up(&self, region: &str) {
        self.plan_setup(region).apply().unwrap();
    }

    fn remove(&self) -> Vec<PathBuf> {
        let mut plan = self.plan();
        let left = plan.plan_removal().unwrap();
        plan.apply().unwrap();
        left
    }

    /// Every file with its bytes, and every folder.
    fn snapshot(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    found.push((path.clone(), None));
                    walk(&path, found);
                } else {
                    found.push((path.clone(), Some(std::fs::read(&path).unwrap())));
                }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found.retain(|(path, _)| !path.ends_with("data"));
        found.sort();
        found
    }
}

#[test]
fn removal_restores_every_shape_byte_for_byte() {
    let aws = aws::tests::SHAPES.iter().cycle();
    let claude = settings::tests::SHAPES.iter().cycle();
    for ((what, config), (and, settings)) in aws.zip(claude).take(70) {
        let laptop = Laptop::new();
        laptop.write(".aws/config", config);
        laptop.write(".claude/settings.json", settings);
        let before = laptop.snapshot();
        laptop.set_up("us-east-1");
        assert!(laptop.plan_setup("us-east-1").is_empty(), "{what}, {and}");
        assert_eq!(laptop.remove(), Vec::<PathBuf>::new());
        assert_eq!(laptop.snapshot(), before, "{what}, {and}");
    }
}

/// A file that setup refuses stays as it is, and every other file is restored by removal.
#[test]
fn removal_restores_random_files_byte_for_byte() {
    let mut edited = 0;
    for seed in 0..200 {
        let dice = &mut generated::SeededRandom::new(seed);
        let laptop = Laptop::new();
        laptop.write(".aws/config", &generated::generate_config(dice));
        laptop.write(".claude/settings.json", &generated::generate_settings(dice));
        let before = laptop.snapshot();
        if let Ok(plan) = laptop.try_plan("us-east-1") {
            plan.apply().unwrap();
            assert!(laptop.plan_setup("us-east-1").is_empty(), "{seed}");
            assert_eq!(laptop.remove(), Vec::<PathBuf>::new(), "{seed}");
            edited += 1;
        }
        assert_eq!(laptop.snapshot(), before, "{seed}");
    }
    assert!(edited > 100, "{edited}");
}

#[test]
fn removal_deletes_created_files_and_folders() {
    let laptop = Laptop::new();
    laptop.set_up("us-east-1");
    assert!(laptop.read(".aws/config").is_some() && laptop.read("data/setup.json").is_some());
    laptop.remove();
    assert_eq!(laptop.snapshot(), []);
    assert!(laptop.read("data/setup.json").is_none());
}

#[test]
fn removal_after_two_setups_restores_the_original() {
    let laptop = Laptop::new();
    laptop.write(".aws/config", "[default]\nregion = x");
    let before = laptop.snapshot();
    laptop.set_up("us-east-1");
    laptop.set_up("eu-west-1");
    laptop.remove();
    assert_eq!(laptop.snapshot(), before);
}

#[test]
fn removal_leaves_edits_by_other_programs() {
    let laptop = Laptop::new();
    laptop.write(".aws/config", "[default]\nregion = x\n");
    laptop.write(".claude/settings.json", "{}\n");
    laptop.set_up("us-east-1");
    laptop.write(".aws/config", &(laptop.read(".aws/config").unwrap() + "[profile new]\nregion = z\n"));
    let settings =
        laptop.read(".claude/settings.json").unwrap().replace("\"AWS_REGION\"", "\"MINE\": \"1\",\n    \"AWS_REGION\"");
    laptop.write(".claude/settings.json", &settings);
    laptop.set_up("eu-west-1");
    laptop.remove();
    assert_eq!(laptop.read(".aws/config").unwrap(), "[default]\nregion = x\n[profile new]\nregion = z\n");
    assert_eq!(laptop.read(".claude/settings.json").unwrap(), "{\n  \"env\": {\n    \"MINE\": \"1\"\n  }\n}\n");
}

#[test]
fn file_changed_after_planning_is_not_written() {
    let laptop = Laptop::new();
    laptop.write(".aws/config", "[default]\n");
    let plan = laptop.plan_setup("us-east-1");
    laptop.write(".aws/config", "[default]\nregion = new\n");
    assert!(matches!(plan.apply(), Err(Error::Files(_))));
    assert_eq!(laptop.read(".aws/config").unwrap(), "[default]\nregion = new\n");
    laptop.remove();
    assert_eq!(laptop.read(".aws/config").unwrap(), "[default]\nregion = new\n");
}

#[cfg(unix)]
#[test]
fn setup_preserves_links_and_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let laptop = Laptop::new();
    laptop.write("dotfiles/config", "[default]\n");
    std::fs::set_permissions(laptop.path("dotfiles/config"), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::create_dir(laptop.path(".aws")).unwrap();
    std::os::unix::fs::symlink("../dotfiles/config", laptop.path(".aws/config")).unwrap();
    laptop.set_up("us-east-1");
    assert!(laptop.path(".aws/config").is_symlink());
    assert!(laptop.read("dotfiles/config").unwrap().contains("claude"));
    let mode = std::fs::metadata(laptop.path("dotfiles/config")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
    laptop.remove();
    assert_eq!(laptop.read("dotfiles/config").unwrap(), "[default]\n");
}

#[cfg(unix)]
#[test]
fn dangling_link_is_not_replaced() {
    let laptop = Laptop::new();
    std::fs::create_dir(laptop.path(".aws")).unwrap();
    std::os::unix::fs::symlink("../dotfiles/config", laptop.path(".aws/config")).unwrap();
    assert!(laptop.try_plan("us-east-1").is_err());
    assert!(laptop.path(".aws/config").is_symlink());
}

#[test]
fn removal_leaves_an_edited_configuration() {
    let laptop = Laptop::new();
    let edit = |text: &str| FileEdit { after: text.into(), diff: Vec::new() };
    let mut plan = laptop.plan();
    plan.add_configuration(&laptop.path("config.toml"), edit("version = 1\n")).unwrap();
    plan.apply().unwrap();
    laptop.write("config.toml", "version = 1\n# mine\n");
    assert_eq!(laptop.remove(), [laptop.path("config.toml")]);
    assert_eq!(laptop.read("config.toml").unwrap(), "version = 1\n# mine\n");
}

#[test]
fn removal_forgets_files_that_were_restored_by_hand() {
    let laptop = Laptop::new();
    laptop.set_up("us-east-1");
    let before = laptop.snapshot();
    for name in [".aws", ".claude"] {
        std::fs::remove_dir_all(laptop.path(name)).unwrap();
    }
    let mut plan = laptop.plan();
    assert!(plan.plan_removal().unwrap().is_empty() && plan.is_empty());
    plan.forget_reverted_files().unwrap();
    assert!(!laptop.path("data").exists(), "{before:?}");
}

#[test]
fn file_that_is_not_utf8_is_refused() {
    let laptop = Laptop::new();
    laptop.write_bytes(".aws/config", b"\xff\xfe[\0");
    assert!(matches!(SetupPlan::read_text(&laptop.path(".aws/config")), Err(Error::NotText { .. })));
}

#[test]
fn file_over_the_size_limit_is_refused() {
    let laptop = Laptop::new();
    laptop.write(".aws/config", &"# long\n".repeat(700_000));
    let wanted = AwsProfileEntry {
        profile: "claude".into(),
        process: "\"/x\"".into(),
        region: "eu-west-1".into(),
        replaces_sso: false,
    };
    let refused = laptop.plan().add_aws_profiles(&laptop.path(".aws/config"), &[wanted]);
    assert!(matches!(refused, Err(Error::Files(_))), "{refused:?}");
}

fn aws_entry(profile: &str) -> AwsProfileEntry {
    AwsProfileEntry {
        profile: profile.into(),
        process: "\"/x\" credentials".into(),
        region: "us-east-1".into(),
        replaces_sso: false,
    }
}

impl Laptop {
    fn add_aws(&self, profiles: &[&str]) {
        let entries: Vec<AwsProfileEntry> = profiles.iter().map(|name| aws_entry(name)).collect();
        let mut plan = self.plan();
        plan.add_aws_profiles(&self.path(".aws/config"), &entries).unwrap();
        plan.apply().unwrap();
    }
}

#[test]
fn removal_of_several_profiles_restores_every_shape() {
    for (what, config) in aws::tests::SHAPES {
        for edited in [false, true] {
            let laptop = Laptop::new();
            laptop.write(".aws/config", config);
            let is_refused =
                laptop.plan().add_aws_profiles(&laptop.path(".aws/config"), &[aws_entry("claude")]).is_err();
            if is_refused {
                continue;
            }
            laptop.add_aws(&["claude", "second"]);
            laptop.add_aws(&["third"]);
            let own = "\n[profile own]\nregion = x\n";
            if edited {
                laptop.write(".aws/config", &(laptop.read(".aws/config").unwrap() + own));
            }
            laptop.remove();
            let left = laptop.read(".aws/config").unwrap();
            match edited {
                false => assert_eq!(left, *config, "{what}"),
                true => {
                    let rest = left.strip_prefix(config).unwrap_or_else(|| panic!("{what}: {left}"));
                    // Setup has added the missing ending of the last line.
                    let is_open = !config.ends_with(['\n', '\u{feff}']) && !config.is_empty();
                    let endings: &[&str] = if is_open { &["\n", "\r\n"] } else { &[""] };
                    assert!(endings.iter().any(|ending| rest == format!("{ending}{own}")), "{what}: {left:?}");
                }
            }
        }
    }
}

#[test]
fn record_of_one_profile_has_the_earlier_format() {
    let old = r#"{"aws":{"profile":"claude"}}"#;
    let kind: SetupFileKind = serde_json::from_str(old).unwrap();
    assert_eq!(kind, SetupFileKind::Aws { profile: "claude".into(), more: Vec::new() });
    assert_eq!(serde_json::to_string(&kind).unwrap(), old);
    let laptop = Laptop::new();
    laptop.add_aws(&["claude"]);
    assert!(!laptop.read("data/setup.json").unwrap().contains("more"));
    laptop.add_aws(&["claude", "second"]);
    assert!(laptop.read("data/setup.json").unwrap().contains("more"));
}

#[test]
fn removal_leaves_edits_made_between_two_runs() {
    let laptop = Laptop::new();
    let add = |text: &str| {
        let mut plan = laptop.plan();
        let edit = FileEdit { after: text.into(), diff: Vec::new() };
        plan.add_configuration(&laptop.path("config.toml"), edit).unwrap();
        plan.apply().unwrap();
    };
    add("version = 1\n");
    laptop.write("config.toml", "version = 1\n# mine\n");
    add("version = 1\n# mine\n[profiles.b]\n");
    assert_eq!(laptop.remove(), Vec::<PathBuf>::new());
    assert_eq!(laptop.read("config.toml").as_deref(), Some("version = 1\n# mine\n"));
}
