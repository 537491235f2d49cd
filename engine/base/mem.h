/* Allocation for the engine. Big buffers (anything whose size comes from a file, a config or a model) go through
 * mem_alloc, where failure is an error value; small fixed-size things go through mem_small, where failure ends the
 * process, because nothing sensible can be done when 200 bytes are missing.
 *
 * mem_fail_after lets the fault tests fail the N-th mem_alloc from now (sqlite's way of testing out-of-memory
 * paths). */
#ifndef PBKD_BASE_MEM_H
#define PBKD_BASE_MEM_H

#include <stddef.h>

#include "engine/base/err.h"

/* n*size zeroed bytes, 64-byte aligned; NULL with e filled ("what: cannot allocate 1.2 GiB") when that overflows or
 * fails. n*size == 0 gives a valid pointer. Free with mem_free. */
void *mem_alloc(size_t n, size_t size, const char *what, struct err *e);
void mem_free(void *p); /* NULL is fine */

/* malloc/realloc/strdup for small things; abort on failure. Free with free(). */
void *mem_small(size_t size); /* zeroed */
void *mem_grow(void *p, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* Fault injection: the n-th mem_alloc from now (1 = the next) fails; 0 switches it off. */
void mem_fail_after(long n);

#endif
