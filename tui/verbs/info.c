/* pbkd info: what a GGUF file holds, for people. */
#include <inttypes.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/formats/gguf.h"
#include "engine/formats/quant.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

#define N_TYPES 64

/* A file can hold any bytes as text: shown, never passed to the terminal. */
static void print_line(const char *name, const char *value) {
    struct strbuf b = {0};
    safe_text(&b, name, strlen(name), true);
    strbuf_printf(&b, "%*s", name[0] && b.len < 44 ? (int)(44 - b.len) : 1, "");
    safe_text(&b, value, strlen(value), true);
    for (size_t i = 0; i < b.len; i++)
        if (b.s[i] == '\n' || b.s[i] == '\t') b.s[i] = ' ';
    puts(strbuf_str(&b));
    strbuf_free(&b);
}

static void print_types(const struct gguf *g) {
    size_t count[N_TYPES] = {0};
    uint64_t bytes[N_TYPES] = {0}, elements = 0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        elements += t->n_elements;
        if (t->type >= N_TYPES) continue;
        count[t->type]++;
        bytes[t->type] += t->n_bytes;
    }
    printf("\ntensors: %zu, parameters: %" PRIu64 "\n", gguf_n_tensors(g), elements);
    for (uint32_t t = 0; t < N_TYPES; t++) {
        if (!count[t]) continue;
        const struct quant_info *q = quant_info(t);
        printf("  %-8s %5zu tensors %12.1f MiB%s\n", q ? q->name : "?", count[t], (double)bytes[t] / 1048576.0,
               q && !q->decode ? "  (cannot be decoded)" : "");
    }
}

static void print_tensors(const struct gguf *g) {
    puts("");
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        const struct quant_info *q = quant_info(t->type);
        char value[160];
        int n = snprintf(value, sizeof value, "%-8s", q ? q->name : "?");
        for (int d = 0; d < t->n_dims && n < (int)sizeof value - 24; d++)
            n += snprintf(value + n, sizeof value - (size_t)n, "%s%" PRId64, d ? " x " : "", t->ne[d]);
        print_line(t->name, value);
    }
}

int verb_info(const struct args *a) {
    if (a->n_positional != 1) return verb_usage("info", "a model file is needed");
    struct err e = {0};
    struct gguf *g = gguf_open(a->positional[0], &e);
    if (!g) return verb_fail(&e);
    printf("%s: GGUF version %" PRIu32 ", %.1f MiB\n\n", a->positional[0], gguf_version(g),
           (double)gguf_file_size(g) / 1048576.0);
    for (size_t i = 0; i < gguf_n_keys(g); i++) {
        char value[200];
        gguf_describe_value(g, i, value, sizeof value);
        print_line(gguf_key(g, i), value);
    }
    print_types(g);
    print_tensors(g);
    gguf_close(g);
    return EXIT_DONE;
}
