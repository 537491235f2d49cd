/* Allocation: see mem.h. */
#include "engine/base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_countdown; /* 0 = off; a test hook, the only global state here */

void mem_fail_after(long n) { atomic_store(&fail_countdown, n); }

static bool injected_failure(void) {
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0) return false;
    return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

void *mem_alloc(size_t n, size_t size, const char *what, struct err *e) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - 64) {
        err_set(e, "%s: %zu x %zu bytes is more than an address can hold", what, n, size);
        return NULL;
    }
    void *p = injected_failure() ? NULL : aligned_alloc(64, (bytes / 64 + 1) * 64);
    if (!p) {
        err_set(e, "%s: cannot allocate %.1f MiB", what, (double)bytes / 1048576.0);
        return NULL;
    }
    memset(p, 0, bytes);
    return p;
}

void mem_free(void *p) { free(p); }

static void *or_die(void *p) {
    if (p) return p;
    fputs("pbkd: out of memory\n", stderr);
    abort();
}

void *mem_small(size_t size) { return or_die(calloc(1, size ? size : 1)); }

void *mem_grow(void *p, size_t size) { return or_die(realloc(p, size ? size : 1)); }

char *mem_strdup(const char *s) { return or_die(strdup(s)); }

char *mem_strndup(const char *s, size_t n) { return or_die(strndup(s, n)); }
