#!/bin/sh
# Installs bedrock-sso for one person, or takes it away again: for who has no package manager at hand.
#
#   sh install.sh [--version V] [--from URL-or-FOLDER] [--prefix FOLDER] [--sha256 HEX]
#   sh install.sh --uninstall [--prefix FOLDER] [--yes | --keep-sign-in]
#
# It needs no root, no Python and no AWS CLI: curl or wget, tar, and one of minisign, OpenSSL 3 and ssh-keygen. Nothing is
# installed that was not verified: SHA256SUMS by its signature and the key below, the archive by SHA256SUMS.
# Everything is a function, called by the last line: of a script that arrived in part nothing is run.
set -eu

# Both are written here by `packaging/installers` when a release is made.
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
install.sh: installs bedrock-sso, or a newer one over it, and keeps who is signed in.

  sh install.sh [OPTIONS]

  --version V            this version in place of the latest; also how to go back to an older one
  --from URL-or-FOLDER   a release's files, or a mirror's address that ends in /releases [env: BEDROCK_SSO_RELEASES]
  --prefix FOLDER        where to: FOLDER/bin, FOLDER/share [default: ~/.local]
  --sha256 HEX           the archive's checksum, as you know it from elsewhere, in place of the signature
  --uninstall            take everything away, and ask what to do with the sign-in and with what `setup` wrote
    --yes                ask nothing: sign out everywhere, and take back what `setup` wrote
    --keep-sign-in       ask nothing: leave both as they are
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
            *) wrong_usage "$1 is no option" ;;
        esac
        shift
    done
    if [ -n "$version" ] && ! is_version "$version"; then wrong_usage "$version is no version: write 0.1.0"; fi
    if [ -n "$sha256" ] && ! is_sha256 "$sha256"; then wrong_usage "--sha256 takes 64 hexadecimal digits"; fi
    asked=$version
    if [ -z "$prefix" ]; then
        if [ -z "${HOME-}" ]; then fail "HOME is not set" "say where to: --prefix FOLDER"; fi
        prefix=$HOME/.local
    fi
    # `setup` writes the program's path into other programs' files.
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
    installed=$(noted version)
    if [ "$installed" = "$version" ] && [ "$(noted archive)" = "$sha256" ] && is_whole; then
        say "bedrock-sso $version is installed in $prefix/bin already, unchanged"
        return
    fi
    refuse_older
    fetch "$archive" "$scratch/$archive" 67108864
    found=$(sha256_of "$scratch/$archive")
    if [ "$found" != "$sha256" ]; then
        fail "$archive is not what its checksum says: it arrived damaged, or was changed on the way" \
            "try again; if it stays so, install nothing from $from, and report it"
    fi
    unpack
    put_in_place
    case $installed in
        "") say "bedrock-sso $version is installed in $prefix/bin" ;;
        "$version") say "bedrock-sso $version is whole again in $prefix/bin" ;;
        *) say "bedrock-sso $version is installed in $prefix/bin in place of $installed; who is signed in stays so" ;;
    esac
    advise
}

make_scratch() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/bedrock-sso.XXXXXXXX") ||
        fail "no scratch folder can be made" "name one that can be written: TMPDIR=FOLDER sh install.sh"
    mkdir "$scratch/texts"
}

choose_platform() {
    case $(uname -s)/$(uname -m) in
        Linux/x86_64 | Linux/amd64) platform=linux-x86_64 ;;
        Linux/aarch64 | Linux/arm64) platform=linux-aarch64 ;;
        Darwin/x86_64 | Darwin/arm64) platform=macos ;;
        MINGW*/* | MSYS*/* | CYGWIN*/*) fail "this is Windows" "use install.ps1, in PowerShell" ;;
        *)
            fail "there is no program for $(uname -s) on $(uname -m)" \
                "build it: in a clone of the repository, cargo install --locked --path ."
            ;;
    esac
}

# One release's own folder or address, or the place of all as GitHub has it.
choose_source() {
    from=$(without_slash "${from:-$releases}")
    case $from in
        @*) fail "this copy does not know where releases are" "take install.sh from a release, or say --from URL-or-FOLDER" ;;
        https://*) ;;
        *://*) is_loopback "$from" || fail "$from is not https" "use an address that begins with https://, or a folder" ;;
        *)
            if [ ! -d "$from" ]; then fail "$from is no folder" "say --from with a folder that has SHA256SUMS, or an address"; fi
            from=$(cd "$from" && pwd)
            return
            ;;
    esac
    case $from in
        */releases) if [ -n "$version" ]; then from=$from/download/v$version; else from=$from/latest/download; fi ;;
    esac
}

