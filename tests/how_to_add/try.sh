#!/usr/bin/env bash
# How to add, done: the diffs of docs/how-to-add.md are applied to a copy of the sources, which is built and played. Every
# row must reach all that it names: a metric run.db, snapshot, result line, a chart and the manual (test_metric looks at
# all rows), the others the game, the prompt and the manual. Takes a whole build.
#
#   tests/how_to_add/try.sh [FOLDER]     the copy is made in FOLDER (build/how_to_add)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=${1:-$root/build/how_to_add}
metric=student.length

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
for diff in "$root"/tests/how_to_add/*.diff; do
    patch -s -p1 <"$diff" || fail "$(basename "$diff") does not fit the sources any more"
done
grep -rlF "$metric" engine views tui | grep -qvx engine/metric/metrics.def && fail "$metric must stand in its row alone"

tests="metric manual option labeller eta keys cli label_view architecture"
make -s -j"$(nproc)" VARIANT=debug ${CC:+CC="$CC"} build/debug/pbkd $(printf 'build/debug/tests/unit/test_%s ' $tests)
UPDATE_MANUAL=1 build/debug/tests/unit/test_manual >/dev/null 2>&1 || true
for name in $tests; do
    ADDED_METRIC=$metric build/debug/tests/unit/test_$name >"$copy/log" 2>&1 || {
        cat "$copy/log"
        fail "test_$name fails with the new rows"
    }
done
for row in "\`$metric\`" "\`skew_rkl\`" "\`brief\`" "\`zeta.least\`" ":where" "\`W\`" "both-good"; do
    grep -qF -- "$row" MANUAL.md || fail "the manual has no $row"
done

# A short game under the settings given; its log is in $copy/log.
play() {
    rm -rf run
    build/debug/pbkd run sample_data/arithmetic/online.json --headless --run-dir run --set iterations=1 \
        --set game.rounds=1 --set game.policy_batch=8 --set game.reward_batch=8 --set reward.steps=2 --set reward.gate=0 \
        --set prompts.per_iteration=16 --set eval.prompts=16 --set eval.gap_prompts=8 "$@" >log 2>&1 || {
        cat log
        fail "no game with $*"
    }
}
play --set algorithm=skew_rkl
grep -q census log && fail "there are no pairs to count under skew_rkl"
play --set labeller=brief
grep -q "census: [1-9][0-9]* pairs are decided" log || fail "the census was not taken"
build/debug/pbkd prefs stats run --json | grep -q '"brief":[1-9]' || fail "brief did not label"
play --set game.scope=anew --set game.reward_steps=2
play --set game.scope=head --set zeta.least=0.5
echo 42 >parrot.txt
play --set teacher.model=parrot.txt
echo "how_to_add: $(ls "$root"/tests/how_to_add/*.diff | wc -l) examples fit, build, play and stand in the manual"
