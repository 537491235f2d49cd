#!/usr/bin/env bash
# Prints how many lines of engine/, views/ and tui/ the tests reached, and fails below the floor.
#
#     scripts/coverage.sh BUILD [all]        BUILD is a folder built with --coverage after its tests ran; all: every file
#
# gcov comes with the compiler and says it per source file; nothing else is needed. A file that no test touched counts
# with all of its lines. The floor stands in tests/coverage-floor, in per cent, and only rises: a value below one that
# was ever committed fails too. GCOV names another gcov.
set -eu

build=$1
floor=$(cat tests/coverage-floor)

# "PERCENT LINES FILE" for each source. A header's inline functions are left to the sources that use them.
files() {
    find "$build"/engine "$build"/views "$build"/tui -name '*.gcno' -print0 | xargs -0 "${GCOV:-gcov}" -n 2>/dev/null |
        awk -F"'" '/^File / { file = $2; next }
            /^Lines executed:/ && file ~ /^(engine|views|tui)\/.*\.c$/ {
                split($0, part, /[:% ]+/); print part[3], part[5], file; file = ""
            }
            /^No executable lines/ { file = "" }'
}

files | sort -n >"$build/coverage.txt"
if [ "${2:-}" = all ]; then cat "$build/coverage.txt"; else
    echo "least covered:"
    head -n 10 "$build/coverage.txt" | awk '{ printf "  %6.2f %% of %4d lines  %s\n", $1, $2, $3 }'
fi

highest=$(git log --format= -p -- tests/coverage-floor 2>/dev/null | sed -nE 's/^\+([0-9.]+)$/\1/p' | sort -n | tail -n 1)
awk -v floor="$floor" -v highest="${highest:-0}" '
    { lines += $2; reached += $1 * $2 / 100 }
    END {
        share = lines ? 100 * reached / lines : 0
        printf "line coverage %.1f %% of %d lines, floor %.1f %%", share, lines, floor
        if (floor < highest) { printf ": the floor was %.1f %% before and only rises\n", highest; exit 1 }
        if (share < floor) { print ": too low"; exit 1 }
        print (share >= floor + 1 ? sprintf(" (tests/coverage-floor can rise to %.1f)", share - 0.5) : "")
    }' "$build/coverage.txt"
