//! `completions` and `man`: what packages install beside the program, generated from what can be typed.
//!
//! Neither looks at a configuration, and nothing in them is written by hand.

use clap::CommandFactory as _;

use super::write_stdout;
use crate::{cli::Cli, failure::Failure};

const NAME: &str = "bedrock-sso";

pub(super) fn print_completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    write_stdout(&script)
}

/// One page for the whole program: each command's part follows the one before it.
pub(super) fn print_manual() -> Result<(), Failure> {
    write_stdout(&render_manual().map_err(Failure::from_stdout_error)?)
}

fn render_manual() -> std::io::Result<Vec<u8>> {
    let mut program = Cli::command();
    program.build();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(program.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    program.get_subcommands().try_for_each(|command| render_command(command, &mut page))?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// A command with those below it: what it is for, how it is typed, and what it takes.
fn render_command(command: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    if command.is_hide_set() || command.get_name() == "help" {
        return Ok(());
    }
    let title = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    page.extend_from_slice(format!(".SH \"{title}\"\n").as_bytes());
    let man = clap_mangen::Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    // Their titles are one step lower than those of the program's own parts.
    page.extend_from_slice(String::from_utf8_lossy(&parts).replace(".SH ", ".SS ").as_bytes());
    command.get_subcommands().try_for_each(|below| render_command(below, page))
}
