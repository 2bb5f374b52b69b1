#!/bin/sh
# The dashboard: it shows what the stacks of the limits service and of the relay measure.

dashboard_stack() { say "$stack_prefix-dashboard"; }

wants_dashboard() { wants dashboard && is_on dashboard; }

# check_dashboard: refuses a dashboard that would be empty.
check_dashboard() {
    if ! is_on limits && ! is_on telemetry && ! is_on laptop_telemetry; then
        fail_usage dashboard 'a dashboard needs numbers, and neither limits nor telemetry are switched on' \
            'add --limits, --telemetry or --laptop-telemetry, or leave out --dashboard'
    fi
}

# plan_dashboard: its alarms need a topic, whose name follows only when the stack of the limits service exists.
plan_dashboard() {
    use_bedrock_account
    find_alert_topic
    parameters=
    if is_on limits; then add_parameter LimitsStack "$(service_stack)"; fi
    if is_on telemetry; then add_parameter TelemetryStack "$stack_prefix-telemetry"; fi
    add_parameter LaptopRelays "$(answer laptop_telemetry)"
    add_parameter AlertTopicArn "$alert_topic"
    plan_stack "$(dashboard_stack)" dashboard.yaml
}

# `alert_topic`: the topic for alarms of the first of the stacks that has one.
find_alert_topic() {
    alert_topic=
    for stack in "$(service_stack)" "$stack_prefix-telemetry"; do
        read_stack_output "$stack" AlertTopicArn
        alert_topic=$reply
        if [ -n "$alert_topic" ]; then return 0; fi
    done
}

lacks_alert_topic() { wants_dashboard && [ -z "$alert_topic" ]; }

update_dashboard_again() {
    if ! lacks_alert_topic; then return 0; fi
    use_bedrock_account
    find_alert_topic
    if [ -z "$alert_topic" ]; then return 0; fi
    plan_dashboard
    execute_change_sets
}