# Whether an address is plain http to this machine: a host, a port, and nothing else before the path. In
# http://localhost:1@example.com/ the host comes last.
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

# fetch NAME TO LIMIT: one file of the release.
fetch() {
    case $from in
        *://*) download "$from/$1" "$2" "$3" ;;
        *)
            if [ ! -f "$from/$1" ]; then fail "$from has no $1" "copy all files of one release there"; fi
            cp "$from/$1" "$2" || fail "$from/$1 cannot be read" "look at its rights"
            ;;
    esac
}

download() {
    case $1 in
        https:*) protocol='=https' ;;
        *) protocol='=http' ;;
    esac
    # What comes too large is cut off: before version 8.4, curl's own limit counts only for a length that the server announces.
    if has curl; then
        {
            curl --fail --silent --show-error --location --proto "$protocol" --proto-redir "$protocol" --connect-timeout 20 \
                --max-time 600 --max-filesize "$3" --retry 2 "$1" || echo failed >"$2.failed"
        } | head -c "$3" >"$2"
    elif has wget; then
        # GNU's would try twenty times. BusyBox's tries once, and one that was built without a time limit crashes when given one.
        case $(wget --version 2>/dev/null || :) in
            "GNU Wget"*) patience="--tries=3 --timeout=60" ;;
            *) patience= ;;
        esac
        # shellcheck disable=SC2086 # Two words, or none.
        { wget -q $patience -O - "$1" || echo failed >"$2.failed"; } | head -c "$3" >"$2"
    else
        fail "there is neither curl nor wget" "install one of them, or download the release's files and say --from FOLDER"
    fi
    if [ -e "$2.failed" ]; then not_there "$1"; fi
}

not_there() {
    fail "$1 cannot be fetched" "look at the network, and at HTTPS_PROXY where one is needed; or download the files and say --from FOLDER"
}

# The archive of this platform, and its checksum and version: what SHA256SUMS says, unless the command line does.
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
    if [ -z "$archive" ]; then fail "this release has no archive for $platform" "take another: --version V"; fi
    if [ -n "$version" ] && [ "$version" != "$found" ]; then
        fail "this is release $found, and not $version" "say --from with the folder or address of release $version"
    fi
    version=$found
    sha256=${sha256:-$listed}
}

# Whoever can answer in the release's place must not bring back a version whose holes are known.
refuse_older() {
    if [ -n "$installed" ] && is_older "$version" "$installed" && [ "$asked" != "$version" ]; then
        fail "release $version is older than what is installed, $installed" \
            "if that is what you want, say so: --version $version"
    fi
}

unpack() {
    has tar || fail "there is no tar" "install it"
    mkdir "$scratch/unpacked"
    (cd "$scratch/unpacked" && tar -xzf "../$archive") || fail "$archive cannot be unpacked" "look at the space left in $scratch"
    for program in "$scratch"/unpacked/bedrock-sso "$scratch"/unpacked/*/bedrock-sso "$scratch"/unpacked/*/bin/bedrock-sso; do
        if [ -f "$program" ] && [ -x "$program" ]; then return; fi
    done
    fail "$archive holds no program" "report it: a release must not be so"
}

