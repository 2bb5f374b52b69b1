#!/bin/sh
# What a fleet gets: the configuration for each kind of device management beside the packages of each system.

make_bundle() {
    made=no
    [ -f "$scratch/config.toml" ] || write_config "$scratch/config.toml"
    mkdir -p "$bundle" || fail 10 deploy/write "cannot create the folder $bundle" 'name another folder with --bundle'
    write_fleet_config "$bundle/config.toml" ||
        fail 10 deploy/write "cannot write $bundle/config.toml" 'name another folder with --bundle'
    say ''
    say "For the fleet, in $bundle:"
    say '  config.toml     the configuration, from which the next folder is made'
    if command -v bedrock-sso >/dev/null; then
        if ! bedrock-sso setup --fleet "$bundle/configuration" --config "$bundle/config.toml" \
            >/dev/null 2>"$scratch/fleet"; then
            cat "$scratch/fleet" >&2
            fail 3 deploy/bundle "bedrock-sso setup --fleet failed for $bundle/configuration" \
                'follow its hint, then run this again'
        fi
        say '  configuration/  config.toml and settings of Claude Code for each kind of device management'
        made=yes
    else
        say '  configuration/  is missing, because bedrock-sso is not on PATH here. On a computer that has it, run in'
        say '                  this folder: bedrock-sso setup --fleet configuration --config config.toml'
    fi
    if [ -n "$packages" ]; then
        copy_packages linux deb rpm apk tar.gz
        copy_packages macos pkg
        copy_packages windows msi
        say '  packages/       the packages of each system'
    else
        say '  The packages are missing: name the folder that has them with --packages, or take them from the release.'
    fi
    if [ "$made" = yes ]; then
        say ''
        sed 's/^/  /' "$scratch/fleet"
    fi
    say '  More about it: docs/fleet.md in the sources of bedrock-sso'
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
