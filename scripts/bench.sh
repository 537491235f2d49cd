#!/usr/bin/env bash
# Runs the benchmark, then the same training steps in PyTorch where it is installed, and sets the figures side by side.
#
#     scripts/bench.sh BENCH [THREADS]      BENCH is the built tests/bench/bench; PYTHON=... another python3
#
# The two run one after the other, with the same number of threads.
set -euo pipefail

bench=$1
shift
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

ours=$(mktemp)
trap 'rm -f "$ours"' EXIT
"$bench" "$@" | tee "$ours"
threads=$(awk '$1 == "threads" {print $2}' "$ours")
if ! command -v "$python" >/dev/null; then
    echo "$python is not installed: no peer figure"
    exit 0
fi
peer=$("$python" tests/bench/peer.py "$threads")
if [[ $peer == *"not installed"* ]]; then
    echo "$peer"
    exit 0
fi
# Only figures that both have: a line of the peer is NAME N tokens/s.
awk 'NR == FNR { if ($3 == "tokens/s") ours[$1] = $2; next }
     $3 == "tokens/s" && ($1 in ours) {
         printf "%s: pbkd %d tokens/s, PyTorch %d tokens/s, ratio %.2f\n", $1, ours[$1], $2, ours[$1] / $2
     }' "$ours" <(echo "$peer")
