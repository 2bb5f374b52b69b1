#!/bin/sh
# Stacks of CloudFormation: change sets are made, shown and, after one yes, executed.

# The change sets of this run that are not executed yet, one a line: account, Region, stack, change set, and the stack
# before: when it changed last, and its state, which is `new` if the stack exists only because of the change set.
pending_change_sets=

# The stack that CloudFormation is working on for this run.
executing=

# The parameters of the next stack as JSON. `add_parameter` adds one.
parameters=

add_parameter() {
    # CloudFormation accepts no longer values.
    if [ "$(printf '%s' "$2" | wc -c)" -gt 4096 ]; then
        fail_configuration too_long \
            "the values for $1 are longer than the 4,096 characters that CloudFormation accepts" \
            'choose fewer models or values'
    fi
    parameters="$parameters${parameters:+,}"
    parameters="$parameters{\"ParameterKey\":$(json_string "$1"),\"ParameterValue\":$(json_string "$2")}"
}

# read_stack_status STACK: `stack_status`, empty if there is no such stack, and `stack_updated`, when it last changed.
read_stack_status() {
    if try_aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].[StackStatus,LastUpdatedTime]'; then
        stack_status=$(first_word "$reply")
        stack_updated=$(second_word "$reply")
    elif aws_refused_with 'does not exist'; then
        stack_status='' stack_updated=''
    else
        fail_for_aws "describe the stack $1"
    fi
}

# read_stack_output STACK OUTPUT: `reply`, empty if there is no such stack or output.
read_stack_output() {
    try_aws cloudformation describe-stacks --stack-name "$1" \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue | [0]" ||
        aws_refused_with 'does not exist' || fail_for_aws "describe the stack $1"
}

# read_stack_parameter STACK PARAMETER: likewise.
read_stack_parameter() {
    try_aws cloudformation describe-stacks --stack-name "$1" \
        --query "Stacks[0].Parameters[?ParameterKey=='$2'].ParameterValue | [0]" ||
        aws_refused_with 'does not exist' || fail_for_aws "describe the stack $1"
}

# plan_stack STACK TEMPLATE: makes a change set of the template with `parameters`, and shows it. If it has no changes,
# it does not remain.
plan_stack() {
    read_stack_status "$1"
    refuse_stuck_stack "$1"
    type=UPDATE
    if [ -z "$stack_status" ] || [ "$stack_status" = REVIEW_IN_PROGRESS ]; then type=CREATE; fi
    change_set=deploy-$(date -u +%Y%m%d%H%M%S)-$$
    pending="$aws_account $aws_region $1 $change_set ${stack_updated:--} ${stack_status:-new}"
    pending_change_sets=$pending_change_sets$pending$newline
    ask_aws "accept a change set of the stack $1" cloudformation create-change-set --stack-name "$1" \
        --change-set-name "$change_set" \
        --change-set-type "$type" --template-body "file://$here/$2" --parameters "[$parameters]" \
        --capabilities CAPABILITY_NAMED_IAM --query Id
    await_change_set "$1"
    if [ "$change_set_status" = FAILED ]; then
        discard_change_set "$aws_account" "$aws_region" "$1" "$change_set" "${stack_status:-new}"
        remove_pending_change_set "$pending"
        case $change_set_reason in
            *"didn't contain changes"* | *'No updates are to be performed'* | *'No changes to deploy'*) ;;
            *)
                fail 7 deploy/change_set "CloudFormation refused the change of $1: $change_set_reason" \
                    'correct what it names, then run the same command'
                ;;
        esac
        say "$1 in $aws_region: no changes"
        return 0
    fi
    show_change_set "$1"
}

refuse_stuck_stack() {
    case $stack_status in
        ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED | DELETE_FAILED)
            fail 7 deploy/stack_failed \
                "the stack $1 in $aws_region is in the state $stack_status and can only be deleted" \
                "run: aws cloudformation delete-stack --region $aws_region --stack-name $1, then this again"
            ;;
        UPDATE_ROLLBACK_FAILED)
            fail 7 deploy/stack_failed "the stack $1 in $aws_region is in the state $stack_status" \
                "run: aws cloudformation continue-update-rollback --region $aws_region --stack-name $1, then this again"
            ;;
        REVIEW_IN_PROGRESS) ;;
        *_IN_PROGRESS)
            fail 11 deploy/stack_busy "somebody is changing the stack $1 in $aws_region: $stack_status" \
                'wait until that has ended, then run the same command again'
            ;;
    esac
}

# Waits until the change set is complete: `change_set_status`, `change_set_reason`, and the changes in `change_rows`.
await_change_set() {
    change_columns='Changes[].ResourceChange.[Action,ResourceType,LogicalResourceId,Replacement]'
    while :; do
        ask_aws "describe the change set of $1" cloudformation describe-change-set --stack-name "$1" \
            --change-set-name "$change_set" \
            --query "[[[Status,StatusReason]],$change_columns][]"
        change_set_status=$(first_word "$reply")
        change_set_reason=$(printf '%s\n' "$reply" | sed -n 1p | cut -f 2-)
        change_rows=$(printf '%s\n' "$reply" | sed 1d)
        case $change_set_status in
            CREATE_COMPLETE | FAILED) return 0 ;;
            *) sleep 1 ;;
        esac
    done
}

