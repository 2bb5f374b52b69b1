-- Calls, with person and price, by the rules of bedrock-sso-server. Bedrock may write a record twice: count each request_id
-- once.
with price_list as (
  select
    array_agg(
      cast(
        row(model_like, min_prompt_tokens, from_day, input, output, cache_read, cache_write)
        as row(model_like varchar, min_prompt_tokens bigint, from_day varchar, input bigint, output bigint, cache_read bigint, cache_write bigint)
      )
      order by position
    ) as price_rows
  from prices
),
log_lines as (
  select
    day as log_day,
    requestid as request_id,
    accountid as account_id,
    modelid as model,
    identity.arn as arn,
    "timestamp" as written_time,
    errorcode is not null or (regexp_like(coalesce(status, ''), '^[0-9]{1,9}$') and try_cast(status as integer) not between 200 and 299) as has_failed,
    coalesce(input.inputtokencount, '0') as input_text,
    coalesce(output.outputtokencount, '0') as output_text,
    coalesce(input.cachereadinputtokencount, '0') as cache_read_text,
    coalesce(input.cachewriteinputtokencount, '0') as cache_write_text
  from invocations
  where schematype = 'ModelInvocationLog' and schemaversion = '1.0' and strpos("$path", '/data/') = 0
),
calls as (
  select
    log_day,
    request_id,
    account_id,
    model,
    regexp_extract(arn, '/([^/]+)$', 1) as session_name,
    try(from_iso8601_timestamp(written_time)) as called_at,
    has_failed,
    case when has_failed then 0 else try_cast(input_text as bigint) end as input_tokens,
    case when has_failed then 0 else try_cast(output_text as bigint) end as output_tokens,
    case when has_failed then 0 else try_cast(cache_read_text as bigint) end as cache_read_tokens,
    case when has_failed then 0 else try_cast(cache_write_text as bigint) end as cache_write_tokens
  from log_lines
  where
    regexp_like(arn, '^arn:aws[^:]*:sts::[0-9]{12}:assumed-role/[^/]+/[A-Za-z0-9_+=,.@-]{2,64}$')
    and split_part(arn, ':', 5) = account_id
    and not regexp_like(arn, '/CognitoIdentityCredentials$')
    and regexp_like(written_time, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$')
    and try(from_iso8601_timestamp(written_time)) is not null
    and regexp_like(concat_ws(' ', request_id, model), '^[!-~]{1,512} [!-~]{1,512}$')
    and regexp_like(concat_ws(' ', input_text, output_text, cache_read_text, cache_write_text), '^((1000000000|[0-9]{1,9})( |$)){4}$')
),
dated as (
  select
    calls.*,
    filter(price_list.price_rows, r -> r.from_day <= date_format(calls.called_at at time zone 'UTC', '%Y-%m-%d')) as held_prices
  from calls cross join price_list
),
priced as (
  select
    dated.*,
    element_at(
      filter(
        held_prices,
        r -> r.min_prompt_tokens <= input_tokens + cache_read_tokens + cache_write_tokens and model like r.model_like escape '!'
      ),
      1
    ) as price
  from dated
)
select
  priced.log_day,
  priced.request_id,
  priced.account_id,
  priced.model,
  case
    when '${PseudonymSalt}' = '' then priced.session_name
    else concat('p-', substr(lower(to_hex(sha256(to_utf8(concat('${PseudonymSalt}', priced.session_name))))), 1, 16))
  end as person,
  coalesce(people.team, '-') as team,
  coalesce(people.department, '-') as department,
  cast(priced.called_at at time zone 'UTC' as timestamp) as called_at,
  date_format(priced.called_at at time zone '${TimeZone}', '%Y-%m-%d') as day,
  date_format(priced.called_at at time zone '${TimeZone}', '%Y-%m') as month,
  priced.has_failed,
  priced.price is null as is_unknown_model,
  priced.input_tokens,
  priced.output_tokens,
  priced.cache_read_tokens,
  priced.cache_write_tokens,
  cast(
    round(
      cast(
        priced.input_tokens * coalesce(priced.price.input, array_max(transform(priced.held_prices, r -> r.input)))
        + priced.output_tokens * coalesce(priced.price.output, array_max(transform(priced.held_prices, r -> r.output)))
        + priced.cache_read_tokens * coalesce(priced.price.cache_read, array_max(transform(priced.held_prices, r -> r.cache_read)))
        + priced.cache_write_tokens * coalesce(priced.price.cache_write, array_max(transform(priced.held_prices, r -> r.cache_write)))
        as decimal(19, 0)
      ) * cast(0.000001 as decimal(7, 6))
    ) as bigint
  ) as micro_usd
from priced left join people on people.person = priced.session_name
