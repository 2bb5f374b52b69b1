//! The page of failures against the source: every slug has its heading with its exit code, and no heading is left over.
//!
//! Slugs are read from the syntax tree of `src`, so that none is missed: each text of the shape `room/word` is one. Four
//! rooms put slugs together while the program runs (`aws/{slug}`); a fifth one fails these tests until they know it.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Attribute, Expr, ExprCall, ExprLit, ExprMethodCall, ExprPath, ImplItemFn, ItemFn, ItemMod, Lit, LitStr, Macro,
    visit::{self, Visit},
};

use super::{assert_none, files_under, markdown::Page, read};

const PAGE: &str = "docs/reference/failures.md";

/// Types of documents, which have the shape of a slug.
const MEDIA_TYPES: [&str; 5] = ["application/json", "http/json", "http/protobuf", "text/html", "text/xml"];

/// Words that are not slugs, although they stand where slugs of AWS and of tokens do.
const OTHER_WORDS: [&str; 5] = ["a", "an", "policy", "with", "without"];

/// What stands in the source for slugs that are put together, by room.
const TEMPLATES: [&str; 4] = ["aws/{slug}", "quota/{}", "sign-in/{code}", "token/{slug}"];

/// The headings for slugs whose word comes from another machine.
const FOREIGN: [&str; 2] = ["sign-in/CODE", "quota/REASON"];

/// Slugs with the exit codes that are known of them.
type Codes = BTreeMap<String, BTreeSet<u8>>;

/// A text in the source.
struct Text {
    value: String,
    function: String,
    /// Whether it is part of a call of a method or a macro, which no word of a slug is.
    is_argument: bool,
}

/// What a file of the source says about slugs.
#[derive(Default)]
struct Reader {
    texts: Vec<Text>,
    /// The variants of `Exit` that each function names.
    exits: BTreeMap<String, BTreeSet<String>>,
    /// `Exit::X` and the text beside it in a call of `Failure::new`.
    pairs: Vec<(String, String)>,
    /// A function that makes failures, and the first text that it was called with.
    calls: Vec<(String, String)>,
    function: String,
    is_argument: bool,
}

impl Reader {
    fn read(path: &str) -> Self {
        let mut reader = Self::default();
        reader.visit_file(&syn::parse_file(&read(path)).unwrap());
        reader
    }

    fn add(&mut self, value: String, is_argument: bool) {
        self.texts.push(Text { value, function: self.function.clone(), is_argument });
    }

    fn within(&mut self, function: String, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.function, function);
        visit(self);
        self.function = outer;
    }

    fn as_argument(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_argument, true);
        visit(self);
        self.is_argument = outer;
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string().starts_with("test"),
        syn::Meta::NameValue(_) => false,
    })
}

/// The texts in what a macro is given, and in the tokens of an expression.
fn texts_of_tokens(tokens: &str) -> impl Iterator<Item = String> {
    // Escaped quotation marks do not stand in slugs.
    let tokens = tokens.replace("\\\"", "");
    tokens.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

fn first_text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Macro(inner) => texts_of_tokens(&inner.mac.tokens.to_string()).next(),
        Expr::If(_) | Expr::Path(_) => None,
        _ => None,
    }
}

fn last_name(path: &ExprPath) -> String {
    path.path.segments.last().unwrap().ident.to_string()
}

