#!/usr/bin/env python3
"""Compares what tests/bench/logits_dump wrote with independent implementations. Development-time only; needs PyPI's `gguf` and
`numpy`, and `xllamacpp` (a build of llama.cpp) for --llama-cpp.

    compare_logits.py MODEL.gguf dump.json [--llama-cpp F32_COPY.gguf]

1. numpy: weights decoded by the gguf package, the Llama forward pass in float64, rotating adjacent pairs as they lie in the
   file (pbkd permutes the rows and rotates halves, so the permutation is tested too). Along each greedy continuation the
   reference's best token must be ours at every position; a difference is printed with the reference's margin between its two
   best logits, and counts as a tie below TIE.
2. Perplexity of the text, relative difference below 0.1 %, and the largest difference of any log-probability.
3. llama.cpp on the F32 copy (it would compute in 8-bit arithmetic on the quantised file): the same greedy continuations from
   the same ids, with its cache in F32 too. A difference counts as above, with llama.cpp's margin.

Exit status 1 when something differs by more than a tie."""
import argparse
import json
import sys

import gguf
import numpy as np

TIE = 1e-3
PERPLEXITY_TOLERANCE = 1e-3


class Reference:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.w = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
        key = lambda k: reader.fields["llama." + k].contents()
        self.n_layer, self.n_head, self.n_kv = key("block_count"), key("attention.head_count"), key("attention.head_count_kv")
        self.eps, self.base = key("attention.layer_norm_rms_epsilon"), key("rope.freq_base")
        self.head = self.w.get("output.weight", self.w["token_embd.weight"])

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name]

    def rotate(self, x):
        """x [tokens, heads, dim]: turn the pairs (2i, 2i+1)."""
        n, _, dim = x.shape
        angle = np.arange(n)[:, None] * self.base ** (-np.arange(0, dim, 2) / dim)
        cos, sin = np.cos(angle)[:, None, :], np.sin(angle)[:, None, :]
        out = np.empty_like(x)
        out[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
        out[..., 1::2] = x[..., 0::2] * sin + x[..., 1::2] * cos
        return out

    def attention(self, x, blk):
        n = len(x)
        heads = lambda name, count: (x @ self.w[blk + name].T.astype(x.dtype)).reshape(n, count, -1)
        q, k = self.rotate(heads("attn_q.weight", self.n_head)), self.rotate(heads("attn_k.weight", self.n_kv))
        v = heads("attn_v.weight", self.n_kv)
        out = np.empty_like(q)
        hidden = np.triu(np.ones((n, n), bool), 1)
        for h in range(self.n_head):
            kv = h // (self.n_head // self.n_kv)
            s = np.where(hidden, -np.inf, q[:, h] @ k[:, kv].T / np.sqrt(q.shape[-1]))
            p = np.exp(s - s.max(-1, keepdims=True))
            out[:, h] = p / p.sum(-1, keepdims=True) @ v[:, kv]
        return out.reshape(n, -1) @ self.w[blk + "attn_output.weight"].T

    def logits(self, ids):
        x = self.w["token_embd.weight"][ids].astype(np.float64)
        for l in range(self.n_layer):
            blk = f"blk.{l}."
            x = x + self.attention(self.norm(x, blk + "attn_norm.weight"), blk)
            y = self.norm(x, blk + "ffn_norm.weight")
            gate, up = y @ self.w[blk + "ffn_gate.weight"].T, y @ self.w[blk + "ffn_up.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ self.w[blk + "ffn_down.weight"].T
        return (self.norm(x, "output_norm.weight").astype(np.float32) @ self.head.T).astype(np.float64)


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def compare_greedy(ref, sequences):
    """Every position of every continuation, given our own earlier tokens."""
    same, ties, wrong, worst, smallest = 0, 0, 0, 0.0, np.inf
    for i, s in enumerate(sequences):
        z = ref.logits(s["prompt"] + s["answer"][:-1])[len(s["prompt"]) - 1:]
        lp = log_softmax(z)
        for pos, (token, ours) in enumerate(zip(s["answer"], s["log_prob"])):
            second, best = np.sort(z[pos])[-2:]
            smallest = min(smallest, best - second)
            worst = max(worst, abs(lp[pos, token] - ours))
            if z[pos].argmax() == token:
                same += 1
                continue
            tie = best - z[pos, token] < TIE
            ties, wrong = ties + tie, wrong + (not tie)
            print(f"  prompt {i} position {pos}: ours {token}, reference {z[pos].argmax()}, margin {best - second:.2e}, "
                  f"ours is {best - z[pos, token]:.2e} below")
    print(f"greedy, numpy: {len(sequences)} prompts, {same} tokens equal, {ties} ties, {wrong} different; "
          f"largest |log p difference| {worst:.2e}, smallest margin met {smallest:.2e}")
    return wrong == 0


def compare_text(ref, ids, ours):
    lp = log_softmax(ref.logits(ids)[:-1])[np.arange(len(ids) - 1), ids[1:]]
    ours = np.array(ours)
    a, b = np.exp(-lp.mean()), np.exp(-ours.mean())
    print(f"text, numpy: {len(ids)} tokens, perplexity {a:.6f} (reference) {b:.6f} (ours), relative difference "
          f"{abs(a - b) / a:.2e}, largest |log p difference| {np.abs(lp - ours).max():.2e}")
    return abs(a - b) / a < PERPLEXITY_TOLERANCE


def compare_llama_cpp(path, sequences):
    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path, p.n_ctx, p.n_parallel, p.warmup, p.verbosity = path, 1024, 1, False, 0
    p.cache_type_k = p.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    p.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(p)
    equal, wrong, stopped, worst = 0, 0, 0, 0.0
    for i, s in enumerate(sequences):
        answer = server.handle_completions({"prompt": s["prompt"], "n_predict": len(s["answer"]), "temperature": 0,
                                            "top_k": 1, "n_probs": 2, "cache_prompt": False})
        # llama.cpp stops at an end token, which the dump does not: compare as far as it went
        steps = answer["choices"][0]["logprobs"]["content"]
        differs = next((k for k, step in enumerate(steps) if step["id"] != s["answer"][k]), len(steps))
        equal += differs
        stopped += len(steps) < len(s["answer"])
        worst = max([worst] + [abs(step["logprob"] - ours) for step, ours in zip(steps[:differs], s["log_prob"])])
        if differs == len(steps):
            continue
        top = [t["logprob"] for t in steps[differs]["top_logprobs"]]
        wrong += top[0] - top[1] >= TIE
        print(f"  prompt {i} position {differs}: ours {s['answer'][differs]}, llama.cpp {steps[differs]['id']}, "
              f"margin {top[0] - top[1]:.2e}")
    print(f"greedy, llama.cpp: {len(sequences)} prompts ({stopped} ended early), {equal} tokens equal, {wrong} prompts "
          f"different; largest |log p difference| {worst:.2e}")
    return wrong == 0 and equal > 0


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("model")
    a.add_argument("dump")
    a.add_argument("--llama-cpp", metavar="F32_COPY")
    a = a.parse_args()
    with open(a.dump) as f:
        dump = json.load(f)
    ref = Reference(a.model)
    ok = compare_greedy(ref, dump["greedy"])
    ok = compare_text(ref, dump["text"], dump["text_log_prob"]) and ok
    if a.llama_cpp:
        ok = compare_llama_cpp(a.llama_cpp, dump["greedy"]) and ok
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