# Each file is made beside its place and then renamed. First the list, so that nothing is ever unlisted; the program last,
# and before anything it has to run.
put_in_place() {
    make_folder "$prefix/bin"
    staged=$prefix/bin/.bedrock-sso.new
    copy_new "$program" "$staged" 755 || cannot_write "$prefix/bin"
    said=$("$staged" --version 2>&1) || said="nothing (${said:-it was ended})"
    if [ "$said" != "bedrock-sso $version" ]; then
        fail "the program does not run in $prefix/bin: it said $said" \
            "if programs may not be run from there, say --prefix with another folder"
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
    forget_strays
    # Folders that were missing stay on the list: they are ours to remove.
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

# plan PLACE WORD…: a file of what the new program prints when called so.
plan() {
    place=$1
    shift
    "$staged" "$@" >"$scratch/texts/${place##*/}" || fail "the program cannot write its $1" "report it"
    make_folder "$prefix/${place%/*}"
    echo "file $(sha256_of "$scratch/texts/${place##*/}") $place" >>"$scratch/manifest"
}

replace() {
    if ! { copy_new "$1" "$2.new" 644 && mv -f "$2.new" "$2"; }; then cannot_write "${2%/*}"; fi
}

# copy_new FROM TO MODE: a new file. What lies there is removed first, and a link that somebody puts there meanwhile is not
# followed: with noclobber the shell opens a new file or none.
copy_new() { rm -f "$2" && (set -C && cat "$1" >"$2") && chmod "$3" "$2"; }

# What an earlier version installed and this one does not.
forget_strays() {
    if [ ! -f "$manifest" ]; then return; fi
    while read -r kind _ place; do
        if [ "$kind" = file ] && ! grep -q "^file [0-9a-f]* $place\$" "$scratch/manifest"; then rm -f "$prefix/$place"; fi
    done <"$manifest"
}

# As `mkdir -p`, keeping in mind which were missing, the outer ones first.
make_folder() {
    if [ -d "$1" ]; then return; fi
    case $1 in
        /*/*) make_folder "${1%/*}" ;;
    esac
    mkdir "$1" 2>/dev/null || cannot_write "$1"
    echo "$1" >>"$scratch/made"
}

cannot_write() {
    fail "$1 cannot be written" "say --prefix with a folder of yours; nothing needs root"
}

advise() {
    case :$PATH: in
        *:"$prefix/bin":*) ;;
        *)
            say "  $prefix/bin is not on your PATH. For the shells that you open from now on:"
            # shellcheck disable=SC2016 # The line is for a file that a shell reads later.
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
        say "  but $first comes before it on your PATH: remove one of them"
    elif [ -z "$installed" ]; then
        say "  next: bedrock-sso setup"
    fi
}

# ---- what is installed

noted() {
    if [ -f "$manifest" ]; then sed -n "s/^$1 //p" "$manifest"; fi
}

is_whole() {
    while read -r kind sum place; do
        if [ "$kind" != file ]; then continue; fi
        if [ ! -f "$prefix/$place" ] || [ "$(sha256_of "$prefix/$place")" != "$sum" ]; then return 1; fi
    done <"$manifest"
}

# ---- verifying

# Ed25519 over the file's BLAKE2b digest, as minisign signs; where it is missing, OpenSSL checks the same signature, and
# ssh-keygen (macOS and Windows have it, and neither of the others) a second one by the same key.
verify_signature() {
    case $release_key in
        RW*) ;;
        *)
            fail "this copy has no release key, so that it can verify nothing" \
                "take install.sh from a release, or say --sha256 with the archive's checksum as you know it from elsewhere"
            ;;
    esac
    sums=$scratch/SHA256SUMS
    if has minisign; then
        fetch SHA256SUMS.minisig "$sums.minisig" 4096
        minisign -Vqm "$sums" -x "$sums.minisig" -P "$release_key" >"$scratch/said" 2>&1 || forged
    elif openssl_can; then
        fetch SHA256SUMS.minisig "$sums.minisig" 4096
        verify_with_openssl || forged
    elif ssh_keygen_can; then
        fetch SHA256SUMS.sshsig "$sums.sshsig" 4096
        verify_with_ssh_keygen || forged
    else
        fail "the signature cannot be verified here: there is neither minisign nor OpenSSL 3 nor ssh-keygen" \
            "install minisign, or say --sha256 with the archive's checksum as you know it from elsewhere"
    fi
}

forged() {
    fail "the signature of SHA256SUMS is not the release key's: these files are not the project's, or not whole" \
        "install nothing from ${from%%\?*}; take the release from its own page, and report it if it stays so"
}

openssl_can() {
    has openssl || return 1
    case $(openssl version 2>/dev/null) in
        "OpenSSL "[3-9].*) ;;
        *) return 1 ;;
    esac
    printf '' | openssl dgst -blake2b512 >/dev/null 2>&1
}

# Of a .minisig, the second line is algorithm (2 bytes), key number (8) and signature (64) in base64; the third is a comment,
# and the fourth signs signature and comment.
verify_with_openssl() {
    work=$scratch/openssl
    mkdir "$work"
    printf %s "$release_key" | openssl base64 -d -A >"$work/key" || return 1
    # A SubjectPublicKeyInfo of Ed25519 up to the key (RFC 8410, 4).
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

# part FILE FIRST COUNT: some of its bytes, counted from one.
part() { tail -c "+$2" "$1" | head -c "$3"; }

is_signed() {
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$1" -sigfile "$2" >/dev/null 2>&1
}

# OpenSSH has it from 8.1 on; others answer with their usage.
ssh_keygen_can() {
    has ssh-keygen && { has base64 || has openssl; } || return 1
    case $(ssh-keygen -Y verify 2>&1 </dev/null || :) in
        *"missing namespace"*) ;;
        *) return 1 ;;
    esac
}

verify_with_ssh_keygen() {
    printf %s "$release_key" | from_base64 >"$scratch/key" || return 1
    # "ssh-ed25519" and the key, each with its length before it (RFC 8709, 4).
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
        fail "there is no sha256sum, shasum or openssl" "install one of them (coreutils has the first)"
    fi
    echo "${sum%% *}"
}

# ---- taking it away

uninstall() {
    if [ ! -f "$manifest" ]; then
        fail "this script has installed nothing in $prefix" "say --prefix with the folder that it was given then; packages go as they came"
    fi
    make_scratch
    program=$prefix/bin/bedrock-sso
    if [ -x "$program" ]; then
        # In this order: without the configuration nobody could tell the provider.
        if agreed "Sign out everywhere, and forget what is kept? (bedrock-sso logout --all)"; then
            "$program" logout --all || fail "signing out failed, and nothing was removed" "mend that, or say --keep-sign-in"
            signed_out=yes
        fi
        if agreed "Take back what setup wrote? (bedrock-sso setup --remove)"; then
            "$program" setup --remove --yes || fail "setup --remove failed, and the program is still there" "mend that, or say --keep-sign-in"
        fi
    fi
    while read -r kind _ place; do
        if [ "$kind" = file ]; then rm -f "$prefix/$place" "$prefix/$place.new" || cannot_write "$prefix"; fi
    done <"$manifest"
    rm -f "$prefix/bin/.bedrock-sso.new"
    # The folders go with the end of the script, as those of an installation that failed.
    noted folder >"$scratch/made"
    rm -f "$manifest" "$manifest.new"
    if [ "${signed_out-}" = yes ]; then forget_locks; fi
    say "bedrock-sso is removed from $prefix"
}

# Folders that this script made, the inner ones first; what others have put there since keeps its folder.
remove_made() {
    if [ ! -f "$scratch/made" ]; then return; fi
    sed '1!G;h;$!d' "$scratch/made" | while IFS= read -r folder; do rmdir "$folder" 2>/dev/null || :; done
}

# `logout --all` leaves locks, which are empty: another process may hold one. Now nobody comes after them.
forget_locks() {
    case $(uname -s) in
        Darwin) kept="$HOME/Library/Application Support/bedrock-sso" ;;
        *) kept=${XDG_DATA_HOME:-$HOME/.local/share}/bedrock-sso ;;
    esac
    if [ ! -d "$kept" ]; then return; fi
    find "$kept" -type f -name '*.lock' -size 0 -exec rm -f {} +
    rmdir "$kept" 2>/dev/null || say "  $kept holds more than this program's: it stays"
}

# agreed QUESTION: what the command line says, else who sits at the terminal.
agreed() {
    case $answer in
        yes) return 0 ;;
        no) return 1 ;;
    esac
    if ! (: </dev/tty) 2>/dev/null; then
        fail "there is nobody to ask" "say --yes (sign out, and take back what setup wrote) or --keep-sign-in"
    fi
    printf '%s [Y/n] ' "$1" >/dev/tty
    read -r reply </dev/tty || reply=n
    case $reply in
        "" | [Yy]*) return 0 ;;
        *) return 1 ;;
    esac
}

# ---- small words

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

# is_older A B: by their numbers; of equal ones a preliminary release ("-rc.1") is the older.
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
