#!/usr/bin/env bash
# Bad input from the outside, given to the real program without a screen: each case must end with the documented exit status and one
# message that names the file and the place, and must leave nothing half-written. The unit tests hold the readers to this one by one;
# here the whole way from the command line to the message and back to an untouched folder is tested.
#
#     PBKD=./pbkd tests/fault/bad_input.sh        from the project root; exit status 0 passed, 1 failed, 77 no sample models
#
# One line per failed case, and one per case that this system cannot set up.
set -u

pbkd=$(realpath "${PBKD:-./pbkd}")
data=$PWD/sample_data/arithmetic
failures=0 cases=0
background= mounted=

[ -x "$pbkd" ] || { echo "bad_input: no program at $pbkd"; exit 1; }
[ -f "$data/teacher.gguf" ] || { echo "sample_data/arithmetic/teacher.gguf is missing"; exit 77; }
folder=$(mktemp -d) || exit 1

clean_up() {
    [ -n "$background" ] && kill -KILL "$background" 2>/dev/null && wait "$background" 2>/dev/null
    [ -n "$mounted" ] && umount "$mounted"
    rm -rf "$folder"
}
trap clean_up EXIT
cd "$folder" || exit 1

teacher=$data/teacher.gguf
student=$data/student.gguf
[ -f "$student" ] || student=$teacher

# config NAME [TEACHER [TRAIN [EXTRA]]]: a small game; EXTRA is spliced in as further members.
config() {
    cat >"$1" <<JSON
{
    "iterations": 1,
    "teacher": {"model": "${2:-$teacher}"},
    "student": {"model": "$student"},
    "prompts": {
        "train": "${3:-$data/train.jsonl}",
        "heldout": "$data/heldout.jsonl",
        "recorded": "$data/sft.jsonl",
        "template": "raw",
        "checker": "number",
        "per_iteration": 4
    },
${4:+    $4,}
    "max_new_tokens": 8
}
JSON
}

fail() {
    failures=$((failures + 1))
    echo "FAILED $1: $2"
}

# check_message CASE STATUS WANTED...: what the last program left in status and err. Every WANTED must stand in the one message.
# Progress of a run ("LOADING t 0/1, ...") also goes to standard error; a message starts with the program's name.
check_message() {
    local name=$1 want=$2 lines other text
    shift 2
    cases=$((cases + 1))
    [ "$status" = "$want" ] || { fail "$name" "exit status $status, expected $want: $(head -c 300 err | tr '\n' '|')"; return 1; }
    lines=$(grep -c '^pbkd: ' err)
    other=$(grep -v -e '^pbkd: ' -e '^[A-Z][A-Z]* t [0-9]*/[0-9]*, ' err | grep -cv '^Try `pbkd')
    [ "$lines" = 1 ] && [ "$other" = 0 ] || { fail "$name" "not one message: $(head -c 300 err | tr '\n' '|')"; return 1; }
    for text; do
        grep '^pbkd: ' err | grep -qF -- "$text" || { fail "$name" "no \"$text\" in: $(grep '^pbkd: ' err)"; return 1; }
    done
}

