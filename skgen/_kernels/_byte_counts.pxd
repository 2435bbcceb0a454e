# Counts of n-grams in a byte each.
#
# Most n-grams are seen once or twice, so that counts have a byte each, `low`. Where one would pass
# 255, CARRY is taken off and the place of the n-gram goes into a list, `carried`, once for each
# time. The byte is CARRY at least from then on, so that it tells counts below CARRY by itself.

cdef enum:
    CARRY = 128  # what a count is more than its byte for each time that it is in the list


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


cdef inline Counts counts_in(fields):
    """The counts of two arrays, of which the second may be empty."""
    cdef const unsigned char[::1] low = fields[0]
    cdef const int[::1] carried = fields[1]
    cdef Counts counts = Counts(NULL, NULL, carried.shape[0])
    if low.shape[0]:
        counts.low = <unsigned char*>&low[0]
    if carried.shape[0]:
        counts.carried = <int*>&carried[0]
    return counts
