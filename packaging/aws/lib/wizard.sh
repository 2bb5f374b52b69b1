#!/bin/sh
# The wizard: at a terminal it asks for the answers that are missing, one question a line, and stores them when all are
# given. Ctrl-C before that leaves everything as it was.
# shellcheck disable=SC2016 # Backticks in a message mark a command.

run_wizard() {
    say 'This sets up Amazon Bedrock for your organisation.'
    say 'Enter accepts the value in brackets. Ctrl-C changes nothing.'
    ask region 'Region of the stacks and of Bedrock' "$(configured_region)" eu-central-1
    # Without credentials, all further questions would be in vain.
    read_caller
    say "  These credentials are of account $account_id: $(printable "$caller_arn")"
    ask_provider
    if [ "$(answer federation)" != identity-center ]; then
        ask issuer "The provider's issuer, as its ID tokens spell it" "$(default_issuer)" "$(example_issuer)"
        ask client_id 'Client ID of the application that you registered there' '' 0oa1b2c3d4
    fi
    geography=$(geography_of_region "$(answer region)")
    ask geography 'Where models run (us, eu, jp, au, in, apac, us-gov, global)' "${geography:-global}" global
    ask models 'Models' "$(default_models)" sonnet-5-5,haiku-5-5
    ask account 'Dedicated account for Bedrock, if it is not that of these credentials' '' 222222222222
    ask monthly_budget 'Budget for all people in USD a month, 0 for none' 0 2000
    if [ "$(answer monthly_budget)" -gt 0 ]; then ask alert 'Address for alarms and budgets' '' ops@acme.com; fi
    ask limits 'Refuse persons at a limit? This deploys the limits service (yes, no)' no yes
    if is_on limits; then
        ask limit 'Limit for each person' '' 200USD/month
        ask limit_contact 'Whom can a person at a limit ask?' '' it-help@acme.com
        ask limit_time_zone 'Time zone in which days and months begin' UTC Europe/Berlin
    fi
    ask failover_region 'Second Region, if the first one fails' '' "$(example_second_region)"
    (complete_answers && check_answers)
    write_answers "$answers_file"
    say "The answers are stored in $answers_file. Next time \`deploy\` asks for none of them."
    say ''
}

# ask KEY QUESTION DEFAULT EXAMPLE: asks until the answer is legal and contradicts no earlier one. An empty answer is
# the default, and a key without default may then stay unanswered unless it is required.
ask() {
    if is_answered "$1"; then return 0; fi
    required=no
    # An address is asked for only if there is a budget.
    case " alert $(missing_answers | tr '\n' ' ')" in *" $1 "*) required=yes ;; esac
    while :; do
        if [ -n "$3" ]; then
            printf '%s [%s]: ' "$2" "$(printable "$3")"
        elif [ "$required" = yes ]; then
            printf '%s (e.g. %s): ' "$2" "$4"
        else
            printf '%s (e.g. %s) [none]: ' "$2" "$4"
        fi
        IFS= read -r given || {
            printf '\n'
            fail 130 deploy/cancelled 'the questions ended before the answers were complete; nothing was stored' \
                'run `deploy` again'
        }
        given=$(normalize_value "$1" "${given:-$3}")
        if [ "$required" = no ]; then
            case $given in '' | none) return 0 ;; esac
        elif [ -z "$given" ]; then
            say '  This answer is needed.'
            continue
        fi
        if ! check_answer "$1" "$given"; then
            say "  Please give $problem."
        elif agrees_with_others "$1" "$given"; then
            store_answer "$1" "$given"
            return 0
        fi
    done
}

# agrees_with_others KEY VALUE: whether the answer fits the earlier ones. If not, it says why and what would fit. The
# checks are those of complete answers, which end the program: so they run in a subshell.
agrees_with_others() {
    (
        store_answer "$1" "$2"
        case $1 in
            issuer)
                complete_answers
                provider=$(answer provider) issuer=$2
                check_issuer
                ;;
            models) resolve_models ;;
            account) check_account ;;
            failover_region)
                check_failover_region
                if is_on limits; then check_limits; fi
                ;;
            limits) if is_on limits; then check_limits; fi ;;
        esac
    ) 2>"$scratch/contradiction" || {
        sed 's/^[a-z]*: /  /; s/ \[[a-z/_]*\]$/./; s/^  hint: /  To cure it, /' "$scratch/contradiction"
        return 1
    }
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

# Another Region of the geography than the first one.
example_second_region() {
    case $(answer geography) in
        us) regions='us-west-2 us-east-1' ;;
        us-gov) regions='us-gov-east-1 us-gov-west-1' ;;
        jp) regions='ap-northeast-3 ap-northeast-1' ;;
        au) regions='ap-southeast-4 ap-southeast-2' ;;
        in) regions='ap-south-2 ap-south-1' ;;
        *) regions='eu-west-1 eu-central-1' ;;
    esac
    if [ "${regions%% *}" = "$(answer region)" ]; then say "${regions##* }"; else say "${regions%% *}"; fi
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
