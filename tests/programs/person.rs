//! The user at the browser, as a program: `browser = ["…/person", "{url}"]`. `testworld::person` describes what it
//! does.

use std::process::ExitCode;

fn main() -> ExitCode {
    let visited = std::env::args().nth(1).map(|address| testworld::person(&address));
    if matches!(visited, Some(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