# check_nothing CASE: no run and no temporary of one, anywhere in the folder.
check_nothing() {
    local left
    left=$(find . -path ./held -prune -o \( -name '*.tmp*' -o -name 'run.db*' -o -name lock -o -name out -type d \) -print)
    [ -z "$left" ] || { fail "$1" "left behind: $(echo "$left" | tr '\n' ' ')"; rm -rf out ./*.tmp*; return 1; }
}

run() { # run ARGUMENT...
    timeout -k 5 30 "$pbkd" "$@" </dev/null >log 2>err
    status=$?
}

# refused CASE STATUS CONFIG WANTED...: a new run in ./out must be refused and leave nothing.
refused() {
    local name=$1 want=$2 file=$3
    shift 3
    run run "$file" --headless --run-dir out
    check_message "$name" "$want" "$@"
    check_nothing "$name"
}

# ---- model files ----

# model_case CASE WANTED...: ./bad.gguf as the teacher, and through the other verb that reads one.
model_case() {
    local name=$1
    shift
    config c.json "$folder/bad.gguf"
    refused "$name" 1 c.json bad.gguf "$@"
    run info bad.gguf
    check_message "$name, info" 1 bad.gguf "$@"
}

poke() { # poke OFFSET BYTES: into a fresh copy of the teacher; BYTES as printf writes them
    cp "$teacher" bad.gguf
    printf "$2" | dd of=bad.gguf bs=1 seek="$1" conv=notrunc status=none
}

size=$(wc -c <"$teacher")
head -c $((size / 2)) "$teacher" >bad.gguf
model_case "model cut in half" tensor
head -c 100 "$teacher" >bad.gguf
model_case "model cut in its header" "keys do not fit"
: >bad.gguf
model_case "empty model"
poke 0 'GGXF'
model_case "wrong magic" GGUF
poke 4 '\377'
model_case "unknown version" version
poke 8 '\377\377\377\377\377\377\377\177'
model_case "huge tensor count" tensor
poke 16 '\377\377\377\377\377\377\377\177'
model_case "huge metadata count" "keys do not fit"
# The first key's length is at 24: one flipped high bit makes it reach far beyond the file.
poke 31 '\100'
model_case "bit flipped in the header" "key number 0"
config c.json "$folder/absent.gguf"
refused "missing model" 1 c.json absent.gguf
mkdir folder.gguf
config c.json "$folder/folder.gguf"
refused "folder as a model" 1 c.json folder.gguf

# ---- configuration ----

config c.json '' '' '"iteratons": 3'
refused "unknown option" 1 c.json c.json:13: iteratons iterations
config c.json '' '' '"game": {"rounds": "many"}'
refused "wrong type" 1 c.json c.json:13: game.rounds
config c.json '' '' '"beta": -5'
refused "out of bounds" 1 c.json c.json:13: beta
printf '{"iterations": 1,\n"beta": oops}\n' >c.json
refused "no JSON" 1 c.json c.json:2
printf '\177ELF\001\000\377' >c.json
refused "binary configuration" 1 c.json c.json
printf '[1, 2]\n' >c.json
refused "array as configuration" 1 c.json c.json
refused "missing configuration" 1 absent.json absent.json

# ---- prompts ----

{ head -n 3 "$data/train.jsonl"; echo '{"prompt": "half'; tail -n 3 "$data/train.jsonl"; } >bad.jsonl
config c.json '' "$folder/bad.jsonl"
refused "broken line of prompts" 1 c.json bad.jsonl:4
{ head -n 1 "$data/train.jsonl"; echo '{"answer": "7"}'; } >bad.jsonl
refused "row without a prompt" 1 c.json bad.jsonl:2 prompt
{ head -n 1 "$data/train.jsonl"; printf '{"prompt":"\377\376"}\n'; } >bad.jsonl
refused "prompts that are no UTF-8" 1 c.json bad.jsonl:2
: >bad.jsonl
refused "no prompts" 1 c.json bad.jsonl

# ---- wrong usage ----

config good.json
run run good.json --headless --run-dir out --set beta
check_message "--set without a value" 2 beta
run run good.json --headless --run-dir out --set iteratons=3
check_message "--set of an unknown option" 2 iteratons
run run good.json --headless --run-dir out --nonsense
check_message "unknown argument" 2 --nonsense
run nonsense
check_message "unknown verb" 2 nonsense
check_nothing "wrong usage"

# ---- the run's folder ----

echo text >file
run run good.json --headless --run-dir file/x
check_message "run below a file" 1 file
run run good.json --headless --run-dir file
check_message "run over a file" 1 file
[ "$(cat file)" = text ] || fail "run over a file" "the file was changed"
run run --resume --headless --run-dir absent
check_message "resuming nothing" 1 absent
check_nothing "the run's folder"

# make_run: ./held, in use by the process $background.
make_run() {
    "$pbkd" run good.json --headless --run-dir held --set iterations=1000 </dev/null >held.log 2>held.err &
    background=$!
    local i
    for ((i = 0; i < 200; i++)); do
        [ -s held/lock ] && [ -f held/run.db ] && kill -0 "$background" 2>/dev/null && return 0
        sleep 0.05
    done
    fail "run in use" "the first run did not start: $(tail -n 3 held.err | tr '\n' '|')"
    return 1
}

if make_run; then
    run run --resume --headless --run-dir held
    check_message "resuming a run in use" 1 held "in use by process $background"
    run run good.json --headless --run-dir held
    check_message "starting over a run in use" 1 held "in use by process $background"
    kill -KILL "$background" && wait "$background" 2>/dev/null
    background=
    before=$(sha256sum held/run.db)
    run run good.json --headless --run-dir held
    check_message "starting over a run" 1 held "--resume"
    [ "$before" = "$(sha256sum held/run.db)" ] || fail "starting over a run" "run.db was changed"
    [ -z "$(find . -maxdepth 1 -name '*.tmp*')" ] || fail "starting over a run" "a temporary folder stayed"
fi

# ---- a full disk ----

mkdir disk
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=16k pbkd-test disk 2>/dev/null; then
    mounted=$folder/disk
    run run good.json --headless --run-dir disk/out
    check_message "full disk" 1 disk/out
    check_nothing "full disk"
    mount -o remount,ro "$mounted"
    run run good.json --headless --run-dir disk/out
    check_message "read-only folder" 1 disk/out
    umount "$mounted" && mounted=
else
    # Without the right to mount: no file may grow beyond 8 blocks, and writing further is an error instead of a signal.
    status=$(trap '' XFSZ; ulimit -f 8
             timeout -k 5 30 "$pbkd" run good.json --headless --run-dir out </dev/null >/dev/null 2>err; echo $?)
    check_message "full disk" 1 out
    check_nothing "full disk"
    if [ "$(id -u)" != 0 ]; then
        chmod 555 disk
        run run good.json --headless --run-dir disk/out
        check_message "read-only folder" 1 disk/out
    fi
fi

echo "$cases cases, $failures failed"
[ "$failures" = 0 ]
