//! The binary. It passes the command line to the library and exits with the code that the library returns.
//!
//! All code is in the library, so that tests and examples can use it.

use std::process::ExitCode;

fn main() -> ExitCode {
    bedrock_sso::run(std::env::args_os())
}
