#!/bin/sh
# The test of the second Region: the helper on this computer works while no connection to the first Region is possible.
# shellcheck disable=SC2016 # Backticks in a message mark a command.

# Connections to the first Region fail because the helper is given a proxy that does not exist, and a list of hosts that
# it reaches directly: those of the second Region and of the identity provider.
test_failover() {
    first=$(answer region) second=$(answer failover_region)
    [ -n "$second" ] || fail_usage failover 'no second Region is set' 'deploy one with --failover-region REGION first'
    command -v bedrock-sso >/dev/null ||
        fail_configuration no_program 'bedrock-sso is not on PATH, so this computer cannot make the test' \
            'install bedrock-sso, sign in with `bedrock-sso login`, then run this again'
    case $(answer issuer) in
        *".$first."*) fail_configuration failover "the identity provider $(answer issuer) itself is in $first" \
            'choose a provider elsewhere: while that Region fails, nobody can sign in' ;;
    esac
    if [ -n "${HTTPS_PROXY-}${https_proxy-}" ]; then
        fail_configuration proxy \
            'this computer reaches the Internet through a proxy, and the test needs HTTPS_PROXY for itself' \
            'run the test on a computer with a direct connection'
    fi
    # A pilot's laptop has neither the AWS CLI nor an administrator's credentials, but the file that `deploy` stored.
    if grep -qF '[profiles.claude-failover]' "$config_file" 2>/dev/null; then
        cp "$config_file" "$scratch/config"
    else
        require_aws
        identify_caller
        resolve_models
        write_config "$scratch/config.toml"
    fi
    {
        say 'version = 1'
        say ''
        print_profile_in_region "$second" claude
    } >"$scratch/failover.toml"
    say "Testing with $first out of reach: bedrock-sso doctor --live in $second"
    say ''
    code=0
    # Port 9 is "discard"; nothing listens there.
    env HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY="$(direct_hosts)" bedrock-sso doctor \
        --live --config "$scratch/failover.toml" >"$scratch/doctor" 2>&1 || code=$?
    tr -c ' -~\n' '?' <"$scratch/doctor"
    say ''
    judge_failover
}

# The names after which the helper connects directly. `NO_PROXY` matches a name and everything below it.
direct_hosts() {
    issuer_host=$(answer issuer)
    issuer_host=${issuer_host#https://}
    case $(answer provider) in
        google) hosts=accounts.google.com,oauth2.googleapis.com,www.googleapis.com ;;
        cognito) hosts=${issuer_host%%/*},amazoncognito.com ;;
        *) hosts=${issuer_host%%[:/]*} ;;
    esac
    say "$hosts,.$second.amazonaws.com,.$second.amazonaws.com.cn,.$second.api.aws,localhost,127.0.0.1"
}

judge_failover() {
    if [ "$code" -ne 0 ]; then
        fail "$code" deploy/failover "the test failed: \`bedrock-sso doctor --live\` ended with code $code" \
            'follow the hints above, then run this again'
    fi
    if ! grep -q '^ok  *converse' "$scratch/doctor"; then
        fail 4 deploy/failover 'the test proved nothing: doctor did not call a model' \
            'sign in with `bedrock-sso login`, then run this again'
    fi
    say "Proved: with every connection to $first impossible, this computer got credentials from AWS STS in $second,"
    say "and each configured model answered there."
    say "Not proved: a new sign-in in a browser, and what happens to requests that run while $first fails."
}
