#!/bin/sh
# Installs or removes bedrock-sso for the current user, without a package manager.
#
#   sh install.sh [--version V] [--from URL-or-FOLDER] [--prefix FOLDER] [--sha256 HEX]
#   sh install.sh --uninstall [--prefix FOLDER] [--yes | --keep-sign-in]
#
# It needs no root, no Python and no AWS CLI: only curl or wget, tar, and one of minisign, OpenSSL 3 and ssh-keygen. It
# verifies everything before it installs: the signature of SHA256SUMS with the key below, and the archive with
# SHA256SUMS. Everything is in functions, which the last line calls, so a partly downloaded script runs nothing.
set -eu

# `packaging/installers` fills in both when it makes a release.
release_key='@RELEASE_KEY@'
releases='@RELEASES@'

main() {
    umask 022
    unset CDPATH
    LC_ALL=C
    export LC_ALL
    scratch=
    staged=
    trap tidy EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    read_arguments "$@"
    manifest=$prefix/lib/bedrock-sso/installed
    if [ "$action" = uninstall ]; then uninstall; else install; fi
}

usage() {
    cat <<'TEXT'
install.sh: installs or upgrades bedrock-sso for the current user. You stay signed in.

  sh install.sh [OPTIONS]

  --version V            install this version instead of the latest, which may also be an older one
  --from URL-or-FOLDER   folder with a release's files, or a mirror's address that ends in /releases [env: BEDROCK_SSO_RELEASES]
  --prefix FOLDER        install into FOLDER/bin and FOLDER/share [default: ~/.local]
  --sha256 HEX           verify the archive with this checksum, from a source that you trust, instead of the signature
  --uninstall            remove bedrock-sso, and ask whether to sign out and to undo the changes of `setup`
    --yes                do not ask: sign out everywhere, and undo the changes of `setup`
    --keep-sign-in       do not ask: leave the sign-in and the changes of `setup`
  --help
TEXT
}

read_arguments() {
    action=install
    version=
    from=${BEDROCK_SSO_RELEASES-}
    prefix=
    sha256=
    answer=
    while [ $# -gt 0 ]; do
        case $1 in
            --version | --from | --prefix | --sha256)
                if [ -z "${2-}" ]; then wrong_usage "$1 needs a value"; fi
                case $1 in
                    --version) version=${2#v} ;;
                    --from) from=$2 ;;
                    --prefix) prefix=$2 ;;
                    --sha256) sha256=$(printf %s "$2" | tr 'A-F' 'a-f') ;;
                esac
                shift
                ;;
            --uninstall) action=uninstall ;;
            --yes) answer=yes ;;
            --keep-sign-in) answer=no ;;
            -h | --help) usage && exit 0 ;;
            *) wrong_usage "unknown option: $1" ;;
        esac
        shift
    done
    if [ -n "$version" ] && ! is_version "$version"; then wrong_usage "$version is not a version such as 0.1.0"; fi
    if [ -n "$sha256" ] && ! is_sha256 "$sha256"; then wrong_usage "--sha256 needs 64 hexadecimal digits"; fi
    asked=$version
    if [ -z "$prefix" ]; then
        if [ -z "${HOME-}" ]; then fail "HOME is not set" "pass --prefix FOLDER"; fi
        prefix=$HOME/.local
    fi
    # `setup` writes the program's path into files of other programs, so it must be absolute.
    case $prefix in
        /*) ;;
        *) prefix=$(pwd)/$prefix ;;
    esac
    prefix=$(without_slash "$prefix")
}

# ---- installing

install() {
    make_scratch
    choose_platform
    choose_source
    fetch SHA256SUMS "$scratch/SHA256SUMS" 1048576
    if [ -z "$sha256" ]; then verify_signature; fi
    choose_archive
    installed=$(manifest_value version)
    if [ "$installed" = "$version" ] && [ "$(manifest_value archive)" = "$sha256" ] && is_whole; then
        say "bedrock-sso $version is already installed in $prefix/bin"
        return
    fi
    refuse_older
    fetch "$archive" "$scratch/$archive" 67108864
    found=$(sha256_of "$scratch/$archive")
    if [ "$found" != "$sha256" ]; then
        fail "$archive does not match its checksum: the download is damaged or was changed" \
            "try again; if this repeats, install nothing from $from and report it"
    fi
    unpack
    put_in_place
    case $installed in
        "") say "bedrock-sso $version is installed in $prefix/bin" ;;
        "$version") say "bedrock-sso $version was repaired in $prefix/bin" ;;
        *) say "bedrock-sso $version replaced $installed in $prefix/bin. You stay signed in." ;;
    esac
    advise
}

make_scratch() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/bedrock-sso.XXXXXXXX") ||
        fail "cannot create a temporary folder" "name a writable folder: TMPDIR=FOLDER sh install.sh"
    mkdir "$scratch/texts"
}

choose_platform() {
    case $(uname -s)/$(uname -m) in
        Linux/x86_64 | Linux/amd64) platform=linux-x86_64 ;;
        Linux/aarch64 | Linux/arm64) platform=linux-aarch64 ;;
        Darwin/x86_64 | Darwin/arm64) platform=macos ;;
        MINGW*/* | MSYS*/* | CYGWIN*/*) fail "this is Windows" "run install.ps1 in PowerShell" ;;
        *)
            fail "bedrock-sso is not available for $(uname -s) on $(uname -m)" \
                "build it from a clone of the repository: cargo install --locked --path ."
            ;;
    esac
}

