#!/bin/sh
# Blocks persons in the policy `Blocked` of the federation stack. AWS evaluates it at each call, so a block ends live
# sessions too, and needs no service that runs.
#
# The template's version of the policy matches nobody. Each write makes a new version that names persons; the template's
# version stays, and becomes the default again when nobody is blocked any more, so it is the same to the byte. A version
# of ours has statements whose Sid begins with `DeployBlocks`.

# IAM stores five versions. One place stays free for CloudFormation, which needs it to update the policy.
most_versions=4

# What IAM counts of a managed policy's document: characters that are not white space. Our documents have none.
longest_document=6144

check_person() {
    case $1 in
        '') fail_usage person 'no person is named' \
            "run: deploy $command PERSON, with the name that \`bedrock-sso status\` shows on the person's laptop" ;;
        *[!A-Za-z0-9_=,.@+-]*)
            fail_usage person "\"$1\" is not a session name" \
                "give the name that \`bedrock-sso status\` shows: letters, digits and _ = , . @ + - only"
            ;;
    esac
    if [ "${#1}" -lt 2 ] || [ "${#1}" -gt 64 ]; then
        fail_usage person "\"$1\" is not a session name" 'a session name has 2 to 64 characters'
    fi
}

block_person() {
    check_person "$person"
    until=-
    if [ -n "$until_text" ]; then
        until=$(resolve_until "$until_text") ||
            fail_usage until "\"$until_text\" is not a time in the future" \
                'give a duration such as 2h or 7d, or a time in UTC such as 2026-12-24 or 2026-12-24T18:00Z'
    fi
    for_each_blocked_policy add_block
    if [ "$until" = - ]; then
        say "$person is blocked until you run: deploy unblock $person"; else say "$person is blocked until $until (UTC)"
    fi
    say 'Sessions that exist are refused from now on. AWS needs some seconds to spread the change.'
}

unblock_person() {
    check_person "$person"
    was_blocked=
    for_each_blocked_policy remove_block
    if [ -n "$was_blocked" ]; then say "$person is not blocked any more"; else say "$person was not blocked"; fi
}

list_blocked() {
    listed=
    for_each_blocked_policy collect_blocked
    if [ -z "$listed" ]; then
        say 'Nobody is blocked.'
    else
        { printf 'Person\tBlocked until (UTC)\tAccount\n' && printf '%s' "$listed"; } | print_table ''
    fi
    list_limited
}

