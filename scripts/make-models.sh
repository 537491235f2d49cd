#!/usr/bin/env bash
# Remake the models of the built-in game from the generated data: the teacher from ground truth, then, from a thousand of its outputs, the student and
# the model that the reward starts from. About half an hour on two processors. Called by `make sample-models`.
set -eu
pbkd=${PBKD:-./pbkd}
dir=sample_data/arithmetic
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
teacher_sizes="--layers 4 --width 128 --heads 4 --kv-heads 2 --ff 384 --context 160"
student_sizes="--layers 4 --width 64 --heads 4 --kv-heads 2 --ff 192 --context 160"
common="--template raw --batch 64 --final-lr 0.02"

# shellcheck disable=SC2086
{
    $pbkd pretrain --data $dir/pretrain.jsonl $teacher_sizes --vocab 640 $common --steps 2400 --lr 3e-3 --seed 1 -o "$work/t.gguf"
    $pbkd sft --model "$work/t.gguf" --data $dir/pretrain.jsonl $common --steps 2000 --lr 1.5e-3 --seed 2 -o $dir/teacher.gguf
    head -n 1000 $dir/pretrain.jsonl >"$work/prompts.jsonl"
    $pbkd generate --model $dir/teacher.gguf --prompts "$work/prompts.jsonl" --raw --max-new-tokens 48 -o $dir/sft.jsonl
    $pbkd pretrain --data $dir/sft.jsonl $teacher_sizes --tokenizer $dir/teacher.gguf $common --steps 900 --lr 2e-3 --seed 5 -o $dir/reward.gguf
    $pbkd pretrain --data $dir/sft.jsonl $student_sizes --tokenizer $dir/teacher.gguf $common --steps 1500 --lr 3e-3 --seed 3 -o $dir/student.gguf
}
