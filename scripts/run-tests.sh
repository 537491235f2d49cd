#!/usr/bin/env bash
# Runs test programs and prints each one's result; the last line is "N passed, N failed" (", N skipped" where any were).
#
#     scripts/run-tests.sh FILE...       from the project root
#
# FILE is a cmocka binary, whose tests are counted one by one, or a script (#!), which counts as one test: exit status 0
# passed, 77 skipped, anything else failed. Scripts find the program under test in $PBKD (default ./pbkd).
# A test that a crash or a time-out kept from running counts as failed, and so does a binary that runs no test.
# Exit status: 0 when nothing failed.
#
# Files run side by side, TEST_JOBS at a time (default: one per processor): each works in a folder of its own. What
# types at a terminal (tests/pty) minds the clock, so those run alone, after the others. TEST_TIMEOUT is the limit for
# each file in seconds (default 900). The output of every file is kept under $TEST_LOGS (default build/test-logs); the
# end of a failed one is shown, and then the files that took longest. Where TEST_TOTALS names a file, "PASSED FAILED
# SKIPPED" is added to it, so that a caller can sum up several runs.
set -u

logs=${TEST_LOGS:-build/test-logs}
jobs=${TEST_JOBS:-$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)}
export TEST_LOGS=$logs PBKD=${PBKD:-./pbkd}

# log_of FILE: where its output is kept; beside it, .result holds "SECONDS PASSED FAILED SKIPPED FILE".
log_of() { echo "$logs/$(echo "${1#./}" | tr / _).log"; }

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
    case $1 in 0) ok=1 ;; 77) skip=1 ;; *) bad=1 ;; esac
}

# run_file FILE: prints one line only, so that files that run side by side never mix theirs.
run_file() {
    local file=$1 log status note word=ok start seconds limit=
    log=$(log_of "$file")
    command -v timeout >/dev/null && limit="timeout -k 10 ${TEST_TIMEOUT:-900}"
    start=$(date +%s)
    $limit "./${file#./}" </dev/null >"$log" 2>&1
    status=$?
    seconds=$(($(date +%s) - start))
    if [ "$(head -c 2 "$file" | tr -d '\0')" = '#!' ]; then tally_script $status; else tally_binary "$log" $status; fi
    echo "$seconds $ok $bad $skip $file" >"$log.result"
    note="$ok passed"
    [ "$bad" != 0 ] && word=FAIL && note="$note, $bad failed (exit status $status)"
    [ "$skip" != 0 ] && note="$note, $skip skipped"
    [ "$ok$bad" = 00 ] && word=skip && note="$note: $(tail -n 1 "$log")"
    printf '%-5s %4d s  %s: %s\n' "$word" "$seconds" "$file" "$note"
}

if [ "${1:-}" = --one ]; then
    run_file "$2"
    exit 0
fi

mkdir -p "$logs" || exit 1
alone=() beside=() results=()
for file in "$@"; do
    results+=("$(log_of "$file").result")
    case $file in */pty/* | pty/*) alone+=("$file") ;; *) beside+=("$file") ;; esac
done
rm -f "${results[@]}"
# A file that leaves no result, because this script itself was stopped, counts as failed below.
[ ${#beside[@]} = 0 ] || printf '%s\0' "${beside[@]}" | xargs -0 -n 1 -P "$jobs" "$0" --one
for file in ${alone[@]+"${alone[@]}"}; do "$0" --one "$file"; done

passed=0 failed=0 skipped=0
for file in "$@"; do
    log=$(log_of "$file")
    ok=0 bad=1 skip=0
    [ -f "$log.result" ] && read -r _ ok bad skip _ <"$log.result"
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    [ "$bad" = 0 ] || { echo "FAIL  $file"; tail -n 200 "$log" | sed 's/^/      | /'; }
done
echo "slowest:"
cat "${results[@]}" 2>/dev/null | sort -rn | head -n 10 | awk '{ printf "  %4d s  %s\n", $1, $5 }'

[ -z "${TEST_TOTALS:-}" ] || echo "$passed $failed $skipped" >>"$TEST_TOTALS"
summary="$passed passed, $failed failed"
[ "$skipped" != 0 ] && summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" = 0 ] && [ $((passed + skipped)) != 0 ]
