#!/bin/sh
# Who did what: the stack with the tables and queries, and `deploy query`, which asks one of them.
# shellcheck disable=SC2016 # Backticks in a message mark a command, and those in a query of the AWS CLI a text.

analytics_stack() { say "$stack_prefix-analytics"; }

wants_analytics() { wants analytics && is_on analytics; }

# check_analytics: refuses what would leave nothing to ask about.
check_analytics() {
    if [ -n "$(answer analytics_bucket)" ]; then return 0; fi
    if ! is_on logging || ! is_on log_bucket; then
        fail_usage analytics 'the queries read the invocation log in its bucket, which is switched off' \
            'leave out --no-logging and --no-log-bucket, or name the bucket of the log with --analytics-bucket'
    fi
}

# Whether the stack has to wait for the bucket.
analytics_is_postponed=no

# plan_analytics: without the bucket there is only a preview, because CloudFormation names it when it creates the stack
# of guard rails. `deploy_postponed_analytics` makes the change set again then.
plan_analytics() {
    use_bedrock_account
    find_log_bucket
    prepare_analytics
    plan_stack "$(analytics_stack)" analytics.yaml
    if [ -z "$log_bucket" ] && [ "$change_set_status" != FAILED ]; then
        analytics_is_postponed=yes
        remove_pending_change_set "$pending"
        discard_change_set "$aws_account" "$aws_region" "$(analytics_stack)" "$change_set" "${stack_status:-new}"
    fi
}

deploy_postponed_analytics() {
    if [ "$analytics_is_postponed" = no ]; then return 0; fi
    analytics_is_postponed=no
    # The changes are those that were shown.
    plan_analytics >/dev/null
    if [ "$analytics_is_postponed" = yes ]; then fail_for_missing_bucket; fi
    execute_change_sets
}

# `log_bucket`: empty if this run creates it.
find_log_bucket() {
    log_bucket=$(answer analytics_bucket)
    if [ -n "$log_bucket" ]; then return 0; fi
    read_stack_output "$stack_prefix-guardrails" LogBucketName
    log_bucket=$reply
    if [ -z "$log_bucket" ] && ! wants guardrails; then fail_for_missing_bucket; fi
}

fail_for_missing_bucket() {
    fail_configuration no_log_bucket "the stack $stack_prefix-guardrails in $aws_region has no bucket with the log" \
        'run `deploy` without --only, or name the bucket with --analytics-bucket'
}

# The parameters for the stack.
prepare_analytics() {
    parameters=
    add_parameter LogBucket "${log_bucket:-not-known-yet}"
    add_parameter LogAccounts "$(answer analytics_accounts)"
    add_parameter LogRegions "$(answer analytics_regions)"
    add_parameter CurTable "$(answer cur_table)"
    add_parameter TimeZone "$(answer limit_time_zone)"
    # Names of databases have no capitals and no dashes.
    add_parameter Database "$(say "$stack_prefix" | awk '{ gsub("-", "_"); print tolower($0) }')"
    add_parameter RetentionDays "$(answer analytics_retention_days)"
    add_parameter LogRetentionDays "$(answer log_retention_days)"
    add_parameter Leaderboard "$(answer leaderboard)"
    add_salt
}

# The salt is made once. CloudFormation shows it to nobody, and the stack says only whether it has one.
add_salt() {
    if ! is_on pseudonyms; then
        add_parameter PseudonymSalt ''
        return 0
    fi
    read_stack_output "$(analytics_stack)" Pseudonyms
    if [ "$reply" = yes ]; then
        parameters="$parameters,{\"ParameterKey\":\"PseudonymSalt\",\"UsePreviousValue\":true}"
    else
        add_parameter PseudonymSalt "$(od -A n -t x1 -N 16 /dev/urandom | tr -d ' \n')"
    fi
}

