#!/bin/sh
# Service quotas: whether the account's tokens and requests per minute are enough for a number of people.
#
# What a person needs falls with their number, because fewer of them work in the same minute. The figures are the upper
# ones of Anthropic's recommendation for Claude Code, "Rate limit recommendations" on its page about costs.

# demand_per_person PEOPLE: tokens and requests per minute.
demand_per_person() {
    if [ "$1" -le 5 ]; then
        echo 300000 7
    elif [ "$1" -le 20 ]; then
        echo 150000 3.5
    elif [ "$1" -le 50 ]; then
        echo 75000 1.75
    elif [ "$1" -le 100 ]; then
        echo 35000 0.87
    elif [ "$1" -le 500 ]; then
        echo 20000 0.47
    else
        echo 15000 0.35
    fi
}

# read_token_quota MODEL: `token_quota`, the tokens a minute that the account may use of this line of `chosen_models`.
# Empty: Service Quotas does not say.
read_token_quota() {
    token_quota=
    name="$(quota_prefix) model inference tokens per minute for Anthropic $(printf '%s\n' "$1" | cut -f 5)"
    try_aws service-quotas list-service-quotas --service-code bedrock \
        --query "Quotas[?QuotaName=='$name' || QuotaName=='$name V1'].[Value]" || return 0
    token_quota=$(printf '%s\n' "$reply" | awk '$1 > 0 { printf "%d", $1; exit }')
}

quota_prefix() { if [ "$(answer geography)" = global ]; then echo 'Global cross-region'; else echo Cross-region; fi; }

compare_quotas() {
    case $people in
        '' | *[!0-9]* | 0 | ???????*) fail_usage people 'the number of people is missing' \
            'run for example: deploy quotas --people 200' ;;
    esac
    identify_caller
    resolve_models
    use_bedrock_account
    demand=$(demand_per_person "$people")
    tokens_needed=$(awk -v people="$people" -v each="${demand% *}" 'BEGIN { printf "%d", people * each }')
    requests_needed=$(awk -v people="$people" -v each="${demand#* }" 'BEGIN {
        need = people * each
        printf "%d", (need == int(need) ? need : int(need) + 1)
    }')
    say \
        "$people people need about $tokens_needed tokens and $requests_needed requests a minute, if all use one model:"
    say \
        "${demand% *} tokens and ${demand#* } requests for each, as few work in the same minute (Anthropic's figures)."
    ask_aws 'list the quotas of Bedrock' service-quotas list-service-quotas --service-code bedrock \
        --query 'Quotas[].[QuotaCode,Value,Adjustable,QuotaName]'
    printf '%s\n' "$reply" >"$scratch/quotas"
    find_quotas >"$scratch/compared"
    { printf 'Model\tQuota a minute\tNow\tNeeded\tEnough\n' && cut -f 1-5 "$scratch/compared"; } | print_table ''
    if cut -f 5 "$scratch/compared" | grep -q unknown; then
        say 'unknown: Service Quotas has no quota of this name. See the page of Amazon Bedrock in Service Quotas.'
    fi
    if ! cut -f 5 "$scratch/compared" | grep -qx no; then return 0; fi
    if [ "$request_quotas" = yes ]; then
        request_quota_increases
    else
        say 'To request what is missing, run: deploy quotas --people '"$people"' --request'
    fi
}

# Prints model, unit, value, need, yes or no or unknown, quota code and whether it is adjustable, for each chosen model.
# AWS names the quota of a geography "Cross-region model inference …" and that of `global` "Global cross-region …".
# The names of older models ended in " V1".
find_quotas() {
    printf '%s' "$chosen_models" | awk -F '\t' -v OFS='\t' -v prefix="$(quota_prefix)" -v quotas="$scratch/quotas" \
        -v tokens="$tokens_needed" -v requests="$requests_needed" '
        function compare(unit, need,    name, found, enough) {
            name = prefix " model inference " unit " per minute for Anthropic " $5
            found = (name in value) ? name : name " V1"
            if (found in value) {
                enough = (value[found] + 0 >= need + 0 ? "yes" : "no")
                print $1, unit, sprintf("%d", value[found]), need, enough, code[found], adjustable[found]
            } else {
                print $1, unit, "-", need, "unknown", "-", "-"
            }
        }
        BEGIN {
            while ((getline line <quotas) > 0) {
                split(line, field, "\t")
                code[field[4]] = field[1]; value[field[4]] = field[2]; adjustable[field[4]] = field[3]
            }
        }
        { compare("tokens", tokens); compare("requests", requests) }'
}

request_quota_increases() {
    while IFS="$tab" read -r model unit _ need enough code adjustable; do
        [ "$enough" = no ] || continue
        if [ "$adjustable" != True ]; then
            say "$model: AWS does not raise the quota for $unit on request. Ask AWS Support, with the code $code."
            continue
        fi
        ask_aws 'list the requests for this quota' service-quotas list-requested-service-quota-change-history-by-quota \
            --service-code bedrock \
            --quota-code "$code" --query "RequestedQuotas[?Status=='PENDING' || Status=='CASE_OPENED'].[DesiredValue]"
        if [ -n "$reply" ]; then
            say "$model: an increase of $unit to $(first_word "$reply") is already requested ($code)."
            continue
        fi
        ask_aws "accept the request for $code" service-quotas request-service-quota-increase --service-code bedrock \
            --quota-code "$code" \
            --desired-value "$need" --query RequestedQuota.Status
        say "$model: $need $unit a minute requested ($code, $reply)."
    done <"$scratch/compared"
}
