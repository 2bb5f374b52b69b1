//! The program: hands the process to the library and ends with the exit code it names.
//!
//! Nothing is decided here.

use std::process::ExitCode;

fn main() -> ExitCode {
    bedrock_sso::run(std::env::args_os())
}
