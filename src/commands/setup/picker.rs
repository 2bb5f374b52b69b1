//! A list at a terminal: the user searches it by part of a text, and chooses an entry by its number.

use super::{
    prompts::{InputEnded, prompt_until_valid},
    write_stderr,
};

/// The number of entries that are shown at once. Longer lists have to be searched.
const SHOWN: usize = 20;

/// An answer to the picker's question.
#[derive(Debug, PartialEq, Eq)]
enum PickerAnswer {
    /// The index of the chosen entry.
    Chosen(usize),
    /// The indices of the entries to show.
    Found(Vec<usize>),
}

/// Lets the user choose one of these lines, and returns its index. A single line is chosen without a question. The
/// lines must be safe to print. A search does not change the numbers.
pub(super) fn choose_line(noun: &str, lines: &[String]) -> Result<usize, InputEnded> {
    if lines.len() == 1 {
        return Ok(0);
    }
    let mut found: Vec<usize> = (0..lines.len()).collect();
    loop {
        write_stderr(&format_lines(lines, &found));
        let question = format!("Number of the {noun}, or part of its text to search");
        match prompt_until_valid(&question, None, |answer| parse_answer(answer, lines))? {
            PickerAnswer::Chosen(index) => return Ok(index),
            PickerAnswer::Found(indices) => found = indices,
        }
    }
}

/// An empty answer shows the whole list again. A text that only one entry has chooses it.
fn parse_answer(answer: &str, lines: &[String]) -> Result<PickerAnswer, String> {
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    if let Some(index) = number.filter(|index| *index < lines.len()) {
        return Ok(PickerAnswer::Chosen(index));
    }
    let wanted = answer.to_lowercase();
    let matches = |index: &usize| lines.get(*index).is_some_and(|line| line.to_lowercase().contains(&wanted));
    let found: Vec<usize> = (0..lines.len()).filter(matches).collect();
    match *found.as_slice() {
        [] => Err(format!("no entry has this text; enter a number from 1 to {}, or another text", lines.len())),
        [only] => Ok(PickerAnswer::Chosen(only)),
        _ => Ok(PickerAnswer::Found(found)),
    }
}

fn format_lines(lines: &[String], found: &[usize]) -> String {
    let width = lines.len().to_string().len();
    let line = |index: &usize| Some(format!("  {:>width$}  {}\n", index + 1, lines.get(*index)?));
    let shown: String = found.iter().take(SHOWN).filter_map(line).collect();
    match found.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(rest) => format!("{shown}  and {rest} more\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<String> {
        ["111111111111  Sandbox", "222222222222  Production", "333333333333  Production EU"].map(str::to_owned).into()
    }

    #[test]
    fn answer_is_a_number_of_the_list_or_a_text_of_it() {
        let parse = |answer| parse_answer(answer, &lines());
        assert_eq!(parse("2"), Ok(PickerAnswer::Chosen(1)));
        assert_eq!(parse("sand"), Ok(PickerAnswer::Chosen(0)));
        assert_eq!(parse("333333333333"), Ok(PickerAnswer::Chosen(2)));
        assert_eq!(parse("PROD"), Ok(PickerAnswer::Found(vec![1, 2])));
        assert_eq!(parse(""), Ok(PickerAnswer::Found(vec![0, 1, 2])));
        for answer in ["4", "0", "none"] {
            assert!(parse(answer).unwrap_err().contains("from 1 to 3"), "{answer}");
        }
    }

    #[test]
    fn long_list_is_cut_and_numbers_stay_during_a_search() {
        let lines: Vec<String> = (1..=120).map(|number| format!("account-{number:03}")).collect();
        let all: Vec<usize> = (0..120).collect();
        let shown = format_lines(&lines, &all);
        assert!(
            shown.starts_with("    1  account-001\n    2  ") && shown.ends_with("   20  account-020\n  and 100 more\n")
        );
        assert_eq!(format_lines(&lines, &[6, 106]), "    7  account-007\n  107  account-107\n");
    }
}
