-- How many of Claude Code's edits were accepted, by month and programming language, for a year.
with points as (
  select *, row_number() over (partition by id order by happened_at) as copy
  from telemetry_rows
  where stored_day >= date_format(current_date - interval '400' day, '%Y-%m-%d')
),
decisions as (
  select
    month,
    coalesce(element_at(attributes, 'language'), '-') as language,
    case when element_at(attributes, 'decision') = 'accept' then value else 0e0 end as accepted,
    case when element_at(attributes, 'decision') = 'reject' then value else 0e0 end as rejected
  from points
  where copy = 1 and signal = 'metric' and name = 'claude_code.code_edit_tool.decision'
)
select
  month,
  language,
  cast(sum(accepted) as bigint) as accepted,
  cast(sum(rejected) as bigint) as rejected,
  round(100e0 * sum(accepted) / nullif(sum(accepted + rejected), 0e0), 2) as accepted_percent
from decisions
group by month, language
order by month, language