# A folder or address with one release, or the address of all releases, laid out as on GitHub.
choose_source() {
    from=$(without_slash "${from:-$releases}")
    case $from in
        @*) fail "this copy of install.sh has no download address" "download install.sh from a release, or pass --from URL-or-FOLDER" ;;
        https://*) ;;
        *://*) is_loopback "$from" || fail "$from is not an https address" "use an address that begins with https://, or a folder" ;;
        *)
            if [ ! -d "$from" ]; then fail "$from is not a folder" "pass --from with a folder that contains SHA256SUMS, or with an https address"; fi
            from=$(cd "$from" && pwd)
            return
            ;;
    esac
    case $from in
        */releases) if [ -n "$version" ]; then from=$from/download/v$version; else from=$from/latest/download; fi ;;
    esac
}

# Whether an address is plain http to this machine: a loopback host and a port, with nothing else before the path. The
# host of http://localhost:1@example.com/ is example.com.
is_loopback() {
    authority=${1#http://}
    if [ "$authority" = "$1" ]; then return 1; fi
    authority=${authority%%/*}
    case $authority in
        127.0.0.1:*) port=${authority#127.0.0.1:} ;;
        localhost:*) port=${authority#localhost:} ;;
        \[::1\]:*) port=${authority#\[::1\]:} ;;
        *) return 1 ;;
    esac
    case $port in
        '' | *[!0-9]*) return 1 ;;
    esac
}

# fetch NAME TO LIMIT: gets one file of the release.
fetch() {
    case $from in
        *://*) download "$from/$1" "$2" "$3" ;;
        *)
            if [ ! -f "$from/$1" ]; then fail "$from has no $1" "copy all files of one release into it"; fi
            cp "$from/$1" "$2" || fail "cannot read $from/$1" "check the file's permissions"
            ;;
    esac
}

download() {
    case $1 in
        https:*) protocol='=https' ;;
        *) protocol='=http' ;;
    esac
    # Cuts off a file that exceeds the limit. Before version 8.4, curl's own limit works only if the server announces
    # the length.
    if has curl; then
        {
            curl --fail --silent --show-error --location --proto "$protocol" --proto-redir "$protocol" --connect-timeout 20 \
                --max-time 600 --max-filesize "$3" --retry 2 "$1" || echo failed >"$2.failed"
        } | head -c "$3" >"$2"
    elif has wget; then
        # GNU Wget would try twenty times. BusyBox's tries once, and crashes when given a time limit that it was built
        # without.
        case $(wget --version 2>/dev/null || :) in
            "GNU Wget"*) limits="--tries=3 --timeout=60" ;;
            *) limits= ;;
        esac
        # shellcheck disable=SC2086 # Two words or nothing.
        { wget -q $limits -O - "$1" || echo failed >"$2.failed"; } | head -c "$3" >"$2"
    else
        fail "neither curl nor wget is installed" "install one of them, or download the release's files and pass --from FOLDER"
    fi
    if [ -e "$2.failed" ]; then cannot_download "$1"; fi
}

cannot_download() {
    fail "cannot download $1" "check the network and HTTPS_PROXY, or download the files and pass --from FOLDER"
}

# Selects the archive for this platform, with its version and checksum from SHA256SUMS. A checksum on the command line
# overrides it.
choose_archive() {
    archive=
    while read -r sum name; do
        name=${name#\*}
        case $name in
            bedrock-sso-*-"$platform".tar.gz)
                found=${name#bedrock-sso-}
                found=${found%-"$platform".tar.gz}
                if is_version "$found" && is_sha256 "$sum"; then archive=$name; listed=$sum; fi
                ;;
        esac
    done <"$scratch/SHA256SUMS"
    if [ -z "$archive" ]; then fail "this release has no archive for $platform" "choose another release: --version V"; fi
    if [ -n "$version" ] && [ "$version" != "$found" ]; then
        fail "this is release $found, not $version" "pass --from with the folder or address of release $version"
    fi
    version=$found
    sha256=${sha256:-$listed}
}

# A server that answers in the release's place must not install a version with known vulnerabilities.
refuse_older() {
    if [ -n "$installed" ] && is_older "$version" "$installed" && [ "$asked" != "$version" ]; then
        fail "release $version is older than the installed version, $installed" \
            "to install it anyway, pass --version $version"
    fi
}

unpack() {
    has tar || fail "tar is not installed" "install tar"
    mkdir "$scratch/unpacked"
    (cd "$scratch/unpacked" && tar -xzf "../$archive") || fail "cannot unpack $archive" "check the free space in $scratch"
    for program in "$scratch"/unpacked/bedrock-sso "$scratch"/unpacked/*/bedrock-sso "$scratch"/unpacked/*/bin/bedrock-sso; do
        if [ -f "$program" ] && [ -x "$program" ]; then return; fi
    done
    fail "$archive does not contain the program" "report this error: the release is incomplete"
}

# Makes each file beside its final place, and then renames it. The manifest comes first, so that it always lists every
# file. The program comes last, and must run before anything is replaced.
put_in_place() {
    make_folder "$prefix/bin"
    staged=$prefix/bin/.bedrock-sso.new
    copy_new "$program" "$staged" 755 || cannot_write "$prefix/bin"
    output=$("$staged" --version 2>&1) || output="nothing (${output:-it was killed})"
    if [ "$output" != "bedrock-sso $version" ]; then
        fail "the program does not run in $prefix/bin: it printed $output" \
            "if programs must not run there, pass --prefix with another folder"
    fi
    {
        echo "version $version"
        echo "archive $sha256"
        echo "file $(sha256_of "$staged") bin/bedrock-sso"
    } >"$scratch/manifest"
    plan share/bash-completion/completions/bedrock-sso completions bash
    plan share/zsh/site-functions/_bedrock-sso completions zsh
    plan share/fish/vendor_completions.d/bedrock-sso.fish completions fish
    plan share/man/man1/bedrock-sso.1 man
    make_folder "$prefix/lib/bedrock-sso"
    remove_old_files
    # Remembers the folders that this script has created, so that an uninstallation removes them.
    if [ -f "$manifest" ]; then sed -n '/^folder /p' "$manifest" >>"$scratch/manifest"; fi
    if [ -f "$scratch/made" ]; then sed 's/^/folder /' "$scratch/made" >>"$scratch/manifest"; fi
    replace "$scratch/manifest" "$manifest"
    rm -f "$scratch/made"
    sed -n 's/^file [0-9a-f]* share/share/p' "$scratch/manifest" | while read -r place; do
        cmp -s "$scratch/texts/${place##*/}" "$prefix/$place" || replace "$scratch/texts/${place##*/}" "$prefix/$place"
    done
    mv -f "$staged" "$prefix/bin/bedrock-sso" || cannot_write "$prefix/bin"
    staged=
}

# plan PLACE ARGUMENT…: makes a file from what the new program prints with these arguments.
plan() {
    place=$1
    shift
    "$staged" "$@" >"$scratch/texts/${place##*/}" || fail "the program failed to print its $1" "report this error"
    make_folder "$prefix/${place%/*}"
    echo "file $(sha256_of "$scratch/texts/${place##*/}") $place" >>"$scratch/manifest"
}

replace() {
    if ! { copy_new "$1" "$2.new" 644 && mv -f "$2.new" "$2"; }; then cannot_write "${2%/*}"; fi
}

# copy_new FROM TO MODE: makes a new file, and removes what is there first. With noclobber the shell creates a new file
# or fails, so it does not follow a link that another user puts there meanwhile.
copy_new() { rm -f "$2" && (set -C && cat "$1" >"$2") && chmod "$3" "$2"; }

# Removes files that an earlier version installed and this one does not have.
remove_old_files() {
    if [ ! -f "$manifest" ]; then return; fi
    while read -r kind _ place; do
        if [ "$kind" = file ] && ! grep -q "^file [0-9a-f]* $place\$" "$scratch/manifest"; then rm -f "$prefix/$place"; fi
    done <"$manifest"
}

# Like `mkdir -p`, but records the folders that it creates, outer ones first.
make_folder() {
    if [ -d "$1" ]; then return; fi
    case $1 in
        /*/*) make_folder "${1%/*}" ;;
    esac
    mkdir "$1" 2>/dev/null || cannot_write "$1"
    echo "$1" >>"$scratch/made"
}

cannot_write() {
    fail "cannot write to $1" "pass --prefix with a folder that you own; root is not needed"
}

advise() {
    case :$PATH: in
        *:"$prefix/bin":*) ;;
        *)
            say "  $prefix/bin is not on your PATH. To add it for new shells, run:"
            # shellcheck disable=SC2016 # A shell expands $PATH later.
            case ${SHELL-} in
                */fish) say "    fish_add_path '$prefix/bin'" ;;
                */zsh) printf '    echo '\''export PATH="%s:$PATH"'\'' >>~/.zshrc\n' "$prefix/bin" ;;
                *) printf '    echo '\''export PATH="%s:$PATH"'\'' >>~/.profile\n' "$prefix/bin" ;;
            esac
            return
            ;;
    esac
    first=$(command -v bedrock-sso || :)
    if [ -n "$first" ] && [ "$first" != "$prefix/bin/bedrock-sso" ]; then
        say "  warning: $first comes first on your PATH. Remove one of them."
    elif [ -z "$installed" ]; then
        say "  next: bedrock-sso setup"
    fi
}

