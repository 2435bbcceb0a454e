/* Which instruction sets a kernel is compiled for, and which one runs.
 *
 * A kernel body is a header that defines functions named SK_(name). A .h file that wants it sets
 * SK_BODY and includes foreach_isa.h, which includes the body once per instruction set and per
 * real type with these macros set:
 *
 *   SK_REAL, SK_INT     double and int64_t, or float and int32_t
 *   SK_VBYTES           bytes in a vector: 64 (AVX-512), 32 (AVX2), 16 (baseline), or 0 (plain C)
 *   SK_(name)           name with the suffix of instruction set and type
 *
 * Vectors wider than the machine's are emulated many times slower than narrow ones, so each
 * instruction set has its own width; sk_isa() says at run time which set of functions to call.
 */
#ifndef SKGEN_ISA_H
#define SKGEN_ISA_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SK_CAT4_(a, b, c) a##_##b##_##c
#define SK_CAT4(a, b, c) SK_CAT4_(a, b, c)
#define SK_(name) SK_CAT4(name, SK_ISA, SK_TYPE)

#if defined(SKGEN_HAVE_X86_TARGETS)
#include <immintrin.h>
#endif
#if defined(__GNUC__) || defined(__clang__)
#define SK_HAVE_VECTORS 1
#define SK_INLINE static inline __attribute__((always_inline, unused))
#define SK_PRAGMA(text) _Pragma(#text)
#define SK_UNROLL SK_PRAGMA(GCC unroll 16)
#define SK_RESTRICT restrict
#define SK_PREFETCH(address) __builtin_prefetch(address, 0, 3)
#else
#define SK_HAVE_VECTORS 0
#define SK_INLINE static __inline
#define SK_UNROLL
#define SK_RESTRICT __restrict
#define SK_PREFETCH(address)
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define SK_HAVE_TRANSPOSE 1 /* by __builtin_shuffle */
#else
#define SK_HAVE_TRANSPOSE 0
#endif

enum { SK_BASELINE = 0, SK_AVX2 = 1, SK_AVX512 = 2 };

/* The best instruction set of this machine, or the one that SKGEN_ISA asks for if it has it. */
static int sk_isa(void) {
    static int known = -1;
    if (known >= 0) return known;
    int best = SK_BASELINE;
#if defined(SKGEN_HAVE_X86_TARGETS)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = SK_AVX2;
    if (best == SK_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        best = SK_AVX512;
#endif
    const char *asked = getenv("SKGEN_ISA");
    if (asked && !strcmp(asked, "baseline")) best = SK_BASELINE;
    if (asked && !strcmp(asked, "avx2") && best > SK_AVX2) best = SK_AVX2;
    known = best;
    return known;
}

/* 64-byte aligned memory, zeroed; NULL when there is none. */
static void *sk_alloc(size_t bytes) {
#if defined(_MSC_VER)
    void *p = _aligned_malloc(bytes ? bytes : 64, 64);
#else
    void *p = NULL;
    if (posix_memalign(&p, 64, bytes ? bytes : 64)) p = NULL;
#endif
    if (p) memset(p, 0, bytes);
    return p;
}

static void sk_free(void *p) {
#if defined(_MSC_VER)
    _aligned_free(p);
#else
    free(p);
#endif
}
#endif
