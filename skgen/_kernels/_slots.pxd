# Hash tables of pairs of numbers; see ngram.h.

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    AHEAD = 16  # slots that are fetched before they are looked at

cdef extern from "ngram.h" nogil:
    ctypedef struct sk_slot:
        uint64_t key
        uint64_t value
    const uint64_t SK_EMPTY
    void SK_PREFETCH(const void* address)
    uint64_t sk_home(uint64_t key, uint64_t size)
    uint64_t sk_find(const sk_slot* slots, uint64_t size, uint64_t key)
    uint64_t sk_find_from(const sk_slot* slots, uint64_t size, uint64_t key, uint64_t at)
    uint64_t sk_pair(uint32_t context, uint32_t word)
    uint32_t sk_bits(float value)
    uint64_t sk_pack(float log_value, uint32_t number)
    float sk_log_value(uint64_t value)
