-- The 50 most expensive sessions of Claude Code in the last 31 days. The invocation log names no session, so the money is
-- what Claude Code itself estimates.
with points as (
  select *, row_number() over (partition by id order by happened_at) as copy
  from telemetry_rows
  where stored_day >= date_format(current_date - interval '31' day, '%Y-%m-%d')
)
select
  session_id,
  person,
  team,
  min(happened_at) as first_at,
  max(happened_at) as last_at,
  array_join(array_sort(array_agg(distinct coalesce(element_at(attributes, 'model'), '-'))), ' ') as models,
  round(sum(case when name = 'claude_code.cost.usage' then value else 0e0 end), 6) as estimated_usd,
  cast(sum(case when name = 'claude_code.token.usage' then value else 0e0 end) as bigint) as tokens
from points
where copy = 1 and signal = 'metric' and name in ('claude_code.cost.usage', 'claude_code.token.usage') and session_id is not null
group by session_id, person, team
order by estimated_usd desc, session_id
limit 50
