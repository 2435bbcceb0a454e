"""Scoring sentences by n-grams.

The n-grams of all orders are entries, as _ngram_count.pyx has them. An entry that was seen as a
context is a *state*, entry + 1, and state 0 is the empty context. One hash table has the pairs of
state and word with the probability and the state that follows; an array has the back-off weight of
each state and the state to fall back to.
"""

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from ._slots cimport (
    AHEAD, SK_EMPTY, SK_PREFETCH, sk_find, sk_find_from, sk_home, sk_log_value, sk_pack, sk_pair,
    sk_slot,
)
from ._threads cimport sk_enter_parallel, sk_leave_parallel

from ._scratch import new_slots

cdef enum:
    LANES = 16  # sentences scored in turn
    CHUNK = 256  # sentences that a thread takes at a time


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
    table_array = new_slots(2 * (n - n_words) + 16)
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
