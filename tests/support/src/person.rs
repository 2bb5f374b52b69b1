//! The person at the browser: what the configured browser command does when it is given an address.
//!
//! Silent and headless. The environment says how the person behaves today.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    thread,
    time::Duration,
};

use url::Url;

use crate::{
    client::{Browser, Got},
    processes,
};

/// The whole of the `person` example. The environment, all optional:
/// `PERSON_ACT` signs-in, denies, closes-the-tab, visits-twice, opens-the-console, stays, chatters; `PERSON_THINKS` seconds before acting;
/// `PERSON_PAGE` file for the final page; `PERSON_TABS` file that gets a line a visit; `PERSON_SIGHT` file for what any process list shows; `PERSON_CA`
/// authorities.
pub fn person(address: &str) -> io::Result<()> {
    if let Some(tabs) = env::var_os("PERSON_TABS") {
        let mut file = OpenOptions::new().create(true).append(true).open(tabs)?;
        file.write_all(format!("{address}\n").as_bytes())?;
    }
    if let Some(file) = env::var_os("PERSON_SIGHT") {
        fs::write(file, processes::in_sight())?;
    }
    let act = env::var("PERSON_ACT").unwrap_or_default();
    if act == "chatters" {
        chatter()?;
    }
    let seconds = env::var("PERSON_THINKS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0);
    thread::sleep(Duration::from_secs_f64(seconds));
    let page = match act.as_str() {
        "closes-the-tab" => return Ok(()),
        "denies" => visit(address, true)?,
        "visits-twice" => visit_twice(address)?,
        "opens-the-console" => open_console(address)?,
        _ => visit(address, false)?,
    };
    if let Some(file) = env::var_os("PERSON_PAGE") {
        fs::write(file, &page.body)?;
    }
    if act == "stays" {
        thread::sleep(Duration::from_secs(120));
    }
    Ok(())
}

/// As browsers do that were started from a terminal.
fn chatter() -> io::Result<()> {
    io::stdout().write_all(b"Opening in existing browser session.\n")?;
    io::stderr().write_all(b"[1120/110000.1:ERROR:gpu_init.cc(523)] Passthrough is not supported\n")
}

/// Goes from the start address to the final page.
pub fn visit(address: &str, denies: bool) -> io::Result<Got> {
    let mut browser = browser();
    let last = to_the_callback(&mut browser, address, denies)?;
    follow(&mut browser, &last, denies)
}

/// Enters a device code at the address that was shown with it.
pub fn enter_code(address: &str, code: &str, denies: bool) -> io::Result<Got> {
    let mut browser = browser();
    browser.request("GET", address, &[], b"")?;
    let choice = if denies { "deny" } else { "sign-in" };
    browser.post(&joined(address, "/device")?, &[("user_code", code), ("choice", choice)])
}

/// Signs in from the address that is to be opened elsewhere, and ends on an address that cannot be reached from there.
pub fn arrive(address: &str, denies: bool) -> io::Result<String> {
    to_the_callback(&mut browser(), address, denies)
}

/// The callback twice at once, as happens with a double click or a prefetching browser.
fn visit_twice(address: &str) -> io::Result<Got> {
    let mut first = browser();
    let last = to_the_callback(&mut first, address, false)?;
    let again = last.clone();
    let second = thread::spawn(move || follow(&mut browser(), &again, false));
    let page = follow(&mut first, &last, false);
    let other = second.join().expect("the second tab does not panic");
    if let (Some(file), Ok(other)) = (env::var_os("PERSON_PAGE"), other) {
        fs::write(PathBuf::from(file).with_extension("second.html"), other.body)?;
    }
    page
}

/// Follows the address of the console, and then opens it once more.
fn open_console(address: &str) -> io::Result<Got> {
    let page = follow(&mut browser(), address, false);
    let again = match browser().get(address) {
        Ok(got) => format!("status {}", got.status),
        Err(error) => format!("{:?}", error.kind()),
    };
    if let Some(file) = env::var_os("PERSON_PAGE") {
        fs::write(PathBuf::from(file).with_extension("second.html"), again)?;
    }
    page
}

fn browser() -> Browser {
    Browser::new(env::var_os("PERSON_CA").map(PathBuf::from).as_deref())
}

/// Stops before the redirect that carries the provider's answer, and returns its address.
fn to_the_callback(browser: &mut Browser, address: &str, denies: bool) -> io::Result<String> {
    let mut here = address.to_owned();
    for _ in 0..20 {
        let got = step(browser, &mut here, denies)?;
        let Some(next) = next(&got, &here)? else {
            return Err(io::Error::other(format!("the way ended at {here} with {}", got.status)));
        };
        here = next;
        let url = Url::parse(&here).map_err(io::Error::other)?;
        if url.query_pairs().any(|(name, _)| name == "code" || name == "error" || name == "state")
            && !url.query_pairs().any(|(name, _)| name == "response_type")
        {
            return Ok(here);
        }
    }
    Err(io::Error::other("too many redirects"))
}

fn follow(browser: &mut Browser, address: &str, denies: bool) -> io::Result<Got> {
    let mut here = address.to_owned();
    for _ in 0..20 {
        let got = step(browser, &mut here, denies)?;
        match next(&got, &here)? {
            Some(next) => here = next,
            None => return Ok(got),
        }
    }
    Err(io::Error::other("too many redirects"))
}

/// One page; a sign-in form is sent off at once.
fn step(browser: &mut Browser, here: &mut String, denies: bool) -> io::Result<Got> {
    let mood: &[(&str, &str)] = if denies { &[("X-Person", "denies")] } else { &[] };
    let got = browser.request("GET", here, mood, b"")?;
    let text = got.text();
    let Some((_, rest)) = text.split_once("name=\"ticket\" value=\"") else { return Ok(got) };
    let ticket = rest.split('"').next().unwrap_or_default();
    let choice = if denies { "deny" } else { "sign-in" };
    *here = joined(here, "/login")?;
    browser.post(here, &[("ticket", ticket), ("choice", choice)])
}

fn next(got: &Got, here: &str) -> io::Result<Option<String>> {
    match got.header("location") {
        Some(to) if (300..400).contains(&got.status) => joined(here, to).map(Some),
        _ => Ok(None),
    }
}

fn joined(here: &str, to: &str) -> io::Result<String> {
    let base = Url::parse(here).map_err(io::Error::other)?;
    base.join(to).map(String::from).map_err(io::Error::other)
}

/// The address in a line that the program shows to a person.
#[track_caller]
pub fn address_in(line: &str) -> &str {
    let word = line.split_whitespace().find(|word| word.starts_with("http"));
    word.unwrap_or_else(|| panic!("no address: {line}")).trim_end_matches(['.', ',', ';'])
}

/// The code in a line that the program shows to a person, who is to enter it elsewhere: it is the last word.
pub fn code_in(line: &str) -> &str {
    line.split_whitespace().next_back().unwrap_or_default()
}
