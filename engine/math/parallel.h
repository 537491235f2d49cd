/* A small pool of worker threads for the engine. Work is cut into chunks by the caller in a way that does not depend on
 * the number of threads, chunks are claimed by an atomic counter, and the caller works too: results are bitwise equal
 * for any thread count, and a core taken by another process delays only the chunk that runs on it.
 *
 * Workers run at nice +10, spin a few microseconds, then sleep. OpenBLAS itself is kept at one thread (matmul_openblas.c). */
#ifndef PBKD_MATH_PARALLEL_H
#define PBKD_MATH_PARALLEL_H

/* Start n_threads - 1 workers (n_threads 0 = number of processors, at most 64). Calling again changes the number; call
 * it from the one thread that computes. Without any call parallel_for runs inline. */
void parallel_init(int n_threads);
void parallel_shutdown(void);
int parallel_threads(void);

/* Call fn(ctx, i) for i in 0..n-1, in any order, from several threads; returns when all are done. When fn calls
 * parallel_for, that runs inline. */
void parallel_for(int n, void (*fn)(void *ctx, int i), void *ctx);

/* Call fn(ctx, begin, end) for consecutive pieces of 0..n, each `grain` long but the last. */
void parallel_ranges(int n, int grain, void (*fn)(void *ctx, int begin, int end), void *ctx);

#endif
