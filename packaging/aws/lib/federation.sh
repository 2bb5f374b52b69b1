#!/bin/sh
# The parameters of federation.yaml, for one account or for both ends of a chain.

user_role_arn() { printf 'arn:%s:iam::%s:role/%s-federation-user\n' "$partition" "$1" "$stack_prefix"; }

# prepare_federation: `parameters` for the stack of the sign-in account.
prepare_federation() {
    parameters=
    add_session_parameters
    add_parameter Federation "$(answer federation)"
    if [ "$(answer federation)" = identity-center ]; then
        find_identity_center
        add_parameter IdentityCenterInstanceArn "$instance"
        if [ -z "$(answer account)" ]; then add_parameter IdentityCenterStartUrl "$start_url"; fi
        add_sign_in ''
        add_permissions
        if [ -z "$(answer account)" ]; then
            add_parameter SignedApiArn "$signed_api_arn"
            add_programs
        fi
        return 0
    fi
    add_sign_in "$(answer issuer)"
    add_parameter Provider "$(answer provider)"
    add_parameter ExistingProviderArn "$existing_provider"
    add_parameter Subjects "$(answer subjects)"
    add_parameter AuthenticationMethods "$(answer amr)"
    add_parameter GoogleOrganization "$(answer google_organization)"
    if [ -n "$(answer account)" ]; then
        add_parameter DedicatedRoleArns "$(user_role_arn "$bedrock_account_id")"
        add_models '' ''
    else
        add_permissions
        add_programs
    fi
}

# prepare_dedicated_account: `parameters` for the stack of the dedicated account: the far end of a chain of roles, or
# the policies that a permission set expects in each account.
prepare_dedicated_account() {
    parameters=
    add_session_parameters
    add_sign_in ''
    if [ "$(answer federation)" = identity-center ]; then
        find_identity_center
        add_parameter Federation identity-center
        add_parameter IdentityCenterStartUrl "$start_url"
        add_parameter SignedApiArn "$signed_api_arn"
    else
        add_parameter Federation chained
        add_parameter SourceRoleArn "$(user_role_arn "$account_id")"
    fi
    add_permissions
    add_programs
}

add_session_parameters() {
    add_parameter SessionName "$(answer session_name)"
    add_parameter NameTag "$(answer name_tag)"
    add_parameter NameClaim "$(answer name_claim)"
    add_parameter SessionTags "$(answer session_tags)"
    add_parameter TeamClaim "$(answer team_claim)"
}

# These parameters have no default, so they are always given.
add_sign_in() {
    add_parameter IssuerUrl "$1"
    add_parameter ClientIds "${1:+$(answer client_id)}"
}

add_models() {
    add_parameter InferenceProfileArns "$1"
    add_parameter FoundationModelArns "$2"
}

add_permissions() {
    # shellcheck disable=SC2046 # One word for each Region.
    add_models "$(profile_arns $(answer region) $(answer failover_region))" "$(model_arns)"
    add_parameter BearerTokens "$(answer bearer_tokens)"
    add_parameter Mantle "$(answer mantle)"
    if is_on mantle; then add_parameter MantleModels "$(mantle_models)"; fi
    # The stack of guard rails creates the log group. Until then, the federation cannot allow to write there.
    if [ -n "$telemetry_log_group" ]; then
        add_parameter LaptopTelemetry yes
        add_parameter TelemetryLogGroup "$telemetry_log_group"
    fi
    add_parameter GuardrailArns "$guardrail_arns"
    add_parameter VpcEndpoints "$vpc_endpoints"
    # A permission set names its policies in each account that it is assigned to, so both ends have those of limits.
    add_parameter Limits "$(answer limits)"
}

# Roles for programs, which exist where Bedrock is called.
add_programs() {
    add_parameter AgentRole "$(answer agent_role)"
    if [ -n "$(answer ci_issuer)" ]; then
        add_parameter CiIssuerUrl "$(answer ci_issuer)"
        add_parameter CiSubjects "$(answer ci_subjects)"
        add_parameter ExistingCiProviderArn "$existing_ci_provider"
    fi
}

# What exists already and is therefore a parameter: IAM OIDC providers, and what the other stacks have created.
existing_provider='' existing_ci_provider='' guardrail_arns='' vpc_endpoints='' telemetry_log_group='' signed_api_arn=''
# Client IDs that a provider which is not ours lacks, one a line: account, provider, client ID.
missing_client_ids=

