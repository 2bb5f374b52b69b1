#!/bin/sh
# The wizard: at a terminal it asks for the answers that are missing, one question a line, and stores them when all are
# given. Ctrl-C before that leaves everything as it was.
# shellcheck disable=SC2016 # Backticks in a message mark a command.

run_wizard() {
    say 'This sets up Amazon Bedrock for your organisation.'
    say 'Enter accepts the value in brackets. Ctrl-C changes nothing.'
    ask region 'Region of the stacks and of Bedrock' "$(configured_region)" eu-central-1
    ask_provider
    if [ "$(answer federation)" != identity-center ]; then
        ask issuer "The provider's issuer, as its ID tokens spell it" "$(default_issuer)" "$(example_issuer)"
        ask client_id 'Client ID of the application that you registered there' '' 0oa1b2c3d4
    fi
    ask geography 'Where models run (us, eu, apac, jp, au, us-gov, global)' \
        "$(geography_of_region "$(answer region)")" global
    ask models 'Models' "$(default_models)" sonnet-5-5,haiku-5-5
    ask account 'Dedicated account for Bedrock; empty: the account of these credentials' '' 222222222222
    ask monthly_budget 'Budget for all people in USD a month; 0: none' 0 2000
    if [ "$(answer monthly_budget)" -gt 0 ]; then ask alert 'Address for alarms and budgets' '' ops@acme.com; fi
    ask limit 'Limit for each person, for the limits service; empty: none' '' 200USD/month
    ask failover_region 'Second Region, if the first one fails; empty: none' '' eu-west-1
    write_answers "$answers_file"
    say "The answers are stored in $answers_file. Next time \`deploy\` asks for none of them."
    say ''
}

# ask KEY QUESTION DEFAULT EXAMPLE: asks until the answer is legal. An empty answer is the default, and a key without
# default may then stay unanswered unless it is required.
ask() {
    if is_answered "$1"; then return 0; fi
    while :; do
        if [ -n "$3" ]; then printf '%s [%s]: ' "$2" "$(printable "$3")"; else printf '%s (e.g. %s): ' "$2" "$4"; fi
        IFS= read -r given || {
            printf '\n'
            fail 130 deploy/cancelled 'the questions ended before the answers were complete; nothing was stored' \
                'run `deploy` again'
        }
        given=$(normalize_value "$1" "${given:-$3}")
        if [ -z "$given" ]; then
            case " $(missing_answers | tr '\n' ' ')" in
                *" $1 "*) say '  This answer is needed.' && continue ;;
                *) return 0 ;;
            esac
        fi
        if check_answer "$1" "$given"; then
            store_answer "$1" "$given"
            return 0
        fi
        say "  Please give $problem."
    done
}

ask_provider() {
    if is_answered provider || is_answered issuer || is_answered federation; then return 0; fi
    while :; do
        printf 'Identity provider (okta, entra, auth0, cognito, google, generic, identity-center) [generic]: '
        IFS= read -r given ||
            fail 130 deploy/cancelled 'the questions ended before the answers were complete; nothing was stored' \
                'run `deploy` again'
        given=$(normalize_value provider "${given:-generic}")
        if [ "$given" = identity-center ]; then
            store_answer federation identity-center
            return 0
        fi
        if check_answer provider "$given"; then
            store_answer provider "$given"
            return 0
        fi
        say "  Please give $problem, or identity-center."
    done
}

configured_region() {
    if [ -n "${AWS_REGION-}" ]; then
        say "$AWS_REGION"
    else
        aws configure get region 2>/dev/null </dev/null || true
    fi
}

default_issuer() { if [ "$(answer provider)" = google ]; then say https://accounts.google.com; fi; }

example_issuer() {
    case $(answer provider) in
        okta) say https://acme.okta.com ;;
        entra) say https://login.microsoftonline.com/TENANT-ID/v2.0 ;;
        auth0) say https://acme.eu.auth0.com/ ;;
        cognito) say https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCd12345 ;;
        *) say https://sso.acme.com/realms/acme ;;
    esac
}

# The newest model of each rank that the geography has.
default_models() {
    model_table | awk -F '\t' -v geography="$(answer geography)" '
        index("," $3 ",", "," geography ",") && !($5 in seen) { seen[$5] = 1; list = list (list == "" ? "" : ",") $1 }
        END { print list }'
}
