-- What was counted beside what AWS has billed, by month in UTC and person, for a year. The bill has your discounts and the
-- writes to the cache for an hour, and comes a day late. Whom only the bill has, the log has not named.
with calls as (
  select *, row_number() over (partition by request_id order by called_at) as copy
  from call_records
  where log_day >= date_format(current_date - interval '400' day, '%Y/%m/%d')
),
counted as (
  select date_format(called_at, '%Y-%m') as utc_month, person, sum(micro_usd) as micro_usd
  from calls
  where copy = 1
  group by date_format(called_at, '%Y-%m'), person
),
billed as (
  select utc_month, person, sum(billed_usd) as billed_usd
  from bill_lines
  where utc_day >= date_format(current_date - interval '400' day, '%Y-%m-%d')
  group by utc_month, person
)
select
  coalesce(counted.utc_month, billed.utc_month) as utc_month,
  coalesce(counted.person, billed.person) as person,
  round(coalesce(counted.micro_usd, 0) / 1e6, 6) as counted_usd,
  round(coalesce(billed.billed_usd, 0e0), 6) as billed_usd,
  round(coalesce(billed.billed_usd, 0e0) - coalesce(counted.micro_usd, 0) / 1e6, 6) as difference_usd
from counted full join billed on billed.utc_month = counted.utc_month and billed.person = counted.person
order by 1, 2
