#!/usr/bin/env bash
# Remake the models of a sample task from its generated data. Called by `make sample-models`.
#
#     scripts/make-models.sh [TASK [MODEL ...]]     TASK: arithmetic (half an hour on two processors) or calendar (a quarter);
#                                                   MODEL: teacher, student, reward; all of them, in this order, where none is named
#
#   teacher   learns from ground truth until it solves (nearly) every held-out problem
#   student   learns from a thousand of the teacher's outputs and nothing else: it reads well and miscalculates every second problem
#   reward    starts, as rewards do, from a base model that knows more than those outputs: it has seen sums without words (formulas.jsonl) beside
#             the same thousand outputs. On the thousand alone a model of its size only learns them by heart (arithmetic: a third of the held-out
#             problems right) and has nothing to teach.
#
# What a task leaves to itself are sizes, steps, and what the reward's base reads.
# shellcheck disable=SC2046,SC2086
set -eu
pbkd=${PBKD:-./pbkd}
task=${1:-arithmetic}
dir=sample_data/$task
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
common="--template raw --batch 64 --final-lr 0.02"

case $task in
arithmetic)
    context=160 max_new_tokens=48
    teacher_width=128 teacher_ff=384 teacher_steps=2400 teacher_more_steps=2000
    student_steps=1500 student_more_steps=0
    reward_steps=3000 reward_outputs=6 reward_formulas=54000
    ;;
calendar)
    context=96 max_new_tokens=40
    teacher_width=96 teacher_ff=288 teacher_steps=1000 teacher_more_steps=0
    student_steps=600 student_more_steps=600
    reward_steps=1200 reward_outputs=5 reward_formulas=8000
    ;;
*)
    echo "make-models.sh: unknown task: $task (arithmetic or calendar)" >&2
    exit 2
    ;;
esac

# sizes WIDTH FF
sizes() { echo "--layers 4 --width $1 --heads 4 --kv-heads 2 --ff $2 --context $context"; }

make_teacher() {
    $pbkd pretrain --data $dir/pretrain.jsonl $(sizes $teacher_width $teacher_ff) --vocab 640 $common --steps $teacher_steps --lr 3e-3 --seed 1 \
        -o "$work/t.gguf"
    if [ $teacher_more_steps = 0 ]; then
        cp "$work/t.gguf" $dir/teacher.gguf
    else
        $pbkd sft --model "$work/t.gguf" --data $dir/pretrain.jsonl $common --steps $teacher_more_steps --lr 1.5e-3 --seed 2 -o $dir/teacher.gguf
    fi
    head -n 1000 $dir/pretrain.jsonl >"$work/prompts.jsonl"
    $pbkd generate --model $dir/teacher.gguf --prompts "$work/prompts.jsonl" --raw --max-new-tokens $max_new_tokens -o $dir/sft.jsonl
}

make_student() {
    $pbkd pretrain --data $dir/sft.jsonl $(sizes 64 192) --tokenizer $dir/teacher.gguf $common --steps $student_steps --lr 3e-3 --seed 3 \
        -o "$work/s.gguf"
    if [ $student_more_steps = 0 ]; then
        cp "$work/s.gguf" $dir/student.gguf
    else
        $pbkd sft --model "$work/s.gguf" --data $dir/sft.jsonl $common --steps $student_more_steps --lr 2e-3 --seed 9 -o $dir/student.gguf
    fi
}

# Sums fall into place all at once, at a step that depends on the order of the examples; hence a fixed shuffle here, and the check below.
make_reward() {
    python3 - "$dir" $reward_outputs $reward_formulas >"$work/mix.jsonl" <<'END'
import random, sys
sft, formulas = (open(f"{sys.argv[1]}/{name}.jsonl").readlines() for name in ("sft", "formulas"))
rows = sft * int(sys.argv[2]) + formulas[:int(sys.argv[3])]
random.seed(2)
random.shuffle(rows)
sys.stdout.writelines(rows)
END
    $pbkd pretrain --data "$work/mix.jsonl" $(sizes 96 288) --tokenizer $dir/teacher.gguf $common --steps $reward_steps --lr 3e-3 --seed 5 \
        -o $dir/reward.gguf
}

# The share of held-out problems that a model solves. What the games were tuned with: teacher 1.00, student about 0.5, reward 0.97 (arithmetic);
# 0.99, 0.67, 0.93 (calendar). The answer is the last number or word, as the checker of the task has it.
report() {
    $pbkd generate --model "$dir/$1.gguf" --prompts $dir/heldout.jsonl --raw --max-new-tokens $max_new_tokens -o "$work/$1.jsonl"
    python3 - "$1" $dir/heldout.jsonl "$work/$1.jsonl" <<'END'
import json, re, sys
rows = [[json.loads(line) for line in open(name)] for name in sys.argv[2:4]]
right = [(re.findall(r"\w+", y["response"]) or [""])[-1] == x["answer"] for x, y in zip(*rows)]
print(f"{sys.argv[1]}: {sum(right) / len(right):.3f} of {len(right)} held-out problems right")
END
}

[ $# = 0 ] || shift
[ $# -gt 0 ] || set -- teacher student reward
for model in "$@"; do
    "make_$model"
    report "$model"
done