show_change_set() {
    if [ "$type" = CREATE ]; then say "$1 in $aws_region: a new stack"; else say "$1 in $aws_region: changes"; fi
    {
        printf 'Action\tResource type\tResource\tReplaced\n'
        printf '%s\n' "$change_rows" | awk -F '\t' -v OFS='\t' 'NF {
            if ($4 == "None" || $4 == "") $4 = "-"
            print $1, $2, $3, $4
        }'
    } | print_table
}

remove_pending_change_set() {
    pending_change_sets=$(printf '%s' "$pending_change_sets" | grep -vxF -e "$1") || true
    if [ -n "$pending_change_sets" ]; then pending_change_sets=$pending_change_sets$newline; fi
}

# Deletes the change sets that nobody executed, and the stacks that exist only because of them. Failures are ignored:
# what remains has no effect, and the next run uses it.
discard_pending_change_sets() {
    [ -n "$pending_change_sets" ] || return 0
    printf '%s\n' "$pending_change_sets" >"$scratch/pending"
    pending_change_sets=
    while read -r account region stack change_set _ before; do
        [ -z "$account" ] || discard_change_set "$account" "$region" "$stack" "$change_set" "$before"
    done <"$scratch/pending"
}

discard_change_set() {
    aws_account=$1 aws_region=$2
    try_aws cloudformation delete-change-set --stack-name "$3" --change-set-name "$4" || true
    case $5 in
        new | REVIEW_IN_PROGRESS) delete_empty_stack "$3" ;;
    esac
}

# A stack in review has no resources. It disappears if nobody else has a change set for it.
delete_empty_stack() {
    try_aws cloudformation list-change-sets --stack-name "$1" --query 'Summaries[].[ChangeSetName]' || return 0
    if [ -n "$reply" ]; then return 0; fi
    try_aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' || return 0
    if [ "$reply" != REVIEW_IN_PROGRESS ]; then return 0; fi
    try_aws cloudformation delete-stack --stack-name "$1" || return 0
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        try_aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' || return 0
        sleep 1
    done
}

# Executes all pending change sets in the order in which they were planned.
execute_change_sets() {
    [ -n "$pending_change_sets" ] || return 0
    printf '%s\n' "$pending_change_sets" >"$scratch/execute"
    while read -r account region stack change_set updated before; do
        if [ -n "$account" ]; then execute_change_set; fi
    done <"$scratch/execute"
}

execute_change_set() {
    aws_account=$account aws_region=$region
    say "$stack in $region: working…"
    ask_aws "execute the change set of $stack" cloudformation execute-change-set --stack-name "$stack" \
        --change-set-name "$change_set" \
        --client-request-token "$change_set"
    remove_pending_change_set "$account $region $stack $change_set $updated $before"
    executing="$stack in $region"
    await_stack "$stack" "$before" "$updated"
    executing=
    case $stack_status in
        CREATE_COMPLETE | UPDATE_COMPLETE | IMPORT_COMPLETE) say "$stack in $region: done" ;;
        *) fail_stack "$stack" "$change_set" ;;
    esac
}

# await_stack STACK STATUS UPDATED: waits until the stack is neither as it was before the execution nor in progress.
await_stack() {
    waited=0
    while :; do
        read_stack_status "$1"
        case $stack_status in
            UPDATE_COMPLETE_CLEANUP_IN_PROGRESS) stack_status=UPDATE_COMPLETE && return 0 ;;
            *_IN_PROGRESS) ;;
            "$2")
                # An update starts a moment after AWS has accepted it.
                if [ "${stack_updated:--}" != "$3" ] || [ "$waited" -ge 10 ]; then return 0; fi
                ;;
            *) return 0 ;;
        esac
        sleep 2
        waited=$((waited + 2))
    done
}

# fail_stack STACK TOKEN: ends the program with the first reason among the events of this execution.
fail_stack() {
    failures="StackEvents[?ends_with(ResourceStatus, '_FAILED')]"
    try_aws cloudformation describe-stack-events --stack-name "$1" \
        --query "$failures.[LogicalResourceId,ResourceType,ResourceStatusReason,ClientRequestToken]" || reply=
    # The newest event is the first one.
    reason=$(printf '%s\n' "$reply" | awk -F '\t' -v token="$2" '
        $3 ~ /[Cc]ancelled/ { next }
        { any = $1 " (" $2 "): " $3 }
        $4 == token { own = $1 " (" $2 "): " $3 }
        END { print own != "" ? own : any }')
    cure='correct that, then run the same command again: finished steps are not repeated'
    # A stack that could not be created stays as an empty one, which blocks the next attempt.
    if [ "$stack_status" = ROLLBACK_COMPLETE ]; then
        cure="correct that, run: aws cloudformation delete-stack --region $aws_region --stack-name $1, then this again"
    fi
    fail 7 deploy/stack_failed "the stack $1 in $aws_region failed ($stack_status): ${reason:-AWS gives no reason}" \
        "$cure"
}

# delete_stack STACK: deletes it and waits. No such stack is no failure.
delete_stack() {
    read_stack_status "$1"
    if [ -z "$stack_status" ]; then return 0; fi
    say "$1 in $aws_region: deleting…"
    ask_aws "delete the stack $1" cloudformation delete-stack --stack-name "$1"
    while :; do
        read_stack_status "$1"
        case $stack_status in
            '' | DELETE_COMPLETE) break ;;
            DELETE_FAILED) fail_stack "$1" - ;;
            *) sleep 2 ;;
        esac
    done
    say "$1 in $aws_region: deleted"
}
