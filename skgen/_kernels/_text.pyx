"""Texts as numbers: every word, or every character, becomes its place in a vocabulary."""

import numpy as np

from cpython.unicode cimport PyUnicode_KIND, PyUnicode_DATA, Py_UNICODE_ISSPACE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "ngram.h" nogil:
    ctypedef struct sk_slot:
        uint64_t key
        uint64_t value
    const uint64_t SK_EMPTY
    uint64_t sk_find(const sk_slot* slots, uint64_t size, uint64_t key)

cdef uint64_t FNV_START = 14695981039346656037u
cdef uint64_t FNV_PRIME = 1099511628211u
cdef Py_ssize_t LEAST_SIZE = 1024

cdef bint[256] BLANK
for _i in range(256):
    BLANK[_i] = chr(_i).isspace()

ctypedef fused char_t:
    uint8_t
    uint16_t
    uint32_t


cdef inline bint is_blank(uint32_t c) noexcept:
    """Whether str.split() splits here."""
    return BLANK[c] if c < 256 else Py_UNICODE_ISSPACE(c)


cdef inline uint64_t hashed_to(
    const char_t* text, Py_ssize_t* at, Py_ssize_t stop, bint whole
) noexcept:
    """Go to the next blank, or with `whole` to the stop; FNV-1a over the characters on the way."""
    cdef uint64_t h = FNV_START
    cdef Py_ssize_t i = at[0]
    while i < stop and (whole or not is_blank(text[i])):
        h = (h ^ text[i]) * FNV_PRIME
        i += 1
    at[0] = i
    h ^= h >> 29
    return h if h != SK_EMPTY else 0


cdef inline uint64_t hashed(
    int kind, const void* data, Py_ssize_t* at, Py_ssize_t stop, bint whole
) noexcept:
    """The same for a string. Two words of the same 64 bits would be taken for one."""
    if kind == 1:
        return hashed_to(<const uint8_t*>data, at, stop, whole)
    if kind == 2:
        return hashed_to(<const uint16_t*>data, at, stop, whole)
    return hashed_to(<const uint32_t*>data, at, stop, whole)


def word_table(list words):
    """A hash table from each word, or character, to its place in the list.

    Returns
    -------
    ndarray of shape (n_slots, 2), uint64
    """
    table = _filled(2 * len(words) + LEAST_SIZE)
    for i, word in enumerate(words):
        if isinstance(word, str):
            _insert(table, _hash(word), i)
    return table


def encode(list texts, uint64_t[:, ::1] table, list words, bint grow, bint chars, marks):
    """Numbers of the words of each text, or of its characters.

    Parameters
    ----------
    texts : list of str
    table : ndarray of shape (n_slots, 2), uint64
        Of :func:`word_table`.
    words : list of str
        The vocabulary; with `grow`, unknown words are appended.
    grow : bool
        Whether to learn words; otherwise an unknown one becomes `marks.unknown`.
    chars : bool
        Whether every character is a token, or what stands between blanks.
    marks : tuple of int
        Numbers of an unknown word, of the begin and of the end of a sentence.

    Returns
    -------
    tokens : ndarray of shape (n_tokens + 2 * n_texts,), int32
        Each text between the marks of begin and end.
    offsets : ndarray of shape (n_texts + 1,), int64
    table : ndarray of shape (n_slots, 2), uint64
        The one given, or a larger one.
    """
    cdef int unknown = marks[0], begin = marks[1], end = marks[2]
    cdef Py_ssize_t s, i, j, length, m = 0, n = len(texts)
    cdef int kind, number
    cdef const void* data
    cdef uint64_t h, at
    cdef long long[::1] offsets = np.empty(n + 1, dtype=np.int64)  # OUT
    buffer = np.empty(_most_tokens(texts, chars), dtype=np.int32)
    cdef int[::1] tokens = buffer  # OUT
    for s in range(n):
        text = texts[s]
        kind, data, length = PyUnicode_KIND(text), PyUnicode_DATA(text), len(text)
        offsets[s] = m
        tokens[m] = begin
        m += 1
        i = 0
        while i < length:
            j = i
            h = hashed(kind, data, &j, i + 1 if chars else length, chars)
            if j == i:  # a blank
                i += 1
                continue
            at = sk_find(<sk_slot*>&table[0, 0], table.shape[0], h)
            number = unknown
            if table[at, 0] == h:
                number = <int>table[at, 1]
            elif grow:
                number = <int>len(words)
                words.append(text[i:j])
                table[at, 0], table[at, 1] = h, number
                if 2 * len(words) > table.shape[0]:
                    table = _grown(np.asarray(table))
            tokens[m] = number
            m += 1
            i = j if chars else j + 1
        tokens[m] = end
        m += 1
    offsets[n] = m
    tokens = None
    buffer.resize(m, refcheck=False)
    return buffer, np.asarray(offsets), np.asarray(table)


def _most_tokens(list texts, bint chars):
    """No fewer than the tokens of all texts, with their marks."""
    cdef Py_ssize_t total = 0
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(text)
        total += 2 + (len(text) if chars else (len(text) + 1) // 2)
    return total


def _hash(str word):
    cdef Py_ssize_t at = 0
    return hashed(PyUnicode_KIND(word), PyUnicode_DATA(word), &at, len(word), True)


def _filled(size):
    return np.full((size, 2), 2**64 - 1, dtype=np.uint64)


def _insert(uint64_t[:, ::1] table, uint64_t key, uint64_t value):
    cdef uint64_t at = sk_find(<sk_slot*>&table[0, 0], table.shape[0], key)
    table[at, 0], table[at, 1] = key, value


def _grown(uint64_t[:, ::1] table):
    """The same entries in a table of twice the size."""
    cdef uint64_t[:, ::1] larger = _filled(2 * table.shape[0])
    cdef uint64_t at
    cdef Py_ssize_t i
    for i in range(table.shape[0]):
        if table[i, 0] != SK_EMPTY:
            at = sk_find(<sk_slot*>&larger[0, 0], larger.shape[0], table[i, 0])
            larger[at, 0], larger[at, 1] = table[i, 0], table[i, 1]
    return np.asarray(larger)