# ---- what is installed

manifest_value() {
    if [ -f "$manifest" ]; then sed -n "s/^$1 //p" "$manifest"; fi
}

is_whole() {
    while read -r kind sum place; do
        if [ "$kind" != file ]; then continue; fi
        if [ ! -f "$prefix/$place" ] || [ "$(sha256_of "$prefix/$place")" != "$sum" ]; then return 1; fi
    done <"$manifest"
}

# ---- verifying

# minisign signs a file's BLAKE2b digest with Ed25519. Without minisign, OpenSSL checks the same signature. macOS and
# Windows have neither, so ssh-keygen checks a second signature by the same key.
verify_signature() {
    case $release_key in
        RW*) ;;
        *)
            fail "this copy of install.sh has no release key, so it cannot verify the release" \
                "download install.sh from a release, or pass --sha256 with the archive's checksum from a source that you trust"
            ;;
    esac
    sums=$scratch/SHA256SUMS
    if has minisign; then
        fetch SHA256SUMS.minisig "$sums.minisig" 4096
        minisign -Vqm "$sums" -x "$sums.minisig" -P "$release_key" >"$scratch/minisign-output" 2>&1 || forged
    elif openssl_can; then
        fetch SHA256SUMS.minisig "$sums.minisig" 4096
        verify_with_openssl || forged
    elif ssh_keygen_can; then
        fetch SHA256SUMS.sshsig "$sums.sshsig" 4096
        verify_with_ssh_keygen || forged
    else
        fail "cannot verify the signature: none of minisign, OpenSSL 3 and ssh-keygen is installed" \
            "install minisign, or pass --sha256 with the archive's checksum from a source that you trust"
    fi
}

