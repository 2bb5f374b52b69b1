#!/bin/sh
# The service that holds the limits: what it needs to know of the other stacks, the program that its functions run, and
# the policies that it writes.
# shellcheck disable=SC2016 # Backticks in a message mark a command.

service_stack() { say "$stack_prefix-service"; }

wants_service() { wants service && is_on limits; }

# check_limits: refuses what would leave calls uncounted, or persons unnamed.
check_limits() {
    if [ "$(answer federation)" = identity-pool ] && [ -z "$(answer account)" ]; then
        fail_usage limits 'an identity pool calls every session CognitoIdentityCredentials, so people have one count' \
            'choose --federation oidc, or give the models to a role behind the pool with --account'
    fi
    if ! is_on logging && [ -z "$(answer limit_log_group)" ]; then
        fail_usage limit_log_group 'limits are counted from the invocation log, and logging is off' \
            'leave out --no-logging, or name the log group of the log that exists with --limit-log-group'
    fi
    if [ -n "$(answer failover_region)" ] && ! is_on unmetered; then
        fail_usage unmetered \
            "nothing counts the calls in $(answer failover_region), so limits would not hold there" \
            'leave out --failover-region, or say --unmetered if these calls may go uncounted'
    fi
}

# The parameters for the stack.
prepare_service() {
    parameters=
    add_parameter CodeBucket "$code_bucket"
    add_parameter CodeKey "$code_key"
    add_parameter ReserveConcurrency "$reserve_concurrency"
    add_parameter LogGroupName "${invocation_log:-not-known-yet}"
    add_parameter RecordBucket "$(answer limit_bucket)"
    if [ "$(answer federation)" = identity-center ]; then
        add_parameter PermissionSet "$stack_prefix"
    else
        add_parameter IssuerUrl "$(answer issuer)"
        add_parameter ClientIds "$(answer client_id)"
        add_parameter PersonClaims "$(claims_of_person)"
        add_parameter GroupClaims "$(answer limit_group_claims)"
    fi
    add_parameter LimitPolicyArns "$(limit_policy_arns | paste -s -d , -)"
    add_parameter TimeZone "$(answer limit_time_zone)"
    add_parameter GroupRule "$(answer limit_groups)"
    add_parameter Contact "$(answer limit_contact)"
    add_parameter AlertEmail "$(answer alert)"
    add_parameter LogRetentionDays "$(answer log_retention_days)"
    add_parameter DashboardMetrics "$(answer dashboard)"
}

# The claims that give the name of the session. Without a rule for it, the program's own order.
claims_of_person() {
    if [ -n "$(answer person)" ]; then
        answer person
    else
        case $(answer session_name) in
            subject) say sub ;;
            tag) answer name_claim ;;
            *) say email,preferred_username,upn,sub ;;
        esac
    fi
}

# Their names follow from the stack's name. So they are known before the federation is deployed.
limit_policy_arns() {
    for number in 1 2 3 4; do
        printf 'arn:%s:iam::%s:policy/%s-federation-you-are-blocked-limit-reached-run-bedrock-sso-quota-%s\n' \
            "$partition" "$bedrock_account_id" "$stack_prefix" "$number"
    done
}

# Whether the program has to be uploaded, and whether the stack has to wait for the log group.
upload=no service_is_postponed=no

# plan_service: without the log group there is only a preview, because CloudFormation names that group when it creates
# the stack of guard rails. `deploy_postponed_service` makes the change set again then.
plan_service() {
    use_bedrock_account
    find_invocation_log
    find_concurrency
    prepare_service
    plan_stack "$(service_stack)" service.yaml
    if [ -z "$invocation_log" ] && [ "$change_set_status" != FAILED ]; then
        service_is_postponed=yes
        remove_pending_change_set "$pending"
        discard_change_set "$aws_account" "$aws_region" "$(service_stack)" "$change_set" "${stack_status:-new}"
    fi
}

deploy_postponed_service() {
    if [ "$service_is_postponed" = no ]; then return 0; fi
    service_is_postponed=no
    # The changes are those that were shown.
    plan_service >/dev/null
    if [ "$service_is_postponed" = yes ]; then fail_for_missing_log; fi
    execute_change_sets
}

# `invocation_log`: empty if this run creates it.
find_invocation_log() {
    invocation_log=$(answer limit_log_group)
    if [ -n "$invocation_log" ]; then return 0; fi
    read_stack_output "$stack_prefix-guardrails" LogGroupName
    invocation_log=$reply
    if [ -z "$invocation_log" ] && ! wants guardrails; then fail_for_missing_log; fi
}

fail_for_missing_log() {
    fail_configuration no_log "the stack $stack_prefix-guardrails in $aws_region has no invocation log" \
        'run `deploy` without --only, or name the log group with --limit-log-group'
}

