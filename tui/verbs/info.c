/* pbkd info: what a GGUF file holds, for people. */
#include <inttypes.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/formats/gguf.h"
#include "engine/formats/quant.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

enum { N_TYPES = 64, NAME_CELLS = 44 };

/* A column of names, as wide as they are on a terminal, and their values. */
static void print_line(const char *name, const char *value) {
    struct strbuf shown = {0};
    const int cells = safe_text(&shown, name, strlen(name), false);
    safe_printf(stdout, "%s%*s%s\n", name, cells < NAME_CELLS ? NAME_CELLS - cells : 1, "", value);
    strbuf_free(&shown);
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
    safe_printf(stdout, "\ntensors: %zu, parameters: %" PRIu64 "\n", gguf_n_tensors(g), elements);
    for (uint32_t t = 0; t < N_TYPES; t++) {
        if (!count[t]) continue;
        const struct quant_info *q = quant_info(t);
        safe_printf(stdout, "  %-8s %5zu tensors %12.1f MiB%s\n", q ? q->name : "?", count[t],
                    (double)bytes[t] / 1048576.0, q && !q->decode ? "  (cannot be decoded)" : "");
    }
}

static void print_tensors(const struct gguf *g) {
    safe_printf(stdout, "\n");
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

static int info(const struct args *a) {
    if (a->n_positional != 1) return verb_usage("info", "a model file is needed");
    struct err e = {0};
    struct gguf *g = gguf_open(a->positional[0], &e);
    if (!g) return verb_fail(&e);
    safe_printf(stdout, "%s: GGUF version %" PRIu32 ", %.1f MiB\n\n", a->positional[0], gguf_version(g),
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

static const struct arg_spec ARGS[] = {{0}};
const struct verb verb_info = {
    .name = "info",
    .arguments = "M.gguf",
    .max_positional = 1,
    .help = "show what a model file holds",
    .details = "Configuration, metadata and tensors by type.",
    .args = ARGS,
    .run = info,
};