forged() {
    fail "the signature of SHA256SUMS does not match the release key: the files are forged or damaged" \
        "install nothing from ${from%%\?*}; download the release from its own page, and report it if this repeats"
}

openssl_can() {
    has openssl || return 1
    case $(openssl version 2>/dev/null) in
        "OpenSSL "[3-9].*) ;;
        *) return 1 ;;
    esac
    printf '' | openssl dgst -blake2b512 >/dev/null 2>&1
}

# The second line of a .minisig has in base64 the algorithm (2 bytes), the key number (8) and the signature (64). The
# third line is a comment, and the fourth a signature of the first signature and the comment.
verify_with_openssl() {
    work=$scratch/openssl
    mkdir "$work"
    printf %s "$release_key" | openssl base64 -d -A >"$work/key" || return 1
    # The SubjectPublicKeyInfo of an Ed25519 key up to the key (RFC 8410, 4).
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000' && part "$work/key" 11 32; } >"$work/key.der"
    sed -n 2p "$sums.minisig" | tr -d '\r' | openssl base64 -d -A >"$work/first" || return 1
    sed -n 4p "$sums.minisig" | tr -d '\r' | openssl base64 -d -A >"$work/global" || return 1
    if [ "$(part "$work/first" 1 2)" != ED ]; then return 1; fi
    part "$work/key" 3 8 >"$work/wanted"
    part "$work/first" 3 8 >"$work/number"
    cmp -s "$work/wanted" "$work/number" || return 1
    part "$work/first" 11 64 >"$work/signature"
    openssl dgst -blake2b512 -binary <"$sums" >"$work/digest" || return 1
    { cat "$work/signature" && sed -n '3s/^trusted comment: //p' "$sums.minisig" | tr -d '\r\n'; } >"$work/commented"
    is_signed "$work/digest" "$work/signature" && is_signed "$work/commented" "$work/global"
}

