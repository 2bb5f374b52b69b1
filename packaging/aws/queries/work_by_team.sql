-- Lines, commits, pull requests and days of work with Claude Code, by month and team, for a year. A day on which two
-- people work counts as two active days.
with points as (
  select *, row_number() over (partition by id order by happened_at) as copy
  from telemetry_rows
  where stored_day >= date_format(current_date - interval '400' day, '%Y-%m-%d')
)
select
  month,
  team,
  count(distinct person) as people,
  count(distinct concat(person, ' ', day)) as active_days,
  count(distinct case when name = 'claude_code.session.count' then session_id end) as sessions,
  cast(sum(case when name = 'claude_code.lines_of_code.count' and element_at(attributes, 'type') = 'added' then value else 0e0 end) as bigint) as lines_added,
  cast(sum(case when name = 'claude_code.lines_of_code.count' and element_at(attributes, 'type') = 'removed' then value else 0e0 end) as bigint) as lines_removed,
  cast(sum(case when name = 'claude_code.commit.count' then value else 0e0 end) as bigint) as commits,
  cast(sum(case when name = 'claude_code.pull_request.count' then value else 0e0 end) as bigint) as pull_requests,
  cast(sum(case when name = 'claude_code.code_edit_tool.decision' and element_at(attributes, 'decision') = 'accept' then value else 0e0 end) as bigint) as accepted_edits,
  cast(sum(case when name = 'claude_code.code_edit_tool.decision' and element_at(attributes, 'decision') = 'reject' then value else 0e0 end) as bigint) as rejected_edits
from points
where copy = 1 and signal = 'metric' and name like 'claude!_code.%' escape '!'
group by month, team
order by month, team
