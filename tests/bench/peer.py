#!/usr/bin/env python3
"""The training steps of bench.c in PyTorch, as a peer to compare with.

    peer.py [THREADS]    (0 or nothing: PyTorch's own choice)

The same architecture, shapes and work: f32 on the processor, forward, mean cross-entropy over every token, backward,
clipping to norm 1 and AdamW. Lines are `NAME N tokens/s  what it is`, with the names of bench.c. Where PyTorch is not
installed it says so and ends well: the comparison is for those who have it. Figures are of the median step.
"""
import statistics
import sys
import time

try:
    import torch
except ImportError:
    print("PyTorch is not installed: no peer figure")
    sys.exit(0)

import torch.nn.functional as F

# name, vocab, d, layers, heads, kv heads, head_dim, ff, rope base, sequences, length, timed steps: as SHAPES in bench.c
SHAPES = [
    ("train-demo", 640, 64, 4, 4, 2, 16, 192, 1e4, 64, 50, 20),
    ("train-smollm2", 49152, 576, 30, 9, 3, 64, 1536, 1e5, 1, 512, 2),
]


def rms_norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Block(torch.nn.Module):
    def __init__(self, d, heads, kv_heads, head_dim, ff):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.attn_norm = torch.nn.Parameter(torch.ones(d))
        self.ffn_norm = torch.nn.Parameter(torch.ones(d))
        linear = lambda n_in, n_out: torch.nn.Linear(n_in, n_out, bias=False)
        self.q, self.o = linear(d, heads * head_dim), linear(heads * head_dim, d)
        self.k, self.v = linear(d, kv_heads * head_dim), linear(d, kv_heads * head_dim)
        self.gate, self.up, self.down = linear(d, ff), linear(d, ff), linear(ff, d)

    def forward(self, x, cos, sin):
        n, length, _ = x.shape
        h = rms_norm(x, self.attn_norm)
        split = lambda t, heads: t.view(n, length, heads, self.head_dim).transpose(1, 2)
        q = rotate(split(self.q(h), self.heads), cos, sin)
        k = rotate(split(self.k(h), self.kv_heads), cos, sin)
        v = split(self.v(h), self.kv_heads)
        group = self.heads // self.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(a.transpose(1, 2).reshape(n, length, -1))
        h = rms_norm(x, self.ffn_norm)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(torch.nn.Module):
    def __init__(self, vocab, d, layers, heads, kv_heads, head_dim, ff, base, length):
        super().__init__()
        self.embed = torch.nn.Parameter(torch.randn(vocab, d) * 0.02)  # the head shares it
        self.blocks = torch.nn.ModuleList(Block(d, heads, kv_heads, head_dim, ff) for _ in range(layers))
        self.out_norm = torch.nn.Parameter(torch.ones(d))
        frequency = base ** (-torch.arange(0, head_dim, 2).float() / head_dim)
        angle = torch.outer(torch.arange(length).float(), frequency)
        self.cos, self.sin = angle.cos(), angle.sin()

    def forward(self, tokens):
        x = F.embedding(tokens, self.embed)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return F.linear(rms_norm(x, self.out_norm), self.embed)


def train_step(model, optimizer, tokens):
    logits = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    if threads > 0:
        torch.set_num_threads(threads)
    torch.manual_seed(1)
    for name, vocab, d, layers, heads, kv_heads, head_dim, ff, base, n_seq, length, steps in SHAPES:
        model = Llama(vocab, d, layers, heads, kv_heads, head_dim, ff, base, length)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0)
        tokens = torch.randint(vocab, (n_seq, length + 1))
        train_step(model, optimizer, tokens)  # warm-up
        seconds = []
        for _ in range(steps):
            began = time.perf_counter()
            train_step(model, optimizer, tokens)
            seconds.append(time.perf_counter() - began)
        rate = n_seq * length / statistics.median(seconds)
        print(f"{name} {rate:.0f} tokens/s  PyTorch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)


if __name__ == "__main__":
    main()
