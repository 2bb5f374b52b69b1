#!/bin/sh
# Times in UTC, as AWS writes them. `date` of POSIX cannot add, so awk counts the days.

current_time() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# resolve_until TIME: prints the moment that `2h`, `7d`, `2026-12-24` or `2026-12-24T18:00Z` names, as
# 2026-12-24T18:00:00Z. A date is the first moment of that day in UTC. Fails if it is no such time, or is past.
resolve_until() {
    case $1 in
        '' | *[!0-9A-Za-z:-]*) return 1 ;;
    esac
    awk -v until="$1" -v now="$(current_time)" '
        function leap(year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        function length_of(month, year) {
            return month == 2 ? 28 + leap(year) : (month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31)
        }
        # Days since 1 January 1970.
        function day_number(year, month, day,    y, days) {
            days = day - 1
            for (y = 1970; y < year; y++) days += 365 + leap(y)
            for (y = 1; y < month; y++) days += length_of(y, year)
            return days
        }
        function seconds_of(text) {
            return day_number(substr(text, 1, 4) + 0, substr(text, 6, 2) + 0, substr(text, 9, 2) + 0) * 86400 \
                + substr(text, 12, 2) * 3600 + substr(text, 15, 2) * 60 + substr(text, 18, 2)
        }
        function written(seconds,    days, year, month) {
            days = int(seconds / 86400)
            seconds -= days * 86400
            for (year = 1970; days >= 365 + leap(year); year++) days -= 365 + leap(year)
            for (month = 1; days >= length_of(month, year); month++) days -= length_of(month, year)
            return sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, days + 1, \
                int(seconds / 3600), int(seconds % 3600 / 60), seconds % 60)
        }
        function valid(text,    year, month, day) {
            year = substr(text, 1, 4) + 0; month = substr(text, 6, 2) + 0; day = substr(text, 9, 2) + 0
            if (year < 1970 || month < 1 || month > 12 || day < 1 || day > length_of(month, year)) return 0
            return substr(text, 12, 2) < 24 && substr(text, 15, 2) < 60 && substr(text, 18, 2) < 60
        }
        BEGIN {
            number = "[0-9]"; pair = number number; date = pair pair "-" pair "-" pair
            if (until ~ "^[1-9]" number "?" number "?" number "?[mhd]$") {
                unit = substr(until, length(until))
                print written(seconds_of(now) + (until + 0) * (unit == "d" ? 86400 : unit == "h" ? 3600 : 60))
                exit 0
            }
            if (until ~ "^" date "$") until = until "T00:00:00Z"
            else if (until ~ "^" date "T" pair ":" pair "Z$") sub("Z$", ":00Z", until)
            if (until !~ "^" date "T" pair ":" pair ":" pair "Z$" || !valid(until) || until <= now) exit 1
            print until
        }'
}
