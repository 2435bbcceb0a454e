/* How many threads a parallel region gets.
 *
 * Included by _threads.pyx alone, which exports sk_enter_parallel and sk_leave_parallel to the
 * other kernels: the state below must exist once in the process, not once in each extension.
 */
#ifndef SKGEN_THREADS_H
#define SKGEN_THREADS_H

#include <stdint.h>

#ifdef _OPENMP
#include <omp.h>
#define SK_OPENMP 1
#else
#define SK_OPENMP 0
#endif

/* The thread pool of GNU OpenMP does not survive a fork: the child would wait for it for ever. */
#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__)
#define SK_POOL_DIES_IN_FORK 1
#else
#define SK_POOL_DIES_IN_FORK 0
#endif

#ifdef _MSC_VER
#include <intrin.h>
#define SK_THREAD_LOCAL __declspec(thread)
typedef volatile long sk_atomic;
static uint32_t sk_load(sk_atomic *x) { return (uint32_t)_InterlockedOr(x, 0); }
static int sk_replace(sk_atomic *x, uint32_t *seen, uint32_t value) {
    uint32_t found = (uint32_t)_InterlockedCompareExchange(x, (long)value, (long)*seen);
    int done = found == *seen;
    *seen = found;
    return done;
}
#else
#define SK_THREAD_LOCAL __thread
typedef uint32_t sk_atomic;
static uint32_t sk_load(sk_atomic *x) { return __atomic_load_n(x, __ATOMIC_SEQ_CST); }
static int sk_replace(sk_atomic *x, uint32_t *seen, uint32_t value) {
    return __atomic_compare_exchange_n(x, seen, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
#endif

static sk_atomic sk_regions = 0;    /* open regions << 16 | threads that they hold together */
static int sk_cpu_count = 1;        /* processors this process may run on */
static int sk_thread_limit = 0;     /* 0, or a count that replaces the machine's */
static int sk_pool_is_dead = 0;     /* set in the child of a fork */
static SK_THREAD_LOCAL int sk_held = 0;  /* threads held by the region of this thread */
static SK_THREAD_LOCAL int sk_depth = 0; /* regions of this thread, one inside the other */

/* Threads that the process may use at once. */
static int sk_max_threads(void) {
    int n = 1;
    if (!SK_OPENMP || sk_pool_is_dead) return 1;
    if (sk_thread_limit > 0) return sk_thread_limit;
#ifdef _OPENMP
    n = omp_get_max_threads();
#endif
    if (n > sk_cpu_count) n = sk_cpu_count;
    return n > 1 ? n : 1;
}

static int sk_at_most(int n, int limit) { return n < limit ? n : limit; }

/* Open a region: at most `wanted` threads (all for wanted < 1), an equal share of the processors
 * among the open regions, and none that another region holds, but always one. A region inside
 * another of the same thread works with what that one holds. */
static int sk_enter(int wanted) {
    int most = sk_max_threads(), n;
    uint32_t seen = sk_load(&sk_regions);
    if (wanted < 1) wanted = most;
    if (sk_depth++) return sk_at_most(wanted, sk_held);
    do {
        n = sk_at_most(wanted, most / (int)((seen >> 16) + 1));
        n = sk_at_most(n, most - (int)(seen & 0xffff));
        if (n < 1) n = 1;
    } while (!sk_replace(&sk_regions, &seen, seen + (1u << 16) + (uint32_t)n));
    sk_held = n;
    return n;
}

/* Close the region that this thread opened last. */
static void sk_leave(void) {
    uint32_t seen = sk_load(&sk_regions);
    if (--sk_depth) return;
    while (!sk_replace(&sk_regions, &seen, seen - (1u << 16) - (uint32_t)sk_held)) {}
    sk_held = 0;
}

/* In the child of a fork: only the forking thread lives on, with no region open. */
static void sk_forget_pool(void) {
    sk_regions = 0;
    sk_held = sk_depth = 0;
    sk_pool_is_dead = SK_POOL_DIES_IN_FORK;
}

/* Threads that take part in a real parallel region of n threads. */
static int sk_count_team(int n) {
    int count = 0;
#ifdef _OPENMP
#pragma omp parallel num_threads(n) reduction(+ : count)
#endif
    count += 1;
    (void)n;
    return count;
}
#endif
