/* Batched generation: see generate.h.
 *
 * Sequences are served in waves, as many at a time as the key-value cache has room for. A wave prefills its prompts
 * (several prompts packed into one step, long ones over several), draws every sequence's first token from its prompt's
 * last hidden state, and then decodes all live sequences together until none is left. A sequence keeps its cache rows
 * where they are for its life; only the list of live sequences is compacted, so leaving the batch costs nothing. Waves
 * do not change results: every sequence has its own stream of random numbers. */
#include "engine/model/generate.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/model/kv_cache.h"
#include "engine/model/sampler.h"

#define CACHE_BYTES ((size_t)1 << 30) /* of keys and values in a wave, unless one sequence alone needs more */
#define STREAM_SHIFT 20               /* random index = stream << 20 | position in the response */

struct sequence {
    int request, room; /* room: tokens it may grow to */
    uint64_t stream;
    size_t own; /* its cache rows */
    struct gen_output *out;
};

struct generation {
    const struct model *m;
    const struct gen_config *cfg;
    const struct gen_request *req;
    int n_seq;
    struct sequence *seq; /* [n_seq] */
    int *live;            /* [n_seq]: indices of sequences */
    size_t *shared;       /* [n_req]: cache rows of the prompts of the wave */
    struct kv_cache *cache;
    struct sampler *sampler;
    struct kv_row *row; /* [KV_MAX_ROWS] */
    float *hidden;      /* [KV_MAX_ROWS, d] */
    float *last;        /* [most prompts in a wave, d]: hidden states at the prompts' ends */
    struct draw *draw;  /* [most sequences in a wave or KV_MAX_ROWS] */
    int *start;         /* [likewise + 1] */
    bool stopped;
};

/* Sequences [first, end) of one wave. */
struct wave {
    int first, end;
    size_t n_cached;
    int n_prompts;
};

static struct wave plan_wave(const struct generation *g, int first) {
    size_t budget = g->cfg->cache_bytes ? g->cfg->cache_bytes : CACHE_BYTES;
    size_t most = budget / kv_cache_token_bytes(&g->m->cfg);
    struct wave w = {.first = first, .end = first};
    for (int s = first; s < g->n_seq; s++) {
        bool new_prompt = s == first || g->seq[s].request != g->seq[s - 1].request;
        size_t need = kv_cache_run((size_t)g->seq[s].room);
        if (new_prompt) need += kv_cache_run((size_t)g->req[g->seq[s].request].n_prompt);
        if (s > first && w.n_cached + need > most) break;
        w.n_cached += need;
        w.n_prompts += new_prompt;
        w.end = s + 1;
    }
    return w;
}

/* False without an error: asked to stop. */
static bool safe_to_go_on(struct generation *g) {
    if (!g->cfg->safe_point || g->cfg->safe_point(g->cfg->ctx)) return true;
    g->stopped = true;
    return false;
}

/* ---- prefill ---- */

static void assign_cache(struct generation *g, const struct wave *w) {
    size_t at = 0;
    for (int s = w->first; s < w->end; s++) {
        int r = g->seq[s].request;
        if (s == w->first || g->seq[s - 1].request != r) {
            g->shared[r] = at;
            at += kv_cache_run((size_t)g->req[r].n_prompt);
        }
        g->seq[s].own = at;
        at += kv_cache_run((size_t)g->seq[s].room);
    }
}

/* Run the n collected rows; hidden states at prompts' ends go to g->last, of which *n_last are filled already. */
static bool prefill_step(struct generation *g, int n, int *n_last) {
    if (n == 0) return true;
    if (!safe_to_go_on(g)) return false;
    size_t d = (size_t)g->m->cfg.d_model;
    kv_cache_step(g->cache, g->row, n, false, g->hidden);
    for (int i = 0; i < n; i++)
        if (g->row[i].pos == g->row[i].n_shared - 1)
            memcpy(g->last + (size_t)(*n_last)++ * d, g->hidden + (size_t)i * d, d * sizeof(float));
    return true;
}

static bool prefill(struct generation *g, const struct wave *w) {
    int n = 0, n_last = 0;
    assign_cache(g, w);
    for (int r = g->seq[w->first].request; r <= g->seq[w->end - 1].request; r++) {
        const struct gen_request *q = &g->req[r];
        if (q->n_samples == 0) continue;
        for (int pos = 0; pos < q->n_prompt; pos++) {
            g->row[n++] =
                (struct kv_row){.token = q->prompt[pos], .pos = pos, .n_shared = q->n_prompt, .shared = g->shared[r]};
            if (n < KV_MAX_ROWS) continue;
            if (!prefill_step(g, n, &n_last)) return false;
            n = 0;
        }
    }
    return prefill_step(g, n, &n_last);
}

/* ---- decoding ---- */

static uint64_t draw_index(const struct sequence *s) { return (s->stream << STREAM_SHIFT) + (uint64_t)s->out->n; }

