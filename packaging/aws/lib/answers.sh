#!/bin/sh
# The answers: what the administrator wants. They come from flags, then from the file bedrock-sso.deploy.toml, then from
# the defaults below. Each is checked here before it reaches a template, a policy or a command.
# shellcheck disable=SC2016 # Backticks in a message mark a command.

newline='
'

# One line for each answer: its key, its kind (which check_… function accepts it), its default, and its help. The flag
# of a key has dashes in place of underscores.
answer_table() {
    cat <<'TABLE'
name|name|bedrock-sso|prefix of the names of the stacks
region|region||Region of the stacks, and where Bedrock is called
provider|provider|auto|okta, entra, auth0, cognito, google or generic; auto: by the issuer's host
issuer|issuer||issuer of the ID tokens, exactly as the provider spells it
client_id|client_ids||client ID of the application; several, if several are accepted
federation|federation|oidc|oidc, identity-pool or identity-center
identity_center_instance|instance||ARN of the instance, with federation = "identity-center"; empty: the account's
session_name|session_name||what names a session: subject, tag or free; empty: subject where the provider allows it
name_tag|tag|Email|session tag that holds the name, with session_name = "tag"
name_claim|claim|email|claim that the provider puts into that tag
session_tags|tags|Team|session tags that a token may carry
team_claim|claim|team|claim of the team, with federation = "identity-pool"
subjects|patterns||only these subjects; * matches any text
amr|words||a sign-in must have used one of these methods, such as mfa
google_organization|number||only users of this organisation, with provider = "google"
models|models||models that may be called: short names such as sonnet-5-5, or Bedrock's IDs
geography|geography||where models run: us, eu, jp, au, in, apac, us-gov or global; empty: by the Region
bearer_tokens|switch|no|allow short-term Bedrock API keys
mantle|switch|no|allow Bedrock's second endpoint, bedrock-mantle
laptop_telemetry|switch|no|allow laptops to write telemetry to CloudWatch
agent_role|switch|no|create a second role for coding agents
ci_issuer|issuer||issuer of a CI system, such as https://token.actions.githubusercontent.com
ci_subjects|ci_subjects||its jobs that may call models, such as repo:acme/app:*
account|account||dedicated account for Bedrock, if it is not this one
account_role|role|OrganizationAccountAccessRole|role with which to deploy into the dedicated account
alert|email||address for alarms and budgets
monthly_budget|amount|0|budget in USD a month; 0: none
budget_action|switch|no|block everybody when the budget is spent
alarms|switch|yes|alarms on throttling, slow answers and quotas
output_tokens_per_hour|amount|0|an alarm if all models together write more tokens in an hour; 0: none
logging|switch|yes|log each invocation: who, which model, how many tokens
log_text|switch|no|log prompts and answers too
log_retention_days|retention|90|days after which log events are deleted
log_bucket|switch|yes|write the log to a bucket as well
overwrite_logging|switch|no|replace a logging configuration that somebody else made
trail|switch|yes|record all API calls of the account in a trail of CloudTrail
guardrail|switch|no|create a guardrail with content filters and enforce it
vpc_id|vpc||VPC that gets endpoints for Bedrock; calls from elsewhere are then refused
subnets|subnets||subnets of these endpoints
security_groups|groups||security groups of these endpoints
failover_region|region||second Region, in which everything works if the first one fails
limits|switch|no|deploy the limits service, which counts calls and refuses persons at a limit
limit|limit||limit that you want for each person, such as 200USD/month
limit_contact|text||whom a person at a limit can ask
limit_time_zone|time_zone|UTC|when hours, days and months begin, such as Europe/Berlin
limit_groups|group_rule|strictest|which limit holds for a person of several groups: strictest or most-generous
limit_group_claims|claims|groups|claims with the groups of a person
person|claims||claims that name a person in the limits; empty: as the sessions are named
limit_log_group|log_group||log group of the invocation log, if it is not that of these stacks
limit_bucket|bucket||bucket with the invocation logs of other accounts and Regions
telemetry|switch|no|deploy the relay, to which laptops send telemetry with their ID token
dashboard|switch|no|deploy a dashboard and its alarms, for the limits service and for telemetry
server_zip|path||program of the limits service and of the relay; empty: the release's file beside this program
analytics|switch|no|deploy tables and queries over the log and over what laptops have sent
analytics_bucket|bucket||bucket with the invocation log, if it is not that of these stacks
analytics_accounts|accounts||accounts whose records are in that bucket; empty: this one
analytics_regions|regions||Regions whose records are in that bucket; empty: this one
analytics_retention_days|days|400|days after which stored metrics and events are deleted
pseudonyms|switch|no|show a pseudonym in place of each person in the queries
leaderboard|switch|no|a query that compares the work of single persons
cur_table|table||table of a Cost and Usage Report 2.0, as DATABASE.TABLE, to compare with
unmetered|switch|no|allow calls that no limit counts: mantle, and those in a second Region
TABLE
}

