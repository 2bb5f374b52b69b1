//! Checks the names of types and functions in the program, without its tests.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Ident, ImplItemFn, Item, ItemEnum, ItemFn, ItemStruct, ItemTrait, ItemType, TraitItemFn,
    visit::{self, Visit},
};

use super::{Source, attributes_of, is_test_only, nobody, sources_under};

/// The maximum share of functions with a one-word name, in percent. Traits (`fmt`, `from`) and getters need some.
const ONE_WORD_FUNCTIONS: usize = 50;

/// Words that say too little, or that readers have to decode. CONTRIBUTING.md says which words to use.
const BANNED: [&str; 26] = [
    "anew", "bring", "brought", "came", "door", "errand", "heard", "hushed", "keep", "kept", "knock", "meant", "mend",
    "mended", "patience", "patient", "said", "shall", "tell", "tells", "told", "weather", "whoever", "whose", "wish",
    "wished",
];

/// What a file declares outside of tests.
#[derive(Default)]
struct Declared {
    types: Vec<String>,
    functions: Vec<String>,
}

impl Declared {
    fn read(source: &Source) -> Self {
        let mut declared = Self::default();
        if !source.code.is_empty() {
            declared.visit_file(&syn::parse_file(&source.text).unwrap());
        }
        declared
    }

    fn add_type(&mut self, name: &Ident) {
        self.types.push(name.to_string());
    }

    fn add_function(&mut self, name: &Ident) {
        self.functions.push(name.to_string());
    }
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.add_type(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.add_type(&item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        self.add_type(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.add_type(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add_function(&item.sig.ident);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_test_only(&item.attrs) {
            self.add_function(&item.sig.ident);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.add_function(&item.sig.ident);
    }
}

/// All declarations of the program, with the file of each.
fn declarations() -> Vec<(String, Declared)> {
    sources_under("src").iter().map(|source| (source.path.clone(), Declared::read(source))).collect()
}

/// The words of a name in lower case: `TokenError` and `token_error` have the same two.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() {
            words.push(String::new());
        }
        if letter != '_' {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

#[test]
fn a_type_name_is_declared_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, declared) in declarations() {
        for name in declared.types {
            places.entry(name).or_default().push(path.clone());
        }
    }
    // Another system's version of a type is in another file of the same folder, or below another `cfg` in the same
    // file.
    let is_shared = |name: &str, files: &BTreeSet<&String>| name != "Error" && files.len() > 1;
    let shared = places.iter().filter_map(|(name, files)| {
        let files: BTreeSet<_> = files.iter().collect();
        is_shared(name, &files).then(|| format!("{name}: {files:?}"))
    });
    nobody("a type name is declared once, except `Error`", shared);
}

#[test]
fn most_functions_are_named_by_verb_and_object() {
    let functions: Vec<_> = declarations().into_iter().flat_map(|(_, declared)| declared.functions).collect();
    let one_word = functions.iter().filter(|name| !name.trim_matches('_').contains('_')).count();
    assert!(
        one_word * 100 <= functions.len() * ONE_WORD_FUNCTIONS,
        "{one_word} of {} functions have a one-word name; the limit is {ONE_WORD_FUNCTIONS} %",
        functions.len()
    );
}

#[test]
fn names_have_no_banned_words() {
    let offenders = declarations().into_iter().flat_map(|(path, declared)| {
        let names = declared.types.into_iter().chain(declared.functions);
        let is_banned = |name: &String| words_of(name).iter().any(|word| BANNED.contains(&word.as_str()));
        names.filter(is_banned).map(move |name| format!("{path}: {name}")).collect::<Vec<_>>()
    });
    nobody("a name has no banned word", offenders);
}

#[test]
fn names_are_found_where_they_are_declared() {
    let source = Source {
        path: String::new(),
        code: "some".to_owned(),
        code_with_comments: String::new(),
        text: "struct One; impl One { fn two() { fn three() {} } } trait Four { fn five(); }\n\
               #[cfg(test)]\nmod tests { struct Six; fn seven() {} }\n#[cfg(test)]\nfn eight() {}"
            .to_owned(),
    };
    let declared = Declared::read(&source);
    assert_eq!(declared.types, ["One", "Four"]);
    assert_eq!(declared.functions, ["two", "three", "five"]);
    assert_eq!(words_of("TokenError"), words_of("token_error"));
}
