//! Pictures of a terminal for the documents, drawn from what the program printed there.

use std::{fmt::Write as _, fs, path::Path};

/// Width of a character and height of a line of the 13-pixel font that the picture asks for.
const CHARACTER: usize = 8;
const LINE: usize = 20;
/// From the top of a line to its baseline.
const BASELINE: usize = 15;
const MARGIN: usize = 20;
/// Below the three dots of the window's frame.
const TOP: usize = 62;

/// The background of the terminal, which the user chooses and the program does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalBackground {
    Dark,
    Light,
}

/// The colours of a terminal, as CSS.
struct TerminalColours {
    window: &'static str,
    frame: &'static str,
    text: &'static str,
    dim: &'static str,
    typed: &'static str,
    good: &'static str,
    warning: &'static str,
    bad: &'static str,
}

impl TerminalBackground {
    fn colours(self) -> TerminalColours {
        match self {
            Self::Dark => TerminalColours {
                window: "#12161c",
                frame: "#3a424e",
                text: "#d5dae2",
                dim: "#8b95a4",
                typed: "#ffffff",
                good: "#6fdc97",
                warning: "#f2c55c",
                bad: "#ff8a80",
            },
            // Those of the terminal in Visual Studio Code.
            Self::Light => TerminalColours {
                window: "#ffffff",
                frame: "#d0d0d0",
                text: "#333333",
                dim: "#858585",
                typed: "#000000",
                good: "#107c10",
                warning: "#949800",
                bad: "#cd3131",
            },
        }
    }
}

/// Commands and what each printed, as a user sees them in one terminal.
#[derive(Default)]
pub struct TerminalPicture {
    lines: Vec<DrawnLine>,
    columns: usize,
}

/// A line as SVG.
#[derive(Default)]
struct DrawnLine {
    /// The text, with `tspan` elements in place of the terminal's colours.
    text: String,
    columns: usize,
    /// The parts with a background of their own: the first column, the number of columns, and the class.
    fills: Vec<(usize, usize, &'static str)>,
}

impl TerminalPicture {
    /// Adds a command and its output, which may have the colours of a terminal (SGR codes).
    pub fn add(&mut self, command: &str, output: &str) {
        if !self.lines.is_empty() {
            self.add_line(DrawnLine::default());
        }
        let text = format!("<tspan class=\"dim\">$</tspan> <tspan class=\"typed\">{}</tspan>", escape(command));
        self.add_line(DrawnLine { text, columns: command.len() + 2, fills: Vec::new() });
        for line in output.trim_end().lines() {
            self.add_line(draw(line));
        }
    }

    fn add_line(&mut self, drawn: DrawnLine) {
        self.columns = self.columns.max(drawn.columns);
        self.lines.push(drawn);
    }

    /// Writes the picture on both backgrounds into `terminals` below this folder, for somebody who wants to see what the
    /// user sees.
    pub fn write_for_review(&self, folder: &Path, name: &str) {
        let folder = folder.join("terminals");
        fs::create_dir_all(&folder).expect("the folder of test results is writable");
        for (suffix, background) in [("dark", TerminalBackground::Dark), ("light", TerminalBackground::Light)] {
            let file = folder.join(format!("{name}-{suffix}.svg"));
            fs::write(file, self.to_svg(name, background)).expect("the folder of test results is writable");
        }
    }

    /// The picture as SVG. A screen reader reads `title`.
    pub fn to_svg(&self, title: &str, background: TerminalBackground) -> String {
        let TerminalColours { window, frame, text, dim, typed, good, warning, bad } = background.colours();
        let has_fills = self.lines.iter().any(|line| !line.fills.is_empty());
        let fills = match has_fills {
            true => format!(
                "\n  .fore {{ fill: {text}; }} .inverse {{ fill: {window}; }} .paper {{ fill: #fff; }} .ink {{ fill: #000; }}"
            ),
            false => String::new(),
        };
        let width = self.columns * CHARACTER + 2 * MARGIN;
        let height = TOP + self.lines.len() * LINE;
        let title = escape(title);
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t">
<title id="t">{title}</title>
<style>
  text {{ font: 13px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: {text}; white-space: pre; }}
  .dim {{ fill: {dim}; }} .typed {{ fill: {typed}; font-weight: 600; }}
  .good {{ fill: {good}; }} .warning {{ fill: {warning}; }} .bad {{ fill: {bad}; }} .strong {{ font-weight: 600; }}{fills}
</style>
<rect width="{width}" height="{height}" rx="10" fill="{window}"/>
<circle cx="22" cy="20" r="6" fill="{frame}"/><circle cx="42" cy="20" r="6" fill="{frame}"/><circle cx="62" cy="20" r="6" fill="{frame}"/>
"##
        );
        for (row, DrawnLine { text, fills, .. }) in self.lines.iter().enumerate().filter(|(_, line)| line.columns > 0) {
            let y = TOP + row * LINE;
            for (first, columns, class) in fills {
                let (x, top, width) = (MARGIN + first * CHARACTER, y - BASELINE, columns * CHARACTER);
                writeln!(svg, r#"<rect class="{class}" x="{x}" y="{top}" width="{width}" height="{LINE}"/>"#)
                    .expect("a string can be written");
            }
            writeln!(svg, r#"<text x="{MARGIN}" y="{y}" xml:space="preserve">{text}</text>"#)
                .expect("a string can be written");
        }
        svg + "</svg>\n"
    }
}

/// Draws a line of the terminal.
fn draw(line: &str) -> DrawnLine {
    // What an erased line said before is not seen.
    let line = line.rsplit("\u{1b}[K").next().unwrap_or_default();
    let mut pieces = line.split("\u{1b}[");
    let plain = pieces.next().unwrap_or_default();
    let mut drawn = DrawnLine { text: escape(plain), columns: plain.chars().count(), fills: Vec::new() };
    for piece in pieces {
        let (code, text) = piece.split_once('m').unwrap_or(("", piece));
        let columns = text.chars().count();
        let (class, fill) = match code {
            "1" => ("strong", None),
            "2" => ("dim", None),
            "31" => ("bad", None),
            "32" => ("good", None),
            "33" => ("warning", None),
            "1;7" => ("inverse strong", Some("fore")),
            // The program chooses these two colours itself: black on white, which a camera can read.
            "38;5;16;48;5;231" => ("ink", Some("paper")),
            _ => ("", None),
        };
        drawn.fills.extend(fill.map(|class| (drawn.columns, columns, class)).filter(|_| columns > 0));
        drawn.columns += columns;
        match (class, text) {
            (_, "") => {}
            ("", text) => drawn.text += &escape(text),
            (class, text) => drawn.text += &format!("<tspan class=\"{class}\">{}</tspan>", escape(text)),
        }
    }
    drawn
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
