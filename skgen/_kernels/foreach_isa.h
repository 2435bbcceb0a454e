/* Include SK_BODY for each instruction set and real type; see isa.h. No include guard on purpose. */
#if defined(SKGEN_HAVE_X86_TARGETS)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx2,fma,prefer-vector-width=512")
#endif
#define SK_ISA avx512
#define SK_LEVEL 2
#define SK_VBYTES 64
#include "foreach_type.h"
#undef SK_ISA
#undef SK_LEVEL
#undef SK_VBYTES
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define SK_ISA avx2
#define SK_LEVEL 1
#define SK_VBYTES 32
#include "foreach_type.h"
#undef SK_ISA
#undef SK_LEVEL
#undef SK_VBYTES
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif /* SKGEN_HAVE_X86_TARGETS */

#define SK_ISA baseline
#define SK_LEVEL 0
#if SK_HAVE_VECTORS
#define SK_VBYTES 16
#else
#define SK_VBYTES 0
#endif
#include "foreach_type.h"
#undef SK_ISA
#undef SK_LEVEL
#undef SK_VBYTES