answer_keys() { answer_table | sed 's/|.*//'; }

# All answers so far, as KEY=VALUE between newlines. No value contains a newline.
answers=$newline

# answer KEY: prints the answer, or its default.
answer() {
    case $answers in
        *"$newline$1="*)
            answer_rest=${answers#*"$newline$1="}
            printf '%s\n' "${answer_rest%%"$newline"*}"
            ;;
        *) answer_table | awk -F '|' -v key="$1" '$1 == key { print $3 }' ;;
    esac
}

is_answered() {
    case $answers in *"$newline$1="*) return 0 ;; *) return 1 ;; esac
}

is_on() { [ "$(answer "$1")" = yes ]; }

# store_answer KEY VALUE: stores a value that check_answer has accepted. The first one counts.
store_answer() { is_answered "$1" || answers="$answers$1=$2$newline"; }

# check_answer KEY VALUE: whether the value is legal. If not, `problem` says what is expected.
check_answer() {
    kind=$(answer_table | awk -F '|' -v key="$1" '$1 == key { print $2 }')
    [ -n "$2" ] || return 0
    if [ "${#2}" -gt 2048 ]; then
        problem='at most 2,048 characters'
        return 1
    fi
    case $kind in
        name)
            matches "$2" '[A-Za-z][A-Za-z0-9-]{0,31}' ||
                reject_value 'at most 32 letters, digits and dashes, and a letter first'
            ;;
        region) matches "$2" '[a-z]{2,4}(-[a-z]+)+-[0-9]' || reject_value 'a Region such as eu-central-1' ;;
        provider) one_of "$2" auto okta entra auth0 cognito google generic ;;
        issuer)
            matches "$2" 'https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?' ||
                reject_value 'an https address without a query, such as https://acme.okta.com'
            ;;
        client_ids)
            each_matches "$2" '[A-Za-z0-9._:/-]{1,255}' ||
                reject_value 'IDs of letters, digits and . _ : / -, separated by commas'
            ;;
        federation) one_of "$2" oidc identity-pool identity-center ;;
        instance)
            matches "$2" 'arn:aws[a-z-]*:sso:::instance/(sso)?ins-[A-Za-z0-9.-]{16}' ||
                reject_value 'the ARN of an instance of IAM Identity Center'
            ;;
        session_name) one_of "$2" subject tag free ;;
        tag) matches "$2" '[A-Za-z0-9_.:=+@-]{1,128}' || reject_value 'the key of a session tag, such as Email' ;;
        tags) each_matches "$2" '[A-Za-z0-9_.:=+@/-]{1,128}' || reject_value 'keys of session tags, such as Team' ;;
        claims)
            each_matches "$2" '[A-Za-z0-9_.:/-]{1,128}' || reject_value 'names of claims, separated by commas'
            ;;
        text)
            matches "$2" "[A-Za-z0-9 #@._:/+?=&()'-]{1,200}" ||
                reject_value "at most 200 letters, digits, spaces and # @ . _ : / + ? = & ( ) ' -"
            ;;
        time_zone)
            matches "$2" '[A-Za-z][A-Za-z0-9_+/-]{1,63}' || reject_value 'the name of a time zone such as Europe/Berlin'
            ;;
        group_rule) one_of "$2" strictest most-generous ;;
        log_group)
            matches "$2" '[A-Za-z0-9_./#-]{1,512}' || reject_value 'the name of a log group such as /acme/bedrock'
            ;;
        bucket) matches "$2" '[a-z0-9][a-z0-9.-]{2,62}' || reject_value 'the name of a bucket' ;;
        accounts) each_matches "$2" '[0-9]{12}' || reject_value 'account numbers of 12 digits' ;;
        regions) each_matches "$2" '[a-z]{2,4}(-[a-z]+)+-[0-9]' || reject_value 'Regions such as eu-central-1' ;;
        days)
            { matches "$2" '[1-9][0-9]{0,3}' && [ "$2" -le 3653 ]; } || reject_value 'a number of days up to 3653'
            ;;
        table)
            matches "$2" '[a-z0-9_]{1,128}[.][a-z0-9_]{1,128}' || reject_value 'a table such as billing.cur2'
            ;;
        path) matches "$2" '[A-Za-z0-9 _.~/+@:=-]{1,1024}' || reject_value 'the path of a file' ;;
        claim) matches "$2" '[A-Za-z0-9_.:/-]{1,128}' || reject_value 'the name of a claim, such as email' ;;
        patterns) 
            each_matches "$2" '[A-Za-z0-9._:/|@+=*-]+' ||
                reject_value 'subjects of letters, digits and . _ : / | @ + = -, in which * matches any text'
            ;;
        words) each_matches "$2" '[A-Za-z0-9._:-]+' || reject_value 'words such as mfa' ;;
        number) matches "$2" '[0-9]{1,20}' || reject_value 'a number' ;;
        retention)
            one_of "$2" 1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653
            ;;
        models) each_matches "$2" '[A-Za-z0-9._:/-]+' || reject_value 'names such as sonnet-5-5,haiku-5-5' ;;
        geography) one_of "$2" us eu jp au in apac us-gov global ;;
        switch) one_of "$2" yes no ;;
        ci_subjects)
            each_matches "$2" '[a-z_]+:[A-Za-z0-9@_.-]+[/:][A-Za-z0-9@_./:*=-]+' ||
                reject_value 'subjects that name at least the organisation, such as repo:acme/app:*'
            ;;
        account) matches "$2" '[0-9]{12}' || reject_value 'an account number of 12 digits' ;;
        role) matches "$2" '[A-Za-z0-9_+=.@/-]{1,128}' || reject_value 'the name of a role, such as Admin' ;;
        email) 
            matches "$2" '[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]+' ||
                reject_value 'an e-mail address such as ops@acme.com'
            ;;
        amount) matches "$2" '[0-9]{1,9}' || reject_value 'a whole number' ;;
        vpc) matches "$2" 'vpc-[0-9a-f]{8,17}' || reject_value 'a VPC such as vpc-0a1b2c3d' ;;
        subnets) each_matches "$2" 'subnet-[0-9a-f]{8,17}' || reject_value 'subnets such as subnet-0a1b2c3d' ;;
        groups) each_matches "$2" 'sg-[0-9a-f]{8,17}' || reject_value 'security groups such as sg-0a1b2c3d' ;;
        limit)
            matches "$2" '[0-9]+([.][0-9]+)?[A-Za-z]*/(hour|day|month)' || reject_value 'a limit such as 200USD/month'
            ;;
        *) fail_internal "the answer $1 has no kind" ;;
    esac
}

