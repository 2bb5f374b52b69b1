#!/bin/sh
# What the chosen resources cost a month if nobody calls a model.

# Prices of us-east-1 in USD, without AWS's free allowances, compared on this day with the source beside each. AWS's
# pages say what is charged, but they load the amounts by script, and no copy has them. So each amount is from AWS's
# price list (its usage type is in parentheses), as public repositories quote it.
prices_date=2026-11-30
# An endpoint in one availability zone for an hour: aws.amazon.com/privatelink/pricing (USE1-VpcEndpoint-Hours).
price_of_endpoint_hour=0.01
# A metric that an alarm watches for a month: aws.amazon.com/cloudwatch/pricing (CW:AlarmMonitorUsage). An alarm on a
# query costs as much for each metric that the query reads, and is never free (CW:MetricInsightAlarmUsage).
price_of_alarm_metric=0.10
hours_of_month=730
# The limits service runs each minute. 43,800 runs a month of 0.25 GB for 0.2 s cost 0.04: aws.amazon.com/lambda/pricing
# (Lambda-GB-Second-ARM 0.0000133334, Request-ARM 0.0000002). Each reads four units of the table and writes three, which
# costs 0.10: aws.amazon.com/dynamodb/pricing/on-demand (ReadRequestUnits 0.000000125, WriteRequestUnits 0.000000625).
price_of_minutely_runs=0.14
# What its alarms watch: five functions' metrics, the API, the queue, and five texts.
metrics_of_service=12

# A dashboard for a month (DashboardsUsageHour), and a metric of one's own (CW:MetricMonitorUsage):
# aws.amazon.com/cloudwatch/pricing. The first three dashboards and ten metrics of an account are free.
price_of_dashboard=3.00
price_of_metric=0.30
# What the limits service prints for the dashboard, and what the dashboard's alarms watch.
metrics_of_dashboard=7
alarm_metrics_of_limits=2

# What the relay's alarms watch: two metrics of its function, the API, and a text.
metrics_of_relay=4

# What guardrails.yaml creates in each Region.
count_endpoints() { if is_on mantle; then echo 3; else echo 2; fi; }

# The alarms for throttling, slow answers and spending read one metric of each model, the alarm on the quota one metric.
count_alarm_metrics() {
    queries=2
    if [ "$(answer output_tokens_per_hour)" -gt 0 ]; then queries=3; fi
    models=$(printf '%s' "$chosen_models" | grep -c .) || true
    echo $((queries * models + 1))
}

show_idle_cost() {
    say "Cost a month while nobody calls a model (USD, prices of us-east-1 of $prices_date; others are higher):"
    {
        printf 'What\tNumber\tPrice\tA month\n'
        if wants federation; then print_cost 'IAM: provider, roles, policies' 1 0 1; fi
        if wants guardrails; then print_guard_rails_costs; fi
        if wants service && is_on limits; then print_service_costs; fi
        if wants analytics && is_on analytics; then print_cost 'analytics: by the GB stored and read' 1 0 1; fi
        if wants telemetry && is_on telemetry; then print_telemetry_costs; fi
        if wants dashboard && is_on dashboard; then print_dashboard_costs; fi
        if [ -n "$team" ] && wants team; then print_cost 'inference profiles of a team' 1 0 1; fi
    } | awk -F '\t' -v OFS='\t' '{ print; if (NR > 1) sum += $4 } END { printf "all\t\t\t%.2f\n", sum }' | print_table
}

# Free: the first copy of management events (aws.amazon.com/cloudtrail/pricing), budgets, and the first two budgets with
# an action; further ones cost 0.10 a day (aws.amazon.com/aws-cost-management/aws-budgets/pricing).
print_guard_rails_costs() {
    regions=1
    if [ -n "$(answer failover_region)" ]; then regions=2; fi
    if is_on logging; then print_cost 'invocation log: by the GB when used' 1 0 "$regions"; fi
    if is_on trail; then print_cost 'trail: free if it is the first one of the account' 1 0 1; fi
    if is_on guardrail; then print_cost 'guardrail: by the text unit when used' 1 0 "$regions"; fi
    if [ "$(answer monthly_budget)" -gt 0 ]; then
        if is_on budget_action; then
            print_cost 'budget with an action: free if the account has one more at most' 1 0 1
        else
            print_cost 'budget' 1 0 1
        fi
    fi
    if is_on alarms; then print_cost 'alarms: metrics' "$(count_alarm_metrics)" "$price_of_alarm_metric" "$regions"; fi
    if [ -n "$(answer vpc_id)" ]; then
        zones=$(list_items "$(answer subnets)" | grep -c .) || true
        endpoints=$(count_endpoints)
        print_cost "VPC endpoints: $endpoints in $zones subnets, $hours_of_month hours" \
            "$((endpoints * zones * hours_of_month))" "$price_of_endpoint_hour" "$regions"
    fi
}

# By use, a person who works all day costs some cents a month: requests, functions, the table, and log events by the GB.
print_service_costs() {
    print_cost 'limits: table, functions, API: by the request when used' 1 0 1
    print_cost 'limits: a run each minute' 1 "$price_of_minutely_runs" 1
    print_cost 'limits: alarms: metrics' "$metrics_of_service" "$price_of_alarm_metric" 1
}

# By use, a person who works all day costs some five cents a month, and CloudWatch bills what it stores by the GB. The
# prices are those of the API (aws.amazon.com/api-gateway/pricing, 1.00 for a million requests) and of the function.
print_telemetry_costs() {
    print_cost 'telemetry: function, API, metrics, events: when used' 1 0 1
    print_cost 'telemetry: alarms: metrics' "$metrics_of_relay" "$price_of_alarm_metric" 1
}

# The alarm on the laptops' failures costs by use.
print_dashboard_costs() {
    print_cost 'dashboard' 1 "$price_of_dashboard" 1
    if is_on limits; then
        print_cost 'dashboard: metrics of the limits' "$metrics_of_dashboard" "$price_of_metric" 1
        print_cost 'dashboard: alarms: metrics' "$alarm_metrics_of_limits" "$price_of_alarm_metric" 1
    fi
}

# print_cost WHAT NUMBER PRICE REGIONS
print_cost() { awk -v what="$1" -v number="$2" -v price="$3" -v regions="$4" \
    'BEGIN { printf "%s\t%d\t%.2f\t%.2f\n", what, number * regions, price, number * regions * price }'; }
