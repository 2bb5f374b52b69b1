#!/bin/sh
# What the chosen resources cost a month if nobody calls a model.

# Prices of us-east-1 in USD from the price pages of AWS. Other Regions are up to twice as dear.
prices_date=2026-11-30
price_of_endpoint_hour=0.01
price_of_alarm=0.10
hours_of_month=730

# What guardrails.yaml creates in each Region.
count_endpoints() { if is_on mantle; then echo 3; else echo 2; fi; }

count_alarms() {
    if ! is_on alarms; then
        echo 0
    elif [ "$(answer output_tokens_per_hour)" -gt 0 ]; then
        echo 4
    else
        echo 3
    fi
}

show_idle_cost() {
    say "Cost a month while nobody calls a model (USD, prices of us-east-1 of $prices_date; others are higher):"
    {
        printf 'What\tNumber\tPrice\tA month\n'
        if wants federation; then print_cost 'IAM: provider, roles, policies' 1 0 1; fi
        if wants guardrails; then print_guard_rails_costs; fi
        if [ -n "$team" ] && wants team; then print_cost 'inference profiles of a team' 1 0 1; fi
    } | awk -F '\t' -v OFS='\t' '{ print; if (NR > 1) sum += $4 } END { printf "all\t\t\t%.2f\n", sum }' | print_table
}

print_guard_rails_costs() {
    regions=1
    if [ -n "$(answer failover_region)" ]; then regions=2; fi
    if is_on logging; then print_cost 'invocation log: by the GB when used' 1 0 "$regions"; fi
    if is_on trail; then print_cost 'trail: free if it is the first one of the account' 1 0 1; fi
    if is_on guardrail; then print_cost 'guardrail: by the text unit when used' 1 0 "$regions"; fi
    if [ "$(answer monthly_budget)" -gt 0 ]; then print_cost 'budget: the first two of an account' 1 0 1; fi
    print_cost 'alarms' "$(count_alarms)" "$price_of_alarm" "$regions"
    if [ -n "$(answer vpc_id)" ]; then
        zones=$(list_items "$(answer subnets)" | grep -c .) || true
        endpoints=$(count_endpoints)
        print_cost "VPC endpoints: $endpoints in $zones subnets, $hours_of_month hours" \
            "$((endpoints * zones * hours_of_month))" "$price_of_endpoint_hour" "$regions"
    fi
}

# print_cost WHAT NUMBER PRICE REGIONS
print_cost() { awk -v what="$1" -v number="$2" -v price="$3" -v regions="$4" \
    'BEGIN { printf "%s\t%d\t%.2f\t%.2f\n", what, number * regions, price, number * regions * price }'; }
