#!/bin/sh
# The config.toml for the laptops: what the stacks print, the models of Claude Code, and the second Region. Beside it
# the outputs of the stacks, from which `bedrock-sso setup` makes a configuration too.
# shellcheck disable=SC2016 # Backticks in a message mark a command.

config_file=bedrock-sso.config.toml
outputs_file=outputs.json

# write_config FILE: the whole file, from the outputs of the stacks.
write_config() {
    read_base_config
    {
        printf '%s\n\n' "$base_config"
        print_models_table
        print_quota_table
        print_telemetry_table
    } >"$scratch/config"
    if [ -z "$(answer failover_region)" ]; then
        cat "$scratch/config" >"$1"
        return 0
    fi
    {
        awk '{ print } /^version = 1$/ { print "default_profile = \"claude\"" }' "$scratch/config"
        printf '\n# The second Region, if %s fails. Choose it with "bedrock-sso setup --profile claude-failover".\n' \
            "$(answer region)"
        print_profile_in_region "$(answer failover_region)" claude-failover
    } >"$1"
}

# The profile `claude` of $scratch/config, under another name and in another Region.
print_profile_in_region() {
    awk -v region="$1" -v name="$2" '
        /^\[/ || /^#/ { printing = 0 }
        /^\[profiles\.claude[].]/ { printing = 1; sub(/^\[profiles\.claude/, "[profiles." name) }
        printing && /^region = / { print "region = \"" region "\""; next }
        printing { print }' "$scratch/config"
}

# `base_config`: the output of the stack with which users sign in.
read_base_config() {
    use_signin_account
    if [ "$(answer federation)" = identity-center ]; then use_bedrock_account; fi
    read_stack_output "$stack_prefix-federation" BedrockSsoConfig
    base_config=$reply
    [ -n "$base_config" ] ||
        fail_configuration no_stack "the stack $stack_prefix-federation in $aws_region prints no configuration" \
            'deploy it first: run `deploy`'
}

# Which models Claude Code uses: the team's own inference profiles if a team is named, else the chosen ones.
print_models_table() {
    say '[profiles.claude.claude_code]'
    models=
    for rank in opus sonnet haiku; do
        model=$(model_of_rank "$rank")
        if [ -n "$team" ]; then
            use_bedrock_account
            read_stack_output "$(team_stack)" "$(team_output "$rank")"
            model=${reply:-$model}
        fi
        if [ -n "$model" ]; then models="$models, $rank = \"$model\""; fi
    done
    # Claude Code starts with the medium rank, or with the first one that is left.
    default=$(printf '%s\n' "$models" | awk '{
        for (i = 1; i <= NF; i++) if ($i == "sonnet") { print $(i + 2); exit }
        print $4
    }')
    say "models = { default = ${default%,}$models }"
}

# Whom a laptop asks before it uses credentials: what the stack of the limits service adds.
print_quota_table() {
    if ! is_on limits; then return 0; fi
    use_bedrock_account
    read_stack_output "$(service_stack)" BedrockSsoConfig
    if [ -n "$reply" ]; then printf '%s\n' "$reply" | sed '1d'; fi
}

# Where Claude Code sends its telemetry: what the stack of the relay adds, or that of the guard rails for laptops that
# send it themselves.
print_telemetry_table() {
    stack_of_relay=$(name_stack_of_relay)
    if [ -z "$stack_of_relay" ]; then return 0; fi
    use_bedrock_account
    read_stack_output "$stack_of_relay" BedrockSsoConfig
    if [ -n "$reply" ]; then printf '%s\n' "$reply" | sed '1d'; fi
}

# A relay in AWS verifies who sends, so laptops use it if there is one.
name_stack_of_relay() {
    if is_on telemetry; then
        telemetry_stack
    elif is_on laptop_telemetry; then
        say "$stack_prefix-guardrails"
    fi
}

# write_fleet_config FILE: the same for a fleet, whose users never run `setup`: the first sign-in adds the AWS profile
# that the configuration names. Only an administrator's file may do that, so the file for the pilot does not. Nor may
# another file demand that everybody asks for their limits.
write_fleet_config() {
    demands=
    if grep -q '^\[profiles\..*\.quota\]$' "$scratch/config.toml"; then demands='enforce = ["quota"]'; fi
    awk -v demands="$demands" '
        { print }
        /^version = 1$/ && demands != "" { print demands }
        /^\[profiles\.[^].]*\]$/ { name = $0; sub(/^\[profiles\./, "", name); sub(/\]$/, "", name)
            print "aws_profile = \"" name "\"" }' "$scratch/config.toml" >"$1"
}

# write_outputs FILE: the answer of `aws cloudformation describe-stacks` for the stacks that configure a laptop, also if
# they are in two accounts. Which models Claude Code uses follows as an output without a stack, because the federation's
# stack does not know that.
write_outputs() {
    {
        say '{ "Stacks": ['
        use_signin_account
        if [ "$(answer federation)" = identity-center ]; then
            use_bedrock_account
        elif [ -n "$(answer account)" ]; then
            print_stack_as_json "$stack_prefix-federation"
            say ','
            use_bedrock_account
        fi
        print_stack_as_json "$stack_prefix-federation"
        say ','
        print_service_as_json
        print_relay_as_json
        models_config=$(say 'version = 1' && say '' && print_models_table)
        say "{ \"Outputs\": [{ \"OutputKey\": \"BedrockSsoConfig\","
        say "\"OutputValue\": $(json_lines "$models_config") }] }"
        say '] }'
    } >"$1"
}

print_service_as_json() {
    if ! is_on limits; then return 0; fi
    use_bedrock_account
    read_stack_status "$(service_stack)"
    if [ -z "$stack_status" ]; then return 0; fi
    print_stack_as_json "$(service_stack)"
    say ','
}

print_relay_as_json() {
    stack_of_relay=$(name_stack_of_relay)
    if [ -z "$stack_of_relay" ]; then return 0; fi
    use_bedrock_account
    read_stack_output "$stack_of_relay" BedrockSsoConfig
    if [ -z "$reply" ]; then return 0; fi
    print_stack_as_json "$stack_of_relay"
    say ','
}

print_stack_as_json() {
    aws_format=json
    ask_aws "describe the stack $1" cloudformation describe-stacks --stack-name "$1" \
        --query 'Stacks[0].{StackId: StackId, StackName: StackName, Outputs: Outputs}'
    aws_format=text
    printf '%s\n' "$reply"
}

# json_lines TEXT: the text, which has several lines, as one JSON string.
json_lines() {
    printf '%s\n' "$1" | awk '
        { gsub(/[\\"]/, "\\\\&"); text = text $0 "\\n" }
        END { printf "\"%s\"\n", text }'
}

show_config() {
    write_config "$scratch/config.toml"
    write_outputs "$scratch/outputs.json"
    say ''
    say 'config.toml for the laptops:'
    say ''
    sed 's/^./    &/' "$scratch/config.toml" | tr -c ' -~\n' '?'
    say ''
    if cp "$scratch/config.toml" "$config_file" 2>/dev/null && cp "$scratch/outputs.json" "$outputs_file"; then
        say "It is stored in $config_file, and the outputs of the stacks in $outputs_file."
        say "On a pilot's laptop, with the first file:"
    else
        say "Store it as $config_file. On a pilot's laptop, with this file:"
    fi
    say ''
    say "    bedrock-sso setup --from $config_file"
    say '    bedrock-sso login && bedrock-sso doctor --live'
    say ''
    case $(answer federation)/$(answer session_name) in
        oidc/free)
            say 'Note: a laptop chooses the name of its session, so logs and blocks can be evaded. See --session-name.'
            ;;
        oidc/subject)
            say 'The claim sub names each session in logs, bills and blocks. `bedrock-sso status` shows it.'
            ;;
    esac
    show_limits_help
}
