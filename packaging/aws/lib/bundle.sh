#!/bin/sh
# What a fleet gets: the configuration for each kind of device management beside the packages of each system.

make_bundle() {
    command -v bedrock-sso >/dev/null ||
        fail_configuration no_program 'bedrock-sso is not on PATH, so the files for the fleet cannot be made' \
            "install bedrock-sso, then run: bedrock-sso setup --fleet $bundle/configuration --config $config_file"
    mkdir -p "$bundle" || fail 10 deploy/write "cannot create the folder $bundle" 'name another folder with --bundle'
    bedrock-sso setup --fleet "$bundle/configuration" --config "$scratch/config.toml" || fail 3 deploy/bundle \
        "bedrock-sso setup --fleet failed for $bundle/configuration" 'follow its hint, then run this again'
    if [ -n "$packages" ]; then
        copy_packages linux deb rpm apk tar.gz
        copy_packages macos pkg
        copy_packages windows msi
    fi
    say ''
    say "For the fleet, in $bundle:"
    say \
        '  configuration/  config.toml and settings of Claude Code, for each kind of device management (docs/fleet.md)'
    if [ -n "$packages" ]; then
        say '  packages/       the packages of each system'
    else
        say \
            '  The packages are missing: name the folder that has them with --packages, or take them from the release.'
    fi
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
