"""Distributions of the next word of an n-gram model, and draws from them.

The *children* of a state are the words seen after it. Their own probabilities come first; what they
leave goes to all other words in proportion to their probabilities after the state's fallback:

    p(w | s) = p_s(w)                       for a child w
               b_s p(w | fallback of s)     for any other word

Children stand state by state, from the most probable down, with sums of their weights, which are
powers of the probabilities. ``rest`` is what each state gives to words that are not its children.
See ``_ngram.pyx`` for entries and states.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint32_t, uint64_t

from ._random cimport sk_uniform
from ._slots cimport sk_find, sk_pair, sk_slot

cdef enum:
    MOST_ORDERS = 64
# What is left to a fallback below this share is rounding, of which no word could be drawn.
cdef double ROUNDING = 1e-12
cdef double SINGLE = 1e-5  # more than the rounding of probabilities in single precision


def make_children(
    const int[::1] contexts, const int[::1] words, const long long[::1] order,
    const double[::1] weights, const double[::1] backoff, index
):
    """The words seen after each state, for one temperature.

    Parameters
    ----------
    contexts, words : ndarray of shape (n_entries,), int32
    order : ndarray of shape (n_entries,), int64
        The entries from the most probable down.
    weights : ndarray of shape (n_entries,)
        Power of the probability of each entry.
    backoff : ndarray of shape (n_contexts,)
        The same power of the back-off weight.
    index : tuple
        Of :func:`skgen._kernels._ngram.make_index`.

    Returns
    -------
    starts : ndarray of shape (n_contexts + 2,), int64
        The children of state s are those from starts[s] to starts[s + 1] - 1.
    child_words : ndarray of shape (n_entries,), int32
    child_states : ndarray of shape (n_entries,), uint32
        State after the child.
    sums : ndarray of shape (n_entries,)
        Of the weights of the children of the state up to this one.
    rest : ndarray of shape (n_contexts + 1,)
        Weight of all words that are no children.
    interpolated : bool
        Whether no child is lighter than it would be if it were none.
    """
    cdef const int[::1] suffixes = index[3]
    cdef const uint32_t[::1] following = index[4]
    cdef Py_ssize_t n = contexts.shape[0], n_states = backoff.shape[0] + 1, i, t, s, at
    cdef long long[::1] starts = np.zeros(n_states + 1, dtype=np.int64)  # OUT
    cdef int[::1] child_words = np.empty(n, dtype=np.int32)  # OUT
    cdef uint32_t[::1] child_states = np.empty(n, dtype=np.uint32)  # OUT
    cdef double[::1] sums = np.empty(n)  # OUT
    cdef double[::1] rest = np.zeros(n_states)  # OUT
    cdef long long[::1] free = np.empty(n_states, dtype=np.int64)
    cdef double[::1] lower = np.zeros(n_states)
    cdef double left, total, other
    cdef bint interpolated = True
    with nogil:
        for t in range(n):
            starts[contexts[t] + 2] += 1
        for s in range(n_states):
            starts[s + 1] += starts[s]
            free[s] = starts[s]
        for i in range(n):
            t = order[i]
            s = contexts[t] + 1
            at = free[s]
            free[s] += 1
            child_words[at], child_states[at] = words[t], following[t]
            sums[at] = weights[t] + (sums[at - 1] if at > starts[s] else 0.0)
            if s > 0:
                other = lower_weight(t, contexts, suffixes, weights, backoff)
                lower[s] += other
                interpolated &= weights[t] >= (1 - SINGLE) * backoff[s - 1] * other
        for s in range(1, n_states):
            t = suffixes[s - 1] + 1  # every state after the one it falls back to
            total = children_sum(starts, sums, t) + rest[t]
            left = total - lower[s]
            rest[s] = backoff[s - 1] * left if left > ROUNDING * total else 0.0
    return np.asarray(starts), np.asarray(child_words), np.asarray(child_states), \
        np.asarray(sums), np.asarray(rest), interpolated


cdef inline double children_sum(
    const long long[::1] starts, const double[::1] sums, Py_ssize_t s
) noexcept nogil:
    return sums[starts[s + 1] - 1] if starts[s + 1] > starts[s] else 0.0


cdef inline double lower_weight(
    Py_ssize_t t, const int[::1] contexts, const int[::1] suffixes, const double[::1] weights,
    const double[::1] backoff
) noexcept nogil:
    """The weight of the last word of an entry after the fallback of its context."""
    cdef int entry = suffixes[t], context = suffixes[contexts[t]]
    cdef double weight = weights[entry]
    while context != contexts[entry]:  # where shorter n-grams are not in the model
        weight *= backoff[context]
        context = suffixes[context]
    return weight


cdef struct Children:
    const long long* starts
    const int* words
    const uint32_t* states
    const double* sums
    const double* rest
    const uint64_t* links
    const sk_slot* slots
    uint64_t size


cdef Children children_of(children, index):
    cdef const long long[::1] starts = children[0]
    cdef const int[::1] words = children[1]
    cdef const uint32_t[::1] states = children[2]
    cdef const double[::1] sums = children[3]
    cdef const double[::1] rest = children[4]
    cdef const uint64_t[:, ::1] table = index[0]
    cdef const uint64_t[::1] links = index[1]
    return Children(&starts[0], &words[0], &states[0], &sums[0], &rest[0], &links[0],
                    <const sk_slot*>&table[0, 0], table.shape[0])


cdef inline double weight_of(const Children* c, uint32_t s, long long i) noexcept nogil:
    """The weight of child number i, which is one of state s."""
    return c.sums[i] - c.sums[i - 1] if i > c.starts[s] else c.sums[i]


cdef inline double total_of(const Children* c, uint32_t s) noexcept nogil:
    """The weight of all words after a state."""
    cdef long long end = c.starts[s + 1]
    return c.rest[s] + (c.sums[end - 1] if end > c.starts[s] else 0.0)


cdef inline bint is_child(const Children* c, uint32_t s, int word) noexcept nogil:
    cdef uint64_t key = sk_pair(s, word)
    return c.slots[sk_find(c.slots, c.size, key)].key == key


def distributions(
    const uint32_t[::1] states, children, index, const double[::1] backoff, Py_ssize_t n_words
):
    """Probability of every word after each state.

    Parameters
    ----------
    states : ndarray of shape (n_states,), uint32
    children : tuple
        Of :func:`make_children`, with the probabilities themselves as weights.
    index : tuple
    backoff : ndarray of shape (n_contexts,)
        The back-off weights.
    n_words : int

    Returns
    -------
    ndarray of shape (n_states, n_words)
    """
    cdef double[:, ::1] out = np.empty((states.shape[0], n_words))  # OUT
    cdef Children c = children_of(children, index)
    cdef uint32_t[MOST_ORDERS] path
    cdef double[MOST_ORDERS] factors
    cdef Py_ssize_t i, depth, k
    cdef long long j
    cdef const double* weights = &backoff[0] if backoff.shape[0] else NULL
    with nogil:
        for i in range(states.shape[0]):
            depth = follow(&c, states[i], weights, path, factors)
            for j in range(c.starts[0], c.starts[1]):
                out[i, c.words[j]] = factors[depth] * weight_of(&c, 0, j)
            for k in range(depth - 1, -1, -1):  # longer contexts replace shorter ones
                for j in range(c.starts[path[k]], c.starts[path[k] + 1]):
                    out[i, c.words[j]] = factors[k] * weight_of(&c, path[k], j)
    return np.asarray(out)


cdef Py_ssize_t follow(
    const Children* c, uint32_t state, const double* backoff, uint32_t* path, double* factors
) noexcept nogil:
    """The states from one down to the empty context, and the back-off weights on the way."""
    cdef Py_ssize_t depth = 0
    path[0], factors[0] = state, 1.0
    while path[depth]:
        factors[depth + 1] = factors[depth] * backoff[path[depth] - 1]
        path[depth + 1] = <uint32_t>c.links[path[depth]]
        depth += 1
    return depth


cdef int draw(const Children* c, uint32_t state, uint32_t* after, uint64_t* rng) noexcept nogil:
    """One word after a state, and the state after it."""
    cdef long long low = c.starts[state], high = c.starts[state + 1] - 1, middle
    cdef double u = sk_uniform(rng) * total_of(c, state)
    cdef int word
    if high >= low and (u < c.sums[high] or state == 0 or c.rest[state] == 0):
        while low < high:
            middle = (low + high) // 2
            if u < c.sums[middle]:
                high = middle
            else:
                low = middle + 1
        after[0] = c.states[low]
        return c.words[low]
    while True:  # tries are at most the back-off weight on average, below one if interpolated
        word = draw(c, <uint32_t>c.links[state], after, rng)
        if high < low or not is_child(c, state, word):
            return word


cdef struct Top:
    # Words in the order of their probabilities, of which the first ones can be drawn.
    Py_ssize_t most
    double share
    bint interpolated
    int* words
    uint32_t* states
    double* sums
    long long* seen  # the draw in which each word was last met
    long long n_draws


cdef struct Merge:
    # The children on the path of a state, each level from the heaviest down.
    Py_ssize_t depth
    uint32_t[MOST_ORDERS] path
    double[MOST_ORDERS] factors
    double[MOST_ORDERS] heads  # weight of the next child, zero after the last one
    long long[MOST_ORDERS] at


cdef inline void set_head(const Children* c, Merge* merge, Py_ssize_t k) noexcept nogil:
    cdef uint32_t s = merge.path[k]
    cdef long long i = merge.at[k]
    merge.heads[k] = merge.factors[k] * weight_of(c, s, i) if i < c.starts[s + 1] else 0.0


cdef inline void begin_merge(
    const Children* c, uint32_t state, const double* powers, Merge* merge
) noexcept nogil:
    cdef Py_ssize_t k
    merge.depth = follow(c, state, powers, merge.path, merge.factors)
    for k in range(merge.depth + 1):
        merge.at[k] = c.starts[merge.path[k]]
        set_head(c, merge, k)


cdef inline bint is_met(const Children* c, const Merge* merge, Py_ssize_t level, int word,
                        Top* top) noexcept nogil:
    """Whether a longer context has its own weight of a word, which then comes first."""
    cdef Py_ssize_t k
    if top.interpolated:
        if top.seen[word] == top.n_draws:
            return True
        top.seen[word] = top.n_draws
        return False
    for k in range(level):
        if is_child(c, merge.path[k], word):
            return True
    return False


cdef int draw_top(
    const Children* c, uint32_t state, const double* powers, Top* top, uint32_t* after,
    uint64_t* rng
) noexcept nogil:
    """One of the most probable words after a state: a merge of the children on its path.

    It ends early where a number drawn for all words is reached; if it is not, another one is drawn
    for those that can be.
    """
    cdef Merge merge
    cdef Py_ssize_t k, best, n = 0
    cdef double total = 0.0, whole = total_of(c, state), u = sk_uniform(rng) * whole
    cdef bint both = top.most < c.starts[1] and top.share < 1.0
    cdef double enough = whole if both else whole * top.share
    cdef int word
    begin_merge(c, state, powers, &merge)
    top.n_draws += 1
    while n < top.most and total < enough:
        best = 0
        for k in range(1, merge.depth + 1):
            if merge.heads[k] > merge.heads[best]:
                best = k
        if merge.heads[best] <= 0.0:
            break
        word = c.words[merge.at[best]]
        if not is_met(c, &merge, best, word, top):
            total += merge.heads[best]
            top.words[n], top.states[n], top.sums[n] = word, c.states[merge.at[best]], total
            n += 1
            if u < total and not both:
                break
        merge.at[best] += 1
        set_head(c, &merge, best)
    if both:  # the share is one of what the cut has left
        enough = top.share * total
        while n > 1 and top.sums[n - 2] >= enough:
            n -= 1
    if both or u >= total:
        u = sk_uniform(rng) * top.sums[n - 1]
    k = n - 1
    while k > 0 and top.sums[k - 1] > u:
        k -= 1
    after[0] = top.states[k]
    return top.words[k]


def draw_sentences(
    uint32_t state, Py_ssize_t n, int end, Py_ssize_t longest, children, index, seed,
    const double[::1] powers, top=None
):
    """Draw sentences word by word.

    Parameters
    ----------
    state : int
        In which each of them begins.
    n : int
    end : int
        The word that ends a sentence.
    longest : int
        Words after which a sentence is cut.
    children : tuple
        Of :func:`make_children`.
    index : tuple
    seed : int
        64 bits.
    powers : ndarray of shape (n_contexts,)
        The back-off weights of :func:`make_children`.
    top : tuple of int and float, default=None
        Draw among so many of the most probable words, or among the fewest with this share.

    Returns
    -------
    words : ndarray of shape (n_drawn,), int32
        Without the words that end the sentences.
    offsets : ndarray of shape (n + 1,), int64
    """
    cdef Children c = children_of(children, index)
    cdef long long[::1] offsets = np.zeros(n + 1, dtype=np.int64)  # OUT
    cdef uint64_t rng = seed
    cdef uint32_t now
    cdef Py_ssize_t s, i, m = 0
    cdef int word
    cdef Top best
    drawn = np.empty(longest, dtype=np.int32)
    cdef int[::1] buffer = drawn
    cdef const double* power = &powers[0] if powers.shape[0] else NULL
    n_top = min(top[0], c.starts[1]) if top is not None else 1
    cdef int[::1] top_words = np.empty(n_top, dtype=np.int32)
    cdef uint32_t[::1] top_states = np.empty(n_top, dtype=np.uint32)
    cdef double[::1] top_sums = np.empty(n_top)
    cdef bint only_top = top is not None
    cdef long long[::1] seen = np.zeros(c.starts[1] if only_top else 1, dtype=np.int64)
    best = Top(n_top, top[1] if only_top else 1.0, children[5], &top_words[0], &top_states[0],
               &top_sums[0], &seen[0], 0)
    out = []
    for s in range(n):
        now, i = state, 0
        with nogil:
            while i < longest and total_of(&c, now) > 0:
                if only_top:
                    word = draw_top(&c, now, power, &best, &now, &rng)
                else:
                    word = draw(&c, now, &now, &rng)
                if word == end:
                    break
                buffer[i] = word
                i += 1
        out.append(drawn[:i].copy())
        m += i
        offsets[s + 1] = m
        PyErr_CheckSignals()
    return np.concatenate(out), np.asarray(offsets)
