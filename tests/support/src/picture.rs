//! Pictures of a terminal for the documents, drawn from what the program printed there.

use std::fmt::Write as _;

/// Width of a character and height of a line of the 13-pixel font that the picture asks for.
const CHARACTER: usize = 8;
const LINE: usize = 20;
const MARGIN: usize = 20;
/// Below the three dots of the window's frame.
const TOP: usize = 62;

/// Commands and what each printed, as a user sees them in one terminal.
#[derive(Default)]
pub struct TerminalPicture {
    lines: Vec<String>,
    columns: usize,
}

impl TerminalPicture {
    /// Adds a command and its output, which may have the colours of a terminal (SGR codes).
    pub fn add(&mut self, command: &str, output: &str) {
        if !self.lines.is_empty() {
            self.add_line(String::new(), 0);
        }
        self.add_line(
            format!("<tspan class=\"dim\">$</tspan> <tspan class=\"typed\">{}</tspan>", escape(command)),
            command.len() + 2,
        );
        for line in output.trim_end().lines() {
            let (drawn, columns) = draw(line);
            self.add_line(drawn, columns);
        }
    }

    fn add_line(&mut self, drawn: String, columns: usize) {
        self.lines.push(drawn);
        self.columns = self.columns.max(columns);
    }

    /// The picture as SVG. A screen reader reads `title`.
    pub fn into_svg(self, title: &str) -> String {
        let width = self.columns * CHARACTER + 2 * MARGIN;
        let height = TOP + self.lines.len() * LINE;
        let title = escape(title);
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t">
<title id="t">{title}</title>
<style>
  text {{ font: 13px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d5dae2; white-space: pre; }}
  .dim {{ fill: #8b95a4; }} .typed {{ fill: #ffffff; font-weight: 600; }}
  .good {{ fill: #6fdc97; }} .warning {{ fill: #f2c55c; }} .bad {{ fill: #ff8a80; }} .strong {{ font-weight: 600; }}
</style>
<rect width="{width}" height="{height}" rx="10" fill="#12161c"/>
<circle cx="22" cy="20" r="6" fill="#3a424e"/><circle cx="42" cy="20" r="6" fill="#3a424e"/><circle cx="62" cy="20" r="6" fill="#3a424e"/>
"##
        );
        for (row, line) in self.lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            let y = TOP + row * LINE;
            writeln!(svg, r#"<text x="{MARGIN}" y="{y}" xml:space="preserve">{line}</text>"#)
                .expect("a string can be written");
        }
        svg + "</svg>\n"
    }
}

/// A line with `tspan` elements in place of the terminal's colours, and how many characters it shows.
fn draw(line: &str) -> (String, usize) {
    // What an erased line said before is not seen.
    let line = line.rsplit("\u{1b}[K").next().unwrap_or_default();
    let mut pieces = line.split("\u{1b}[");
    let plain = pieces.next().unwrap_or_default();
    let (mut drawn, mut columns) = (escape(plain), plain.chars().count());
    for piece in pieces {
        let (code, text) = piece.split_once('m').unwrap_or(("", piece));
        columns += text.chars().count();
        let class = match code {
            "1" => "strong",
            "2" => "dim",
            "31" => "bad",
            "32" => "good",
            "33" => "warning",
            _ => "",
        };
        match (class, text) {
            (_, "") => {}
            ("", text) => drawn += &escape(text),
            (class, text) => drawn += &format!("<tspan class=\"{class}\">{}</tspan>", escape(text)),
        }
    }
    (drawn, columns)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
