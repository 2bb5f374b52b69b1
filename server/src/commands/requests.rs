//! What a command line requests of the store: its arguments and files as an [`AdminRequest`].

use std::{
    fs,
    path::{Path, PathBuf},
};

use bedrock_sso::{
    files::write_atomically,
    host,
    text::{describe_io_error, display_path},
    time::Timestamp,
};

use crate::{
    administration::{AdminRequest, TransferRow, parse_transfer},
    calendar::{Calendar, Period},
    cli::{BlockArgs, GrantArgs, RemoveLimitsArgs, ReportArgs, SetLimitsArgs},
    failure::Failure,
    limits::{Block, Grant, Limit},
};

pub(super) fn set_limits(arguments: &SetLimitsArgs) -> Result<AdminRequest, Failure> {
    let amounts = [(Period::Hour, &arguments.hour), (Period::Day, &arguments.day), (Period::Month, &arguments.month)];
    let limits: Vec<Limit> = amounts
        .into_iter()
        .flat_map(|(period, amounts)| amounts.iter().map(move |amount| (period, *amount)))
        .map(|(period, amount)| Limit {
            scope: arguments.scope.scope(),
            model: arguments.model.clone(),
            period,
            amount,
            action: arguments.action,
        })
        .collect();
    match limits.is_empty() {
        true => Err(Failure::usage("no limit is given", "add --hour, --day or --month with an amount")),
        false => Ok(AdminRequest::SetLimits { limits }),
    }
}

pub(super) fn remove_limits(arguments: &RemoveLimitsArgs) -> AdminRequest {
    let chosen = [(Period::Hour, arguments.hour), (Period::Day, arguments.day), (Period::Month, arguments.month)];
    AdminRequest::RemoveLimits {
        scope: arguments.scope.scope(),
        model: arguments.model.clone(),
        periods: chosen.into_iter().filter(|(_, is_chosen)| *is_chosen).map(|(period, _)| period).collect(),
    }
}

pub(super) fn add_grant(arguments: &GrantArgs, calendar: &Calendar) -> Result<AdminRequest, Failure> {
    let now = host::now();
    let grant = Grant {
        person: arguments.person.clone(),
        since: now,
        until: parse_future(&arguments.until, calendar, now)?,
        amount: arguments.amount,
        reason: arguments.reason.clone(),
    };
    Ok(AdminRequest::AddGrant { grant })
}

pub(super) fn set_block(arguments: &BlockArgs, calendar: &Calendar) -> Result<AdminRequest, Failure> {
    let now = host::now();
    let block = Block {
        person: arguments.person.clone(),
        since: now,
        until: arguments.until.as_deref().map(|text| parse_future(text, calendar, now)).transpose()?,
        reason: arguments.reason.clone(),
    };
    Ok(AdminRequest::SetBlock { block })
}

fn parse_future(text: &str, calendar: &Calendar, now: Timestamp) -> Result<Timestamp, Failure> {
    let refuse = |what: String| Failure::usage(what, "write 2026-12-01T08:00:00Z, 2026-12-01T09:00 or 2026-12-01");
    let time = calendar.parse_time(text).ok_or_else(|| refuse(format!("--until {text} is not a time")))?;
    match time > now {
        true => Ok(time),
        false => Err(refuse(format!("--until {text} is not in the future"))),
    }
}

pub(super) fn read_all(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    files.iter().map(|path| read_file(path)).collect()
}

pub(super) fn read_transfer(path: &Path) -> Result<Vec<TransferRow>, Failure> {
    let text = read_file(path)?;
    parse_transfer(&String::from_utf8_lossy(&text)).map_err(|what| {
        Failure::usage(
            format!("{} cannot be imported: {what}", display_path(path)),
            "nothing was imported; correct the file and try again",
        )
    })
}

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        Failure::usage(
            format!("{} cannot be read: {}", display_path(path), describe_io_error(&error)),
            "name a file that exists and that this user may read",
        )
    })
}

/// Returns the page, or writes it to the file, which only this user can read: it may have names.
pub(super) fn write_report(arguments: &ReportArgs, page: &str) -> Result<String, Failure> {
    let Some(path) = &arguments.html else { return Ok(page.to_owned()) };
    write_atomically(path, page.as_bytes()).map(|()| String::new()).map_err(|error| {
        Failure::usage(
            format!("{} cannot be written: {error:?}", display_path(path)),
            "name a file in a folder that exists and that this user may write",
        )
    })
}
