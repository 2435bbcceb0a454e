/* Include SK_BODY for double, then for float; see isa.h. No include guard on purpose. */
#define SK_TYPE f64
#define SK_REAL double
#define SK_INT int64_t
#define SK_IS_DOUBLE 1
#include SK_BODY
#undef SK_TYPE
#undef SK_REAL
#undef SK_INT
#undef SK_IS_DOUBLE

#define SK_TYPE f32
#define SK_REAL float
#define SK_INT int32_t
#define SK_IS_DOUBLE 0
#include SK_BODY
#undef SK_TYPE
#undef SK_REAL
#undef SK_INT
#undef SK_IS_DOUBLE
