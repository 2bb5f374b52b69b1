#!/bin/sh
# What the administrator sees: sentences, tables and failures. Text from AWS or from a file is printed only through
# `printable`, so that it cannot move the cursor or recolour the terminal.

# The name of the program in its messages and slugs, and whether it asks nothing.
program=deploy
assume_yes=no

# say TEXT …: one line on stdout. The text is ours.
say() { printf '%s\n' "$*"; }

# printable TEXT: the text on one line, with a question mark in place of each character that is not printable ASCII.
# The `tr` of busybox has no classes such as [:print:].
printable() { printf '%s' "$1" | tr '\n\r\t' '   ' | tr -c ' -~' '?'; }

# fail CODE SLUG WHAT HINT: ends the program. The codes are those of bedrock-sso.
fail() {
    printf '%s: %s [%s]\n  hint: %s\n' "$program" "$(printable "$3")" "$2" "$(printable "$4")" >&2
    exit "$1"
}

fail_usage() { fail 2 "$program/$1" "$2" "$3"; }
fail_configuration() { fail 3 "$program/$1" "$2" "$3"; }
fail_internal() { fail 1 deploy/internal "$1" 'report this as a bug, with the command that you ran'; }

# print_table [INDENT]: aligns tab-separated lines of stdin in columns, without the characters that a terminal obeys.
print_table() {
    awk -F '\t' -v indent="${1-  }" '
        {
            gsub(/[^\t -~]/, "?")
            fields[NR] = NF
            for (i = 1; i <= NF; i++) {
                cell[NR, i] = $i
                if (length($i) > width[i]) width[i] = length($i)
            }
        }
        END {
            for (row = 1; row <= NR; row++) {
                line = indent
                for (i = 1; i <= fields[row]; i++)
                    line = line (i < fields[row] ? sprintf("%-" width[i] + 2 "s", cell[row, i]) : cell[row, i])
                print line
            }
        }'
}

# confirm QUESTION: asks for a yes. Only a terminal is asked; without one the answer is yes, and so it is with --yes.
confirm() {
    if [ "$assume_yes" = yes ] || ! [ -t 0 ]; then return 0; fi
    printf '%s [y/N] ' "$1"
    read -r reply || reply=
    case $reply in
        [yY] | [yY][eE][sS]) return 0 ;;
        *) return 1 ;;
    esac
}

# json_string TEXT: the text as a JSON string. No answer contains control characters.
json_string() { printf '%s\n' "$1" | sed 's/[\\"]/\\&/g; s/^/"/; s/$/"/'; }

# nearest_names WORD: the three names of stdin that need the fewest edits to become the word, on one line.
nearest_names() {
    awk -v word="$1" '
        function distance(a, b,    i, j, cost, best) {
            for (j = 0; j <= length(b); j++) d[0, j] = j
            for (i = 1; i <= length(a); i++) {
                d[i, 0] = i
                for (j = 1; j <= length(b); j++) {
                    cost = substr(a, i, 1) != substr(b, j, 1)
                    best = d[i - 1, j - 1] + cost
                    if (d[i - 1, j] + 1 < best) best = d[i - 1, j] + 1
                    if (d[i, j - 1] + 1 < best) best = d[i, j - 1] + 1
                    d[i, j] = best
                }
            }
            return d[length(a), length(b)]
        }
        { name[NR] = $1; far[NR] = distance(word, $1) }
        END {
            for (taken = 1; taken <= 3 && taken <= NR; taken++) {
                nearest = 0
                for (i = 1; i <= NR; i++) if (!(i in used) && (!nearest || far[i] < far[nearest])) nearest = i
                used[nearest] = 1
                printf "%s%s", (taken > 1 ? ", " : ""), name[nearest]
            }
        }'
}