# `reserve_concurrency`. AWS Lambda always leaves 100 executions to functions without a reservation, and a new account
# may have 10 in all. Once decided it stays, because the reservation itself changes what is left.
find_concurrency() {
    read_stack_parameter "$(service_stack)" ReserveConcurrency
    reserve_concurrency=$reply
    if [ -n "$reserve_concurrency" ]; then return 0; fi
    ask_aws 'show the limits of AWS Lambda' lambda get-account-settings \
        --query AccountLimit.UnreservedConcurrentExecutions
    reserve_concurrency=no
    if [ "${reply:-0}" -gt 100 ]; then reserve_concurrency=yes; fi
}

# --- The program ------------------------------------------------------------------------------------------------------

# Whether a stack of this run has functions.
runs_server_program() { wants_service || wants_telemetry; }

# The stacks of this run that have functions. The limits service is the first that may have a program already.
program_stacks() {
    if wants_service; then service_stack; fi
    if wants_telemetry; then telemetry_stack; fi
}

# find_server_program: `server_zip`, `code_bucket` and `code_key`, and whether to upload it (`upload`). Without a file,
# the program of a stack that exists stays.
find_server_program() {
    upload=no
    use_bedrock_account
    server_zip=$(answer server_zip)
    if [ -z "$server_zip" ]; then server_zip=$(find_zip_beside); fi
    if [ -z "$server_zip" ]; then
        for program_stack in $(program_stacks); do
            read_stack_parameter "$program_stack" CodeBucket
            code_bucket=$reply
            read_stack_parameter "$program_stack" CodeKey
            code_key=$reply
            if [ -n "$code_key" ]; then return 0; fi
        done
        fail_configuration server_zip 'the program of the functions is missing' \
            "download bedrock-sso-server-$(version_or_star)-linux-aarch64.zip of this release to $here"
    fi
    check_zip
    # Names of buckets have no capitals and 63 characters at most.
    code_bucket=$(say "$stack_prefix" | awk '{ print tolower(substr($0, 1, 30)) }')-code-$bedrock_account_id-$aws_region
    # The name changes with the content, so a new program is a change of the stack. `cksum` is what POSIX has; the file
    # is the administrator's own, so nobody looks for a second one with the same sum.
    code_key=$(cksum <"$server_zip" | awk '{ print "bedrock-sso-server-" $1 "-" $2 ".zip" }')
    find_code_bucket
    if [ "$bucket_exists" = no ] ||
        ! try_aws s3api head-object --bucket "$code_bucket" --key "$code_key" \
            --expected-bucket-owner "$bedrock_account_id" --query ContentLength; then
        upload=yes
    fi
}

version_or_star() { if [ -f "$here/VERSION" ]; then cat "$here/VERSION"; else say VERSION; fi; }

