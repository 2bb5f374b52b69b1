-- What AWS has billed each person for calls, by day in UTC, from the Cost and Usage Report. The principal of a line is the
-- ARN of the role's session.
select
  case
    when '${PseudonymSalt}' = '' then regexp_extract(line_item_iam_principal, '/([^/]+)$', 1)
    else concat('p-', substr(lower(to_hex(sha256(to_utf8(concat('${PseudonymSalt}', regexp_extract(line_item_iam_principal, '/([^/]+)$', 1)))))), 1, 16))
  end as person,
  line_item_usage_account_id as account_id,
  date_format(line_item_usage_start_date, '%Y-%m-%d') as utc_day,
  date_format(line_item_usage_start_date, '%Y-%m') as utc_month,
  line_item_product_code as product_code,
  line_item_usage_type as usage_type,
  cast(line_item_unblended_cost as double) as billed_usd
from ${CurTable}
where
  line_item_line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')
  and regexp_like(line_item_iam_principal, ':assumed-role/[^/]+/[^/]+$')
