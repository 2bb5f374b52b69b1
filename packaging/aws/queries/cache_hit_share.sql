-- Which share of the prompts' tokens came from the cache, by month, team and model, for a year. A low share costs money:
-- tokens from the cache cost a tenth of others, or less.
with calls as (
  select *, row_number() over (partition by request_id order by called_at) as copy
  from call_records
  where log_day >= date_format(current_date - interval '400' day, '%Y/%m/%d')
)
select
  month,
  team,
  model,
  sum(cache_read_tokens) as cache_read_tokens,
  sum(input_tokens + cache_read_tokens + cache_write_tokens) as prompt_tokens,
  round(100e0 * sum(cache_read_tokens) / nullif(sum(input_tokens + cache_read_tokens + cache_write_tokens), 0), 2) as cache_hit_percent
from calls
where copy = 1
group by month, team, model
order by month, team, model
