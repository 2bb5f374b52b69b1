//! The test world for scripts: `cargo run --example world [-- --tls]` prints its addresses as one line of JSON, and
//! serves until its stdin is closed. The module `control` of `testworld` lists the requests that the control address
//! accepts.

fn main() {
    testworld::serve_until_stdin_closes(std::env::args().any(|argument| argument == "--tls"));
}
