//! Checks imports: modules import only from those below them in `lib.rs`, and no files import each other in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::{
    Ident, Item, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

use super::{Source, attributes_of, is_test, is_test_only, nobody, root, sources_under};

/// The modules in the order in which `lib.rs` declares them.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared = |line: &str| Some(line.strip_suffix(';')?.split_once("mod ")?.1.to_owned());
    lib.lines().filter_map(declared).collect()
}

/// Every path that a file uses outside of its tests: its imports, and the paths that it writes out in full.
#[derive(Default)]
struct Paths {
    /// Pairs of a name in this file and its path.
    imports: Vec<(String, Vec<String>)>,
    /// Names that the file re-exports. A re-export is not a use by this file.
    passed_on: BTreeSet<String>,
    written: Vec<Vec<String>>,
}

impl Paths {
    fn read(text: &str) -> Self {
        let mut paths = Self::default();
        paths.visit_file(&syn::parse_file(text).unwrap());
        paths
    }

    fn add_tree(&mut self, tree: &UseTree, before: &[String], is_passed_on: bool) {
        let mut add = |name: &Ident, own: &Ident| {
            let (mut path, name) = (before.to_vec(), name.to_string());
            if name != "self" {
                path.push(name);
            }
            let own = if own == "self" { path.last().unwrap().clone() } else { own.to_string() };
            if is_passed_on {
                self.passed_on.insert(own.clone());
            }
            self.imports.push((own, path));
        };
        match tree {
            UseTree::Path(path) => {
                let before = [before, &[path.ident.to_string()]].concat();
                self.add_tree(&path.tree, &before, is_passed_on);
            }
            UseTree::Name(name) => add(&name.ident, &name.ident),
            UseTree::Rename(renamed) => add(&renamed.ident, &renamed.rename),
            UseTree::Glob(_) => {}
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(tree, before, is_passed_on));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let path_words: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if matches!(path_words.first().map(String::as_str), Some("crate" | "super" | "self")) && path_words.len() > 1 {
            self.written.push(path_words);
        }
        visit::visit_path(self, path);
    }
}

/// The files of the program as a tree of modules: `a::b` is `src/a/b.rs` or `src/a/b/mod.rs`.
struct Tree(BTreeMap<Vec<String>, (String, Paths)>);

impl Tree {
    fn read() -> Self {
        let program = sources_under("src").into_iter().filter(|source| !source.code.is_empty());
        let program = program.filter(|source| source.path != "src/main.rs");
        Self(program.map(|source| (module_of(&source), (source.path.clone(), Paths::read(&source.text)))).collect())
    }

    /// The module in whose file the target of a path is declared, even if other files re-export it.
    fn declared_in(&self, module: &[String], path: &[String], seen: usize) -> Option<Vec<String>> {
        let mut at = Vec::new();
        let mut rest = path;
        match path.split_first()? {
            (first, others) if first == "crate" => rest = others,
            (first, others) if first == "self" => (at, rest) = (module.to_vec(), others),
            (first, _) if first == "super" => {
                at = module.to_vec();
                while let Some((_, others)) = rest.split_first().filter(|(first, _)| *first == "super") {
                    at.pop();
                    rest = others;
                }
            }
            // The name of a child module, or else of another crate.
            (first, _) if self.0.contains_key(&[module, std::slice::from_ref(first)].concat()) => {
                at = module.to_vec();
            }
            _ => return None,
        }
        while let Some((name, others)) = rest.split_first() {
            let below = [at.as_slice(), std::slice::from_ref(name)].concat();
            if self.0.contains_key(&below) {
                (at, rest) = (below, others);
                continue;
            }
            let passed = self.0.get(&at)?.1.imports.iter().find(|(own, _)| own == name);
            return match passed {
                Some((_, path)) if seen < 10 => {
                    self.declared_in(&at, &[path.as_slice(), others].concat(), seen + 1).or(Some(at))
                }
                _ => Some(at),
            };
        }
        Some(at)
    }

