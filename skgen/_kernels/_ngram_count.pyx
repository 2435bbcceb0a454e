"""Counting n-grams, one order after the other.

The n-grams of all orders are *entries*, numbered from the unigrams up: entry w is the unigram of
word w, and any other one is the pair of its context, the entry of its first n - 1 words, and its
last word. The *suffix* of an entry is the entry of its last n - 1 words. While orders are counted
one after the other, entries are numbered within their order. Counts have a byte each, see
_byte_counts.pxd.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from ._byte_counts cimport CARRY, Counts, count_one, counts_in
from ._slots cimport (
    AHEAD, SK_PREFETCH, sk_find, sk_find_from, sk_home, sk_pair, sk_slot,
)

from ._scratch import cut, new_slots, scratch

cdef enum:
    BLOCK = 4096  # tokens between two looks at how full the table is
    NONE = -1  # no n-gram ends here
cdef double MAX_LOAD = 0.6
CARRIED = CARRY  # what a count is more than its byte for each time that it is in the list


cdef struct Found:
    # The n-grams of an order in the places where their arrays grow, and a table of them.
    int* contexts
    int* words
    Counts counts
    int* suffixes
    Py_ssize_t total
    bint last
    sk_slot* slots
    uint64_t size
    Py_ssize_t stored


def single_words(const int[::1] tokens, const unsigned char[::1] low):
    """The unigram that ends at each token, as :func:`count_order` takes it.

    Parameters
    ----------
    tokens : ndarray of shape (n_tokens,), int32
    low : ndarray of shape (n_words,), uint8
        How often each was seen, also before.

    Returns
    -------
    ndarray of shape (n_tokens,), int32
    """
    cdef Py_ssize_t i
    cdef int[::1] ends = scratch(tokens.shape[0], np.int32)  # OUT
    with nogil:
        for i in range(tokens.shape[0]):
            ends[i] = marked(tokens[i]) if low[tokens[i]] == 1 else tokens[i]
    return np.asarray(ends.base)


def count_order(
    const int[::1] tokens, int[::1] ends, int begin, const unsigned char[::1] lower_low, known,
    double share, bint last=False
):
    """Count the n-grams of one order.

    Parameters
    ----------
    tokens : ndarray of shape (n_tokens,), int32
        IN. All sentences, one after the other, each from its begin to its end.
    ends : ndarray of shape (n_tokens,), int32
        IN and OUT. The (n - 1)-gram that ends at each token, -1 for none, and -2 - g in place of g
        if it was seen once in all; afterwards the n-gram.
    begin : int
        The token that begins a sentence, which no n-gram extends over.
    lower_low : ndarray of shape (n_lower,), uint8
        How often each (n - 1)-gram was seen, also among those known.
    known : tuple of five ndarray
        What is returned, for n-grams to begin with.
    share : float
        About how many of the n-grams that are sought are different; the table is made for so many.
    last : bool, default=False
        Whether tokens and ends may be lost: what is found takes their memory.

    Returns
    -------
    contexts, words : ndarray of shape (n_ngrams,), int32
        First those known, then the new ones as they appear.
    low, carried : ndarray of shape (n_ngrams,), uint8, and of shape (n_carried,), int32
        Their counts; places in the list ascend.
    suffixes : ndarray of shape (n_ngrams,), int32

    Notes
    -----
    One pass: the pair of the (n - 1)-gram before a token and the token is sought in a hash table,
    whose slots are fetched ahead. What has a context or a suffix that was seen once is new, without
    a search, and never sought again, so that the table has only the others: of long n-grams few.
    """
    cdef Py_ssize_t n = tokens.shape[0], n_known = len(known[0]), start
    fields = _room_for(known, n)
    if last and n_known == 0:  # no n-gram is put behind the token where it ends
        fields[1], fields[4] = tokens.base, ends.base
    cdef Found found = _found(fields, n_known)
    found.counts.n_carried, found.last = len(known[3]), last
    cdef int before = NONE
    cdef Py_ssize_t room = _recurring(&found, lower_low) + <Py_ssize_t>(share * _open(ends))
    table = _table_of(&found, lower_low, n_known, ends[:0], room)
    for start in range(0, n, BLOCK):
        if found.stored + BLOCK > MAX_LOAD * found.size:
            table = None  # its memory is free for the next one
            table = _table_of(
                &found, lower_low, found.total if last else n_known,
                ends[:0 if last else start], 3 * found.stored // 2
            )
        with nogil:
            before = count_block(tokens, ends, start, begin, before, &found)
        PyErr_CheckSignals()
    sizes = [found.counts.n_carried if k == 3 else found.total for k in range(len(fields))]
    fields = [cut(field, size) for field, size in zip(fields, sizes)]
    fields[3].sort()
    return tuple(fields)


def _room_for(known, Py_ssize_t n):
    """Arrays of what is known, with room for n n-grams; it takes no memory until it is used."""
    can_pass = np.count_nonzero(known[2] >= CARRY)
    fields = []
    for k, values in enumerate(known):
        room = n // CARRY + can_pass if k == 3 else n
        fields.append(scratch(len(values) + room + 1, values.dtype))  # OUT; none is empty
        fields[k][: len(values)] = values
    return fields


cdef inline int marked(int entry) noexcept nogil:
    """An n-gram with the mark that it was seen once, or one with the mark without it."""
    return NONE - 1 - entry


cdef Py_ssize_t _open(const int[::1] ends):
    """At how many tokens an n-gram ends that was seen more than once."""
    cdef Py_ssize_t i, n = 0
    with nogil:
        for i in range(ends.shape[0]):
            n += ends[i] >= 0
    return n


cdef Py_ssize_t _recurring(const Found* found, const unsigned char[::1] lower_low):
    """How many of the n-grams found can come again."""
    cdef Py_ssize_t t, n = 0
    with nogil:
        for t in range(found.total):
            n += can_recur(found, lower_low, t)
    return n


cdef Found _found(fields, Py_ssize_t n):
    """Arrays with n n-grams, without a table."""
    cdef Found found
    cdef int[::1] contexts = fields[0], words = fields[1], suffixes = fields[4]
    found.contexts, found.words, found.suffixes = &contexts[0], &words[0], &suffixes[0]
    found.counts = counts_in(fields[2:4])
    found.total = n
    return found


cdef int count_block(
    const int[::1] tokens, int[::1] ends, Py_ssize_t start, int begin, int before, Found* found
) noexcept nogil:
    """Count the n-grams that end in one block, after the lower one `before`; returns the next one.

    A slot has the token at which its n-gram was seen first, where the mark is taken off when it is
    seen again. Of the last order nobody asks where n-grams end, and their fields may lie there.
    """
    cdef Py_ssize_t n = tokens.shape[0], stop = min(start + BLOCK, n), i, t
    cdef sk_slot* slots = found.slots
    cdef uint64_t size = found.size, key, at
    cdef uint32_t[AHEAD] homes  # of the next tokens
    cdef int context
    for i in range(start, min(start + AHEAD, stop)):
        context = before if i == start else ends[i - 1]
        homes[i % AHEAD] = <uint32_t>sk_home(sk_pair(context, tokens[i]), size)
    for i in range(start, stop):
        at = homes[i % AHEAD]
        if i + AHEAD < stop:
            key = sk_pair(ends[i + AHEAD - 1], tokens[i + AHEAD])
            homes[i % AHEAD] = <uint32_t>sk_home(key, size)
            SK_PREFETCH(&slots[homes[i % AHEAD]])
        context, before = before, ends[i]
        if context == NONE or tokens[i] == begin:
            ends[i] = NONE
            continue
        t = found.total
        if context >= 0 and before >= 0:
            key = sk_pair(context, tokens[i])
            at = sk_find_from(slots, size, key, at)
            if slots[at].key == key:
                t = slots[at].value & 0xFFFFFFFFu
                count_one(&found.counts, t)
                if not found.last:
                    ends[i] = ends[slots[at].value >> 32] = <int>t
                continue
            slots[at].key, slots[at].value = key, sk_pair(<uint32_t>i, <uint32_t>t)
            found.stored += 1
        found.contexts[t] = context if context >= 0 else marked(context)
        found.suffixes[t] = before if before >= 0 else marked(before)
        found.words[t], found.counts.low[t] = tokens[i], 1
        if not found.last:
            ends[i] = marked(<int>t)
        found.total += 1
    if not found.last:
        ends[0] = NONE  # a begin, where the slots of what was known point
    return before


cdef _table_of(
    Found* found, const unsigned char[::1] lower_low, Py_ssize_t n_known, const int[::1] ends,
    Py_ssize_t room
):
    """A table for so many n-grams, with those found that can come again, which it returns.

    Without counts of their contexts and suffixes, all of them. The ends tell where those that were
    seen once, and were not known, stand.
    """
    cdef uint64_t[:, ::1] table = new_slots(2 * room + 2 * BLOCK)
    cdef Py_ssize_t i, t
    cdef bint every = lower_low.shape[0] == 0
    found.slots, found.size, found.stored = <sk_slot*>&table[0, 0], table.shape[0], 0
    with nogil:
        memset(found.slots, 0xFF, found.size * sizeof(sk_slot))  # every key is EMPTY
        for t in range(found.total):
            if t + AHEAD < found.total:
                SK_PREFETCH(&found.slots[sk_home(key_of(found, t + AHEAD), found.size)])
            if t < n_known or found.counts.low[t] > 1:
                if every or can_recur(found, lower_low, t):
                    put(found, t, 0)
        for i in range(ends.shape[0]):
            if ends[i] < NONE and can_recur(found, lower_low, marked(ends[i])):
                put(found, marked(ends[i]), i)
    return np.asarray(table)


cdef inline bint can_recur(
    const Found* found, const unsigned char[::1] lower_low, Py_ssize_t t
) noexcept nogil:
    """Whether the parts of an n-gram were seen more than once."""
    return lower_low[found.contexts[t]] > 1 and lower_low[found.suffixes[t]] > 1


cdef inline uint64_t key_of(const Found* found, Py_ssize_t t) noexcept nogil:
    return sk_pair(found.contexts[t], found.words[t])


cdef inline void put(Found* found, Py_ssize_t t, Py_ssize_t first) noexcept nogil:
    """Put n-gram t, first seen at a token, into the table, where it is not."""
    cdef uint64_t key = key_of(found, t), at = sk_find(found.slots, found.size, key)
    found.slots[at].key, found.slots[at].value = key, sk_pair(<uint32_t>first, <uint32_t>t)
    found.stored += 1


def find_suffixes(
    const int[::1] contexts, const int[::1] words, const int[::1] lower_suffixes, lower
):
    """Suffixes of n-grams: the pairs of the suffix of the context and the word.

    Parameters
    ----------
    contexts, words : ndarray of shape (n_ngrams,), int32
    lower_suffixes : ndarray of shape (n_lower,), int32
        Suffixes of the (n - 1)-grams.
    lower : tuple of two ndarray of shape (n_lower,), int32
        Contexts and words of the (n - 1)-grams.

    Returns
    -------
    ndarray of shape (n_ngrams,), int32
    """
    cdef Py_ssize_t n = contexts.shape[0], n_lower = lower_suffixes.shape[0], t
    none = np.empty(0, dtype=np.uint8)
    cdef Found found = _found((*lower, none, none.view(np.int32), lower_suffixes), n_lower)
    table = _table_of(&found, none, n_lower, contexts[:0], 5 * n_lower // 6)
    cdef uint64_t key, at
    cdef int[::1] out = np.empty(n, dtype=np.int32)  # OUT
    with nogil:
        for t in range(n):
            key = sk_pair(lower_suffixes[contexts[t]], words[t])
            at = sk_find(found.slots, found.size, key)
            out[t] = <int>(found.slots[at].value & 0xFFFFFFFFu)
    del table  # which the loop has used until here
    return np.asarray(out)
