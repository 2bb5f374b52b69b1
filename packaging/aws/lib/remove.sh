#!/bin/sh
# Removal: the stacks in the reverse order, and what stays.

remove_stacks() {
    if [ "$assume_yes$dry_run" = nono ] && ! [ -t 0 ]; then
        fail_usage yes 'without a terminal, --remove needs --yes' \
            'read what "deploy --remove --dry-run" shows, then add --yes'
    fi
    with_region remove_found_stacks
}

remove_found_stacks() {
    identify_caller
    found_stacks=
    if wants dashboard && [ -z "$team" ]; then
        use_bedrock_account
        find_stack_named "$(dashboard_stack)"
    fi
    if wants telemetry && [ -z "$team" ]; then
        use_bedrock_account
        find_stack_named "$(telemetry_stack)"
    fi
    if wants service && [ -z "$team" ]; then
        use_bedrock_account
        find_stack_named "$(service_stack)"
    fi
    if wants analytics && [ -z "$team" ]; then
        use_bedrock_account
        find_stack_named "$(analytics_stack)"
    fi
    refuse_removal_before_service
    find_team_stacks
    if wants guardrails && [ -z "$team" ]; then in_each_region find_stack_named "$stack_prefix-guardrails"; fi
    if wants federation && [ -z "$team" ]; then
        if [ -n "$(answer account)" ]; then
            use_bedrock_account
            find_stack_named "$stack_prefix-federation"
        fi
        use_signin_account
        find_stack_named "$stack_prefix-federation"
    fi
    if [ -z "$found_stacks" ]; then
        say "There is nothing to remove: account $account_id has no stack of $stack_prefix in $(answer region)."
        return 0
    fi
    say 'These stacks will be deleted, with everything in them that is not listed below:'
    printf '%s' "$found_stacks" | awk \
        '{ print "  " $3 " in " $2 (($1 == "dedicated") ? " of the dedicated account" : "") }'
    note_what_stays
    if [ "$dry_run" = yes ]; then
        say 'This was a dry run: nothing was deleted.'
        return 0
    fi
    confirm 'Delete them?' || {
        say 'Nothing was deleted.'
        return 0
    }
    printf '%s' "$found_stacks" >"$scratch/remove"
    while read -r aws_account aws_region stack; do
        case $stack in
            *-federation)
                delete_further_versions
                delete_versions_of_limits
                ;;
            *-service | *-telemetry)
                read_stack_parameter "$stack" CodeBucket
                code_bucket=$reply
                ;;
        esac
        delete_stack "$stack"
        case $stack in *-service | *-telemetry) delete_unused_code_bucket "$code_bucket" ;; esac
    done <"$scratch/remove"
    if [ -n "$staying" ]; then
        say ''
        say 'What stays, because it holds data or is not ours:'
        printf '%s' "$staying"
    fi
}

# The service writes policies of the federation and reads the log of the guard rails.
refuse_removal_before_service() {
    case $only in federation | guardrails) ;; *) return 0 ;; esac
    use_bedrock_account
    read_stack_status "$(service_stack)"
    [ -z "$stack_status" ] ||
        fail_configuration limits_service "the stack $(service_stack) needs the stack $stack_prefix-$only" \
            'run `deploy --remove --only service` first, or leave out --only'
}

find_stack_named() {
    read_stack_status "$1"
    if [ -n "$stack_status" ]; then found_stacks="$found_stacks$aws_account $aws_region $1$newline"; fi
}

find_team_stacks() {
    if ! wants team && [ -z "$team" ]; then return 0; fi
    if [ -n "$team" ]; then
        in_each_region find_stack_named "$(team_stack)"
    else
        in_each_region find_all_team_stacks
    fi
}

# Only team.yaml has the parameter Team. An installation whose name begins with this one's is not taken for a team.
find_all_team_stacks() {
    named="starts_with(StackName, '$stack_prefix-team-')"
    ask_aws 'list the stacks' cloudformation describe-stacks \
        --query "Stacks[?$named && Parameters[?ParameterKey=='Team']].[StackName]"
    for stack in $reply; do found_stacks="$found_stacks$aws_account $aws_region $stack$newline"; done
}

# note_what_stays: fills `staying` and prints it.
note_what_stays() {
    staying=
    printf '%s' "$found_stacks" >"$scratch/found"
    while read -r aws_account aws_region stack; do
        case $stack in
            *-guardrails | *-service | *-analytics | *-telemetry) note_stored_data "$stack" ;;
            *-federation)
                for parameter in ExistingProviderArn ExistingCiProviderArn; do
                    read_stack_parameter "$stack" "$parameter"
                    if [ -n "$reply" ]; then
                        staying="$staying  the IAM OIDC provider $reply, which existed before$newline"
                    fi
                done
                ;;
        esac
    done <"$scratch/found"
    if [ -n "$staying" ]; then
        say 'What stays:'
        printf '%s' "$staying"
    fi
}

# What CloudFormation leaves of a stack: log groups, buckets, the table of the limits and its failed events. Persons
# whom the service has refused stay refused: the policies are of the federation.
note_stored_data() {
    ask_aws "describe the stack $1" cloudformation describe-stacks --stack-name "$1" \
        --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]'
    data=$(printf '%s\n' "$reply" | awk -F '\t' -v region="$aws_region" '
        $1 == "LogGroupName" || $1 == "TelemetryLogGroupName" { print "  the log group " $2 " in " region }
        $1 == "LogGroupNames" {
            count = split($2, group, ",")
            for (i = 1; i <= count; i++) print "  the log group " group[i] " in " region
        }
        $1 == "DataBucketName" || $1 == "ResultBucketName" { print "  the bucket " $2 " in " region }
        $1 == "LogBucketName" || $1 == "TrailBucketName" { print "  the bucket " $2 " in " region }
        $1 == "TableName" { print "  the table " $2 " in " region ", with usage, limits, grants and blocks" }
        $1 == "FailedEventsUrl" { print "  the queue " $2 }')
    case $1/$only in
        *-service/service)
            data="${data:+$data$newline}  its refusals, until they end or you deploy with limits = false"
            ;;
    esac
    if [ -n "$data" ]; then staying=$staying$data$newline; fi
}
