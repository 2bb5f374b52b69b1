//! The user at the browser: the program that `browser` of the configuration starts with an address.
//!
//! It has no screen. Environment variables say what the user does.

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

/// The whole of the `person` example. All of these variables are optional:
///
/// - `PERSON_ACT`: `signs-in`, `denies`, `closes-the-tab`, `visits-twice`, `opens-the-console`, `stays`, `chatters`
/// - `PERSON_THINKS`: seconds before the user acts
/// - `PERSON_PAGE`: file for the final page
/// - `PERSON_TABS`: file that gets one line per visit
/// - `PERSON_SIGHT`: file for everything that other users can see in a process list
/// - `PERSON_CA`: certificate authorities to trust
pub fn person(address: &str) -> io::Result<()> {
    if let Some(tabs) = env::var_os("PERSON_TABS") {
        let mut file = OpenOptions::new().create(true).append(true).open(tabs)?;
        file.write_all(format!("{address}\n").as_bytes())?;
    }
    if let Some(file) = env::var_os("PERSON_SIGHT") {
        fs::write(file, processes::visible_to_others())?;
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

/// Prints what real browsers print when they are started from a terminal.
fn chatter() -> io::Result<()> {
    io::stdout().write_all(b"Opening in existing browser session.\n")?;
    io::stderr().write_all(b"[1120/110000.1:ERROR:gpu_init.cc(523)] Passthrough is not supported\n")
}

/// Follows the start address to the final page.
pub fn visit(address: &str, denies: bool) -> io::Result<Got> {
    let mut browser = browser();
    let last = sign_in_to_callback(&mut browser, address, denies)?;
    follow_redirects(&mut browser, &last, denies)
}

/// Enters a device code on the page at this address.
pub fn enter_code(address: &str, code: &str, denies: bool) -> io::Result<Got> {
    let mut browser = browser();
    browser.request("GET", address, &[], b"")?;
    let choice = if denies { "deny" } else { "sign-in" };
    browser.post(&resolve(address, "/device")?, &[("user_code", code), ("choice", choice)])
}

/// Signs in on another machine: follows the start address up to the callback, which cannot be reached there, and
/// returns the callback's address.
pub fn sign_in_to_unreachable_callback(address: &str, denies: bool) -> io::Result<String> {
    sign_in_to_callback(&mut browser(), address, denies)
}

/// Opens the callback twice at once, as a double click or a prefetching browser does.
fn visit_twice(address: &str) -> io::Result<Got> {
    let mut first = browser();
    let last = sign_in_to_callback(&mut first, address, false)?;
    let again = last.clone();
    let second = thread::spawn(move || follow_redirects(&mut browser(), &again, false));
    let page = follow_redirects(&mut first, &last, false);
    let other = second.join().expect("the second tab does not panic");
    if let (Some(file), Ok(other)) = (env::var_os("PERSON_PAGE"), other) {
        fs::write(PathBuf::from(file).with_extension("second.html"), other.body)?;
    }
    page
}

/// Follows the address of the console, and then opens it again.
fn open_console(address: &str) -> io::Result<Got> {
    let page = follow_redirects(&mut browser(), address, false);
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

/// Follows the address up to the redirect with the provider's answer, and returns that redirect's address.
fn sign_in_to_callback(browser: &mut Browser, address: &str, denies: bool) -> io::Result<String> {
    let mut here = address.to_owned();
    for _ in 0..20 {
        let got = step(browser, &mut here, denies)?;
        let Some(next) = next(&got, &here)? else {
            return Err(io::Error::other(format!("no redirect to the callback: ended at {here} with {}", got.status)));
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

fn follow_redirects(browser: &mut Browser, address: &str, denies: bool) -> io::Result<Got> {
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

/// Fetches one page, and submits its sign-in form if it has one.
fn step(browser: &mut Browser, here: &mut String, denies: bool) -> io::Result<Got> {
    let headers: &[(&str, &str)] = if denies { &[("X-Person", "denies")] } else { &[] };
    let got = browser.request("GET", here, headers, b"")?;
    let text = got.text();
    let Some((_, rest)) = text.split_once("name=\"ticket\" value=\"") else { return Ok(got) };
    let ticket = rest.split('"').next().unwrap_or_default();
    let choice = if denies { "deny" } else { "sign-in" };
    *here = resolve(here, "/login")?;
    browser.post(here, &[("ticket", ticket), ("choice", choice)])
}

fn next(got: &Got, here: &str) -> io::Result<Option<String>> {
    match got.header("location") {
        Some(to) if (300..400).contains(&got.status) => resolve(here, to).map(Some),
        _ => Ok(None),
    }
}

fn resolve(here: &str, to: &str) -> io::Result<String> {
    let base = Url::parse(here).map_err(io::Error::other)?;
    base.join(to).map(String::from).map_err(io::Error::other)
}

/// The address in a line that the program shows to the user.
#[track_caller]
pub fn address_in(line: &str) -> &str {
    let word = line.split_whitespace().find(|word| word.starts_with("http"));
    word.unwrap_or_else(|| panic!("no address: {line}")).trim_end_matches(['.', ',', ';'])
}

/// The device code in a line that the program shows to the user: the last word.
pub fn code_in(line: &str) -> &str {
    line.split_whitespace().next_back().unwrap_or_default()
}