static bool is_end(const struct gen_config *c, int32_t id) {
    for (int i = 0; i < c->n_end_ids; i++)
        if (c->end_ids[i] == id) return true;
    return false;
}

/* Append the drawn token; false when the sequence is finished. */
static bool append(struct generation *g, struct sequence *s, const struct draw *d) {
    struct gen_output *o = s->out;
    o->token[o->n] = d->token;
    o->log_prob[o->n] = d->log_prob;
    o->n++;
    if (is_end(g->cfg, d->token)) return false;
    o->truncated = o->n == s->room;
    return !o->truncated;
}

/* First tokens, from the prompts' last hidden states: one row of logits serves all samples of a prompt. */
static bool draw_first(struct generation *g, const struct wave *w, int *n_live, struct err *e) {
    int n = w->end - w->first, prompt = -1;
    for (int i = 0; i < n; i++) {
        const struct sequence *s = &g->seq[w->first + i];
        if (i == 0 || s->request != s[-1].request) g->start[++prompt] = i;
        g->draw[i].index = draw_index(s);
    }
    g->start[prompt + 1] = n;
    if (!sampler_run(g->sampler, g->last, w->n_prompts, g->start, g->draw, e)) return false;
    *n_live = 0;
    for (int i = 0; i < n; i++)
        if (append(g, &g->seq[w->first + i], &g->draw[i])) g->live[(*n_live)++] = w->first + i;
    return true;
}

/* One token for each of the sequences live[0..n); n <= KV_MAX_ROWS. The live ones that go on are moved to keep[]. */
static bool decode_rows(struct generation *g, const int *live, int n, int *keep, int *n_keep, struct err *e) {
    for (int i = 0; i < n; i++) {
        const struct sequence *s = &g->seq[live[i]];
        int n_prompt = g->req[s->request].n_prompt;
        g->row[i] = (struct kv_row){.token = s->out->token[s->out->n - 1],
                                    .pos = n_prompt + s->out->n - 1,
                                    .n_shared = n_prompt,
                                    .shared = g->shared[s->request],
                                    .own = s->own};
        g->draw[i].index = draw_index(s);
        g->start[i] = i;
    }
    g->start[n] = n;
    kv_cache_step(g->cache, g->row, n, true, g->hidden);
    if (!sampler_run(g->sampler, g->hidden, n, g->start, g->draw, e)) return false;
    for (int i = 0; i < n; i++)
        if (append(g, &g->seq[live[i]], &g->draw[i])) keep[(*n_keep)++] = live[i];
    return true;
}

static bool run_wave(struct generation *g, const struct wave *w, struct err *e) {
    int n_live;
    if (!prefill(g, w) || !draw_first(g, w, &n_live, e)) return false;
    while (n_live > 0) {
        if (!safe_to_go_on(g)) return false;
        int n_keep = 0;
        for (int at = 0; at < n_live; at += KV_MAX_ROWS) {
            int n = n_live - at < KV_MAX_ROWS ? n_live - at : KV_MAX_ROWS;
            if (!decode_rows(g, g->live + at, n, g->live, &n_keep, e)) return false;
        }
        n_live = n_keep;
    }
    return true;
}

/* ---- setting up ---- */

static bool check(const struct model *m, const struct gen_config *c, const struct gen_request *req, int n_req,
                  int *n_seq, struct err *e) {
    if (c->max_new_tokens < 1)
        return err_set(e, "generation: max_new_tokens is %d, must be at least 1", c->max_new_tokens);
    if (c->n_valid_vocab < 0 || c->n_valid_vocab > m->cfg.n_vocab)
        return err_set(e, "generation: %d valid ids in a vocabulary of %d", c->n_valid_vocab, m->cfg.n_vocab);
    *n_seq = 0;
    for (int r = 0; r < n_req; r++) {
        if (req[r].n_prompt < 1) return err_set(e, "generation: prompt %d is empty", r);
        if (req[r].n_prompt >= m->cfg.n_ctx)
            return err_set(e, "generation: prompt %d has %d tokens, the model's context is %d", r, req[r].n_prompt,
                           m->cfg.n_ctx);
        for (int i = 0; i < req[r].n_prompt; i++)
            if (req[r].prompt[i] < 0 || req[r].prompt[i] >= m->cfg.n_vocab)
                return err_set(e, "generation: prompt %d holds token %d, the vocabulary has %d", r, req[r].prompt[i],
                               m->cfg.n_vocab);
        if (req[r].n_samples < 0 || __builtin_add_overflow(*n_seq, req[r].n_samples, n_seq))
            return err_set(e, "generation: prompt %d asks for %d samples", r, req[r].n_samples);
    }
    return true;
}