find_existing_resources() {
    missing_client_ids=
    case $(answer federation)/$(answer provider) in
        identity-center/* | */google | identity-pool/cognito) ;;
        *)
            use_signin_account
            existing_provider=$(find_provider "$(answer issuer)" IdentityProvider) || exit
            note_missing_client_ids "$existing_provider" "$(answer client_id)"
            ;;
    esac
    if [ -n "$(answer ci_issuer)" ]; then
        use_bedrock_account
        existing_ci_provider=$(find_provider "$(answer ci_issuer)" CiIdentityProvider) || exit
        note_missing_client_ids "$existing_ci_provider" sts.amazonaws.com
    fi
    find_other_stacks
}

# What the federation must allow of the other stacks, as far as they exist.
find_other_stacks() {
    guardrail_arns='' vpc_endpoints='' telemetry_log_group='' signed_api_arn=''
    in_each_region add_guard_rails_of_region
    use_bedrock_account
    if is_on laptop_telemetry; then
        read_stack_output "$stack_prefix-guardrails" TelemetryLogGroupName
        telemetry_log_group=$reply
    fi
    if signs_requests; then
        read_stack_output "$(service_stack)" SignedApiArn
        signed_api_arn=$reply
    fi
}

# Whether a session asks for its limits with its credentials, because it has no ID token.
signs_requests() { is_on limits && [ "$(answer federation)" = identity-center ]; }

add_guard_rails_of_region() {
    if is_on guardrail; then
        read_stack_output "$stack_prefix-guardrails" GuardrailArn
        guardrail_arns=$guardrail_arns${reply:+${guardrail_arns:+,}$reply}
    fi
    if [ -n "$(answer vpc_id)" ]; then
        read_stack_output "$stack_prefix-guardrails" VpcEndpointIds
        vpc_endpoints=$vpc_endpoints${reply:+${vpc_endpoints:+,}$reply}
    fi
}

# find_provider ISSUER RESOURCE: prints the ARN of the IAM OIDC provider of this issuer, if one exists that is not the
# resource of our own stack. IAM stores one provider for each issuer, under the issuer without https://.
find_provider() {
    ask_aws 'list the IAM OIDC providers' iam list-open-id-connect-providers --query 'OpenIDConnectProviderList[].[Arn]'
    found=arn:$partition:iam::$(account_of_calls):oidc-provider/${1#https://}
    printf '%s\n' "$reply" | grep -qxF -e "$found" || return 0
    try_aws cloudformation describe-stack-resource --stack-name "$stack_prefix-federation" --logical-resource-id "$2" \
        --query StackResourceDetail.PhysicalResourceId || reply=
    if [ "$reply" != "$found" ]; then say "$found"; fi
}

account_of_calls() { if [ "$aws_account" = dedicated ]; then say "$bedrock_account_id"; else say "$account_id"; fi; }

note_missing_client_ids() {
    [ -n "$1" ] || return 0
    ask_aws "show the IAM OIDC provider $1" iam get-open-id-connect-provider --open-id-connect-provider-arn "$1" \
        --query 'ClientIDList[].[@]'
    for client_id in $(list_items "$2"); do
        if ! printf '%s\n' "$reply" | grep -qxF -e "$client_id"; then
            missing_client_ids="$missing_client_ids$aws_account $1 $client_id$newline"
        fi
    done
}

show_existing_providers() {
    for provider_arn in $existing_provider $existing_ci_provider; do
        say "The IAM OIDC provider $provider_arn exists already and is used. --remove will not delete it."
    done
    printf '%s' "$missing_client_ids" | while read -r _ provider_arn client_id; do
        say \
            "The client ID $client_id will be added to $provider_arn, which others use too. --remove leaves it there."
    done
}

add_missing_client_ids() {
    printf '%s' "$missing_client_ids" >"$scratch/client-ids"
    while read -r aws_account provider_arn client_id; do
        ask_aws "add the client ID $client_id to $provider_arn" iam add-client-id-to-open-id-connect-provider \
            --open-id-connect-provider-arn "$provider_arn" --client-id "$client_id"
        say "$provider_arn: accepts $client_id now"
    done <"$scratch/client-ids"
}

# `instance` and `start_url` of the IAM Identity Center whose users get the permission set.
find_identity_center() {
    use_signin_account
    ask_aws 'list the instances of IAM Identity Center' sso-admin list-instances \
        --query 'Instances[].[InstanceArn,IdentityStoreId]'
    instance=$(answer identity_center_instance)
    if [ -z "$instance" ]; then instance=$(first_word "$reply"); fi
    [ -n "$instance" ] ||
        fail_configuration identity_center "account $account_id has no IAM Identity Center in $aws_region" \
            "use the account and the Region of your organisation's Identity Center"
    start_url=$(printf '%s\n' "$reply" | awk -F '\t' -v instance="$instance" '
        $1 == instance { print "https://" $2 ".awsapps.com/start" }')
}