# Whom the limits service refuses: it writes policies of its own.
list_limited() {
    use_bedrock_account
    limited=$(print_limited) || exit
    limited=$(printf '%s\n' "$limited" | lines_of_persons | awk -F '\t' -v OFS='\t' -v now="$(current_time)" '
        $1 != "(nobody)" && ($2 == "-" || $2 > now) { print $1, ($2 == "-" ? "no end" : $2) }' | sort)
    [ -n "$limited" ] || return 0
    say ''
    { printf 'Person at a limit\tUntil (UTC)\n' && printf '%s\n' "$limited"; } | print_table ''
}

# for_each_blocked_policy ACTION: calls it for the policy of the sign-in account, and of the dedicated account if there
# is one, with `policy`, `policy_account` and the blocks in `blocks`. Ends the program if no policy can name a person.
for_each_blocked_policy() {
    policies=0
    unnamed=
    use_signin_account
    act_on_blocked_policy "$1"
    if [ -n "$(answer account)" ]; then
        identify_caller
        use_bedrock_account
        act_on_blocked_policy "$1"
    fi
    if [ "$policies" -eq 0 ] && [ -n "$unnamed" ]; then
        fail_configuration identity_pool \
            'an identity pool calls every session CognitoIdentityCredentials, so no policy can name a person' \
            "take the application from the person at the identity provider: the pool's credentials end within an hour"
    fi
    if [ "$policies" -eq 0 ]; then
        fail_configuration no_stack \
            "there is no stack $stack_prefix-federation in $(answer region)" \
            'deploy it first, or name another one with --name, --region and --account'
    fi
}

act_on_blocked_policy() {
    find_blocked_policy || return 0
    if [ "$federation" = identity-pool ]; then
        unnamed=yes
        return 0
    fi
    policies=$((policies + 1))
    policy_account=${policy#*:iam::}
    policy_account=${policy_account%%:*}
    read_blocks
    "$1"
}

# find_blocked_policy: `policy` and `federation` of the federation stack. Fails if neither exists. The Terraform module
# has no stack, and its policy has the same name.
find_blocked_policy() {
    policy=
    output="Outputs[?OutputKey=='BlockedPolicyArn'].OutputValue | [0]"
    parameter="Parameters[?ParameterKey=='Federation'].ParameterValue | [0]"
    if try_aws cloudformation describe-stacks --stack-name "$stack_prefix-federation" \
        --query "Stacks[0].[$output,$parameter]"; then
        policy=$(first_word "$reply")
        federation=$(second_word "$reply")
    elif ! aws_refused_with 'does not exist'; then
        fail_for_aws "describe the stack $stack_prefix-federation"
    fi
    if [ -n "$policy" ] && [ "$policy" != None ]; then return 0; fi
    federation=oidc
    identify_caller
    policy=arn:$partition:iam::$(account_of_calls):policy
    policy=$policy/$stack_prefix-federation-you-are-blocked-ask-your-administrator
    if try_aws iam get-policy --policy-arn "$policy" --query Policy.Arn; then return 0; fi
    aws_refused_with NoSuchEntity || fail_for_aws "show the policy $policy"
    return 1
}

# Reads the versions of `policy`: `versions` (lines of version, default or not; the oldest first), `default_version`,
# `template_version`, and `blocks` (lines of person and time, or `-`). If the default is the template's although a
# version of ours is older than it, CloudFormation has replaced ours: `blocks` are then those of our newest version, and
# `replaced` is yes.
read_blocks() {
    ask_aws 'list the versions of the policy Blocked' iam list-policy-versions --policy-arn "$policy" \
        --query 'Versions[].[VersionId,IsDefaultVersion]'
    versions=$(printf '%s\n' "$reply" | awk -F '\t' 'NF == 2 { print substr($1, 2), $1, $2 }' | sort -n |
        cut -d ' ' -f 2-)
    default_version='' template_version='' our_version='' replaced='' blocks='' our_blocks='' default_is_ours=''
    blocked_actions=''
    printf '%s\n' "$versions" >"$scratch/versions"
    while read -r version is_default; do
        read_version "$version"
        if [ -z "$version_blocks" ]; then
            template_version=$version blocked_actions=$version_actions
        elif [ "$default_is_ours" != yes ]; then
            our_version=$version our_blocks=$version_blocks
            blocked_actions=${blocked_actions:-$version_actions}
            if [ "$is_default" = True ]; then default_is_ours=yes; fi
        fi
        if [ "$is_default" = True ]; then default_version=$version; fi
    done <"$scratch/versions"
    if [ -z "$our_version" ]; then return 0; fi
    if [ "$default_is_ours" != yes ]; then
        [ "${default_version#v}" -gt "${our_version#v}" ] || return 0
        replaced=yes
    fi
    # An expired statement matches no more, so it is left out of the next version.
    blocks=$(printf '%s\n' "$our_blocks" | awk -F '\t' -v now="$(current_time)" '$2 == "-" || $2 > now' | sort)
}

# read_version VERSION: `version_blocks`, the lines of person and time of one version, and `version_actions`, what it
# denies. A version of the template has no blocks.
read_version() {
    ours="PolicyVersion.Document.Statement[?Sid && starts_with(Sid, 'DeployBlocks')]"
    ask_aws 'show a version of the policy Blocked' iam get-policy-version --policy-arn "$policy" --version-id "$1" \
        --query "[[PolicyVersion.Document.Statement[0].Action],$ours.[$person_and_time_of_statement]][]"
    version_actions=$(printf '%s\n' "$reply" | sed -n 1p)
    version_blocks=$(printf '%s\n' "$reply" | sed 1d | lines_of_persons)
}

# Whom a statement names, with spaces between them, and when it ends.
person_and_time_of_statement="join(' ', Condition.StringLike.\"aws:userid\")"
person_and_time_of_statement="$person_and_time_of_statement, Condition.DateLessThan.\"aws:CurrentTime\""

# Such statements as lines of person and time, or `-`.
lines_of_persons() {
    awk -F '\t' -v OFS='\t' 'NF == 2 {
        count = split($1, name, " ")
        for (i = 1; i <= count; i++) print substr(name[i], 3), ($2 == "None" ? "-" : $2)
    }'
}

add_block() {
    write_blocks "$(printf '%s\n%s\n' "$(blocks_without "$person")" "$person$tab$until" | sed '/^$/d' | sort)"
}

remove_block() {
    if printf '%s\n' "$blocks" | grep -qF -e "$person$tab"; then was_blocked=yes; fi
    write_blocks "$(blocks_without "$person")"
}

collect_blocked() {
    listed=$listed$(printf '%s\n' "$blocks" | awk -F '\t' -v OFS='\t' -v account="$policy_account" '
        NF { print $1, ($2 == "-" ? "no end" : $2), account }')
    [ -z "$listed" ] || listed=$listed$newline
}

blocks_without() { printf '%s\n' "$blocks" | awk -F '\t' -v person="$1" 'NF && $1 != person'; }

# write_blocks BLOCKS: makes the policy refuse exactly these persons.
write_blocks() {
    if [ "$1" = "$blocks" ] && [ -z "$replaced" ]; then return 0; fi
    if [ -z "$1" ]; then
        restore_template_version
        return 0
    fi
    document=$(print_blocking_document "$1")
    if [ "${#document}" -gt "$longest_document" ]; then
        fail_configuration too_many_blocks \
            "the policy would have ${#document} characters, and IAM accepts $longest_document" \
            'unblock persons whom the identity provider refuses anyway, or give blocks an end with --until'
    fi
    delete_old_versions "$most_versions"
    ask_aws 'accept the new version of the policy Blocked' iam create-policy-version --policy-arn "$policy" \
        --set-as-default \
        --policy-document "$document" --query PolicyVersion.VersionId
}

# The template's version becomes the default, and the others are deleted. First those that are not in force: if this run
# ends in between, the persons are still blocked.
restore_template_version() {
    [ -n "$default_version" ] || fail_internal "the policy $policy has no version"
    if [ -z "$template_version" ]; then
        fail_configuration no_template_version "the policy $policy has no version of the template any more" \
            "delete the stack $stack_prefix-federation and deploy it again, or leave the block"
    fi
    delete_old_versions 2
    if [ "$default_version" != "$template_version" ]; then
        ask_aws 'make the version of the template the default' iam set-default-policy-version --policy-arn "$policy" \
            --version-id "$template_version"
        ask_aws 'delete a version of the policy Blocked' iam delete-policy-version --policy-arn "$policy" \
            --version-id "$default_version"
    fi
}

# delete_old_versions COUNT: deletes the oldest versions until fewer than COUNT remain. The default and the template's
# newest version stay.
delete_old_versions() {
    count=$(printf '%s\n' "$versions" | grep -c .) || true
    printf '%s\n' "$versions" >"$scratch/versions"
    while read -r version is_default; do
        if [ "$count" -lt "$1" ]; then break; fi
        if [ "$is_default" = True ] || [ "$version" = "$template_version" ]; then continue; fi
        ask_aws 'delete a version of the policy Blocked' iam delete-policy-version --policy-arn "$policy" \
            --version-id "$version"
        count=$((count - 1))
    done <"$scratch/versions"
}

# print_blocking_document BLOCKS: the policy that refuses them what the template's version refuses to nobody: one
# statement for all blocks without an end, and one for each block with an end.
print_blocking_document() {
    printf '%s\n' "$1" | awk -F '\t' -v actions="$(actions_as_json)" '
        function statement(sid, condition) {
            return "{\"Sid\":\"" sid "\",\"Effect\":\"Deny\",\"Action\":[" actions "],\"Resource\":\"*\"," \
                "\"Condition\":{" condition "}}"
        }
        $2 == "-" { names = names (names == "" ? "" : ",") "\"*:" $1 "\"" }
        $2 != "-" {
            timed = timed (timed == "" ? "" : ",") statement("DeployBlocksUntil" ++count, \
                "\"StringLike\":{\"aws:userid\":[\"*:" $1 "\"]},\"DateLessThan\":{\"aws:CurrentTime\":\"" $2 "\"}")
        }
        END {
            if (names != "") all = statement("DeployBlocks", "\"StringLike\":{\"aws:userid\":[" names "]}")
            if (all != "" && timed != "") all = all ","
            printf "{\"Version\":\"2012-10-17\",\"Statement\":[%s%s]}", all, timed
        }'
}

# The actions that the template's version denies, as items of a JSON array.
actions_as_json() {
    printf '%s\n' "$blocked_actions" | tr '\t' '\n' | sed '/^[a-z-]*:\*$/!d; s/.*/"&"/' | paste -s -d , -
}

# After an update of the stack: writes the blocks again that CloudFormation has replaced.
restore_replaced_blocks() {
    find_blocked_policy || return 0
    read_blocks
    if [ -z "$replaced" ]; then return 0; fi
    if [ -n "$blocks" ]; then
        write_blocks "$blocks"
        say 'The update had replaced the policy Blocked; its blocks are written again.'
    else
        # All of them have expired meanwhile.
        restore_template_version
    fi
}

# Before the stack is deleted: IAM deletes no policy that has further versions. The default version stays in force.
delete_further_versions() {
    if find_blocked_policy; then delete_further_versions_of "$policy"; fi
}

# delete_further_versions_of POLICY
delete_further_versions_of() {
    ask_aws "list the versions of the policy $1" iam list-policy-versions --policy-arn "$1" \
        --query 'Versions[?!IsDefaultVersion].[VersionId]'
    for version in $reply; do
        ask_aws "delete a version of the policy $1" iam delete-policy-version --policy-arn "$1" --version-id "$version"
    done
}