/* One struct sequence and one output per sample, with room for the longest answer it may get. */
static bool lay_out_sequences(struct generation *g, int n_req, struct gen_output *out, struct err *e) {
    int s = 0;
    for (int r = 0; r < n_req; r++) {
        int left = g->m->cfg.n_ctx - g->req[r].n_prompt;
        int room = left < g->cfg->max_new_tokens ? left : g->cfg->max_new_tokens;
        for (int k = 0; k < g->req[r].n_samples; k++, s++) {
            g->seq[s] =
                (struct sequence){.request = r, .room = room, .stream = g->req[r].stream + (uint64_t)k, .out = &out[s]};
            out[s].token = mem_alloc((size_t)room, sizeof *out[s].token, "generated tokens", e);
            out[s].log_prob =
                out[s].token ? mem_alloc((size_t)room, sizeof *out[s].log_prob, "log-probabilities", e) : NULL;
            if (!out[s].log_prob) return false;
        }
    }
    return true;
}

static bool alloc_wave_buffers(struct generation *g, struct err *e) {
    struct wave most = {0};
    int widest = 0, longest = 0;
    for (int s = 0; s < g->n_seq; s++) {
        int len = g->req[g->seq[s].request].n_prompt + g->seq[s].room;
        if (len > longest) longest = len;
    }
    for (int first = 0; first < g->n_seq;) {
        struct wave w = plan_wave(g, first);
        if (w.n_cached > most.n_cached) most.n_cached = w.n_cached;
        if (w.n_prompts > most.n_prompts) most.n_prompts = w.n_prompts;
        if (w.end - w.first > widest) widest = w.end - w.first;
        first = w.end;
    }
    size_t n_draw = (size_t)(widest > KV_MAX_ROWS ? widest : KV_MAX_ROWS), d = (size_t)g->m->cfg.d_model;
    int sampler_rows = most.n_prompts > KV_MAX_ROWS ? most.n_prompts : KV_MAX_ROWS;
    struct sampler_config sc = {g->cfg->temperature, g->cfg->n_valid_vocab ? g->cfg->n_valid_vocab : g->m->cfg.n_vocab,
                                g->cfg->seed, g->cfg->tick};
    return (g->row = mem_alloc(KV_MAX_ROWS, sizeof *g->row, "generation rows", e)) &&
           (g->hidden = mem_alloc(KV_MAX_ROWS, d * sizeof(float), "hidden states", e)) &&
           (g->last = mem_alloc((size_t)most.n_prompts, d * sizeof(float), "hidden states", e)) &&
           (g->draw = mem_alloc(n_draw, sizeof *g->draw, "draws", e)) &&
           (g->start = mem_alloc(n_draw + 1, sizeof *g->start, "draws", e)) &&
           (g->sampler = sampler_new(g->m, &sc, sampler_rows, e)) &&
           (g->cache = kv_cache_new(g->m, most.n_cached, longest, e));
}

static void release(struct generation *g) {
    mem_free(g->seq);
    mem_free(g->live);
    mem_free(g->shared);
    mem_free(g->row);
    mem_free(g->hidden);
    mem_free(g->last);
    mem_free(g->draw);
    mem_free(g->start);
    sampler_free(g->sampler);
    kv_cache_free(g->cache);
}

static bool run_all(struct generation *g, int n_req, struct gen_output *out, struct err *e) {
    if (!(g->seq = mem_alloc((size_t)g->n_seq, sizeof *g->seq, "sequences", e)) ||
        !(g->live = mem_alloc((size_t)g->n_seq, sizeof *g->live, "live sequences", e)) ||
        !(g->shared = mem_alloc((size_t)n_req, sizeof *g->shared, "prompts", e)))
        return false;
    if (!lay_out_sequences(g, n_req, out, e) || !alloc_wave_buffers(g, e)) return false;
    for (int first = 0; first < g->n_seq;) {
        struct wave w = plan_wave(g, first);
        if (!run_wave(g, &w, e)) return false;
        first = w.end;
    }
    return true;
}

bool generate(const struct model *m, const struct gen_config *c, const struct gen_request *req, int n_req,
              struct gen_output *out, bool *stopped, struct err *e) {
    struct generation g = {.m = m, .cfg = c, .req = req};
    if (c->safe_point && !stopped) return err_set(e, "generation: a safe point needs a place to report the stop");
    if (stopped) *stopped = false;
    if (!check(m, c, req, n_req, &g.n_seq, e)) return false;
    if (g.n_seq == 0) return true;
    memset(out, 0, (size_t)g.n_seq * sizeof *out);
    bool ok = run_all(&g, n_req, out, e);
    release(&g);
    if (!ok) gen_output_free(out, g.n_seq);
    if (stopped) *stopped = g.stopped;
    return ok || g.stopped;
}

void gen_output_free(struct gen_output *out, int n) {
    for (int i = 0; i < n; i++) {
        mem_free(out[i].token);
        mem_free(out[i].log_prob);
        out[i] = (struct gen_output){0};
    }
}
