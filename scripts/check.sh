#!/usr/bin/env bash
# What `make check` runs, stage by stage; the last line is "N passed, N failed" (", N skipped" where any were).
#
#     scripts/check.sh [STAGE...]        from the project root; all stages without names
#
# A stage that runs tests counts each of them, any other counts as one. Every stage runs, whatever failed before: one
# look tells all. A stage prints one line (time, name, its own last line); its whole output is kept under build/check/,
# and the end of a failed one is shown. Where TEST_TOTALS names a file, the sums are added to it (see run-tests.sh).
set -u

make=${MAKE:-make}
clang=${CLANG:-clang}
logs=build/check
stages=${*:-clang layers lint examples address threads fuzz coverage}
jobs=-j$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
totals=${TEST_TOTALS:-}
passed=0 failed=0 skipped=0
mkdir -p $logs || exit 1

run_stage() {
    case $1 in
    clang) $make --no-print-directory -s "$jobs" VARIANT=clang CC="$clang" build-everything && echo "no warnings" ;;
    layers) scripts/check-layers ;;
    lint) $make --no-print-directory -s lint && echo "nothing found" ;;
    examples) tests/how_to_add/try.sh ;;
    address) $make --no-print-directory -s sanitize-address ;;
    threads) $make --no-print-directory -s sanitize-threads ;;
    fuzz) $make --no-print-directory -s fuzz FUZZ_SECONDS="${FUZZ_SECONDS:-20}" && echo "no crash" ;;
    coverage) $make --no-print-directory -s coverage ;;
    *) echo "check.sh: no stage is called $1" >&2; return 2 ;;
    esac
}

for stage in $stages; do
    log=$logs/$stage.log
    rm -f $logs/totals
    start=$SECONDS
    TEST_TOTALS=$logs/totals run_stage "$stage" >"$log" 2>&1
    status=$?
    ok=0 bad=0 skip=0
    [ -f $logs/totals ] && read -r ok bad skip <$logs/totals
    # A stage without tests counts as one; so does what fails beside the tests: a build, the floor of the coverage.
    if [ $status != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
    if [ $status = 0 ] && [ ! -f $logs/totals ]; then ok=1; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
    word=ok
    [ "$bad" = 0 ] || word=FAIL
    seconds=$((SECONDS - start))
    printf '%-5s %3d:%02d  %s: %s\n' $word $((seconds / 60)) $((seconds % 60)) "$stage" "$(grep -v '^make' "$log" | tail -n 1)"
    [ "$bad" = 0 ] || tail -n 200 "$log" | sed 's/^/      | /'
done

[ -z "$totals" ] || echo "$passed $failed $skipped" >>"$totals"
summary="$passed passed, $failed failed"
[ "$skipped" != 0 ] && summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" = 0 ]