# part FILE FIRST COUNT: prints bytes of the file, counted from one.
part() { tail -c "+$2" "$1" | head -c "$3"; }

is_signed() {
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$1" -sigfile "$2" >/dev/null 2>&1
}

# OpenSSH verifies signatures since 8.1. Older versions print their usage.
ssh_keygen_can() {
    has ssh-keygen && { has base64 || has openssl; } || return 1
    case $(ssh-keygen -Y verify 2>&1 </dev/null || :) in
        *"missing namespace"*) ;;
        *) return 1 ;;
    esac
}

verify_with_ssh_keygen() {
    printf %s "$release_key" | from_base64 >"$scratch/key" || return 1
    # "ssh-ed25519" and the key, each after its length (RFC 8709, 4).
    { printf '\000\000\000\013ssh-ed25519\000\000\000\040' && part "$scratch/key" 11 32; } >"$scratch/blob"
    printf 'bedrock-sso ssh-ed25519 %s\n' "$(to_base64 <"$scratch/blob")" >"$scratch/signers"
    ssh-keygen -Y verify -f "$scratch/signers" -I bedrock-sso -n bedrock-sso-release -s "$sums.sshsig" <"$sums" >/dev/null 2>&1
}

from_base64() {
    if has openssl; then
        openssl base64 -d -A
    elif printf '' | base64 -d >/dev/null 2>&1; then
        base64 -d
    else
        base64 -D
    fi
}

to_base64() { if has openssl; then openssl base64 -A; else base64 | tr -d '\n'; fi; }

sha256_of() {
    if has sha256sum; then
        sum=$(sha256sum <"$1")
    elif has shasum; then
        sum=$(shasum -a 256 <"$1")
    elif has openssl; then
        sum=$(openssl dgst -sha256 -r <"$1")
    else
        fail "none of sha256sum, shasum and openssl is installed" "install one of them (sha256sum is part of coreutils)"
    fi
    echo "${sum%% *}"
}

# ---- uninstalling

