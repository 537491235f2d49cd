#!/usr/bin/env bash
# Runs test programs and prints each one's result; the last line is "N passed, N failed" (", N skipped" where any were).
#
#     scripts/run-tests.sh FILE...       from the project root
#
# FILE is a cmocka binary, whose tests are counted one by one, or a script (*.sh, *.py), which counts as one test: exit
# status 0 passed, 77 skipped, anything else failed. Scripts find the program under test in $PBKD (default ./pbkd).
# A test that a crash or a time-out kept from running counts as failed, and so does a binary that runs no test.
# Exit status: 0 when nothing failed. TEST_TIMEOUT is the limit for each file in seconds (default 900).
# The output of every file is kept under $TEST_LOGS (default build/test-logs).
set -u

logs=${TEST_LOGS:-build/test-logs}
limit=
command -v timeout >/dev/null && limit="timeout -k 10 ${TEST_TIMEOUT:-900}"
export PBKD=${PBKD:-./pbkd}
passed=0 failed=0 skipped=0
mkdir -p "$logs" || exit 1

# count TEXT LOG: how often TEXT stands in LOG.
count() { grep -aoF -- "$1" "$2" | wc -l; }

# tally_binary LOG STATUS: sets ok, bad, skip from what cmocka printed.
tally_binary() {
    local total
    ok=$(count '[       OK ] ' "$1")
    # Skipped tests are listed again at the end, hence sort -u.
    skip=$(sed -nE 's/^\[  SKIPPED \] ([A-Za-z_][A-Za-z_0-9]*)$/\1/p' "$1" | sort -u | wc -l)
    # "[==========] Running 5 test(s)." or, from cmocka 1.1.6 on, "[==========] NAME: Running 5 test(s)."
    total=$(sed -nE 's/^\[=+\].*Running ([0-9]+) test.*/\1/p' "$1" | awk '{ n += $1 } END { print n + 0 }')
    bad=$((total - ok - skip))
    [ "$bad" -lt 0 ] && bad=1
    # A sanitizer's report or a failing teardown shows in the exit status alone.
    if [ "$bad" = 0 ] && { [ "$2" != 0 ] || [ "$total" = 0 ]; }; then bad=1; fi
}

tally_script() {
    ok=0 bad=0 skip=0
    case $2 in 0) ok=1 ;; 77) skip=1 ;; *) bad=1 ;; esac
}

run_file() {
    local file=$1 log status note
    log=$logs/$(echo "${file#./}" | tr / _).log
    $limit "./${file#./}" </dev/null >"$log" 2>&1
    status=$?
    case $file in *.sh | *.py) tally_script "$log" $status ;; *) tally_binary "$log" $status ;; esac
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    note="$ok passed"
    [ "$bad" != 0 ] && note="$note, $bad failed (exit status $status)"
    [ "$skip" != 0 ] && note="$note, $skip skipped"
    if [ "$bad" != 0 ]; then
        echo "FAIL  $file: $note"
        sed 's/^/      | /' "$log" | tail -n 200
    elif [ "$ok" = 0 ]; then
        echo "skip  $file: $note"
        tail -n 1 "$log" | sed 's/^/      | /'
    else
        echo "ok    $file: $note"
    fi
}

for file in "$@"; do run_file "$file"; done

summary="$passed passed, $failed failed"
[ "$skipped" != 0 ] && summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" = 0 ] && [ $((passed + skipped)) != 0 ]
