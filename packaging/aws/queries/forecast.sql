-- What this month will have cost by its end, by team: what was spent until yesterday, and for each day that is left,
-- today included, the mean of the same day of the week in the last 28 days.
with calls as (
  select *, row_number() over (partition by request_id order by called_at) as copy
  from call_records
  where log_day >= date_format(current_date - interval '61' day, '%Y/%m/%d')
),
today as (select date(current_timestamp at time zone '${TimeZone}') as today),
spent_days as (
  select team, date(day) as day, sum(micro_usd) as micro_usd
  from calls
  where copy = 1
  group by team, date(day)
),
weekdays as (
  select team, day_of_week(day) as weekday, sum(micro_usd) as micro_usd
  from spent_days cross join today
  where day >= today - interval '28' day and day < today
  group by team, day_of_week(day)
),
days_left as (
  select day_of_week(cast(left_day as date)) as weekday, count(*) as days
  from today cross join unnest(sequence(today, date_trunc('month', today) + interval '1' month - interval '1' day, interval '1' day)) as t(left_day)
  group by day_of_week(cast(left_day as date))
),
expected as (
  select team, sum(micro_usd * days) / 4e0 as micro_usd
  from weekdays join days_left on weekdays.weekday = days_left.weekday
  group by team
),
spent as (
  select team, sum(case when day >= date_trunc('month', today) and day < today then micro_usd else 0 end) as micro_usd
  from spent_days cross join today
  group by team
)
select
  date_format(today.today, '%Y-%m') as month,
  spent.team,
  round(spent.micro_usd / 1e6, 2) as spent_usd,
  round(coalesce(expected.micro_usd, 0e0) / 1e6, 2) as expected_usd,
  round((spent.micro_usd + coalesce(expected.micro_usd, 0e0)) / 1e6, 2) as forecast_usd
from spent left join expected on expected.team = spent.team cross join today
order by team
