//! The test world for scripts: `cargo run --example world [-- --tls]` tells its addresses in a line of JSON and
//! serves until its stdin closes. The control address it names takes what `testworld`'s `control` lists.

fn main() {
    testworld::serve_until_stdin_closes(std::env::args().any(|argument| argument == "--tls"));
}
