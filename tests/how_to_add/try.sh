#!/bin/sh
# How to add a metric, done: the diff of docs/how-to-add.md is applied to a copy of the sources, which is built, and the
# new metric is looked for where its row says it comes: run.db, snapshot, checkpoint, result line, a chart (test_metric
# checks all rows, and that a run has told ADDED_METRIC), and the manual's table. Takes a whole build.
#
#   tests/how_to_add/try.sh [FOLDER]     the copy is made in FOLDER (build/how_to_add)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=${1:-$root/build/how_to_add}
name=student.length

fail() {
    echo "how_to_add: $*" >&2
    exit 1
}

rm -rf "$copy"
mkdir -p "$copy"
for part in "$root"/* "$root"/.clang-format; do
    case ${part##*/} in
    build | models | runs | pbkd) ;;
    *) cp -R "$part" "$copy/" ;;
    esac
done
cd "$copy"
patch -s -p1 <"$root/tests/how_to_add/metric.diff" || fail "metric.diff does not fit the sources any more"
grep -rlF "$name" engine views tui | grep -qvx engine/metric/metrics.def && fail "$name must stand in its row alone"
make -s -j2 VARIANT=debug ${CC:+CC="$CC"} build/debug/tests/unit/test_metric build/debug/tests/unit/test_manual
ADDED_METRIC=$name build/debug/tests/unit/test_metric || fail "a row does not reach all that it names"
UPDATE_MANUAL=1 build/debug/tests/unit/test_manual >/dev/null 2>&1 || true
grep -qF "| \`$name\` |" MANUAL.md || fail "the manual's table has no $name"
build/debug/tests/unit/test_manual >/dev/null 2>&1 || fail "the manual differs from the sources"
echo "how_to_add: $name is drawn, stored, reported, watched and in the manual"
