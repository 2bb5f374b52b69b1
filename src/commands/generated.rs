//! `completions` and `man`: print shell completions and the manual page, which packages install with the program.
//!
//! Both are generated from the definitions in `cli`, so they always describe this version of the program. They read no
//! configuration.

use clap::CommandFactory as _;

use super::write_stdout;
use crate::{cli::Cli, failure::Failure};

const NAME: &str = "bedrock-sso";

/// Prints the completion script for `shell`.
pub(super) fn print_completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    write_stdout(&script)
}

/// Prints one manual page that describes every command, in roff.
pub(super) fn print_manual() -> Result<(), Failure> {
    write_stdout(&render_manual().map_err(Failure::from_stdout_error)?)
}

/// `clap_mangen` would make a page for each command. Users search one page more easily, so the sections are put
/// together here.
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

/// Adds the section of a command, and then those of its subcommands. Hidden commands get no section.
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
    // The titles of a command's parts become subsections (`.SS`), below the section of the command (`.SH`).
    page.extend_from_slice(String::from_utf8_lossy(&parts).replace(".SH ", ".SS ").as_bytes());
    command.get_subcommands().try_for_each(|below| render_command(below, page))
}
