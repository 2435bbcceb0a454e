"""Counting, smoothing and scoring n-grams.

The n-grams of all orders are *entries*, numbered from the unigrams up: entry w is the unigram of
word w, and any other one is the pair of its context, the entry of its first n - 1 words, and its
last word. The *suffix* of an entry is the entry of its last n - 1 words. While orders are counted
one after the other, entries are numbered within their order.

Most n-grams are seen once or twice, so that counts have a byte each, ``low``. Where one would pass
255, CARRY is taken off and the place of the n-gram goes into a list, ``carried``, once for each
time. The byte is CARRY at least from then on, so that it tells counts below CARRY by itself.

For scoring, an entry that was seen as a context is a *state*, entry + 1, and state 0 is the empty
context. One hash table has the pairs of state and word with the probability and the state that
follows; an array has the back-off weight of each state and the state to fall back to.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from skgen._kernels._threads cimport sk_enter_parallel, sk_leave_parallel

from skgen._kernels._scratch import cut, scratch

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

cdef enum:
    AHEAD = 16  # slots that are fetched before they are looked at
    BLOCK = 4096  # tokens between two looks at how full the table is
    LANES = 16  # sentences scored in turn
    CHUNK = 256  # sentences that a thread takes at a time
    TOGETHER = 1 << 20  # contexts, at least, whose sums are taken in one pass
    NONE = -1  # no n-gram ends here
    CARRY = 128  # what a count is more than its byte for each time that it is in the list
cdef double MAX_LOAD = 0.6


# ---- counting --------------------------------------------------------------------------------


cdef struct Counts:
    # Of a byte each, and the list of carries: what is read or counted goes through here.
    unsigned char* low
    int* carried
    Py_ssize_t n_carried


cdef inline void count_one(Counts* counts, Py_ssize_t t) noexcept nogil:
    """Add one to count number t."""
    if counts.low[t] == 255:
        counts.low[t] = 256 - CARRY
        carry(counts, t)
    else:
        counts.low[t] += 1


cdef inline void carry(Counts* counts, Py_ssize_t t) noexcept nogil:
    counts.carried[counts.n_carried] = <int>t
    counts.n_carried += 1


cdef inline int count_from(Counts* counts, Py_ssize_t t) noexcept nogil:
    """Count number t; the list is gone through, so that none before t can be asked for again."""
    cdef int count = counts.low[t]
    while count >= CARRY and counts.n_carried and counts.carried[0] <= t:
        count += CARRY * (counts.carried[0] == t)
        counts.carried += 1
        counts.n_carried -= 1
    return count


cdef Counts _counts(fields):
    """The counts of two arrays, of which the second may be empty."""
    cdef const unsigned char[::1] low = fields[0]
    cdef const int[::1] carried = fields[1]
    cdef Counts counts = Counts(NULL, NULL, carried.shape[0])
    if low.shape[0]:
        counts.low = <unsigned char*>&low[0]
    if carried.shape[0]:
        counts.carried = <int*>&carried[0]
    return counts


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
    found.counts = _counts(fields[2:4])
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


def _new_slots(size):
    if size >= 2**32:
        raise MemoryError(f"{size:.0f} slots are more than a table can have; use a lower order.")
    return scratch(2 * int(size), np.uint64).reshape(-1, 2)


cdef _table_of(
    Found* found, const unsigned char[::1] lower_low, Py_ssize_t n_known, const int[::1] ends,
    Py_ssize_t room
):
    """A table for so many n-grams, with those found that can come again, which it returns.

    Without counts of their contexts and suffixes, all of them. The ends tell where those that were
    seen once, and were not known, stand.
    """
    cdef uint64_t[:, ::1] table = _new_slots(2 * room + 2 * BLOCK)
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


# ---- smoothing -------------------------------------------------------------------------------


def adjusted_counts(const unsigned char[::1] low, const int[::1] carried,
                    const int[::1] suffixes):
    """In how many different words' company each n-gram was seen on its left.

    Parameters
    ----------
    low, carried : ndarray of shape (n_ngrams,), uint8, and of shape (n_carried,), int32
        How often each was seen, which stays for those that begin a sentence: nothing stands on
        their left, and they are no suffixes.
    suffixes : ndarray of shape (n_longer,), int32
        Suffixes of the n-grams of the next order.

    Returns
    -------
    low, carried : ndarray of shape (n_ngrams,), uint8, and of shape (n_carried,), int32
    """
    cdef Py_ssize_t t
    low_array = np.zeros(low.shape[0], dtype=np.uint8)  # OUT
    room = suffixes.shape[0] // CARRY + carried.shape[0] + 1
    carried_array = np.empty(room, dtype=np.int32)  # OUT
    cdef Counts out = _counts((low_array, carried_array))
    out.n_carried = 0
    with nogil:
        for t in range(suffixes.shape[0]):
            count_one(&out, suffixes[t])
        for t in range(carried.shape[0]):
            if out.low[carried[t]] == 0:
                carry(&out, carried[t])
        for t in range(low.shape[0]):
            if out.low[t] == 0:
                out.low[t] = low[t]
    carried_array.resize(out.n_carried, refcheck=False)
    carried_array.sort()
    return low_array, carried_array


def counts_of_counts(const unsigned char[::1] low):
    """How many counts are 0, 1, 2, 3, 4, and more.

    Returns
    -------
    ndarray of shape (6,), int64
    """
    cdef Py_ssize_t t, n = low.shape[0], zeros = 0, ones = 0, twos = 0, threes = 0, fours = 0
    with nogil:
        for t in range(n):  # comparisons of many at a time, as no sum waits for the one before
            zeros += low[t] == 0
            ones += low[t] == 1
            twos += low[t] == 2
            threes += low[t] == 3
            fours += low[t] == 4
    more = n - zeros - ones - twos - threes - fours
    return np.array([zeros, ones, twos, threes, fours, more], dtype=np.int64)


def interpolate(
    const unsigned char[::1] low, const int[::1] carried, const int[::1] contexts,
    int[::1] suffixes, const float[::1] lower, const double[::1] minus, const double[::1] plus,
    double prior, const unsigned char[::1] kept
):
    r"""Probabilities of n-grams, and what each context leaves to the lower order.

    .. math:: p(w | c) = \\frac{a_{cw} - m(a_{cw})}{d_c} + g_c\\, p(w | c'),
        \\quad d_c = b + \\sum_w a_{cw} - m(a_{cw}) + q(a_{cw}),
        \\quad g_c d_c = b + \\sum_w q(a_{cw})

    Parameters
    ----------
    low, carried : ndarray of shape (n_ngrams,), uint8, and of shape (n_carried,), int32
        Counts :math:`a`.
    contexts : ndarray of shape (n_ngrams,), int32
        The entries of :math:`c` in the lower order.
    suffixes : ndarray of shape (n_ngrams,), int32
        IN and OUT. The entries of :math:`c' w` in the lower order, which the results replace.
    lower : ndarray of shape (n_lower,), float32
        :math:`p(w | c')`.
    minus, plus : ndarray of shape (4,)
        :math:`m` and :math:`q` of counts 0, 1, 2 and 3 or more; their differences are whole.
    prior : float
        :math:`b`.
    kept : ndarray of shape (n_ngrams,), uint8, or of shape (0,)
        Which n-grams stay; the others leave all that they have to the lower order.

    Returns
    -------
    proba : ndarray of shape (n_ngrams,), float32
        In the memory of the suffixes.
    left : ndarray of shape (n_lower,), float32
        :math:`g`, one for what is no context.
    """
    cdef Counts counts = _counts((low, carried))
    cdef Rule rule = Rule(&minus[0], &plus[0], prior)
    cdef Py_ssize_t m = lower.shape[0], part = min(m, max(TOGETHER, m // 4 + 1)), first
    cdef uint32_t[::1] total = scratch(m, np.uint32)  # whole, and OUT: last, what is left
    cdef double[::1] left = scratch(part, np.float64)  # by a part of the contexts after the other
    for first in range(0, m, part):
        with nogil:
            sum_children(counts, contexts, first, &rule, kept, total, left)
            share_out(counts, contexts, first, &rule, suffixes, lower, total, left)
    return np.asarray(suffixes.base).view(np.float32), np.asarray(total.base).view(np.float32)


cdef struct Rule:
    const double* minus
    const double* plus
    double prior


cdef void sum_children(
    Counts counts, const int[::1] contexts, Py_ssize_t first, const Rule* rule,
    const unsigned char[::1] kept, uint32_t[::1] total, double[::1] left
) noexcept nogil:
    """The denominators of the contexts from `first` on, and what they leave to others."""
    cdef Py_ssize_t t, c
    cdef int count, kind
    for c in range(min(left.shape[0], total.shape[0] - first)):
        total[first + c], left[c] = 0, rule.prior
    for t in range(contexts.shape[0]):
        c = contexts[t] - first
        if not 0 <= c < left.shape[0]:
            continue
        count = count_from(&counts, t)
        kind = min(count, 3)
        total[first + c] += count + <int>(rule.plus[kind] - rule.minus[kind])
        left[c] += rule.plus[kind]
        if kept.shape[0] and not kept[t]:
            left[c] += count - rule.minus[kind]


cdef void share_out(
    Counts counts, const int[::1] contexts, Py_ssize_t first, const Rule* rule, int[::1] suffixes,
    const float[::1] lower, uint32_t[::1] total, double[::1] left
) noexcept nogil:
    """Probabilities after the contexts from `first` on; totals become what these leave."""
    cdef Py_ssize_t t, c, stop = min(left.shape[0], total.shape[0] - first)
    cdef double own
    cdef int count
    for c in range(stop):
        left[c] = left[c] / (rule.prior + total[first + c]) if total[first + c] else 1.0
    for t in range(contexts.shape[0]):
        c = contexts[t] - first
        if not 0 <= c < stop:
            continue
        count = count_from(&counts, t)
        own = (count - rule.minus[min(count, 3)]) / (rule.prior + total[first + c])
        suffixes[t] = sk_bits(<float>(own + left[c] * lower[suffixes[t]]))
    for c in range(stop):
        total[first + c] = sk_bits(<float>left[c])


# ---- scoring ---------------------------------------------------------------------------------


def make_index(
    const int[::1] contexts, const int[::1] words, const float[::1] log_proba,
    const float[::1] log_backoff, Py_ssize_t n_words
):
    """What scoring needs of a model.

    Parameters
    ----------
    contexts, words : ndarray of shape (n_entries,), int32
        Of each entry; -1 is the context of unigrams.
    log_proba : ndarray of shape (n_entries,), float32
    log_backoff : ndarray of shape (n_contexts,), float32
        Of the entries below the highest order.
    n_words : int
        Unigrams, which come first.

    Returns
    -------
    table : ndarray of shape (n_slots, 2), uint64
        Pair of state and word -> log probability and next state.
    links : ndarray of shape (n_contexts + 1,), uint64
        State -> log back-off weight and state to fall back to.
    unigrams : ndarray of shape (n_words,), uint64
        Word -> log probability and next state.
    suffixes : ndarray of shape (n_entries,), int32
        Entry of the longest suffix that is an entry, -1 for unigrams.
    following : ndarray of shape (n_entries,), uint32
        State after each entry: its longest suffix, or itself, that can matter for what follows.

    Notes
    -----
    A state matters if it was seen as a context, or has a back-off weight other than one; O(n) time.
    """
    cdef Py_ssize_t n = contexts.shape[0], t
    table_array = _new_slots(2 * (n - n_words) + 16)
    if _fill(table_array, contexts, words, log_proba, n_words) != n - n_words:
        raise ValueError("an n-gram stands there twice")
    suffixes_array = _all_suffixes(table_array, contexts, words, n_words)
    cdef const int[::1] suffixes = suffixes_array
    cdef unsigned char[::1] matters = np.zeros(n, dtype=np.uint8)
    cdef uint32_t[::1] following = np.empty(n, dtype=np.uint32)  # OUT
    cdef uint64_t[::1] links = np.zeros(log_backoff.shape[0] + 1, dtype=np.uint64)  # OUT
    cdef uint64_t[::1] unigrams = np.empty(n_words, dtype=np.uint64)  # OUT
    cdef uint64_t[:, ::1] table = table_array
    with nogil:
        for t in range(n_words, n):
            matters[contexts[t]] = 1
        for t in range(log_backoff.shape[0]):
            matters[t] |= log_backoff[t] != 0
        for t in range(n):
            if matters[t]:
                following[t] = t + 1
            else:
                following[t] = following[suffixes[t]] if suffixes[t] >= 0 else 0
        for t in range(log_backoff.shape[0]):
            links[t + 1] = sk_pack(
                log_backoff[t], following[suffixes[t]] if suffixes[t] >= 0 else 0
            )
        for t in range(n_words):
            unigrams[t] = sk_pack(log_proba[t], following[t])
        for t in range(table.shape[0]):
            if table[t, 0] != SK_EMPTY:
                table[t, 1] = sk_pack(
                    sk_log_value(table[t, 1]), following[table[t, 1] & 0xFFFFFFFFu]
                )
    return table_array, np.asarray(links), np.asarray(unigrams), suffixes_array, \
        np.asarray(following)


def _fill(
    uint64_t[:, ::1] table, const int[::1] contexts, const int[::1] words,
    const float[::1] log_proba, Py_ssize_t n_words
):
    """Put all entries but the unigrams into the table; how many different ones there were."""
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], key, at
    cdef Py_ssize_t n = contexts.shape[0], t, different = 0
    with nogil:
        memset(slots, 0xFF, size * sizeof(sk_slot))
        for t in range(n_words, n):
            if t + AHEAD < n:
                key = sk_pair(contexts[t + AHEAD] + 1, words[t + AHEAD])
                SK_PREFETCH(&slots[sk_home(key, size)])
            key = sk_pair(contexts[t] + 1, words[t])
            at = sk_find(slots, size, key)
            different += slots[at].key == SK_EMPTY
            slots[at].key, slots[at].value = key, sk_pack(log_proba[t], t)
    return different


def _all_suffixes(
    const uint64_t[:, ::1] table, const int[::1] contexts, const int[::1] words, Py_ssize_t n_words
):
    """The longest suffix of each entry that is one, -1 for none."""
    cdef const sk_slot* slots = <const sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], key, at
    cdef Py_ssize_t n = contexts.shape[0], t
    cdef int[::1] out = np.full(n, -1, dtype=np.int32)
    cdef int context
    with nogil:
        for t in range(n_words, n):
            if t + AHEAD < n:
                key = sk_pair(out[contexts[t + AHEAD]] + 1, words[t + AHEAD])
                SK_PREFETCH(&slots[sk_home(key, size)])
            context = out[contexts[t]]
            while context >= 0:
                key = sk_pair(context + 1, words[t])
                at = sk_find(slots, size, key)
                if slots[at].key == key:
                    out[t] = <int>(slots[at].value & 0xFFFFFFFFu)
                    break
                context = out[context]
            else:
                out[t] = words[t]
    return np.asarray(out)


cdef struct Lane:
    Py_ssize_t at  # the token to be scored
    Py_ssize_t end
    Py_ssize_t sentence
    uint32_t state
    uint64_t key
    uint64_t slot
    double log_prob  # of the token, as far as the search went


cdef struct Model:
    const sk_slot* slots
    uint64_t size
    const uint64_t* links
    const uint64_t* unigrams
    uint32_t start  # state at the begin of a sentence


cdef inline bint sought(Lane* lane, const Model* model, const int* tokens, double* out) \
        noexcept nogil:
    """Go on until something must be looked up, which is fetched; false at the end."""
    cdef uint64_t value
    while lane.at < lane.end:
        if lane.state:
            lane.key = sk_pair(lane.state, tokens[lane.at])
            lane.slot = sk_home(lane.key, model.size)
            SK_PREFETCH(&model.slots[lane.slot])
            SK_PREFETCH(&model.links[lane.state])
            return True
        value = model.unigrams[tokens[lane.at]]
        out[lane.at] = lane.log_prob + sk_log_value(value)
        lane.state = <uint32_t>value
        lane.log_prob = 0.0
        lane.at += 1
    return False


cdef inline void found(Lane* lane, const Model* model, double* out) noexcept nogil:
    """Look at what was fetched: score the token, or fall back to a shorter context."""
    cdef uint64_t value
    cdef uint64_t at = sk_find_from(model.slots, model.size, lane.key, lane.slot)
    if model.slots[at].key == lane.key:
        value = model.slots[at].value
        out[lane.at] = lane.log_prob + sk_log_value(value)
        lane.log_prob = 0.0
        lane.at += 1
    else:
        value = model.links[lane.state]
        lane.log_prob += sk_log_value(value)
    lane.state = <uint32_t>value


cdef bint opened(Lane* lane, Py_ssize_t* following, Py_ssize_t stop, const Model* model,
                 const int* tokens, const long long* offsets, uint32_t* states, double* out) \
        noexcept nogil:
    """Begin the next sentence that has something to look up; false where none is left."""
    while following[0] < stop:
        lane.sentence = following[0]
        following[0] += 1
        lane.at, lane.end = offsets[lane.sentence], offsets[lane.sentence + 1]
        out[lane.at] = 0.0
        lane.at += 1
        lane.state, lane.log_prob = model.start, 0.0
        if sought(lane, model, tokens, out):
            return True
        states[lane.sentence] = lane.state
    return False


cdef void score_sentences(
    const Model* model, const int* tokens, const long long* offsets, Py_ssize_t start,
    Py_ssize_t stop, uint32_t* states, double* out
) noexcept nogil:
    """Score some sentences, LANES of them in turn, so that fetches overlap."""
    cdef Lane[LANES] lanes
    cdef Py_ssize_t n = 0, k, following = start
    while n < LANES and opened(
        &lanes[n], &following, stop, model, tokens, offsets, states, out
    ):
        n += 1
    while n:
        k = 0
        while k < n:
            found(&lanes[k], model, out)
            if sought(&lanes[k], model, tokens, out):
                k += 1
                continue
            states[lanes[k].sentence] = lanes[k].state
            if not opened(&lanes[k], &following, stop, model, tokens, offsets, states, out):
                n -= 1
                lanes[k] = lanes[n]
            else:
                k += 1


def score(const int[::1] tokens, const long long[::1] offsets, index):
    """Log probability of each token given those before it in its sentence.

    Parameters
    ----------
    tokens : ndarray of shape (n_tokens,), int32
        Sentences one after the other, each from the token that begins it.
    offsets : ndarray of shape (n_sentences + 1,), int64
    index : tuple
        Of :func:`make_index`.

    Returns
    -------
    log_proba : ndarray of shape (n_tokens,)
        Nats; 0 for the begin of a sentence.
    states : ndarray of shape (n_sentences,), uint32
        In which each sentence ends.
    """
    cdef const uint64_t[:, ::1] table = index[0]
    cdef const uint64_t[::1] links = index[1]
    cdef const uint64_t[::1] unigrams = index[2]
    cdef Py_ssize_t n = offsets.shape[0] - 1, n_chunks = (n + CHUNK - 1) // CHUNK, chunk
    cdef double[::1] out = np.empty(tokens.shape[0])  # OUT
    cdef uint32_t[::1] states = np.empty(n, dtype=np.uint32)  # OUT
    cdef Model model
    cdef int n_threads
    if n == 0:
        return np.asarray(out), np.asarray(states)
    model.slots, model.size = <const sk_slot*>&table[0, 0], table.shape[0]
    model.links, model.unigrams = &links[0], &unigrams[0]
    model.start = <uint32_t>unigrams[tokens[0]]
    with nogil:
        n_threads = sk_enter_parallel(0 if n_chunks > 1 else 1)
        if n_threads > 1:
            for chunk in prange(n_chunks, num_threads=n_threads, schedule="dynamic"):
                score_sentences(&model, &tokens[0], &offsets[0], chunk * CHUNK,
                                min(n, (chunk + 1) * CHUNK), &states[0], &out[0])
        else:
            score_sentences(&model, &tokens[0], &offsets[0], 0, n, &states[0], &out[0])
        sk_leave_parallel()
    return np.asarray(out), np.asarray(states)
