-- Calls in the last 31 days that nobody's sum contains, because they come from no session of a person: other roles' and
-- users' calls, and those through an identity pool. They cost money too.
with log_lines as (
  select *, row_number() over (partition by requestid order by "timestamp") as copy
  from invocations
  where
    day >= date_format(current_date - interval '31' day, '%Y/%m/%d')
    and schematype = 'ModelInvocationLog'
    and strpos("$path", '/data/') = 0
)
select
  log_lines.identity.arn as principal,
  log_lines.modelid as model,
  count(*) as calls,
  sum(coalesce(try_cast(log_lines.input.inputtokencount as bigint), 0)) as input_tokens,
  sum(coalesce(try_cast(log_lines.output.outputtokencount as bigint), 0)) as output_tokens
from log_lines
where
  copy = 1
  and not exists (
    select 1
    from call_records
    where
      call_records.log_day >= date_format(current_date - interval '32' day, '%Y/%m/%d')
      and call_records.request_id = log_lines.requestid
  )
group by log_lines.identity.arn, log_lines.modelid
order by calls desc, principal, model
