#!/bin/sh
# Calls of the AWS CLI: the account and the Region that they go to, and what to say when one fails.
# shellcheck disable=SC2016 # Backticks in a message mark a command.

# Calls go to `aws_region`, and into the account of the caller or into the dedicated account. Answers are text, unless a
# function sets another format for its call.
aws_region=
aws_format=text
aws_account=main
dedicated_key='' dedicated_secret='' dedicated_token=''

require_aws() {
    command -v aws >/dev/null || fail_configuration no_aws_cli 'the AWS CLI is not installed' \
        'run this in AWS CloudShell, or install version 2 of the AWS CLI'
}

# try_aws SERVICE ACTION [ARGUMENT …]: the answer as text in `reply`. Fails as the AWS CLI does; its message is then
# in $scratch/aws-error. A value that is missing in the answer is an empty `reply`.
try_aws() {
    reply=$(run_aws "$@" 2>"$scratch/aws-error") || return
    if [ "$reply" = None ]; then reply=; fi
}

# ask_aws PURPOSE SERVICE ACTION [ARGUMENT …]: the same, but a failure ends the program. The purpose completes
# "AWS did not …".
ask_aws() {
    purpose=$1
    shift
    try_aws "$@" || fail_for_aws "$purpose"
}

# Runs in a subshell only: the credentials of the dedicated account are exported for one call.
run_aws() {
    if [ "$aws_account" = dedicated ]; then
        unset AWS_PROFILE AWS_DEFAULT_PROFILE
        export AWS_ACCESS_KEY_ID="$dedicated_key" AWS_SECRET_ACCESS_KEY="$dedicated_secret"
        export AWS_SESSION_TOKEN="$dedicated_token"
    fi
    exec aws "$@" --region "$aws_region" --output "$aws_format" </dev/null
}

# aws_refused_with CODE …: whether the last call failed with one of these error codes or texts.
aws_refused_with() {
    for expected in "$@"; do
        if grep -qF -e "$expected" "$scratch/aws-error"; then return 0; fi
    done
    return 1
}

# fail_for_aws PURPOSE: ends the program for the last failure. A refusal by AWS has a code. Without one the AWS CLI got
# no answer, or asked for none.
fail_for_aws() {
    error=$(tr '\n' ' ' <"$scratch/aws-error" | sed 's/^ *//; s/^aws: \[ERROR\]: //; s/^An error occurred //; s/ *$//')
    what="AWS did not $1: $error"
    case $(sed -n 's/.*(\([A-Za-z.]*\)) when calling .*/\1/p' "$scratch/aws-error") in
        '') ;;
        *AccessDenied* | *Unauthorized* | *NotAuthorized* | AuthorizationError)
            fail 7 "$program/denied" "$what" \
                'use credentials of an administrator of this account, or have the call allowed'
            ;;
        *Expired* | InvalidClientTokenId | UnrecognizedClient* | InvalidAccessKeyId | SignatureDoesNotMatch)
            fail 4 "$program/credentials" "$what" 'sign in to AWS again, then run the same command'
            ;;
        *)
            fail 7 "$program/aws" "$what" \
                'correct what AWS names, then run the same command: finished steps are not repeated'
            ;;
    esac
    if aws_refused_with 'Unable to locate credentials' NoCredentials 'Partial credentials'; then
        fail 4 "$program/no_credentials" 'there are no AWS credentials' \
            'run this in AWS CloudShell, or sign in with `aws login` or `aws sso login` first'
    elif aws_refused_with 'has expired' 'retrieving token'; then
        fail 4 "$program/credentials" "$what" 'sign in to AWS again, then run the same command'
    elif aws_refused_with 'ould not connect' imeout 'Connection was closed' 'SSL validation failed' roxy resolve; then
        fail 9 "$program/network" "$what" \
            "check the connection to AWS and whether $aws_region is a Region of this partition"
    fi
    fail 7 "$program/aws" "$what" 'correct what the AWS CLI names, then run the same command'
}

account_id=

# Reads who calls: `account_id`, `caller_arn` and `partition`.
read_caller() {
    [ -z "$account_id" ] || return 0
    use_signin_account
    ask_aws 'say whose credentials these are' sts get-caller-identity --query '[Account,Arn]'
    account_id=$(first_word "$reply")
    caller_arn=$(second_word "$reply")
    partition=${caller_arn#arn:}
    partition=${partition%%:*}
    case $aws_region in
        us-gov-*) expected=aws-us-gov ;;
        cn-*) expected=aws-cn ;;
        eusc-*) expected=aws-eusc ;;
        *) expected=aws ;;
    esac
    if [ "$partition" != "$expected" ]; then
        fail_configuration partition \
            "the Region $aws_region is not in the partition $partition of account $account_id" \
            'name a Region of that partition with --region'
    fi
}

bedrock_account_id=

# Reads who calls, and `bedrock_account_id`, where Bedrock is called. A dedicated account is entered.
identify_caller() {
    [ -z "$bedrock_account_id" ] || return 0
    read_caller
    use_signin_account
    if [ -n "$(answer account)" ]; then
        check_account
        bedrock_account_id=$(answer account)
        enter_dedicated_account
    else
        bedrock_account_id=$account_id
    fi
}

check_account() {
    [ "$(answer account)" != "$account_id" ] ||
        fail_configuration same_account \
            "$account_id is the account of these credentials, so it cannot be the dedicated account too" \
            'leave out the dedicated account, or use credentials of the account in which people sign in'
}

# Gets credentials in the dedicated account, for one hour, through the role that its organisation made there.
enter_dedicated_account() {
    ask_aws "assume $(answer account_role) in account $bedrock_account_id" sts assume-role \
        --role-session-name bedrock-sso-deploy \
        --role-arn "arn:$partition:iam::$bedrock_account_id:role/$(answer account_role)" \
        --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]'
    dedicated_key=$(first_word "$reply")
    dedicated_secret=$(second_word "$reply")
    dedicated_token=$(third_word "$reply")
}

# The fields of a line of the AWS CLI's text output, which tabs separate.
first_word() { printf '%s\n' "$1" | awk -F '\t' '{ print $1; exit }'; }
second_word() { printf '%s\n' "$1" | awk -F '\t' '{ print $2; exit }'; }
third_word() { printf '%s\n' "$1" | awk -F '\t' '{ print $3; exit }'; }

# In which account and Region Bedrock is used: all stacks but the near end of a chain are there.
use_bedrock_account() {
    aws_account=main
    if [ -n "$(answer account)" ]; then aws_account=dedicated; fi
    aws_region=${1-$(answer region)}
}

use_signin_account() {
    aws_account=main
    aws_region=$(answer region)
}