    /// The files that a file uses. A module's own children do not count: every module declares them.
    fn uses(&self, module: &[String]) -> BTreeSet<&[String]> {
        let Some((_, paths)) = self.0.get(module) else { return BTreeSet::new() };
        let imported = paths.imports.iter().filter(|(own, _)| !paths.passed_on.contains(own));
        let all = imported.map(|(_, path)| path).chain(&paths.written);
        let found = all.filter_map(|path| self.declared_in(module, path, 0));
        let others = found.filter(|other| !other.starts_with(module));
        others.filter_map(|other| self.0.get_key_value(&other)).map(|(key, _)| key.as_slice()).collect()
    }

    fn all_uses(&self) -> BTreeMap<&[String], BTreeSet<&[String]>> {
        self.0.keys().map(|module| (module.as_slice(), self.uses(module))).collect()
    }
}

/// The files that can be reached from a file through imports.
fn reached_from<'a>(
    uses: &BTreeMap<&'a [String], BTreeSet<&'a [String]>>,
    module: &'a [String],
) -> BTreeSet<&'a [String]> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![module]);
    while let Some(module) = next.pop() {
        next.extend(uses[module].iter().copied().filter(|other| reached.insert(*other)));
    }
    reached
}

fn module_of(source: &Source) -> Vec<String> {
    let path = source.path.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

#[test]
fn each_module_imports_only_from_those_below_it() {
    let (modules, tree) = (modules(), Tree::read());
    let place = |name: &str| modules.iter().position(|module| module == name);
    let mut offenders = Vec::new();
    for (module, (path, _)) in &tree.0 {
        let Some(own) = module.first().and_then(|name| place(name)) else { continue };
        for other in tree.uses(module) {
            match other.first().and_then(|name| place(name)) {
                Some(theirs) if theirs >= own => {}
                _ => offenders.push(format!("{path} imports {}", other.join("::"))),
            }
        }
    }
    nobody("a module imports only from modules below it in lib.rs", offenders);
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let tree = Tree::read();
    let uses = tree.all_uses();
    let reached: BTreeMap<_, _> = uses.keys().map(|module| (*module, reached_from(&uses, module))).collect();
    let mut offenders = Vec::new();
    let in_circles = reached.iter().filter(|(module, reached)| reached.contains(*module)).map(|(module, _)| *module);
    for module in in_circles {
        let path = &tree.0[module].0;
        let back = uses[module].iter().filter(|other| reached[*other].contains(module));
        offenders.push(format!("{path} -> {:?}", back.map(|other| other.join("::")).collect::<Vec<_>>()));
    }
    nobody("no files import each other in a circle", offenders);
}

#[test]
fn imports_are_found_in_every_spelling() {
    let code = "use crate::{\n    a::{self, x},\n    b as other,\n    c_d::*,\n};\nfn f() { crate::e::g(); }\n// crate::f\n\
                pub use h::i;\n#[cfg(test)]\nmod tests {\n    use crate::g;\n}\n";
    let Paths { imports, passed_on, written } = Paths::read(code);
    let names: Vec<_> = imports.iter().map(|(own, path)| format!("{own}={}", path.join("::"))).collect();
    assert_eq!(names, ["a=crate::a", "x=crate::a::x", "other=crate::b", "i=h::i"]);
    assert_eq!(passed_on, BTreeSet::from(["i".to_owned()]));
    assert_eq!(written, [["crate", "e", "g"].map(str::to_owned)]);
    assert!(is_test(Path::new("src/store/contract.rs")) && is_test(Path::new("src/config/tests/files.rs")));
    assert!(!is_test(Path::new("src/http/trust.rs")) && !is_test(Path::new("src/config/mod.rs")));
}

#[test]
fn each_source_file_belongs_to_a_declared_module() {
    let modules = modules();
    let stray = |source: &Source| {
        source.module().is_none_or(|module| !modules.iter().any(|one| one == module) && module != "lib")
    };
    let strays = sources_under("src").into_iter().filter(stray).map(|source| source.path);
    nobody("lib.rs declares every module", strays.filter(|path| path != "src/main.rs"));
}
