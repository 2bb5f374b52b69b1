#!/bin/sh
# The parameters of guardrails.yaml and team.yaml.

# prepare_guard_rails: `parameters` for the stack in one Region. The budget is the account's and in the first one.
prepare_guard_rails() {
    parameters=
    add_parameter InvocationLogging "$(answer logging)"
    add_parameter LogText "$(answer log_text)"
    add_parameter LogRetentionDays "$(answer log_retention_days)"
    add_parameter LogBucket "$(answer log_bucket)"
    add_parameter OverwriteLogging "$(answer overwrite_logging)"
    add_parameter Trail "$(answer trail)"
    add_parameter Guardrail "$(answer guardrail)"
    add_parameter AlertEmail "$(answer alert)"
    add_parameter Alarms "$(answer alarms)"
    if [ "$aws_region" = "$(answer region)" ]; then
        add_parameter MonthlyBudget "$(answer monthly_budget)"
        add_parameter BudgetAction "$(answer budget_action)"
        if is_on budget_action; then
            add_parameter BudgetRoleName "$stack_prefix-federation-user"
        fi
    fi
    if [ -n "$(answer vpc_id)" ]; then
        add_parameter VpcId "$(answer vpc_id)"
        add_parameter SubnetIds "$(answer subnets)"
        add_parameter SecurityGroupIds "$(answer security_groups)"
    fi
}

has_guard_rails() {
    is_on logging || is_on trail || is_on guardrail || is_on alarms || [ -n "$(answer vpc_id)" ] ||
        [ "$(answer monthly_budget)" -gt 0 ]
}

team_stack() { say "$stack_prefix-team-$team"; }

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
    matches "$team" '[A-Za-z][A-Za-z0-9-]{0,31}' ||
        fail_usage team "\"$team\" is not the name of a team" \
            'use letters, digits and dashes, at most 32, first a letter'
    matches "${cost_center:-0}" '[A-Za-z0-9][A-Za-z0-9_./-]{0,63}' ||
        fail_usage cost_center "\"$cost_center\" is not a cost center" 'use letters, digits and the characters _ . / -'
}
