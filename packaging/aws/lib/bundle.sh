#!/bin/sh
# What a fleet gets: the configuration for each kind of device management beside the packages of each system.

make_bundle() {
    [ -f "$scratch/config.toml" ] || write_config "$scratch/config.toml"
    mkdir -p "$bundle" || fail 10 deploy/write "cannot create the folder $bundle" 'name another folder with --bundle'
    say ''
    say "For the fleet, in $bundle:"
    if command -v bedrock-sso >/dev/null; then
        bedrock-sso setup --fleet "$bundle/configuration" --config "$scratch/config.toml" ||
            fail 3 deploy/bundle "bedrock-sso setup --fleet failed for $bundle/configuration" \
                'follow its hint, then run this again'
        say '  configuration/  config.toml and settings of Claude Code for each kind of device management'
    else
        say '  The configuration is missing, because bedrock-sso is not on PATH here. On a computer that has it, run:'
        say "    bedrock-sso setup --fleet configuration --config $config_file"
    fi
    if [ -n "$packages" ]; then
        copy_packages linux deb rpm apk tar.gz
        copy_packages macos pkg
        copy_packages windows msi
        say '  packages/       the packages of each system'
    else
        say '  The packages are missing: name the folder that has them with --packages, or take them from the release.'
    fi
    say '  What goes where: docs/fleet.md'
}

# copy_packages SYSTEM ENDING …
copy_packages() {
    system=$1
    shift
    for ending in "$@"; do
        for package in "$packages"/bedrock-sso*."$ending"; do
            [ -f "$package" ] || continue
            if ! mkdir -p "$bundle/packages/$system" || ! cp "$package" "$bundle/packages/$system/"; then
                fail 10 deploy/write "cannot copy $package" 'make room in the folder, or name another one with --bundle'
            fi
        done
    done
}