uninstall() {
    if [ ! -f "$manifest" ]; then
        fail "install.sh has not installed bedrock-sso in $prefix" "pass --prefix with the folder that you installed to; remove a package with your package manager"
    fi
    make_scratch
    program=$prefix/bin/bedrock-sso
    if [ -x "$program" ]; then
        # Signs out first, because without the configuration the program could not reach the provider.
        if agreed "Sign out everywhere and delete the stored sign-in? (bedrock-sso logout --all)"; then
            "$program" logout --all || fail "sign-out failed, so nothing was removed" "fix the error above, or pass --keep-sign-in"
            signed_out=yes
        fi
        if agreed "Undo the changes of setup? (bedrock-sso setup --remove)"; then
            "$program" setup --remove --yes || fail "setup --remove failed, so the program was not removed" "fix the error above, or pass --keep-sign-in"
        fi
    fi
    while read -r kind _ place; do
        if [ "$kind" = file ]; then rm -f "$prefix/$place" "$prefix/$place.new" || cannot_write "$prefix"; fi
    done <"$manifest"
    rm -f "$prefix/bin/.bedrock-sso.new"
    # The script removes the folders when it ends, as after a failed installation.
    manifest_value folder >"$scratch/made"
    rm -f "$manifest" "$manifest.new"
    if [ "${signed_out-}" = yes ]; then remove_locks; fi
    say "bedrock-sso is removed from $prefix"
}

# Removes the folders that this script has created, inner ones first. Folders with other files stay.
remove_made() {
    if [ ! -f "$scratch/made" ]; then return; fi
    sed '1!G;h;$!d' "$scratch/made" | while IFS= read -r folder; do rmdir "$folder" 2>/dev/null || :; done
}

# `logout --all` leaves empty lock files, because another process may hold them. After an uninstallation no process
# does.
remove_locks() {
    case $(uname -s) in
        Darwin) data="$HOME/Library/Application Support/bedrock-sso" ;;
        *) data=${XDG_DATA_HOME:-$HOME/.local/share}/bedrock-sso ;;
    esac
    if [ ! -d "$data" ]; then return; fi
    find "$data" -type f -name '*.lock' -size 0 -exec rm -f {} +
    rmdir "$data" 2>/dev/null || say "  $data contains other files, so it was not removed"
}

# agreed QUESTION: the answer from the command line, or else from the user at the terminal.
agreed() {
    case $answer in
        yes) return 0 ;;
        no) return 1 ;;
    esac
    if ! (: </dev/tty) 2>/dev/null; then
        fail "there is no terminal to ask at" "pass --yes (sign out and undo the changes of setup) or --keep-sign-in"
    fi
    printf '%s [Y/n] ' "$1" >/dev/tty
    read -r reply </dev/tty || reply=n
    case $reply in
        "" | [Yy]*) return 0 ;;
        *) return 1 ;;
    esac
}

# ---- helpers

has() { command -v "$1" >/dev/null 2>&1; }

say() { printf '%s\n' "$1"; }

fail() {
    printf 'install.sh: %s\n  hint: %s\n' "$1" "$2" >&2
    exit 1
}

wrong_usage() {
    printf 'install.sh: %s\n  hint: sh install.sh --help\n' "$1" >&2
    exit 2
}

tidy() {
    if [ -n "$staged" ]; then rm -f "$staged"; fi
    if [ -n "$scratch" ]; then
        remove_made
        rm -rf "$scratch"
    fi
}

without_slash() {
    path=$1
    while [ "$path" != "${path%/}" ]; do path=${path%/}; done
    printf '%s\n' "$path"
}

is_sha256() {
    case $1 in
        *[!0-9a-f]*) return 1 ;;
    esac
    [ ${#1} -eq 64 ]
}

is_version() {
    case ${1%%-*} in
        *[!0-9.]* | .* | *. | *..* | *.*.*.*) return 1 ;;
        *.*.*) ;;
        *) return 1 ;;
    esac
    case $1 in
        *[!0-9A-Za-z.-]*) return 1 ;;
    esac
}

# is_older A B: compares the numbers. A pre-release ("-rc.1") is older than the release with the same numbers.
is_older() {
    left=${1%%-*}.
    right=${2%%-*}.
    while [ -n "$left" ] && [ -n "$right" ]; do
        if [ "${left%%.*}" -lt "${right%%.*}" ]; then return 0; fi
        if [ "${left%%.*}" -gt "${right%%.*}" ]; then return 1; fi
        left=${left#*.}
        right=${right#*.}
    done
    case $1/$2 in
        *-*/*-*) return 1 ;;
        *-*/*) return 0 ;;
    esac
    return 1
}

main "$@"
