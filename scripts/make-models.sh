#!/usr/bin/env bash
# Remake the models of the built-in game from the generated data. Called by `make sample-models`; about half an hour on two processors.
#
#   teacher   learns from ground truth until it solves every held-out problem
#   student   learns from a thousand of the teacher's outputs and nothing else: it reads well and miscalculates every second problem
#   reward    starts, as rewards do, from a base model that knows more than those outputs: it has seen sums without words (formulas.jsonl) beside
#             the same thousand outputs. On the thousand alone a model of its size only learns them by heart (a third of the held-out problems right)
#             and has nothing to teach.
set -eu
pbkd=${PBKD:-./pbkd}
dir=sample_data/arithmetic
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
teacher_sizes="--layers 4 --width 128 --heads 4 --kv-heads 2 --ff 384 --context 160"
reward_sizes="--layers 4 --width 96 --heads 4 --kv-heads 2 --ff 288 --context 160"
student_sizes="--layers 4 --width 64 --heads 4 --kv-heads 2 --ff 192 --context 160"
common="--template raw --batch 64 --final-lr 0.02"

make_teacher() {
    $pbkd pretrain --data $dir/pretrain.jsonl $teacher_sizes --vocab 640 $common --steps 2400 --lr 3e-3 --seed 1 -o "$work/t.gguf"
    $pbkd sft --model "$work/t.gguf" --data $dir/pretrain.jsonl $common --steps 2000 --lr 1.5e-3 --seed 2 -o $dir/teacher.gguf
    head -n 1000 $dir/pretrain.jsonl >"$work/prompts.jsonl"
    $pbkd generate --model $dir/teacher.gguf --prompts "$work/prompts.jsonl" --raw --max-new-tokens 48 -o $dir/sft.jsonl
}

make_student() {
    $pbkd pretrain --data $dir/sft.jsonl $student_sizes --tokenizer $dir/teacher.gguf $common --steps 1500 --lr 3e-3 --seed 3 -o $dir/student.gguf
}

# Sums fall into place all at once, at a step that depends on the order of the examples; hence a fixed shuffle here, and the check below.
make_reward() {
    python3 - "$dir" >"$work/mix.jsonl" <<'END'
import random, sys
sft, formulas = (open(f"{sys.argv[1]}/{name}.jsonl").readlines() for name in ("sft", "formulas"))
rows = sft * 6 + formulas[:54000]
random.seed(2)
random.shuffle(rows)
sys.stdout.writelines(rows)
END
    $pbkd pretrain --data "$work/mix.jsonl" $reward_sizes --tokenizer $dir/teacher.gguf $common --steps 3000 --lr 3e-3 --seed 5 -o $dir/reward.gguf
}

# The share of held-out problems that a model solves; teacher 1.00, student about 0.5 and reward 0.97 are what the game was tuned with.
report() {
    $pbkd generate --model "$dir/$1.gguf" --prompts $dir/heldout.jsonl --raw --max-new-tokens 48 -o "$work/$1.jsonl"
    python3 - "$1" $dir/heldout.jsonl "$work/$1.jsonl" <<'END'
import json, re, sys
rows = [[json.loads(line) for line in open(name)] for name in sys.argv[2:4]]
right = [(re.findall(r"\d+", y["response"]) or [""])[-1] == x["answer"] for x, y in zip(*rows)]
print(f"{sys.argv[1]}: {sum(right) / len(right):.3f} of {len(right)} held-out problems right")
END
}

# shellcheck disable=SC2086
for model in ${*:-teacher student reward}; do
    "make_$model"
    report "$model"
done
