/* Characters of texts eight at a time: where words of latin ones end, and a hash of any. */
#ifndef SKGEN_TEXT_H
#define SKGEN_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define SK_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The next eight bytes, the first one lowest; zeros where no more than n are left. */
static inline uint64_t sk_eight(const uint8_t *text, ptrdiff_t n) {
    uint64_t eight = 0;
    if (n >= 8)
        return text[0] | (uint64_t)text[1] << 8 | (uint64_t)text[2] << 16 |
               (uint64_t)text[3] << 24 | (uint64_t)text[4] << 32 | (uint64_t)text[5] << 40 |
               (uint64_t)text[6] << 48 | (uint64_t)text[7] << 56;
    while (n-- > 0) eight = eight << 8 | text[n];
    return eight;
}

/* How many of eight bytes come before the first that may be a blank, as all but the visible
 * characters of ASCII may. The highest bits mark those; the borrow of the difference marks others,
 * too, but only after the first. */
static inline ptrdiff_t sk_visible(uint64_t eight) {
    uint64_t other = ((eight - SK_EACH(0x21)) | eight) & SK_EACH(0x80);
    uint64_t first = (other & (~other + 1)) >> 7; /* 1 << 8 k, of which the product makes k */
    return first ? (ptrdiff_t)((first * UINT64_C(0x0001020304050607)) >> 56) : 8;
}

/* The first n of eight bytes, zeros for the others. */
static inline uint64_t sk_first(uint64_t eight, ptrdiff_t n) {
    return n < 8 ? eight & ((UINT64_C(1) << 8 * n) - 1) : eight;
}

/* A hash h with eight more bytes in it: a bijection of them, and of h. */
static inline uint64_t sk_mixed(uint64_t h, uint64_t eight) {
    h = (h ^ eight) * UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}
#endif
