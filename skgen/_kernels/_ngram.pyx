"""Counting, smoothing and scoring n-grams.

The n-grams of all orders are *entries*, numbered from the unigrams up: entry w is the unigram of
word w, and any other one is the pair of its context, the entry of its first n - 1 words, and its
last word. The *suffix* of an entry is the entry of its last n - 1 words. While orders are counted
one after the other, entries are numbered within their order.

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
    NONE = -1  # no n-gram ends here
cdef double MAX_LOAD = 0.6


# ---- counting --------------------------------------------------------------------------------


def count_order(
    const int[::1] tokens, int[::1] ends, int begin, const int[::1] lower_counts, known,
    double share
):
    """Count the n-grams of one order.

    Parameters
    ----------
    tokens : ndarray of shape (n_tokens,), int32
        IN. All sentences, one after the other, each from its begin to its end.
    ends : ndarray of shape (n_tokens,), int32
        IN and OUT. The (n - 1)-gram that ends at each token, -1 for none; afterwards the n-gram.
    begin : int
        The token that begins a sentence, which no n-gram extends over.
    lower_counts : ndarray of shape (n_lower,), int32
        How often each (n - 1)-gram was seen, also among those known.
    known : tuple of four ndarray, int32
        Contexts, words, counts and suffixes to begin with, of shape (n_known,).
    share : float
        About how many of the n-grams that are sought are different; the table is made for so many.

    Returns
    -------
    contexts, words, counts, suffixes : ndarray of shape (n_ngrams,), int32
        First those known, then the new ones as they appear.

    Notes
    -----
    One pass: the pair of the (n - 1)-gram before a token and the token is sought in a hash table,
    whose slots are fetched ahead. What has a context or a suffix that was seen once is new, without
    a search, and never sought again, so that the table has only the others: of long n-grams few.
    """
    cdef Py_ssize_t n = tokens.shape[0], total = len(known[0]), stored, start
    cdef Py_ssize_t sought = _mark_single(ends, lower_counts)
    fields = [np.empty(total + n, dtype=np.int32) for _ in range(4)]  # OUT; untouched if unused
    for field, values in zip(fields, known):
        field[:total] = values
    cdef int before = NONE
    table, stored = _table_of(fields, lower_counts, total, total + <Py_ssize_t>(share * sought))
    for start in range(0, n, BLOCK):
        if stored + BLOCK > MAX_LOAD * len(table):
            _store_counts(table, fields[2])
            table = None  # its memory is free for the next one
            table, stored = _table_of(fields, lower_counts, total, 3 * stored // 2)
        total, stored, before = _count_block(
            tokens, ends, start, begin, before, table, fields, total, stored
        )
        PyErr_CheckSignals()
    _store_counts(table, fields[2])
    for field in fields:
        field.resize(total, refcheck=False)
    return tuple(fields)


cdef inline int marked(int entry) noexcept nogil:
    """An n-gram with the mark that it was seen once, or one with the mark without it."""
    return NONE - 1 - entry


cdef _mark_single(int[::1] ends, const int[::1] counts):
    """Mark n-grams that were seen once; how many were seen more often, with repetitions."""
    cdef Py_ssize_t i, often = 0
    with nogil:
        for i in range(ends.shape[0]):
            if ends[i] != NONE:
                if counts[ends[i]] == 1:
                    ends[i] = marked(ends[i])
                else:
                    often += 1
    return often


cdef _count_block(
    const int[::1] tokens, int[::1] ends, Py_ssize_t start, int begin, int before,
    uint64_t[:, ::1] table, fields, Py_ssize_t total, Py_ssize_t stored
):
    """Count the n-grams that end in one block; how many there are and are stored, the last end."""
    cdef int[::1] contexts = fields[0], words = fields[1], counts = fields[2], suffixes = fields[3]
    cdef Py_ssize_t n = tokens.shape[0], stop = min(start + BLOCK, n), i, j
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], key, at
    cdef int context
    with nogil:
        for i in range(start, stop):
            j = i + AHEAD
            if j < n and ends[j - 1] >= 0 and ends[j] >= 0:
                SK_PREFETCH(&slots[sk_home(sk_pair(ends[j - 1], tokens[j]), size)])
            context, before = before, ends[i]
            if context == NONE or tokens[i] == begin:
                ends[i] = NONE
                continue
            counts[total] = 1
            if context >= 0 and before >= 0:
                key = sk_pair(context, tokens[i])
                at = sk_find(slots, size, key)
                if slots[at].key == key:
                    slots[at].value += <uint64_t>1 << 32  # the count stands above the number
                    ends[i] = <int>(slots[at].value & 0xFFFFFFFFu)
                    continue
                slots[at].key, slots[at].value = key, sk_pair(1, total)
                stored += 1
            contexts[total] = context if context >= 0 else marked(context)
            suffixes[total] = before if before >= 0 else marked(before)
            words[total], ends[i] = tokens[i], <int>total
            total += 1
    return total, stored, before


def _new_slots(size):
    if size >= 2**32:
        raise MemoryError(f"{size:.0f} slots are more than a table can have; use a lower order.")
    return np.empty((int(size), 2), dtype=np.uint64)


def _table_of(fields, const int[::1] lower_counts, Py_ssize_t n, Py_ssize_t guess):
    """A table for so many, with those of the first n n-grams that can come again; their number.

    Without counts of their contexts and suffixes, all of them.
    """
    cdef const int[::1] contexts = fields[0], words = fields[1], counts = fields[2]
    cdef const int[::1] suffixes = fields[3]
    cdef uint64_t[:, ::1] table = _new_slots(2 * guess + 2 * BLOCK)
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], key, at
    cdef Py_ssize_t t, stored = 0
    cdef bint every = lower_counts.shape[0] == 0
    with nogil:
        memset(slots, 0xFF, size * sizeof(sk_slot))  # every key is EMPTY
        for t in range(n):
            if t + AHEAD < n:
                key = sk_pair(contexts[t + AHEAD], words[t + AHEAD])
                SK_PREFETCH(&slots[sk_home(key, size)])
            if every or (lower_counts[contexts[t]] > 1 and lower_counts[suffixes[t]] > 1):
                key = sk_pair(contexts[t], words[t])
                at = sk_find(slots, size, key)
                slots[at].key, slots[at].value = key, sk_pair(counts[t], t)
                stored += 1
    return np.asarray(table), stored


def _store_counts(const uint64_t[:, ::1] table, int[::1] counts):
    """Take the counts out of the slots."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(table.shape[0]):
            if table[i, 0] != SK_EMPTY and table[i, 1] >> 32 > 1:  # one stands there already
                counts[table[i, 1] & 0xFFFFFFFFu] = <int>(table[i, 1] >> 32)


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
    fields = (*lower, lower[0], lower_suffixes)
    cdef uint64_t[:, ::1] table = _table_of(fields, contexts[:0], n_lower, n_lower)[0]
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], at
    cdef int[::1] out = np.empty(n, dtype=np.int32)  # OUT
    with nogil:
        for t in range(n):
            at = sk_find(slots, size, sk_pair(lower_suffixes[contexts[t]], words[t]))
            out[t] = <int>(slots[at].value & 0xFFFFFFFFu)
    return np.asarray(out)