reject_value() {
    problem=$1
    return 1
}

# matches TEXT PATTERN: whether the extended regular expression matches all of the text.
matches() {
    case $1 in *"$newline"*) return 1 ;; esac
    printf '%s\n' "$1" | grep -qxE -e "$2"
}

# each_matches LIST PATTERN: the same for each item of a list with commas. No item may be empty.
each_matches() {
    case ",$1," in *,,* | *"$newline"*) return 1 ;; esac
    ! list_items "$1" | grep -qvxE -e "$2"
}

list_items() { printf '%s\n' "$1" | tr ',' '\n' | sed '/^$/d'; }

one_of() {
    value=$1
    shift
    for allowed in "$@"; do
        if [ "$value" = "$allowed" ]; then return 0; fi
    done
    reject_value "one of $(printf '%s' "$*" | sed 's/ /, /g')"
}

# accept_flag KEY VALUE: stores the value of a flag, or ends the program.
accept_flag() {
    value=$(normalize_value "$1" "$2")
    check_answer "$1" "$value" || fail_usage value "--$(flag_of "$1") cannot be \"$2\"" "give $problem"
    if is_answered "$1"; then
        fail_usage twice "--$(flag_of "$1") is given twice" 'give it once; separate several values with commas'
    fi
    store_answer "$1" "$value"
}

flag_of() { printf '%s\n' "$1" | tr '_' '-'; }

# Spaces around the items of a list are not part of them, and a switch may be written as in TOML.
normalize_value() {
    case $2 in *"$newline"*) printf '%s' "$2" && return ;; esac
    printf '%s\n' "$2" | sed 's/^ *//; s/ *$//; s/ *, */,/g; s/^true$/yes/; s/^false$/no/'
}

