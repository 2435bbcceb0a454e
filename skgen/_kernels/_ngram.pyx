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
    uint64_t sk_pack(float log_value, uint32_t number)
    float sk_log_value(uint64_t value)

cdef enum:
    AHEAD = 16  # slots that are fetched before they are looked at
    BLOCK = 4096  # tokens between two looks at how full the table is
    LANES = 16  # sentences scored in turn
    CHUNK = 256  # sentences that a thread takes at a time
cdef double MAX_LOAD = 0.6


# ---- counting --------------------------------------------------------------------------------


def count_order(
    const int[::1] tokens, int[::1] ends, int begin, known, Py_ssize_t guess, space
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
    known : tuple of four ndarray, int32
        Contexts, words, counts and suffixes to begin with, of shape (n_known,).
    guess : int
        About how many n-grams there will be.
    space : ndarray of shape (n_slots, 2), uint64
        Of :func:`table_space` for n_known + n_tokens; what is in it is lost.

    Returns
    -------
    contexts, words, counts, suffixes : ndarray of shape (n_ngrams,), int32
        First those known, then the new ones as they appear.

    Notes
    -----
    One pass: the pair of the (n - 1)-gram before a token and the token is sought in a hash table.
    The slots of the next tokens are fetched ahead.
    """
    cdef Py_ssize_t n = tokens.shape[0], n_known = len(known[0]), start, total
    fields = [np.empty(n_known + n, dtype=np.int32) for _ in range(4)]  # OUT; untouched if unused
    for field, values in zip(fields, known):
        field[:n_known] = values
    table = _fill_table(space, *fields[:3], n_known, max(guess, n_known))
    cdef int before = -1
    total = n_known
    for start in range(0, n, BLOCK):
        if total + BLOCK > MAX_LOAD * len(table):
            _store_counts(table, fields[2])
            table = _fill_table(space, *fields[:3], total, 3 * total // 2)
        total, before = _count_block(
            tokens, ends, start, begin, before, table, fields[0], fields[1], fields[3], total
        )
        PyErr_CheckSignals()
    _store_counts(table, fields[2])
    for field in fields:
        field.resize(total, refcheck=False)
    return tuple(fields)


def table_space(n):
    """Memory for a table of up to n n-grams, of which only what is used is ever touched.

    Returns
    -------
    ndarray of shape (n_slots, 2), uint64
    """
    return _new_slots(2 * n + 2 * BLOCK)


def _new_slots(size):
    if size >= 2**32:
        raise MemoryError(f"{size:.0f} slots are more than a table can have; use a lower order.")
    return np.empty((int(size), 2), dtype=np.uint64)


cdef _count_block(
    const int[::1] tokens, int[::1] ends, Py_ssize_t start, int begin, int before,
    uint64_t[:, ::1] table, int[::1] contexts, int[::1] words, int[::1] suffixes, Py_ssize_t total
):
    """Count the n-grams that end in one block; the number of entries, and the last old end."""
    cdef Py_ssize_t n = tokens.shape[0], stop = min(start + BLOCK, n), i, j
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], key, at
    cdef int context
    with nogil:
        for i in range(start, stop):
            j = i + AHEAD
            if j < n and ends[j - 1] >= 0:
                SK_PREFETCH(&slots[sk_home(sk_pair(ends[j - 1], tokens[j]), size)])
            context, before = before, ends[i]
            if context < 0 or tokens[i] == begin:
                ends[i] = -1
                continue
            key = sk_pair(context, tokens[i])
            at = sk_find(slots, size, key)
            if slots[at].key == SK_EMPTY:
                slots[at].key, slots[at].value = key, total
                contexts[total], words[total], suffixes[total] = context, tokens[i], before
                total += 1
            slots[at].value += <uint64_t>1 << 32  # the count stands above the number
            ends[i] = <int>(slots[at].value & 0xFFFFFFFFu)
    return total, before


def _fill_table(
    space, const int[::1] contexts, const int[::1] words, const int[::1] counts, Py_ssize_t n,
    Py_ssize_t guess
):
    """A table of the first n entries, in as much of the space as those guessed need."""
    cdef uint64_t[:, ::1] table = space[: 2 * guess + 2 * BLOCK]
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], key, at
    cdef Py_ssize_t t
    with nogil:
        memset(slots, 0xFF, size * sizeof(sk_slot))  # every key is EMPTY
        for t in range(n):
            if t + AHEAD < n:
                key = sk_pair(contexts[t + AHEAD], words[t + AHEAD])
                SK_PREFETCH(&slots[sk_home(key, size)])
            key = sk_pair(contexts[t], words[t])
            at = sk_find(slots, size, key)
            slots[at].key, slots[at].value = key, sk_pair(counts[t], t)
    return np.asarray(table)


def _store_counts(const uint64_t[:, ::1] table, int[::1] counts):
    """Take the counts out of the slots."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(table.shape[0]):
            if table[i, 0] != SK_EMPTY:
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
    cdef uint64_t[:, ::1] table = _fill_table(
        table_space(n_lower), *lower, lower[0], n_lower, n_lower
    )
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef uint64_t size = table.shape[0], at
    cdef int[::1] out = np.empty(n, dtype=np.int32)  # OUT
    with nogil:
        for t in range(n):
            at = sk_find(slots, size, sk_pair(lower_suffixes[contexts[t]], words[t]))
            out[t] = <int>(slots[at].value & 0xFFFFFFFFu)
    return np.asarray(out)


# ---- smoothing -------------------------------------------------------------------------------


def adjusted_counts(
    const int[::1] counts, const unsigned char[::1] begins, const int[::1] suffixes
):
    """In how many different words' company each n-gram was seen on its left.

    Parameters
    ----------
    counts : ndarray of shape (n_ngrams,), int32
        How often each was seen, which stays where nothing can stand on the left.
    begins : ndarray of shape (n_ngrams,), uint8
        Whether the n-gram begins a sentence.
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
            if begins[t]:
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
    const int[::1] counts, const int[::1] contexts, const int[::1] suffixes,
    const double[::1] lower, const double[::1] minus, const double[::1] plus, double prior,
    const unsigned char[::1] kept
):
    r"""Probabilities of n-grams, and what each context leaves to the lower order.

    .. math:: p(w | c) = \\frac{a_{cw} - m(a_{cw})}{d_c} + g_c\\, p(w | c'),
        \\quad d_c = b + \\sum_w a_{cw} - m(a_{cw}) + q(a_{cw}),
        \\quad g_c d_c = b + \\sum_w q(a_{cw})

    Parameters
    ----------
    counts, contexts, suffixes : ndarray of shape (n_ngrams,), int32
        Counts :math:`a`, and the entries of :math:`c` and of :math:`c' w` in the lower order.
    lower : ndarray of shape (n_lower,)
        :math:`p(w | c')`.
    minus, plus : ndarray of shape (4,)
        :math:`m` and :math:`q` of counts 1, 2 and 3 or more, at these places.
    prior : float
        :math:`b`.
    kept : ndarray of shape (n_ngrams,), uint8, or of shape (0,)
        Which n-grams stay; the others leave all that they have to the lower order.

    Returns
    -------
    proba : ndarray of shape (n_ngrams,)
    left : ndarray of shape (n_lower,)
        :math:`g`, one for what is no context.
    """
    cdef Py_ssize_t n = counts.shape[0], m = lower.shape[0], t
    cdef double[::1] proba = np.empty(n)  # OUT
    cdef double[::1] left = np.full(m, prior)  # OUT
    cdef double[::1] total = np.full(m, prior)
    cdef double own
    cdef int kind
    with nogil:
        for t in range(n):
            kind = min(counts[t], 3)
            own = counts[t] - minus[kind]
            total[contexts[t]] += own + plus[kind]
            left[contexts[t]] += plus[kind]
            if kept.shape[0] and not kept[t]:
                left[contexts[t]] += own
        for t in range(m):
            left[t] = left[t] / total[t] if total[t] > prior else 1.0
        for t in range(n):
            own = counts[t] - minus[min(counts[t], 3)]
            proba[t] = own / total[contexts[t]] + left[contexts[t]] * lower[suffixes[t]]
    return np.asarray(proba), np.asarray(left)


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
