-- Tokens and money by day and team, for 92 days.
with calls as (
  select *, row_number() over (partition by request_id order by called_at) as copy
  from call_records
  where log_day >= date_format(current_date - interval '92' day, '%Y/%m/%d')
)
select
  day, team,
  count(*) as calls,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  sum(cache_read_tokens) as cache_read_tokens,
  sum(cache_write_tokens) as cache_write_tokens,
  sum(micro_usd) as micro_usd,
  cast(sum(micro_usd) as decimal(19, 0)) * cast(0.000001 as decimal(7, 6)) as usd
from calls
where copy = 1
group by day, team
order by day, team
