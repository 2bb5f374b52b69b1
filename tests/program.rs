//! Every test that runs the whole program, in one binary: it is linked once, and tests that wait for a deadline wait side by
//! side with all others. Run a part of it with `cargo test --test program sign_in::`.
#![cfg(unix)]

#[path = "application/main.rs"]
mod application;
mod crowd;
mod destinations;
mod environment;
#[path = "doctor/main.rs"]
mod doctor;
#[path = "exchange/main.rs"]
mod exchange;
#[path = "hooks/main.rs"]
mod hooks;
#[path = "host/main.rs"]
mod host;
mod ladder;
#[path = "live/main.rs"]
mod live;
mod logout;
#[path = "providers/main.rs"]
mod providers;
mod quota;
#[path = "sign_in/main.rs"]
mod sign_in;
#[path = "surface/main.rs"]
mod surface;