# What an administrator does next. People and prices are tables that somebody has to fill.
show_analytics_help() {
    if ! wants_analytics; then return 0; fi
    use_bedrock_account
    read_stack_output "$(analytics_stack)" DataBucketName
    say ''
    say 'The queries join people and prices, which bedrock-sso-server exports with the server.toml of the limits:'
    say ''
    for table in people prices; do
        say "    bedrock-sso-server export $table --config server.toml | aws s3 cp - s3://$reply/$table/$table.json"
    done
    say ''
    say "Then ask, for example: deploy query spend_by_team --region $aws_region >spend.csv"
}

# --- deploy query -----------------------------------------------------------------------------------------------------

# ask_query: lists the queries, or prints the answer of one as CSV, and nothing else, on stdout.
ask_query() {
    identify_caller
    use_bedrock_account
    read_stack_output "$(analytics_stack)" WorkgroupName
    workgroup=$reply
    [ -n "$workgroup" ] || fail_configuration no_analytics \
        "there is no stack $(analytics_stack) with a workgroup in $aws_region" 'run `deploy --analytics` first'
    ask_aws "list the queries of $workgroup" athena list-named-queries --work-group "$workgroup" \
        --query 'NamedQueryIds[].[@]'
    query_ids=$reply
    # shellcheck disable=SC2086 # One word for each ID.
    ask_aws "show the queries of $workgroup" athena batch-get-named-query --named-query-ids $query_ids \
        --query 'NamedQueries[].[Name,NamedQueryId,Description]'
    query_rows=$(printf '%s\n' "$reply" | sort)
    if [ -z "$asked_query" ]; then
        printf '%s\n' "$query_rows" | cut -f 1,3 | print_table ''
        return 0
    fi
    query_id=$(printf '%s\n' "$query_rows" | awk -F '\t' -v name="$asked_query" '$1 == name { print $2 }')
    if [ -z "$query_id" ]; then
        nearest=$(printf '%s\n' "$query_rows" | cut -f 1 | nearest_names "$asked_query")
        fail_usage query "there is no query $asked_query" "use one of the nearest: $nearest; \`deploy query\` lists all"
    fi
    run_query
    print_answer_of_query
}

# Runs the query, and waits for its end: `result`, the address of the CSV.
run_query() {
    # The AWS CLI reads the statement from a file, because a line of arguments has a limit.
    (umask 077 && aws_format=json && try_aws athena get-named-query --named-query-id "$query_id" \
        --query NamedQuery.QueryString && printf '{"QueryString":%s}' "$reply" >"$scratch/query.json") ||
        fail_for_aws "show the query $asked_query"
    ask_aws "show the query $asked_query" athena get-named-query --named-query-id "$query_id" \
        --query NamedQuery.Database
    ask_aws "start the query $asked_query" athena start-query-execution --work-group "$workgroup" \
        --cli-input-json "file://$scratch/query.json" --query-execution-context "Database=$reply" \
        --query QueryExecutionId
    execution=$reply
    while :; do
        ask_aws "say how far the query is" athena get-query-execution --query-execution-id "$execution" \
            --query 'QueryExecution.[Status.State,ResultConfiguration.OutputLocation,Status.StateChangeReason]'
        case $(first_word "$reply") in
            SUCCEEDED) break ;;
            FAILED | CANCELLED)
                fail 7 deploy/query "Athena could not answer $asked_query: $(third_word "$reply")" \
                    'correct what it names: a limit of the workgroup, a missing right, or a table without files'
                ;;
            # Athena reports the end of a query only to those who ask.
            *) sleep 1 ;;
        esac
    done
    result=$(second_word "$reply")
}

print_answer_of_query() {
    result_path=${result#s3://}
    ask_aws "return the answer of $asked_query" s3api get-object --bucket "${result_path%%/*}" \
        --key "${result_path#*/}" --expected-bucket-owner "$bedrock_account_id" --query ContentLength "$scratch/answer.csv"
    cat "$scratch/answer.csv"
}