# read_answers FILE: stores what the file answers and no flag has answered. The file is the part of TOML that
# `write_answers` writes: KEY = "text", KEY = ["text", "text"], KEY = true and KEY = 12, and comments.
read_answers() {
    if ! [ -f "$1" ] || ! [ -r "$1" ]; then
        fail_configuration no_file "there is no readable file $1" \
            'correct the name after --config, or leave the flag out to answer at a terminal'
    fi
    parse_answers "$1" >"$scratch/answers" || fail_internal "awk could not read $1"
    seen=' '
    while IFS="$tab" read -r line key value; do
        [ "$key" != '!' ] ||
            fail_configuration syntax \
                "$1:$line is not KEY = \"TEXT\", KEY = [\"TEXT\", \"TEXT\"] or KEY = true, on one line" \
                "correct this line: ${value:-it is empty}"
        answer_keys | grep -qxF -e "$key" ||
            fail_configuration unknown_key "$1:$line has the key \"$key\", which does not exist" \
                "use one of the nearest keys: $(answer_keys | nearest_names "$key")"
        case $seen in
            *" $key "*)
                fail_configuration twice "$1:$line has the key \"$key\" a second time" 'remove one of the two lines'
                ;;
        esac
        seen="$seen$key "
        value=$(normalize_value "$key" "$value")
        if ! check_answer "$key" "$value"; then
            if is_switch "$key"; then problem='true or false'; fi
            fail_configuration value "$1:$line: $key cannot be \"$value\"" "write $problem"
        fi
        store_answer "$key" "$value"
    done <"$scratch/answers"
}

tab=$(printf '\t')

# Prints LINE, KEY and VALUE of each line, separated by tabs; a list as its items with commas. A line that it does not
# understand has the key "!".
parse_answers() {
    awk '
        # The text in double quotes at the start of `rest`, without escapes, in `text`; `rest` is what follows.
        function take_text(    end) {
            if (substr(rest, 1, 1) != "\"") return 0
            rest = substr(rest, 2)
            end = index(rest, "\"")
            if (!end) return 0
            text = substr(rest, 1, end - 1)
            rest = substr(rest, end + 1)
            sub(/^[ \t]+/, "", rest)
            return text !~ /[\\\t,]/
        }
        function take_list(    list) {
            rest = substr(rest, 2)
            sub(/^[ \t]+/, "", rest)
            list = ""
            while (substr(rest, 1, 1) != "]") {
                if (!take_text() || text == "") return 0
                list = list (list == "" ? "" : ",") text
                if (substr(rest, 1, 1) == ",") { rest = substr(rest, 2); sub(/^[ \t]+/, "", rest) }
                else if (substr(rest, 1, 1) != "]") return 0
            }
            rest = substr(rest, 2)
            text = list
            return 1
        }
        {
            sub(/\r$/, "")
            sub(/^[ \t]+/, "")
            if ($0 == "" || /^#/) next
            whole = $0
            understood = 0
            if (match($0, /^[A-Za-z0-9_-]+[ \t]*=[ \t]*/)) {
                key = substr($0, 1, RLENGTH)
                sub(/[ \t]*=[ \t]*$/, "", key)
                rest = substr($0, RLENGTH + 1)
                if (substr(rest, 1, 1) == "\"") understood = take_text()
                else if (substr(rest, 1, 1) == "[") understood = take_list()
                else if (match(rest, /^(true|false|[0-9]+)/)) {
                    text = substr(rest, 1, RLENGTH)
                    rest = substr(rest, RLENGTH + 1)
                    understood = 1
                }
                sub(/^[ \t]+/, "", rest)
                if (rest != "" && rest !~ /^#/) understood = 0
            }
            if (understood) print NR "\t" key "\t" text
            else { gsub(/\t/, " ", whole); print NR "\t!\t" whole }
        }' "$1"
}

# write_answers FILE: adds the answers that the file does not have yet. The rest of the file stays as it is. The new
# file replaces the old one in one step.
write_answers() {
    new=$1.new.$$
    if ! print_answers "$1" >"$new" 2>/dev/null || ! mv "$new" "$1"; then
        rm -f "$new"
        fail 10 deploy/write "cannot write $1" \
            'run this in a folder that you can write to, or name another file with --config'
    fi
}

print_answers() {
    if [ -f "$1" ]; then
        cat "$1" || return
    else
        say '# What `deploy` sets up for bedrock-sso. It contains no secret: store it with your configuration.'
    fi
    answer_keys | while read -r key; do
        if is_answered "$key" && ! is_in_file "$key" "$1"; then print_answer "$key"; fi
    done
}

is_in_file() { [ -f "$2" ] && parse_answers "$2" | cut -f 2 | grep -qxF -e "$1"; }

print_answer() {
    value=$(answer "$1")
    kind=$(answer_table | awk -F '|' -v key="$1" '$1 == key { print $2 }')
    case $kind in
        client_ids | tags | claims | patterns | words | models | ci_subjects | subnets | groups | accounts | regions)
            say "$1 = [$(list_items "$value" | sed 's/.*/"&"/' | paste -s -d , - | sed 's/,/, /g')]"
            ;;
        switch) if [ "$value" = yes ]; then say "$1 = true"; else say "$1 = false"; fi ;;
        *) say "$1 = \"$value\"" ;;
    esac
}

