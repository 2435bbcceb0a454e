"""Texts as numbers: every word, or every character, becomes its place in a vocabulary."""

import numpy as np

from cpython.unicode cimport (
    Py_UNICODE_ISSPACE, PyUnicode_Check, PyUnicode_DATA, PyUnicode_GET_LENGTH, PyUnicode_KIND,
    PyUnicode_READ
)
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from ._scratch import cut, scratch

from ._slots cimport SK_EMPTY, sk_find, sk_slot

cdef extern from "text.h" nogil:
    uint64_t sk_eight(const uint8_t* text, Py_ssize_t n)
    Py_ssize_t sk_visible(uint64_t eight)
    uint64_t sk_first(uint64_t eight, Py_ssize_t n)
    uint64_t sk_mixed(uint64_t h, uint64_t eight)

cdef uint64_t HASH_OF_ONE = 0x9E3779B97F4A7C15u  # character; of n so many times as much
cdef Py_ssize_t LEAST_SIZE = 1024

cdef bint[256] BLANK
for _i in range(256):
    BLANK[_i] = chr(_i).isspace()

ctypedef fused wide_t:
    uint16_t
    uint32_t


cdef struct Text:
    int kind  # bytes in a character
    const void* data
    Py_ssize_t length


cdef inline Text as_text(object text) noexcept:
    return Text(PyUnicode_KIND(text), PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))


cdef inline Py_ssize_t word_end(const Text* text, Py_ssize_t i) noexcept:
    """The next place where str.split() splits."""
    if text.kind == 2:
        return wide_end(text, i, <const uint16_t*>text.data)
    if text.kind == 4:
        return wide_end(text, i, <const uint32_t*>text.data)
    cdef const uint8_t* data = <const uint8_t*>text.data
    while True:
        i += sk_visible(sk_eight(&data[i], text.length - i))
        if i >= text.length or BLANK[data[i]]:
            return min(i, text.length)
        i += 1


cdef inline Py_ssize_t wide_end(const Text* text, Py_ssize_t i, const wide_t* data) noexcept:
    while i < text.length and not (
        BLANK[data[i]] if data[i] < 256 else Py_UNICODE_ISSPACE(data[i])
    ):
        i += 1
    return i


cdef inline uint64_t hashed(const Text* text, Py_ssize_t i, Py_ssize_t n) noexcept:
    """A hash of n characters, whatever the width in which the text has them.

    Two words of more than eight bytes and the same 64 bits would be taken for one.
    """
    cdef const uint8_t* data = <const uint8_t*>text.data
    cdef uint64_t h
    cdef Py_ssize_t k
    if text.kind == 2:
        h = wide_hash(<const uint16_t*>text.data + i, n)
    elif text.kind == 4:
        h = wide_hash(<const uint32_t*>text.data + i, n)
    else:
        h = first_hash(n, 8)
        for k in range(0, n, 8):
            h = sk_mixed(h, sk_first(sk_eight(&data[i + k], text.length - i - k), n - k))
    return h if h != SK_EMPTY else 0


cdef inline uint64_t hash_of_one(uint32_t character) noexcept:
    """The same of one character, which is never EMPTY."""
    return sk_mixed(first_hash(1, bits_of(character)), character)


cdef inline uint64_t first_hash(Py_ssize_t n, int bits) noexcept:
    return n * HASH_OF_ONE + bits


cdef inline int bits_of(uint32_t character) noexcept:
    return 8 if character < 1 << 8 else 16 if character < 1 << 16 else 32


cdef inline uint64_t wide_hash(const wide_t* data, Py_ssize_t n) noexcept:
    """A hash of the characters, all in as few bits as the widest one needs."""
    cdef uint32_t joint = 0
    cdef uint64_t eight = 0, h
    cdef Py_ssize_t k
    cdef int bits, filled = 0
    for k in range(n):
        joint |= data[k]
    bits = bits_of(joint)
    h = first_hash(n, bits)
    for k in range(n):
        eight |= <uint64_t>data[k] << filled
        filled += bits
        if filled == 64 or k == n - 1:
            h = sk_mixed(h, eight)
            eight = filled = 0
    return h


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
    cdef Py_ssize_t s, i, j, m = 0, n = len(texts)
    cdef int number
    cdef Text text
    cdef uint64_t h
    cdef sk_slot* slots = <sk_slot*>&table[0, 0]
    cdef sk_slot* slot
    cdef long long[::1] offsets = np.empty(n + 1, dtype=np.int64)  # OUT
    buffer = scratch(_most_tokens(texts, chars), np.int32)
    cdef int[::1] tokens = buffer  # OUT
    for s in range(n):
        text = as_text(texts[s])
        offsets[s] = m
        tokens[m] = begin
        m += 1
        i = 0
        while i < text.length:
            j = i + 1 if chars else word_end(&text, i)
            if j == i:  # a blank
                i += 1
                continue
            if chars:
                h = hash_of_one(PyUnicode_READ(text.kind, text.data, i))
            else:
                h = hashed(&text, i, j - i)
            slot = &slots[sk_find(slots, table.shape[0], h)]
            number = unknown
            if slot.key == h:
                number = <int>slot.value
            elif grow:
                number = <int>len(words)
                words.append(texts[s][i:j])
                slot.key, slot.value = h, number
                if 2 * len(words) > table.shape[0]:
                    table = _grown(np.asarray(table))
                    slots = <sk_slot*>&table[0, 0]
            tokens[m] = number
            m += 1
            i = j if chars else j + 1
        tokens[m] = end
        m += 1
    offsets[n] = m
    return cut(buffer, m), np.asarray(offsets), np.asarray(table)


def occurrences(const int[::1] tokens, Py_ssize_t n):
    """How often each of the numbers below n stands among the tokens.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    cdef long long[::1] out = np.zeros(n, dtype=np.int64)  # OUT
    cdef Py_ssize_t i
    with nogil:
        for i in range(tokens.shape[0]):
            if 0 <= tokens[i] < n:
                out[tokens[i]] += 1
    return np.asarray(out)


def are_texts(list sentences):
    """Whether all of them are strings."""
    for sentence in sentences:
        if not PyUnicode_Check(sentence):
            return False
    return True


cdef Py_ssize_t _most_tokens(list texts, bint chars):
    """No fewer than the tokens of all texts, with their marks."""
    cdef Py_ssize_t total = 0, length
    if not are_texts(texts):
        raise TypeError("texts has entries that are no strings")
    for text in texts:
        length = PyUnicode_GET_LENGTH(text)
        total += 2 + (length if chars else (length + 1) // 2)
    return total


cdef uint64_t _hash(str word):
    cdef Text text = as_text(word)
    return hashed(&text, 0, text.length)


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
