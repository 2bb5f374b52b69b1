//! Markdown as far as the documents use it: fenced blocks, code spans, headings, links and tables.
//!
//! GitHub and mdBook make the same anchors of headings, so one rule serves both.

use std::collections::BTreeMap;

/// A document.
pub(crate) struct Page {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: String,
    /// The text without its fenced blocks.
    pub prose: String,
    blocks: Vec<Block>,
}

/// A fenced block, without its fences and their indentation.
pub(crate) struct Block {
    pub language: String,
    pub text: String,
}

impl Page {
    pub(crate) fn read(path: String) -> Self {
        let text = super::read(&path);
        let (prose, blocks) = split_blocks(&text);
        Self { path, text, prose, blocks }
    }

    /// The blocks of these languages, in their order.
    pub(crate) fn blocks(&self, languages: &[&str]) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.iter().filter(|block| languages.contains(&block.language.as_str()));
        blocks.map(|block| block.text.as_str())
    }

    /// The code spans of the prose.
    pub(crate) fn spans(&self) -> Vec<String> {
        split_spans(&self.prose).1
    }

    /// Where the links and pictures of the page lead.
    pub(crate) fn targets(&self) -> Vec<String> {
        let (prose, _) = split_spans(&self.prose);
        let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let references = prose.lines().filter_map(|line| Some(line.strip_prefix('[')?.split_once("]: ")?.1));
        let attributes = ["src=\"", "srcset=\"", "href=\""];
        let html =
            attributes.iter().flat_map(|start| prose.split(start).skip(1)).filter_map(|rest| rest.split('"').next());
        inline.chain(references).chain(html).map(|target| target.trim().to_owned()).collect()
    }

    /// The text of each heading, without its marks.
    pub(crate) fn headings(&self) -> Vec<&str> {
        self.prose
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').trim())
            .collect()
    }

    /// What may stand behind `#` in a link to the page.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut seen = BTreeMap::<String, usize>::new();
        let mut anchors = Vec::new();
        for heading in self.headings() {
            let anchor = make_anchor(heading);
            let count = seen.entry(anchor.clone()).or_default();
            anchors.push(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
            *count += 1;
        }
        let ids = self.prose.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        anchors.extend(ids.map(str::to_owned));
        anchors
    }
}

/// The prose, and the fenced blocks with those inside of blocks of Markdown.
fn split_blocks(text: &str) -> (String, Vec<Block>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((prefix, fence, language)) = parse_fence(line) else {
            prose.push_str(line);
            prose.push('\n');
            continue;
        };
        let mut inside = String::new();
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("a block has no end: {language}\n{inside}"));
            let content = line.trim_start_matches([' ', '>']).trim_end();
            if content.starts_with(fence) && content.trim_matches(fence.as_bytes()[0] as char).is_empty() {
                break;
            }
            let own = line.strip_prefix(prefix).unwrap_or_else(|| line.trim_start());
            inside.push_str(own);
            inside.push('\n');
        }
        if ["markdown", "md"].contains(&language) {
            blocks.extend(split_blocks(&inside).1);
        }
        blocks.push(Block { language: language.to_owned(), text: inside });
        // A block ends the paragraph before it.
        prose.push('\n');
    }
    (prose, blocks)
}

/// What stands before a fence, the fence, and the language behind it. A file of another program than the client's has the
/// program's name behind the language, such as `toml,server`.
fn parse_fence(line: &str) -> Option<(&str, &str, &str)> {
    let content = line.trim_start_matches([' ', '>']);
    let mark = content.chars().next().filter(|mark| "`~".contains(*mark))?;
    let length = content.len() - content.trim_start_matches(mark).len();
    let (fence, info) = content.split_at(length);
    // A code span of three marks or more ends in its own line.
    let is_fence = length >= 3 && !info.contains(mark);
    is_fence.then(|| (&line[..line.len() - content.len()], fence, info))
}

/// The prose without its code spans, and the spans. A span may go on in the next line of its paragraph.
fn split_spans(prose: &str) -> (String, Vec<String>) {
    let (mut rest, mut spans) = (String::new(), Vec::new());
    for paragraph in prose.split("\n\n") {
        let mut text = paragraph;
        while let Some(start) = text.find('`') {
            let marks = text[start..].len() - text[start..].trim_start_matches('`').len();
            let (before, from) = (&text[..start], &text[start + marks..]);
            rest.push_str(before);
            match find_marks(from, marks) {
                Some(end) => {
                    spans.push(from[..end].replace('\n', " ").trim().to_owned());
                    text = &from[end + marks..];
                }
                None => text = from,
            }
        }
        rest.push_str(text);
        rest.push_str("\n\n");
    }
    (rest, spans)
}

/// Where just so many backticks stand together.
fn find_marks(text: &str, marks: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text[at..].find('`')?;
        let found = text[at..].len() - text[at..].trim_start_matches('`').len();
        if found == marks {
            return Some(at);
        }
        at += found;
    }
}

/// The anchor of a heading: in small letters, without punctuation, with dashes for spaces.
fn make_anchor(heading: &str) -> String {
    // Of a link only its text counts.
    let mut title = String::new();
    let mut rest = heading;
    while let Some((before, (text, after))) =
        rest.split_once('[').and_then(|(before, link)| Some((before, link.split_once("](")?)))
    {
        title.push_str(before);
        title.push_str(text);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    title.push_str(rest);
    let title = title.to_lowercase();
    let letters = title.chars().filter(|part| part.is_alphanumeric() || " -_".contains(*part));
    letters.map(|part| if part == ' ' { '-' } else { part }).collect()
}

/// The cells of a row of a table, trimmed.
pub(crate) fn split_row(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn fences_may_be_indented_quoted_and_nested() {
    let text =
        "- a\n\n  ```toml\n  x = 1\n    y\n  ```\n\n> ~~~sh\n> b\n> ~~~\n\n````md\n```toml\nz = 2\n```\n````\nc\n";
    let (prose, blocks) = split_blocks(text);
    assert_eq!(prose, "- a\n\n\n\n\n\n\nc\n");
    let found: Vec<_> = blocks.iter().map(|block| (block.language.as_str(), block.text.as_str())).collect();
    assert_eq!(found, [("toml", "x = 1\n  y\n"), ("sh", "b\n"), ("toml", "z = 2\n"), ("md", "```toml\nz = 2\n```\n")]);
}

#[test]
fn a_span_may_cross_lines_but_not_paragraphs() {
    let (rest, spans) = split_spans("a `b\nc` d ``e`f``\n\n`g h\n\ni` j");
    assert_eq!(spans, ["b c", "e`f"]);
    assert_eq!(rest, "a  d \n\ng h\n\ni j\n\n");
}

#[test]
fn an_anchor_has_no_punctuation_and_no_address() {
    assert_eq!(make_anchor("sign-in/access_denied"), "sign-inaccess_denied");
    assert_eq!(make_anchor("`exec -- CMD` of [a page](x.md#y), 2"), "exec----cmd-of-a-page-2");
}
