/* Prompt files: see prompts.h. */
#include "engine/corpus/prompts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/pref/dpref.h"

struct loader {
    struct prompt_set *set;
    struct tokenizer *tok;
    enum chat_kind chat;
    const char *system;
    int max_tokens;
    uint64_t *seen; /* open-addressing set of hashes, n_seen_slots a power of two */
    size_t n_slots;
};

/* True when the hash was not there yet. The table is kept at most half full. */
static bool remember(struct loader *l, uint64_t hash) {
    if ((size_t)(l->set->n + l->set->n_skipped) * 2 >= l->n_slots) {
        const size_t old_n = l->n_slots;
        uint64_t *old = l->seen;
        l->n_slots = old_n ? old_n * 2 : 1024;
        l->seen = mem_small(l->n_slots * sizeof *l->seen);
        for (size_t i = 0; i < old_n; i++) {
            if (!old[i]) continue;
            size_t at = old[i] & (l->n_slots - 1);
            while (l->seen[at]) at = (at + 1) & (l->n_slots - 1);
            l->seen[at] = old[i];
        }
        free(old);
    }
    if (hash == 0) hash = 1;
    size_t at = hash & (l->n_slots - 1);
    for (; l->seen[at]; at = (at + 1) & (l->n_slots - 1))
        if (l->seen[at] == hash) return false;
    l->seen[at] = hash;
    return true;
}

/* The text of a row under the names that common data sets use; caller frees; NULL with e filled. */
static char *row_text(const cJSON *obj, const char *where, struct err *e) {
    static const char *const NAMES[] = {"prompt", "question", "instruction"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (!cJSON_GetObjectItemCaseSensitive(obj, NAMES[i])) continue;
        const char *text;
        if (!json_get_string(obj, NAMES[i], where, &text, e)) return NULL;
        const cJSON *input = cJSON_GetObjectItemCaseSensitive(obj, "input");
        struct strbuf b = {0};
        strbuf_puts(&b, text);
        if (i == 2 && cJSON_IsString(input) && input->valuestring[0]) strbuf_printf(&b, "\n\n%s", input->valuestring);
        return strbuf_take(&b);
    }
    err_set(e, "%s: \"prompt\" is missing (or \"question\", or \"instruction\")", where);
    return NULL;
}

static char *row_answer(const cJSON *obj) {
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(obj, "answer");
    if (cJSON_IsString(a)) return mem_strdup(a->valuestring);
    if (!cJSON_IsNumber(a)) return NULL;
    struct strbuf b = {0};
    strbuf_printf(&b, "%.17g", a->valuedouble);
    return strbuf_take(&b);
}

static bool add_row(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct loader *l = ctx;
    char *text = row_text(obj, where, e);
    if (!text) return false;
    const uint64_t hash = hash_text(text);
    struct token_list tokens = {0};
    if (!text[0]) {
        free(text);
        return err_set(e, "%s: the prompt is empty", where);
    }
    if (!remember(l, hash)) {
        free(text);
        return true;
    }
    if (!chat_encode_prompt(l->tok, l->chat, l->system, text, &tokens, e)) {
        free(text);
        return err_wrap(e, "%s", where);
    }
    struct prompt_set *s = l->set;
    if (tokens.n > (size_t)l->max_tokens) {
        s->n_skipped++;
        free(text);
        token_list_free(&tokens);
        return true;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->prompt = mem_grow(s->prompt, (size_t)s->cap * sizeof *s->prompt);
    }
    s->prompt[s->n++] = (struct prompt){.text = text,
                                        .answer = row_answer(obj),
                                        .hash = hash,
                                        .token = tokens.id,
                                        .n = (int)tokens.n,
                                        .heldout = dpref_is_heldout(hash)};
    return true;
}

static bool load_array(struct loader *l, const char *path, struct err *e) {
    cJSON *root = json_read_file(path, e);
    if (!root) return false;
    bool ok =
        cJSON_IsArray(root) || err_set(e, "%s: expected an array of objects, found %s", path, json_type_name(root));
    int i = 0;
    for (const cJSON *row = ok ? root->child : NULL; ok && row; row = row->next, i++) {
        char where[512];
        snprintf(where, sizeof where, "%s: element %d", path, i + 1);
        ok = cJSON_IsObject(row) ? add_row(l, row, where, e)
                                 : err_set(e, "%s: expected an object, found %s", where, json_type_name(row));
    }
    cJSON_Delete(root);
    return ok;
}

bool prompt_set_load(struct prompt_set *s, const char *path, struct tokenizer *tok, enum chat_kind chat,
                     const char *system, int max_tokens, struct err *e) {
    *s = (struct prompt_set){0};
    struct loader l = {.set = s, .tok = tok, .chat = chat, .system = system, .max_tokens = max_tokens};
    const size_t len = strlen(path);
    const bool array = len > 5 && strcmp(path + len - 5, ".json") == 0;
    bool ok = array ? load_array(&l, path, e) : jsonl_each(path, add_row, &l, e);
    free(l.seen);
    if (ok && s->n == 0)
        ok = err_set(e, "%s: no usable prompt (%d longer than %d tokens)", path, s->n_skipped, max_tokens);
    if (!ok) prompt_set_free(s);
    return ok;
}

void prompt_set_free(struct prompt_set *s) {
    for (int i = 0; i < s->n; i++) {
        free(s->prompt[i].text);
        free(s->prompt[i].answer);
        free(s->prompt[i].token);
    }
    free(s->prompt);
    *s = (struct prompt_set){0};
}

int prompt_stream_at(struct prompt_stream *s, int n, uint64_t seed, int64_t cursor) {
    const int64_t epoch = cursor / n;
    if (!s->order || epoch != s->epoch) {
        if (!s->order) s->order = mem_small((size_t)n * sizeof *s->order);
        rng_permutation(s->order, n, seed, RNG_PROMPTS, (uint64_t)epoch);
        s->epoch = epoch;
    }
    return s->order[cursor % n];
}

void prompt_stream_free(struct prompt_stream *s) {
    free(s->order);
    *s = (struct prompt_stream){0};
}
