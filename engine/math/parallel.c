/* The worker pool: see parallel.h. It is the one piece of process-wide state in the engine, because processors are a
 * process-wide resource: a pool per model would start more threads than there are cores.
 *
 * A job is published by storing its length and a next-chunk counter of 0 in one 64-bit ticket. A chunk is claimed by
 * compare-and-swap on the ticket, so a worker that wakes late, when its job is long over, either sees an exhausted
 * ticket or claims a chunk of the job that is current then: both are right, and the fields of a job whose chunk has
 * been claimed cannot change before that chunk is reported done. */
#include "engine/math/parallel.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "engine/base/thread.h"

enum { MAX_THREADS = 64, SPINS = 600, WORKER_NICE = 10 };

static struct {
    pthread_t worker[MAX_THREADS];
    int n_workers;
    _Atomic uint64_t ticket;     /* n_chunks << 32 | next chunk */
    _Atomic unsigned generation; /* changes with every job and at shutdown: what workers wait for */
    atomic_int done;             /* chunks finished of the current job */
    atomic_int sleepers;
    atomic_bool stop, caller_waits;
    void (*fn)(void *ctx, int i);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t wake, finished;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER};

/* This thread runs a chunk: what it calls is not shared out again. */
static _Thread_local bool inside;

static void spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Work on the current job until no chunk is left to claim. */
static void work(void) {
    uint64_t t = atomic_load(&pool.ticket);
    for (;;) {
        const uint32_t n = (uint32_t)(t >> 32), next = (uint32_t)t;
        if (next >= n) return;
        if (!atomic_compare_exchange_weak(&pool.ticket, &t, t + 1)) continue;
        inside = true;
        pool.fn(pool.ctx, (int)next);
        inside = false;
        if (atomic_fetch_add(&pool.done, 1) + 1 == (int)n && atomic_load(&pool.caller_waits)) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.finished);
            pthread_mutex_unlock(&pool.lock);
        }
        t = atomic_load(&pool.ticket);
    }
}

/* Wait until the generation differs from `seen`: a short spin, then sleep. */
static void wait_for_job(unsigned seen) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool.generation) != seen) return;
        spin_pause();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (atomic_load(&pool.generation) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
}

static void *worker_main(void *arg) {
    unsigned seen = (unsigned)(uintptr_t)arg;
    thread_set_nice(WORKER_NICE);
    while (!atomic_load(&pool.stop)) {
        wait_for_job(seen);
        seen = atomic_load(&pool.generation);
        work();
    }
    return NULL;
}

static void announce(void) {
    atomic_fetch_add(&pool.generation, 1);
    if (atomic_load(&pool.sleepers) == 0) return;
    pthread_mutex_lock(&pool.lock);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
}

void parallel_shutdown(void) {
    if (pool.n_workers == 0) return;
    atomic_store(&pool.stop, true);
    announce();
    for (int i = 0; i < pool.n_workers; i++) pthread_join(pool.worker[i], NULL);
    pool.n_workers = 0;
    atomic_store(&pool.stop, false);
}

void parallel_init(int n_threads) {
    parallel_shutdown();
    if (n_threads <= 0) n_threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (n_threads > MAX_THREADS) n_threads = MAX_THREADS;
    const uintptr_t seen = atomic_load(&pool.generation);
    for (int i = 0; i + 1 < n_threads; i++) {
        /* A thread that cannot be started costs speed, not results: the caller does its chunks. */
        if (pthread_create(&pool.worker[i], NULL, worker_main, (void *)seen) != 0) break;
        pool.n_workers++;
    }
}

int parallel_threads(void) { return pool.n_workers + 1; }

static void wait_until_done(int n) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool.done) == n) return;
        spin_pause();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.caller_waits, true);
    while (atomic_load(&pool.done) != n) pthread_cond_wait(&pool.finished, &pool.lock);
    atomic_store(&pool.caller_waits, false);
    pthread_mutex_unlock(&pool.lock);
}

void parallel_for(int n, void (*fn)(void *ctx, int i), void *ctx) {
    if (n <= 0) return;
    if (n == 1 || pool.n_workers == 0 || inside) {
        for (int i = 0; i < n; i++) fn(ctx, i);
        return;
    }
    pool.fn = fn;
    pool.ctx = ctx;
    atomic_store(&pool.done, 0);
    atomic_store(&pool.ticket, (uint64_t)n << 32);
    announce();
    work();
    wait_until_done(n);
}

struct ranges {
    void (*fn)(void *ctx, int begin, int end);
    void *ctx;
    int n, grain;
};

static void run_range(void *ctx, int i) {
    const struct ranges *r = ctx;
    const int begin = i * r->grain;
    r->fn(r->ctx, begin, r->n - begin < r->grain ? r->n : begin + r->grain);
}

void parallel_ranges(int n, int grain, void (*fn)(void *ctx, int begin, int end), void *ctx) {
    if (n <= 0) return;
    struct ranges r = {.fn = fn, .ctx = ctx, .n = n, .grain = grain};
    parallel_for((n - 1) / grain + 1, run_range, &r);
}