# ---- smoothing -------------------------------------------------------------------------------


def adjusted_counts(const int[::1] counts, const int[::1] suffixes):
    """In how many different words' company each n-gram was seen on its left.

    Parameters
    ----------
    counts : ndarray of shape (n_ngrams,), int32
        How often each was seen, which stays for those that begin a sentence: nothing stands on
        their left, and they are no suffixes.
    suffixes : ndarray of shape (n_longer,), int32
        Suffixes of the n-grams of the next order.

    Returns
    -------
    ndarray of shape (n_ngrams,), int32
    """
    cdef Py_ssize_t t
    cdef int[::1] out = np.zeros(counts.shape[0], dtype=np.int32)  # OUT
    with nogil:
        for t in range(suffixes.shape[0]):
            out[suffixes[t]] += 1
        for t in range(counts.shape[0]):
            if out[t] == 0:
                out[t] = counts[t]
    return np.asarray(out)


def counts_of_counts(const int[::1] counts):
    """How many counts are 0, 1, 2, 3, 4, and more.

    Returns
    -------
    ndarray of shape (6,), int64
    """
    cdef Py_ssize_t t
    cdef long long[::1] out = np.zeros(6, dtype=np.int64)  # OUT
    with nogil:
        for t in range(counts.shape[0]):
            out[min(counts[t], 5)] += 1
    return np.asarray(out)


def interpolate(
    const int[::1] counts, const int[::1] contexts, int[::1] suffixes, const float[::1] lower,
    const double[::1] minus, const double[::1] plus, double prior, const unsigned char[::1] kept
):
    r"""Probabilities of n-grams, and what each context leaves to the lower order.

    .. math:: p(w | c) = \\frac{a_{cw} - m(a_{cw})}{d_c} + g_c\\, p(w | c'),
        \\quad d_c = b + \\sum_w a_{cw} - m(a_{cw}) + q(a_{cw}),
        \\quad g_c d_c = b + \\sum_w q(a_{cw})

    Parameters
    ----------
    counts, contexts : ndarray of shape (n_ngrams,), int32
        Counts :math:`a`, and the entries of :math:`c` in the lower order.
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
    cdef Py_ssize_t n = counts.shape[0], m = lower.shape[0], t
    cdef double[::1] left = np.full(m, prior)
    cdef uint32_t[::1] total = np.zeros(m, dtype=np.uint32)  # whole, and OUT: last, what is left
    cdef double own
    cdef int kind
    with nogil:
        for t in range(n):
            kind = min(counts[t], 3)
            total[contexts[t]] += counts[t] + <int>(plus[kind] - minus[kind])
            left[contexts[t]] += plus[kind]
            if kept.shape[0] and not kept[t]:
                left[contexts[t]] += counts[t] - minus[kind]
        for t in range(m):
            left[t] = left[t] / (prior + total[t]) if total[t] else 1.0
        for t in range(n):
            own = (counts[t] - minus[min(counts[t], 3)]) / (prior + total[contexts[t]])
            suffixes[t] = sk_bits(<float>(own + left[contexts[t]] * lower[suffixes[t]]))
        for t in range(m):
            total[t] = sk_bits(<float>left[t])
    return np.asarray(suffixes).view(np.float32), np.asarray(total).view(np.float32)


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
