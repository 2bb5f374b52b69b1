-- Metrics and events of Claude Code, with the person that a token has named. An exporter may send one twice: count each id
-- once.
select
  telemetry.day as stored_day,
  telemetry.id,
  telemetry.signal,
  telemetry.name,
  telemetry.value,
  case
    when '${PseudonymSalt}' = '' then telemetry.person
    else concat('p-', substr(lower(to_hex(sha256(to_utf8(concat('${PseudonymSalt}', telemetry.person))))), 1, 16))
  end as person,
  coalesce(telemetry.team, people.team, '-') as team,
  coalesce(telemetry.department, people.department, '-') as department,
  telemetry.session_id,
  telemetry.version,
  telemetry.attributes,
  cast(try(from_iso8601_timestamp(telemetry."time")) at time zone 'UTC' as timestamp) as happened_at,
  date_format(try(from_iso8601_timestamp(telemetry."time")) at time zone '${TimeZone}', '%Y-%m-%d') as day,
  date_format(try(from_iso8601_timestamp(telemetry."time")) at time zone '${TimeZone}', '%Y-%m') as month
from telemetry left join people on people.person = telemetry.person
