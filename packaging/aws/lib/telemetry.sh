#!/bin/sh
# The relay of telemetry in AWS: its stack, and what that needs to know of the others.

telemetry_stack() { say "$stack_prefix-telemetry"; }

wants_telemetry() { wants telemetry && is_on telemetry; }

# check_telemetry: refuses a relay that would believe nobody.
check_telemetry() {
    if [ "$(answer federation)" = identity-center ]; then
        fail_usage telemetry 'users of IAM Identity Center have no ID token, which the relay in AWS needs' \
            'use --laptop-telemetry, with which each laptop signs its own telemetry'
    fi
}

# plan_telemetry: the delivery stream is that of the analytics, if they are deployed.
plan_telemetry() {
    use_bedrock_account
    find_telemetry_stream
    parameters=
    add_parameter CodeBucket "$code_bucket"
    add_parameter CodeKey "$code_key"
    add_parameter IssuerUrl "$(answer issuer)"
    add_parameter ClientIds "$(answer client_id)"
    add_parameter PersonClaims "$(claims_of_person)"
    add_parameter StreamName "$telemetry_stream"
    add_parameter AlertEmail "$(answer alert)"
    add_parameter LogRetentionDays "$(answer log_retention_days)"
    plan_stack "$(telemetry_stack)" telemetry.yaml
}

# `telemetry_stream`: its name follows from the name of the stack, so it is known before the analytics are deployed.
find_telemetry_stream() {
    telemetry_stream=
    if is_on analytics; then telemetry_stream=$(analytics_stack)-telemetry; fi
}
