/* Hash tables of pairs of numbers, for n-grams and words.
 *
 * A table is an array of slots of two 64-bit words, key and value; EMPTY is the key of a free slot.
 * A key is sought from the slot that its hash names, one slot after the other, and the first slot
 * follows the last one. Tables are kept at most MAX_LOAD full, so that a free slot ends each search.
 */
#ifndef SKGEN_NGRAM_H
#define SKGEN_NGRAM_H

#include <stdint.h>
#include <string.h>

typedef struct {
    uint64_t key, value;
} sk_slot;

#define SK_EMPTY UINT64_MAX

#if defined(__GNUC__) || defined(__clang__)
#define SK_PREFETCH(address) __builtin_prefetch(address)
#else
#define SK_PREFETCH(address) ((void)0)
#endif

/* The slot from which a key is sought: its hash scaled to the size, which is below 2^32. */
static inline uint64_t sk_home(uint64_t key, uint64_t size) {
    key *= UINT64_C(0x9E3779B97F4A7C15);
    key ^= key >> 32;
    key *= UINT64_C(0xD6E8FEB86659FD93);
    return ((key >> 32) * size) >> 32;
}

/* The slot of a key, or the free one where it would be put. */
static inline uint64_t sk_find_from(const sk_slot *slots, uint64_t size, uint64_t key,
                                    uint64_t at) {
    while (slots[at].key != key && slots[at].key != SK_EMPTY)
        if (++at == size) at = 0;
    return at;
}

static inline uint64_t sk_find(const sk_slot *slots, uint64_t size, uint64_t key) {
    return sk_find_from(slots, size, key, sk_home(key, size));
}

/* An n-gram is its context, which is an entry or state of order n - 1, and its last word. */
static inline uint64_t sk_pair(uint32_t context, uint32_t word) {
    return (uint64_t)context << 32 | word;
}

static inline uint32_t sk_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* A logarithm and a number in one value. */
static inline uint64_t sk_pack(float log_value, uint32_t number) {
    return (uint64_t)sk_bits(log_value) << 32 | number;
}

static inline float sk_log_value(uint64_t value) {
    uint32_t bits = (uint32_t)(value >> 32);
    float log_value;
    memcpy(&log_value, &bits, sizeof log_value);
    return log_value;
}
#endif
