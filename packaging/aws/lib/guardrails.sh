#!/bin/sh
# The parameters of guardrails.yaml and team.yaml.

# prepare_guard_rails: `parameters` for the stack in one Region. What the account has once is in the first one: budget,
# trail, and the log group of the laptops' telemetry.
prepare_guard_rails() {
    parameters=
    budget=0 budget_action=no trail=no telemetry=no
    if [ "$aws_region" = "$(answer region)" ]; then
        budget=$(answer monthly_budget) budget_action=$(answer budget_action) trail=$(answer trail)
        telemetry=$(answer laptop_telemetry)
    fi
    add_parameter InvocationLogging "$(answer logging)"
    add_parameter LogText "$(answer log_text)"
    add_parameter LogRetentionDays "$(answer log_retention_days)"
    add_parameter LogBucket "$(answer log_bucket)"
    add_parameter OverwriteLogging "$(answer overwrite_logging)"
    add_parameter Trail "$trail"
    add_parameter LaptopTelemetry "$telemetry"
    add_parameter Guardrail "$(answer guardrail)"
    add_parameter MonthlyBudget "$budget"
    add_parameter AlertEmail "$(answer alert)"
    add_parameter BudgetAction "$budget_action"
    add_parameter BudgetRoleNames "$(names_of_roles)"
    add_alarms
    add_parameter VpcId "$(answer vpc_id)"
    add_parameter SubnetIds "$(answer subnets)"
    add_parameter SecurityGroupIds "$(answer security_groups)"
    add_parameter Mantle "$(answer mantle)"
}

# The roles of federation.yaml in the account where Bedrock is called.
names_of_roles() {
    roles=$stack_prefix-federation-user
    if is_on agent_role; then roles=$roles,$stack_prefix-federation-agent; fi
    if [ -n "$(answer ci_issuer)" ]; then roles=$roles,$stack_prefix-federation-ci; fi
    say "$roles"
}

# The alarm on the quota watches the model with which Claude Code starts, if Service Quotas says how much it allows.
add_alarms() {
    add_parameter Alarms "$(answer alarms)"
    add_parameter OutputTokensPerHour "$(answer output_tokens_per_hour)"
    is_on alarms || return 0
    watched=$(printf '%s' "$chosen_models" | awk -F '\t' '$4 == "sonnet" { print; exit }')
    if [ -z "$watched" ]; then watched=$(printf '%s' "$chosen_models" | sed -n 1p); fi
    read_token_quota "$watched"
    if [ -n "$token_quota" ]; then
        add_parameter QuotaModelId "$(third_word "$watched")"
        add_parameter QuotaTokensPerMinute "$token_quota"
    fi
}

has_guard_rails() {
    is_on logging || is_on trail || is_on guardrail || is_on alarms || [ -n "$(answer vpc_id)" ] ||
        [ "$(answer monthly_budget)" -gt 0 ]
}

# Stacks have no "_" in their names.
team_stack() { say "$stack_prefix-team-$(printf '%s\n' "$team" | tr '_' '-')"; }

# The output of team.yaml with the team's inference profile of a rank.
team_output() {
    case $1 in
        opus) say LargeProfileArn ;;
        sonnet) say MediumProfileArn ;;
        haiku) say SmallProfileArn ;;
    esac
}

# prepare_team: `parameters` for the stack of one team in one Region.
prepare_team() {
    parameters=
    add_parameter Team "$team"
    add_parameter CostCenter "$cost_center"
    add_team_model SmallModelArn haiku
    add_team_model MediumModelArn sonnet
    add_team_model LargeModelArn opus
    if [ "$aws_region" = "$(answer region)" ]; then
        add_parameter MonthlyBudget "$team_budget"
        add_parameter AlertEmail "$(answer alert)"
    fi
}

add_team_model() {
    profile=$(model_of_rank "$2")
    if [ -n "$profile" ]; then
        profile=arn:$partition:bedrock:$aws_region:$bedrock_account_id:inference-profile/$profile
    fi
    add_parameter "$1" "$profile"
}

check_team() {
    if ! matches "$team" '[A-Za-z0-9]+([_-][A-Za-z0-9]+)*' || [ "${#team}" -gt 32 ]; then
        fail_usage team "\"$team\" is not the name of a team" \
            'give the value of its session tag: letters and digits with single - or _ between them, at most 32'
    fi
    matches "${cost_center:-0}" '[A-Za-z0-9 ._:/=+@-]{1,256}' ||
        fail_usage cost_center "\"$cost_center\" is not a cost center" 'use letters, digits, spaces and . _ : / = + @ -'
}