# complete_answers: fills in what follows from other answers.
complete_answers() {
    if [ "$(answer provider)" = google ] && [ "$(answer federation)" != identity-center ]; then
        store_answer issuer https://accounts.google.com
    fi
    if [ "$(answer provider)" = auto ]; then
        replace_answer provider "$(provider_of_issuer "$(answer issuer)")"
    fi
    if [ -z "$(answer session_name)" ]; then
        case $(answer federation)/$(answer provider) in
            oidc/auth0 | identity-pool/* | identity-center/*) replace_answer session_name free ;;
            *) replace_answer session_name subject ;;
        esac
    fi
    if [ -z "$(answer geography)" ]; then
        replace_answer geography "$(geography_of_region "$(answer region)")"
    fi
}

replace_answer() {
    answers=$newline$(printf '%s' "$answers" | sed "/^$1=/d; /^\$/d")$newline
    store_answer "$1" "$2"
}

provider_of_issuer() {
    case $1 in
        https://*.okta.com | https://*.okta.com/* | https://*.oktapreview.com* | https://*.okta-emea.com*) echo okta ;;
        https://login.microsoftonline.com/* | https://login.microsoftonline.us/* | https://*.ciamlogin.com/*)
            echo entra
            ;;
        https://*.auth0.com | https://*.auth0.com/*) echo auth0 ;;
        https://cognito-idp.*.amazonaws.com/* | https://cognito-idp.*.amazonaws.com.cn/*) echo cognito ;;
        https://accounts.google.com) echo google ;;
        *) echo generic ;;
    esac
}

# The geography whose inference profiles the Region offers. Empty: it has none of its own, so the administrator chooses.
geography_of_region() {
    case $1 in
        us-gov-*) echo us-gov ;;
        us-* | ca-*) echo us ;;
        eu-*) echo eu ;;
        ap-northeast-1 | ap-northeast-3) echo jp ;;
        ap-southeast-2 | ap-southeast-4) echo au ;;
        ap-south-*) echo in ;;
        *) echo ;;
    esac
}

# The keys without which nothing can be deployed, and that have no answer yet.
missing_answers() {
    required='region models'
    case $(answer federation) in
        identity-center) ;;
        *) required="$required issuer client_id" ;;
    esac
    for key in $required; do
        if [ -z "$(answer "$key")" ]; then say "$key"; fi
    done
}

# check_answers: refuses answers that contradict each other.
check_answers() {
    provider=$(answer provider) federation=$(answer federation) issuer=$(answer issuer)
    [ -n "$(answer geography)" ] ||
        fail_usage geography "the Region $(answer region) has no inference profiles of its own geography" \
            'choose where models run, for example --geography global for everywhere'
    if [ "$federation" != identity-center ]; then check_issuer; fi
    if [ "$federation" = identity-center ] && [ -n "$issuer$(answer client_id)" ]; then
        fail_usage issuer 'IAM Identity Center has a sign-in of its own, but an issuer or a client ID is set' \
            'remove --issuer and --client-id, or choose --federation oidc'
    fi
    if [ "$(answer session_name)" != free ]; then
        case $federation in
            identity-pool)
                fail_usage session_name 'an identity pool calls every session CognitoIdentityCredentials' \
                    'choose --session-name free, or --federation oidc'
                ;;
            identity-center)
                fail_usage session_name 'IAM Identity Center names the sessions itself' 'choose --session-name free'
                ;;
        esac
    fi
    if [ "$federation" = identity-pool ]; then
        [ -z "$(answer subjects)$(answer amr)$(answer google_organization)" ] || fail_usage claims \
            'the role of an identity pool sees no claims, so it cannot compare subjects, amr or google_organization' \
            'remove them, or choose --federation oidc'
        [ -z "$(answer failover_region)" ] ||
            fail_usage failover 'an identity pool exists in one Region only' \
                'remove --failover-region, or choose --federation oidc'
    fi
    if [ -n "$(answer google_organization)" ] && [ "$provider" != google ]; then
        fail_usage google_organization '--google-organization is for Google only' \
            'remove it, or choose --provider google'
    fi
    if is_on agent_role; then
        case $federation/$(answer account) in
            identity-center/* | identity-pool/)
                fail_usage agent_role \
                    "$federation gives people one role only, so coding agents cannot have a role of their own" \
                    'remove --agent-role, or choose --federation oidc'
                ;;
        esac
    fi
    if is_on mantle && ! is_on unmetered && { is_on limits || [ -n "$(answer limit)" ]; }; then
        fail_usage unmetered 'nothing counts the use through bedrock-mantle, so limits would not hold' \
            'leave out --mantle, or say --unmetered if this use may go uncounted'
    fi
    if is_on limits; then check_limits; fi
    if is_on analytics; then check_analytics; fi
    if is_on telemetry; then check_telemetry; fi
    if is_on dashboard; then check_dashboard; fi
    if [ -n "$(answer ci_issuer)" ]; then
        [ -n "$(answer ci_subjects)" ] ||
            fail_usage ci_subjects "the issuer $(answer ci_issuer) signs tokens for everybody's jobs" \
                'name yours, for example --ci-subjects repo:acme/app:ref:refs/heads/main'
        [ "$(answer ci_issuer)" != "$issuer" ] ||
            fail_usage ci_issuer 'CI and users have the same issuer' 'give CI an issuer of its own'
    elif [ -n "$(answer ci_subjects)" ]; then
        fail_usage ci_issuer '--ci-subjects needs the issuer of the CI system' \
            'add --ci-issuer, for example https://token.actions.githubusercontent.com'
    fi
    if [ "$(answer monthly_budget)" -gt 0 ] && [ -z "$(answer alert)" ]; then
        fail_usage alert 'a budget needs an address that AWS notifies when it is spent' \
            'add --alert with an e-mail address'
    fi
    if is_on budget_action && [ "$(answer monthly_budget)" -eq 0 ]; then
        fail_usage budget '--budget-action needs a budget' 'add --monthly-budget with an amount in USD'
    fi
    if [ -n "$(answer vpc_id)" ]; then
        if [ -z "$(answer subnets)" ] || [ -z "$(answer security_groups)" ]; then
            fail_usage vpc_id 'VPC endpoints need subnets and security groups' \
                'add --subnets, one for each Availability Zone, and --security-groups that admit port 443'
        fi
    elif [ -n "$(answer subnets)$(answer security_groups)" ]; then
        fail_usage vpc_id '--subnets and --security-groups are for VPC endpoints' 'add --vpc-id, or remove them'
    fi
    if [ -n "$(answer failover_region)" ]; then check_failover_region; fi
}

check_issuer() {
    case $provider/$issuer in
        auth0/*/) ;;
        auth0/*)
            fail_usage issuer "the issuer $issuer has no slash at its end, but Auth0's tokens have one" "give $issuer/"
            ;;
        entra/https://login.microsoftonline.*/v2.0 | entra/https://*.ciamlogin.com/*/v2.0) ;;
        entra/*)
            fail_usage issuer "the issuer $issuer is not that of Entra ID's tokens of version 2" \
                'give https://login.microsoftonline.com/TENANT-ID/v2.0'
            ;;
        google/https://accounts.google.com) ;;
        google/*)
            fail_usage issuer "the issuer $issuer is not Google's" \
                'give https://accounts.google.com, or another --provider'
            ;;
    esac
    if [ "$provider/$(answer session_name)" = auth0/subject ]; then
        fail_usage session_name "Auth0's subjects contain \"|\", which no session name may contain" \
            'choose --session-name tag or --session-name free'
    fi
}

check_failover_region() {
    first=$(answer region) second=$(answer failover_region)
    [ "$first" != "$second" ] ||
        fail_usage failover "$second is already the first Region" 'name another one with --failover-region'
    if [ "$(answer geography)" != global ] && [ "$(geography_of_region "$second")" != "$(answer geography)" ]; then
        fail_usage failover "$second does not offer the inference profiles of the geography $(answer geography)" \
            'name a Region of that geography with --failover-region, or choose --geography global'
    fi
}
