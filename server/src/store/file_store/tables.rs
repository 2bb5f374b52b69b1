//! The tables of the file. Entries that administrators set are JSON, so that a later version can add fields.
//!
//! | Table | Key | Value |
//! |---|---|---|
//! | `layout` | `version` | the version of this list |
//! | `usage_hours`, `usage_days`, `usage_months` | period, person, account and model | input, output, cache read, cache write, micro-dollars |
//! | `request_ids` | request id | nothing |
//! | `request_ids_by_expiry` | hour in which they expire, number | request ids |
//! | `people` | person | `PersonRecord` |
//! | `limits` | scope, group or person, the limit's key | `Limit` |
//! | `grants` | person, `Grant` | nothing |
//! | `blocks` | person | `Block` |
//! | `notices` | name | when it expires |
//! | `over_limit` | person | when the mark ends, its stamp |
//! | `leases` | name | the holder, when it ends |
//! | `faults` | kind, reason or model | how many |

use redb::{Error as RedbError, TableDefinition, WriteTransaction};

use crate::calendar::Period;

/// A program refuses a file of a version that it does not know. A change of the tables raises it.
pub(super) const LAYOUT_VERSION: u64 = 1;
pub(super) const LAYOUT: TableDefinition<&str, u64> = TableDefinition::new("layout");

pub(super) type UsageKey = (&'static str, &'static str, &'static str);
pub(super) type UsageRow = (u64, u64, u64, u64, u64);
pub(super) const USAGE_HOURS: TableDefinition<UsageKey, UsageRow> = TableDefinition::new("usage_hours");
pub(super) const USAGE_DAYS: TableDefinition<UsageKey, UsageRow> = TableDefinition::new("usage_days");
pub(super) const USAGE_MONTHS: TableDefinition<UsageKey, UsageRow> = TableDefinition::new("usage_months");

pub(super) const REQUEST_IDS: TableDefinition<&str, ()> = TableDefinition::new("request_ids");
/// One entry for each transaction and hour instead of one for each id, which would double the work of counting.
pub(super) const REQUEST_IDS_BY_EXPIRY: TableDefinition<(i64, u64), Vec<&str>> =
    TableDefinition::new("request_ids_by_expiry");

pub(super) const PEOPLE: TableDefinition<&str, &str> = TableDefinition::new("people");
pub(super) const LIMITS: TableDefinition<(&str, &str, &str), &str> = TableDefinition::new("limits");
pub(super) const GRANTS: TableDefinition<(&str, &str), ()> = TableDefinition::new("grants");
pub(super) const BLOCKS: TableDefinition<&str, &str> = TableDefinition::new("blocks");
pub(super) const NOTICES: TableDefinition<&str, i64> = TableDefinition::new("notices");
pub(super) const OVER_LIMIT: TableDefinition<&str, (i64, u64)> = TableDefinition::new("over_limit");
pub(super) const LEASES: TableDefinition<&str, (&str, i64)> = TableDefinition::new("leases");

pub(super) const FAULTS: TableDefinition<(&str, &str), u64> = TableDefinition::new("faults");

pub(super) type RedbResult<T> = Result<T, RedbError>;

pub(super) fn create_tables(transaction: &WriteTransaction) -> RedbResult<()> {
    for period in Period::ALL {
        transaction.open_table(usage_table(period))?;
    }
    transaction.open_table(REQUEST_IDS)?;
    transaction.open_table(REQUEST_IDS_BY_EXPIRY)?;
    transaction.open_table(PEOPLE)?;
    transaction.open_table(LIMITS)?;
    transaction.open_table(GRANTS)?;
    transaction.open_table(BLOCKS)?;
    transaction.open_table(NOTICES)?;
    transaction.open_table(OVER_LIMIT)?;
    transaction.open_table(LEASES)?;
    transaction.open_table(FAULTS)?;
    Ok(())
}

pub(super) fn usage_table(period: Period) -> TableDefinition<'static, UsageKey, UsageRow> {
    match period {
        Period::Hour => USAGE_HOURS,
        Period::Day => USAGE_DAYS,
        Period::Month => USAGE_MONTHS,
    }
}