impl<'s> Visit<'s> for Reader {
    fn visit_item_mod(&mut self, item: &'s ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'s ItemFn) {
        if !is_for_tests(&item.attrs) {
            self.within(item.sig.ident.to_string(), |it| visit::visit_item_fn(it, item));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'s ImplItemFn) {
        // A file has several functions called `from`.
        let name = format!("{} {}", item.sig.ident, self.texts.len());
        self.within(name, |it| visit::visit_impl_item_fn(it, item));
    }

    fn visit_expr_path(&mut self, path: &'s ExprPath) {
        let names: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., parent, variant] = names.as_slice()
            && parent == "Exit"
        {
            self.exits.entry(self.function.clone()).or_default().insert(variant.clone());
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'s ExprCall) {
        if let Expr::Path(callee) = &*call.func {
            let mut arguments = call.args.iter();
            let first = arguments.next();
            match (last_name(callee).as_str(), first) {
                ("new", Some(Expr::Path(exit))) => {
                    if let Some(text) = arguments.next().and_then(first_text) {
                        self.pairs.push((last_name(exit), text));
                    }
                }
                (name, Some(first)) => {
                    if let Some(text) = first_text(first) {
                        self.calls.push((name.to_owned(), text));
                    }
                }
                (_, None) => {}
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'s ExprMethodCall) {
        self.as_argument(|it| visit::visit_expr_method_call(it, call));
    }

    fn visit_macro(&mut self, it: &'s Macro) {
        texts_of_tokens(&it.tokens.to_string()).for_each(|text| self.add(text, true));
    }

    fn visit_lit_str(&mut self, text: &'s LitStr) {
        self.add(text.value(), self.is_argument);
    }

    fn visit_attribute(&mut self, _: &'s Attribute) {}
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

/// Whether a text has the shape of a slug.
fn is_slug(text: &str) -> bool {
    text == "interrupted"
        || text.split_once('/').is_some_and(|(room, word)| is_word(&room.replace('-', "_")) && is_word(word))
}

/// The numbers of the exit codes by the names of their variants.
fn exit_codes() -> BTreeMap<String, u8> {
    let file = syn::parse_file(&read("src/failure/mod.rs")).unwrap();
    let exits = file.items.into_iter().find_map(|item| match item {
        syn::Item::Enum(item) if item.ident == "Exit" => Some(item),
        _ => None,
    });
    let number = |variant: &syn::Variant| match &variant.discriminant {
        Some((_, Expr::Lit(ExprLit { lit: Lit::Int(number), .. }))) => number.base10_parse().unwrap(),
        other => panic!("{}: {other:?}", variant.ident, other = other.is_some()),
    };
    exits.unwrap().variants.iter().map(|variant| (variant.ident.to_string(), number(variant))).collect()
}

/// Every slug that the source can make, with the exit codes that its places name.
fn slugs_of_source() -> Codes {
    let exit_codes = exit_codes();
    let files: Vec<String> = files_under("src", &["rs"]);
    let is_test =
        |path: &String| path.contains("/tests") || path.ends_with("wording.rs") || path.ends_with("testing.rs");
    let readers: Vec<(String, Reader)> =
        files.into_iter().filter(|path| !is_test(path)).map(|path| (path.clone(), Reader::read(&path))).collect();
    let mut codes = Codes::new();
    let mut templates = BTreeSet::new();
    let mut other_words = BTreeSet::new();
    // Where a function names one exit code, all of its failures have it.
    let code_of =
        |reader: &Reader, function: &str| match reader.exits.get(function)?.iter().collect::<Vec<_>>().as_slice() {
            [exit] => exit_codes.get(*exit).copied(),
            _ => None,
        };
    let code_of_maker = |function: &str| readers.iter().find_map(|(_, reader)| code_of(reader, function));
    let template_code = |room: &str| {
        let pairs = readers.iter().flat_map(|(_, reader)| &reader.pairs);
        let mut pairs = pairs.filter(|(_, text)| text.starts_with(&format!("{room}/{{")));
        pairs.next().and_then(|(exit, _)| exit_codes.get(exit).copied())
    };
    let (aws, token) = (template_code("aws"), template_code("token"));
    for (path, reader) in &readers {
        for Text { value, function, is_argument } in &reader.texts {
            if is_slug(value) && !MEDIA_TYPES.contains(&value.as_str()) && value != "interrupted" {
                codes.entry(value.clone()).or_default().extend(code_of(reader, function));
            } else if value
                .split_once('/')
                .is_some_and(|(room, rest)| is_word(&room.replace('-', "_")) && rest.starts_with('{'))
            {
                templates.insert(value.clone());
            } else if is_word(value) && !is_argument {
                let (room, code) = match function.as_str() {
                    "describe_rejection" | "find_requirement_slug" => ("token", token),
                    _ if path.starts_with("src/failure/aws/") => ("aws", aws),
                    _ => continue,
                };
                if OTHER_WORDS.contains(&value.as_str()) {
                    other_words.insert(value.as_str());
                } else {
                    codes.entry(format!("{room}/{value}")).or_default().extend(code);
                }
            }
        }
        for (function, text) in &reader.calls {
            let slug = if function == "make_aws_failure" { format!("aws/{text}") } else { text.clone() };
            if function.starts_with("make_") && is_slug(&slug) && path.starts_with("src/failure/") {
                codes.entry(slug).or_default().extend(code_of_maker(function));
            }
        }
        for (exit, text) in &reader.pairs {
            if is_slug(text) && path.starts_with("src/failure/") {
                codes.entry(text.clone()).or_default().extend(exit_codes.get(exit));
            }
        }
    }
    assert_eq!(templates.iter().map(String::as_str).collect::<Vec<_>>(), TEMPLATES, "rooms that put slugs together");
    assert_eq!(other_words.into_iter().collect::<Vec<_>>(), OTHER_WORDS, "words that are no slugs");
    codes
}

/// The OAuth errors that the program has advice on. A provider may send others.
fn oauth_errors() -> BTreeSet<String> {
    let table = read("src/failure/oidc/standard_hints.txt");
    let rows = table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" | "));
    rows.map(|(error, _)| format!("sign-in/{error}")).collect()
}

/// The slugs of the failures that the tests see.
fn slugs_of_golden_lists() -> BTreeSet<String> {
    let mut slugs = BTreeSet::new();
    for path in files_under("tests/expected", &["txt"]) {
        let text = read(&path);
        let messages = text.lines().filter(|line| line.starts_with("bedrock-sso: "));
        slugs.extend(messages.filter_map(|line| Some(line.rsplit_once(" [")?.1.strip_suffix(']')?.to_owned())));
    }
    slugs
}

/// The exit codes with which tests see each slug: `.fails(4, "sign-in/paused")`.
fn codes_of_tests() -> Codes {
    let mut codes = Codes::new();
    for path in files_under("tests", &["rs"]) {
        let text = read(&path);
        for method in ["fails(", "fails_without_golden(", "ends_with_failure("] {
            for (_, rest) in text.match_indices(method).map(|(at, _)| text.split_at(at + method.len())) {
                let Some((code, rest)) = rest.split_once(',') else { continue };
                let slug = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                if let (Ok(code), Some(slug)) = (code.trim().parse(), slug.filter(|slug| is_slug(slug))) {
                    codes.entry(slug.to_owned()).or_default().insert(code);
                }
            }
        }
    }
    codes
}

/// The headings of the page that are slugs, with the exit codes that the line below each one gives.
fn documented() -> Vec<(String, BTreeSet<u8>)> {
    let page = Page::read(PAGE.to_owned());
    let sections = page.prose.split("\n### ").skip(1);
    sections
        .map(|section| {
            let (slug, rest) = section.split_once("\n\n").unwrap_or_else(|| panic!("{section}: a heading and a text"));
            let line =
                rest.strip_prefix("Exit code ").unwrap_or_else(|| panic!("{slug}: the text begins with its exit code"));
            let first = line.split('.').next().unwrap();
            (slug.to_owned(), first.split('`').skip(1).step_by(2).map(|code| code.parse().unwrap()).collect())
        })
        .collect()
}

#[test]
fn every_slug_of_golden_lists_is_found_in_the_source() {
    let source = slugs_of_source();
    let is_foreign = |slug: &String| slug.starts_with("sign-in/") || slug.starts_with("quota/");
    let missed = slugs_of_golden_lists().into_iter().filter(|slug| !source.contains_key(slug) && !is_foreign(slug));
    assert!(source.len() > 120, "{}", source.len());
    assert_none("the reader of the source misses no slug", missed);
}

#[test]
fn failures_page_has_every_slug_once() {
    let documented: Vec<String> = documented().into_iter().map(|(slug, _)| slug).collect();
    let mut known: BTreeSet<String> = slugs_of_source().into_keys().collect();
    known.extend(oauth_errors());
    known.extend(slugs_of_golden_lists());
    known.extend(FOREIGN.map(str::to_owned));
    assert_none(
        "docs/reference/failures.md has a heading for each slug",
        known.iter().filter(|slug| !documented.contains(slug)).cloned(),
    );
    assert_none(
        "the program has each slug of docs/reference/failures.md",
        documented.iter().filter(|slug| !known.contains(*slug)).cloned(),
    );
    let once: BTreeSet<&String> = documented.iter().collect();
    assert_eq!(once.len(), documented.len(), "a slug has two headings");
}

#[test]
fn failures_page_gives_the_exit_code_of_each_slug() {
    let mut known = slugs_of_source();
    for (slug, codes) in codes_of_tests() {
        known.entry(slug).or_default().extend(codes);
    }
    let room = |slug: &str| slug.split('/').next().unwrap_or_default().to_owned();
    let mut rooms = Codes::new();
    for (slug, codes) in &known {
        rooms.entry(room(slug)).or_default().extend(codes);
    }
    let is_right = |slug: &str, codes: &BTreeSet<u8>| match known.get(slug).filter(|known| !known.is_empty()) {
        Some(known) => codes == known,
        // A function made the slug and another one the exit code: the code is one of its room.
        None => !codes.is_empty() && codes.is_subset(&rooms[&room(slug)]),
    };
    let offenders = documented().into_iter().filter(|(slug, codes)| !is_right(slug, codes));
    let describe = |(slug, codes): (String, BTreeSet<u8>)| format!("{slug}: {codes:?}, not {:?}", known.get(&slug));
    assert_none("docs/reference/failures.md has the exit code of each slug", offenders.map(describe));
}

/// Documents outside of the page mention slugs too.
#[test]
fn slugs_in_documents_exist() {
    let known: BTreeSet<String> = documented().into_iter().map(|(slug, _)| slug).collect();
    let rooms: BTreeSet<&str> = known.iter().filter_map(|slug| Some(slug.split_once('/')?.0)).collect();
    let mut offenders = Vec::new();
    for page in super::documents() {
        for span in page.spans() {
            let is_of_room = span.split_once('/').is_some_and(|(room, _)| rooms.contains(room));
            // The quota service makes the words of its room.
            if is_slug(&span) && is_of_room && !span.starts_with("quota/") && !known.contains(&span) {
                offenders.push(format!("{}: {span}", page.path));
            }
        }
    }
    assert_none("a slug in a document exists", offenders);
}
