#!/bin/sh
# Model access: what the account lacks before anybody can call the chosen models.
#
# Bedrock asks a new customer of Anthropic for a form about the use case, once per account, and for an agreement with
# AWS Marketplace for each model. A model must also be offered in the Region.

# What `--request-access` requests after the yes, one a line: a model and the token of its offer, or `form`.
access_requests=
access_missing=

# Says what is missing, with the page that cures it, or what will be requested. Form and agreements are the account's;
# which inference profiles exist differs between Regions.
check_model_access() {
    region=$(answer region)
    model_page="https://$region.console.$(console_domain)/bedrock/home?region=$region#/model-catalog"
    in_each_region check_offered_profiles
    use_bedrock_account
    check_use_case
    printf '%s' "$chosen_models" >"$scratch/models"
    while IFS="$tab" read -r name base profile _; do
        check_agreement "$name" "$base" "$profile"
        case $base in
            *.claude-fable-*)
                say "Note: for $name, AWS's model card demands the data retention mode aws_review. It is not checked."
                ;;
        esac
    done <"$scratch/models"
}

console_domain() {
    case $partition in
        aws-us-gov) echo amazonaws-us-gov.com ;;
        aws-cn) echo amazonaws.cn ;;
        *) echo aws.amazon.com ;;
    esac
}

report_missing() {
    access_missing=yes
    say "Missing: $1"
    say "  $2"
}

check_use_case() {
    if try_aws bedrock get-use-case-for-model-access --query formData; then return 0; fi
    if ! aws_refused_with ResourceNotFound NotFound; then
        say 'Not checked: whether Anthropic'\''s form about the use case is filled in (AWS did not answer that).'
        return 0
    fi
    if [ "$request_access" = yes ] && [ -n "$use_case_file" ]; then
        access_requests="${access_requests}form$newline"
        say "Will be sent: Anthropic's form about the use case, from $use_case_file"
        return 0
    fi
    report_missing "Anthropic's form about the use case (account $bedrock_account_id)" \
        "Choose a model of Anthropic on $model_page and submit it, or run: deploy --request-access --use-case FORM.json"
}

check_offered_profiles() {
    if ! try_aws bedrock list-inference-profiles --type-equals SYSTEM_DEFINED \
        --query 'inferenceProfileSummaries[].[inferenceProfileId]'; then
        say "Not checked: which inference profiles $aws_region offers (AWS did not answer that)."
        return 0
    fi
    for profile in $(printf '%s' "$chosen_models" | cut -f 3); do
        if ! printf '%s\n' "$reply" | grep -qxF -e "$profile"; then
            report_missing "the inference profile $profile is not offered in $aws_region" \
                'Choose another model, Region or geography: see Cross-Region inference in the console of Bedrock'
        fi
    done
}

check_agreement() {
    if ! try_aws bedrock get-foundation-model-availability --model-id "$2" \
        --query '[agreementAvailability.status,authorizationStatus,entitlementAvailability,regionAvailability]'; then
        say "Not checked: whether the account has access to $1 (AWS did not answer that)."
        return 0
    fi
    agreement=$(first_word "$reply") authorization=$(second_word "$reply") entitlement=$(third_word "$reply")
    in_region=$(printf '%s\n' "$reply" | cut -f 4)
    if [ "$authorization" = NOT_AUTHORIZED ]; then
        report_missing "the account may not use $1: its organisation or AWS does not allow it" \
            'Have the service control policies allow Bedrock and this model, or ask AWS Support'
        return 0
    fi
    if [ "$in_region" = NOT_AVAILABLE ]; then
        # An inference profile can call a model that its own Region does not have.
        say "Note: $region itself does not run $1; $3 sends calls to other Regions of its geography."
    fi
    case $agreement/$entitlement in
        AVAILABLE/AVAILABLE) ;;
        PENDING/*) say "Note: the agreement for $1 is being processed. AWS needs up to 15 minutes." ;;
        *)
            if [ "$request_access" = yes ]; then
                request_agreement "$1" "$2"
            else
                report_missing "the agreement with AWS Marketplace for $1" \
                    "Choose the model on $model_page, or run: deploy --request-access"
            fi
            ;;
    esac
}

request_agreement() {
    ask_aws "list the offers for $1" bedrock list-foundation-model-agreement-offers --model-id "$2" \
        --offer-type PUBLIC --query 'offers[0].[offerToken,termDetails.legalTerm.url]'
    offer=$(first_word "$reply")
    if [ -z "$offer" ]; then
        report_missing "AWS has no public offer for $1" "Choose the model on $model_page"
        return 0
    fi
    access_requests="$access_requests$2 $offer$newline"
    say "Will be accepted: the agreement with AWS Marketplace for $1 in account $bedrock_account_id"
    say "  Its terms: $(printable "$(second_word "$reply")")"
}

send_access_requests() {
    printf '%s' "$access_requests" >"$scratch/requests"
    use_bedrock_account
    while read -r model offer; do
        if [ "$model" = form ]; then
            ask_aws 'accept the form about the use case' bedrock put-use-case-for-model-access \
                --form-data "fileb://$use_case_file"
            say 'The form about the use case is sent.'
        else
            ask_aws "accept the agreement for $model" bedrock create-foundation-model-agreement --model-id "$model" \
                --offer-token "$offer"
            say "The agreement for $model is requested. AWS needs up to 15 minutes."
        fi
    done <"$scratch/requests"
}
