//! Marks of people over a limit, and leases.

use bedrock_sso::time::Timestamp;

use super::{
    Table,
    items::{
        ALONE, EXPIRES, Item, MARKS, PK, SK, damaged, key, number, parse_person, random_number, read_sum, read_text,
        text,
    },
};
use crate::{
    person::Person,
    store::{OverLimitMark, StoreResult},
};

const STAMP: &str = "stamp";
const HOLDER: &str = "holder";

/// How often a mark is written again because others have marked the same person meanwhile.
const MAX_ATTEMPTS: usize = 50;

impl Table {
    /// Reads the mark, and writes a new one if nobody else has done so in between.
    pub(super) async fn mark_over_limit(&self, person: &Person, until: Timestamp) -> StoreResult<()> {
        for _ in 0..MAX_ATTEMPTS {
            let known = self.get(key(MARKS, person.as_str())).await?;
            let known = known.as_ref().map(read_mark).transpose()?;
            let end = known.as_ref().map_or(until, |mark| mark.until.max(until));
            let mut item = key(MARKS, person.as_str());
            item.insert(EXPIRES.to_owned(), number(end.unix_seconds()));
            item.insert(STAMP.to_owned(), number(random_number()));
            let names = |name: &str, value: &str| Some([(name.to_owned(), value.to_owned())].into());
            let is_written = match known {
                None => self.put_if(item, Some("attribute_not_exists(#pk)"), names("#pk", PK), None).await?,
                Some(mark) => {
                    let values = [(":stamp".to_owned(), number(mark.stamp))].into();
                    self.put_if(item, Some("#stamp = :stamp"), names("#stamp", STAMP), Some(values)).await?
                }
            };
            if is_written {
                return Ok(());
            }
        }
        Err(self.unavailable(format_args!("the mark of {person} changes all the time")))
    }

    pub(super) async fn list_over_limit(&self, now: Timestamp) -> StoreResult<Vec<OverLimitMark>> {
        let items = self.query(MARKS.to_owned(), "").await?;
        let mut marks = items.iter().map(read_mark).collect::<StoreResult<Vec<_>>>()?;
        // DynamoDB deletes what has expired within days.
        marks.retain(|mark| now < mark.until);
        Ok(marks)
    }

    pub(super) async fn unmark_over_limit(&self, mark: &OverLimitMark) -> StoreResult<bool> {
        self.delete_if(key(MARKS, mark.person.as_str()), STAMP, number(mark.stamp)).await
    }

    pub(super) async fn acquire_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreResult<bool> {
        let mut item = lease_key(name);
        item.insert(HOLDER.to_owned(), text(holder));
        item.insert(EXPIRES.to_owned(), number(until.unix_seconds()));
        // If an answer gets lost, the repetition finds its own name.
        let condition = "attribute_not_exists(#pk) OR #expires <= :now OR #holder = :holder";
        let names = [("#pk", PK), ("#expires", EXPIRES), ("#holder", HOLDER)];
        let names = names.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let values = [(":now", number(now.unix_seconds())), (":holder", text(holder))];
        let values = values.map(|(name, value)| (name.to_owned(), value)).into();
        self.put_if(item, Some(condition), Some(names), Some(values)).await
    }

    pub(super) async fn release_lease(&self, name: &str, holder: &str) -> StoreResult<()> {
        self.delete_if(lease_key(name), HOLDER, text(holder)).await.map(|_| ())
    }
}

fn lease_key(name: &str) -> Item {
    key(format!("LEASE#{name}"), ALONE)
}

fn read_mark(item: &Item) -> StoreResult<OverLimitMark> {
    let read = |name: &str| {
        let value = item.get(name).ok_or_else(|| damaged(format_args!("a mark has no {name}")))?;
        read_sum(value)
    };
    let until = i64::try_from(read(EXPIRES)?).map_err(|_| damaged("a mark ends too late"))?;
    let person = parse_person(read_text(item, SK)?)?;
    Ok(OverLimitMark { person, until: Timestamp::from_unix(until), stamp: read(STAMP)? })
}
