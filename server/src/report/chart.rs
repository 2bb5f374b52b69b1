//! Charts of the report, as SVG inside of the page. They need no script, and print.

use std::fmt::Write as _;

use bedrock_sso::text::escape_html;

use crate::usage::MicroUsd;

/// The size of the chart of days, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
/// What the numbers at the left and the days below need.
const LEFT: f64 = 64.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 12.0;

/// A column for each label. `labels` are days, of which some are written below the columns.
pub(super) fn draw_columns(description: &str, columns: &[(String, MicroUsd)]) -> String {
    let largest = columns.iter().map(|(_, cost)| cost.as_dollars()).fold(0.0, f64::max);
    let step = choose_step(largest);
    let top = (largest / step).ceil().max(1.0) * step;
    let (plot_width, plot_height) = (WIDTH - LEFT, HEIGHT - BELOW - ABOVE);
    let height_of = |dollars: f64| plot_height * dollars / top;
    let mut svg = format!(
        "<svg class=\"columns\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        escape_html(description)
    );
    let mut mark = 0.0;
    while mark <= top + step / 2.0 {
        let y = ABOVE + plot_height - height_of(mark);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            describe_mark(mark, step)
        );
        mark += step;
    }
    let slot = plot_width / f64::from(u16::try_from(columns.len().max(1)).unwrap_or(u16::MAX));
    let mut x = LEFT;
    for (index, (label, cost)) in columns.iter().enumerate() {
        let height = height_of(cost.as_dollars());
        let _ = writeln!(
            svg,
            "<rect class=\"column\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"2\"><title>{}: {cost}</title></rect>",
            x + slot * 0.14,
            ABOVE + plot_height - height,
            slot * 0.72,
            escape_html(label),
        );
        // Each seventh day is enough for the eye, and all numbers are in the table below.
        if index % 7 == 0 {
            let day = label.rsplit_once('-').map_or(label.as_str(), |(_, day)| day.trim_start_matches('0'));
            let _ = writeln!(
                svg,
                "<text class=\"day\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + slot / 2.0,
                HEIGHT - 6.0,
                escape_html(day)
            );
        }
        x += slot;
    }
    svg.push_str("</svg>\n");
    svg
}

/// A bar for a share of the largest row.
pub(super) fn draw_bar(share: f64) -> String {
    // NaN is no number of a width.
    let width = if share.is_nan() { 0.0 } else { (100.0 * share).clamp(0.0, 100.0) };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"all\" width=\"100\" height=\"1\"/><rect class=\"used\" width=\"{width:.1}\" height=\"1\"/></svg>"
    )
}

/// The distance of the lines: 1, 2 or 5 times a power of ten, so that there are three to six of them.
fn choose_step(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 1.0;
    }
    let rough = largest / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    step.unwrap_or(10.0 * power)
}

fn describe_mark(dollars: f64, step: f64) -> String {
    let digits = if step >= 1.0 { 0 } else { usize::from(step < 0.1) + 1 };
    format!("{dollars:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_round_numbers() {
        for (largest, step) in [(0.0, 1.0), (0.03, 0.01), (1.0, 0.5), (4.2, 2.0), (87.0, 50.0), (1234.0, 500.0)] {
            let chosen = choose_step(largest);
            assert!((chosen - step).abs() < 1e-9, "{largest}: {chosen}");
        }
        assert_eq!(describe_mark(0.05, 0.01), "0.05");
        assert_eq!(describe_mark(1500.0, 500.0), "1500");
    }

    #[test]
    fn columns_stay_inside_the_chart() {
        let columns: Vec<_> = (1..=31).map(|day| (format!("2026-12-{day:02}"), MicroUsd(day * 7_000_000))).collect();
        let svg = draw_columns("days", &columns);
        assert_eq!(svg.matches("<rect class=\"column\"").count(), 31);
        for part in svg.split(" y=\"").skip(1) {
            let y: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((0.0..=HEIGHT).contains(&y), "{y}");
        }
        // A month without any usage has lines, and columns without height.
        assert!(draw_columns("days", &[("2026-12-01".to_owned(), MicroUsd(0))]).contains("height=\"0.0\""));
    }

    #[test]
    fn strange_shares_make_no_strange_bars() {
        for (share, width) in [(f64::NAN, "0.0"), (-1.0, "0.0"), (7.0, "100.0"), (0.5, "50.0")] {
            assert!(draw_bar(share).contains(&format!("<rect class=\"used\" width=\"{width}\"")), "{share}");
        }
    }
}