# The release's file beside this program. In a clone, whose version is in no file, the only one.
find_zip_beside() {
    if [ -f "$here/VERSION" ]; then
        beside=$here/bedrock-sso-server-$(cat "$here/VERSION")-linux-aarch64.zip
        if [ -f "$beside" ]; then say "$beside"; fi
        return 0
    fi
    set -- "$here"/bedrock-sso-server-*-linux-aarch64.zip
    if [ $# -eq 1 ] && [ -f "$1" ]; then say "$1"; fi
}

check_zip() {
    [ -f "$server_zip" ] || fail_configuration server_zip "there is no file $server_zip" \
        'correct --server-zip; the file is bedrock-sso-server-VERSION-linux-aarch64.zip of a release'
    # A download may be a page that says why there is no file.
    [ "$(dd if="$server_zip" bs=2 count=1 2>/dev/null)" = PK ] ||
        fail_configuration server_zip "$server_zip is not a zip file" \
            'download bedrock-sso-server-VERSION-linux-aarch64.zip of a release again'
}

# `bucket_exists`. The name can be guessed, so somebody else might have it: then it is not used.
find_code_bucket() {
    bucket_exists=yes
    if try_aws s3api head-bucket --bucket "$code_bucket" --expected-bucket-owner "$bedrock_account_id"; then
        return 0
    fi
    if aws_refused_with '(404)' NoSuchBucket; then
        bucket_exists=no
    elif aws_refused_with '(403)' AccessDenied; then
        fail_configuration code_bucket \
            "the bucket $code_bucket is not of account $bedrock_account_id, or is closed to you" \
            'choose another --name, or use credentials that may read the buckets of this account'
    else
        fail_for_aws "show the bucket $code_bucket"
    fi
}

show_upload() {
    if [ "$upload" = no ]; then return 0; fi
    size=$(wc -c <"$server_zip" | awk '{ printf "%.1f MB", $1 / 1000000 }')
    if [ "$bucket_exists" = no ]; then
        say "The bucket $code_bucket will be created for the program of the functions."
    fi
    say "$(printable "${server_zip##*/}") ($size) will be uploaded to $code_bucket."
}

# S3 encrypts each object, and a new bucket has no public access. The second call says so for one that somebody opened.
upload_server_program() {
    if [ "$upload" = no ]; then return 0; fi
    use_bedrock_account
    if [ "$bucket_exists" = no ]; then
        set -- --bucket "$code_bucket"
        # The first Region of S3 has no name there.
        if [ "$aws_region" != us-east-1 ]; then
            set -- "$@" --create-bucket-configuration "LocationConstraint=$aws_region"
        fi
        ask_aws "create the bucket $code_bucket" s3api create-bucket "$@"
    fi
    ask_aws "close the bucket $code_bucket to the public" s3api put-public-access-block --bucket "$code_bucket" \
        --expected-bucket-owner "$bedrock_account_id" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
    say "$code_bucket: uploading $(printable "${server_zip##*/}")…"
    ask_aws "store $server_zip in the bucket $code_bucket" s3api put-object --bucket "$code_bucket" --key "$code_key" \
        --body "$server_zip" --expected-bucket-owner "$bedrock_account_id" --query ETag
    upload=no
}

# delete_unused_code_bucket BUCKET: unless another stack runs a program from it.
delete_unused_code_bucket() {
    for program_stack in "$(service_stack)" "$(telemetry_stack)"; do
        read_stack_status "$program_stack"
        if [ -n "$stack_status" ]; then return 0; fi
    done
    delete_code_bucket "$1"
}

# delete_code_bucket BUCKET: it holds programs and no data.
delete_code_bucket() {
    try_aws s3api list-objects-v2 --bucket "$1" --expected-bucket-owner "$bedrock_account_id" \
        --query 'Contents[].[Key]' || return 0
    for key in $reply; do
        ask_aws "delete $key in the bucket $1" s3api delete-object --bucket "$1" --key "$key" \
            --expected-bucket-owner "$bedrock_account_id"
    done
    ask_aws "delete the bucket $1" s3api delete-bucket --bucket "$1" --expected-bucket-owner "$bedrock_account_id"
    say "$1: deleted"
}

# --- The policies -----------------------------------------------------------------------------------------------------

# `ended_limits`: yes if the federation has policies of limits and should not have them any more. The service must be
# gone before, or it writes them while CloudFormation deletes them.
find_ended_limits() {
    ended_limits=no
    if is_on limits; then return 0; fi
    use_bedrock_account
    read_stack_parameter "$stack_prefix-federation" Limits
    if [ "$reply" != yes ]; then return 0; fi
    ended_limits=yes
    read_stack_status "$(service_stack)"
    [ -z "$stack_status" ] ||
        fail_configuration limits_service "the stack $(service_stack) still refuses persons at a limit" \
            'run `deploy --remove --only service` first, or leave limits switched on'
}

delete_versions_of_ended_limits() {
    if [ "$ended_limits" = no ]; then return 0; fi
    use_bedrock_account
    delete_versions_of_limits
}

# IAM deletes no policy that has further versions. The version in force stays in force until the policy goes.
delete_versions_of_limits() {
    read_stack_output "$stack_prefix-federation" LimitPolicyArns
    for limit_policy in $(list_items "$reply"); do delete_further_versions_of "$limit_policy"; done
}

# print_limited: whom the service refuses, as lines of person, end and account.
print_limited() {
    read_stack_output "$stack_prefix-federation" LimitPolicyArns
    for limit_policy in $(list_items "$reply"); do
        ask_aws "show the policy $limit_policy" iam get-policy --policy-arn "$limit_policy" \
            --query Policy.DefaultVersionId
        ask_aws "show a version of $limit_policy" iam get-policy-version --policy-arn "$limit_policy" \
            --version-id "$reply" --query "PolicyVersion.Document.Statement[].[$person_and_time_of_statement]"
        printf '%s\n' "$reply"
    done
}

# What an administrator does next. The commands of the program work from any terminal that may use the table.
show_limits_help() {
    if ! wants_service; then return 0; fi
    use_bedrock_account
    read_stack_output "$(service_stack)" ConfigurationName
    say ''
    say 'Limits are set with bedrock-sso-server, from the same release, and credentials of this account:'
    say ''
    say "    aws ssm get-parameter --region $aws_region --name $reply \\"
    say '        --query Parameter.Value --output text >server.toml'
    say "    bedrock-sso-server limits set --config server.toml --default $(flags_of_limit)"
}

# `200USD/month` as the flags of the server's command.
flags_of_limit() {
    limit=$(answer limit)
    limit=${limit:-200USD/month}
    say "--${limit#*/} ${limit%%/*}"
}
