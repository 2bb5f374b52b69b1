#!/bin/sh
# Models: from the names that the administrator writes to the inference profiles and models of Bedrock.

# The chosen models, one a line: short name, Bedrock's ID, inference profile's ID, rank, name in Service Quotas. A model
# that only the account's list has is its own short name.
chosen_models=

model_table() { grep -v '^#' "$here/models.tsv"; }

# resolve_models: fills `chosen_models` from the answer, or ends the program at the first unknown model. It needs AWS
# only for an ID that the table does not have.
resolve_models() {
    geography=$(answer geography)
    chosen_models=
    for wanted in $(list_items "$(answer models)"); do
        wanted=${wanted##*:inference-profile/}
        wanted=${wanted##*:foundation-model/}
        check_geography_of_model "$wanted"
        wanted=${wanted#"$geography".}
        entry=$(find_model "$wanted")
        if [ -n "$entry" ]; then
            check_profile_exists "$entry"
            model=$(printf '%s\n' "$entry" | awk -F '\t' -v OFS='\t' -v geography="$geography" '
                { print $1, $2, geography "." $2, $5, $4 }')
        else
            # Short names have no dot.
            case $wanted in
                *.*) is_offered "$geography.$wanted" || fail_unknown_model "$wanted" ;;
                *) fail_unknown_model "$wanted" ;;
            esac
            model=$wanted$tab$wanted$tab$geography.$wanted$tab$(rank_of_model "$wanted")$tab-
        fi
        case $newline$chosen_models in
            *"$newline$model$newline"*) ;;
            *) chosen_models=$chosen_models$model$newline ;;
        esac
    done
}

# check_profile_exists ENTRY: ends the program if AWS defines no inference profile of the geography for this line of the
# table, neither by the table nor by the account's list.
check_profile_exists() {
    geographies=$(third_word "$1")
    case ,$geographies, in
        *,"$geography",*) return 0 ;;
    esac
    is_offered "$geography.$(second_word "$1")" ||
        fail_configuration geography \
            "the model $(first_word "$1") has no inference profile for the geography $geography" \
            "choose one of its geographies: $geographies, or another model"
}

# find_model NAME: the line of the table with this short name or ID.
# shellcheck disable=SC2018,SC2019 # The `tr` of busybox has no classes, and legal names have ASCII letters only.
find_model() {
    model_table | awk -F '\t' -v wanted="$(printf '%s' "${1#claude-}" | tr 'A-Z' 'a-z')" \
        '$1 == wanted || $2 == wanted { print; exit }'
}

rank_of_model() {
    case $1 in
        *haiku*) echo haiku ;;
        *sonnet*) echo sonnet ;;
        *) echo opus ;;
    esac
}

# The ID of an inference profile begins with a geography, which must be the chosen one.
check_geography_of_model() {
    case $1 in
        us.* | eu.* | jp.* | au.* | in.* | apac.* | us-gov.* | global.*)
            [ "${1%%.*}" = "$geography" ] ||
                fail_configuration geography \
                    "$1 is an inference profile of the geography ${1%%.*}, but the chosen one is $geography" \
                    "give --geography ${1%%.*}, or the short name of the model"
            ;;
    esac
}

fail_unknown_model() {
    list_profiles="aws bedrock list-inference-profiles --region $(answer region)"
    fail_configuration unknown_model "the model \"$1\" is not known" \
        "use one of $(model_table | cut -f 1 | nearest_names "${1#claude-}"), or an ID that this lists: $list_profiles"
}

# The inference profiles that AWS defines for this account in the Region, one a line. Empty: the list cannot be read.
offered_profiles=
offered_profiles_known=

read_offered_profiles() {
    [ -z "$offered_profiles_known" ] || return 0
    offered_profiles_known=yes
    identify_caller
    use_bedrock_account
    if try_aws bedrock list-inference-profiles --type-equals SYSTEM_DEFINED \
        --query 'inferenceProfileSummaries[].[inferenceProfileId]'; then
        offered_profiles=$reply
    fi
}

# is_offered PROFILE: whether the account's list has this inference profile.
is_offered() {
    read_offered_profiles
    printf '%s\n' "$offered_profiles" | grep -qxF -e "$1"
}

# profile_arns REGION …: the ARNs of the inference profiles in these Regions, with commas.
profile_arns() {
    for region in "$@"; do
        printf '%s' "$chosen_models" | awk -F '\t' \
            -v before="arn:$partition:bedrock:$region:$bedrock_account_id:inference-profile/" '{ print before $3 }'
    done | paste -s -d , -
}

# The ARNs of the models behind them. A profile uses its model in Regions that AWS chooses; a global one also under an
# ARN without Region, which the wildcard matches too.
model_arns() { printf '%s' "$chosen_models" | awk -F '\t' -v before="arn:$partition:bedrock:*::foundation-model/" \
    '{ print before $2 }' | paste -s -d , -; }

# The IDs of the models at bedrock-mantle, which have no date and no version.
mantle_models() { printf '%s' "$chosen_models" | cut -f 2 | sed \
    's/-v[0-9]*:[0-9]*$//; s/-v[0-9]*$//; s/-20[0-9]\{6\}$//' | paste -s -d , -; }

# model_of_rank RANK: the inference profile of the first chosen model of this rank in Claude Code.
model_of_rank() { printf '%s' "$chosen_models" | awk -F '\t' -v rank="$1" '$4 == rank { print $3; exit }'; }
