//! The binary. It passes the command line to the library and exits with the code that the library returns.

use std::process::ExitCode;

fn main() -> ExitCode {
    bedrock_sso_server::run(std::env::args_os())
}
