r"""ARPA files, the text form of n-gram models that other programs read and write.

\data\                  how many n-grams of each order
ngram 1=4
ngram 2=7

\1-grams:               log10 of the probability, the n-gram, log10 of its back-off weight
-0.60206  <unk>  0
...

\end\
"""

import gzip
from pathlib import Path

import numpy as np

from ._ngram_counts import Parameters
from ._ngram_text import BEGIN, MARKS

LOG_10 = float(np.log(10.0))
LEAST = -99.0  # stands for the logarithm of zero
BLANK = "\u2581"  # stands for a blank that is a token, as in SentencePiece
SPACES = " \t\n\r\v\f\0"


def write_arpa(path, params, vocabulary):
    """Write the parameters to a file, which is compressed if its name ends in .gz."""
    tokens = [_written(token, vocabulary) for token in vocabulary.tolist()]
    ends = np.cumsum(params.sizes)
    with _opened(path, "wt") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={size}\n" for n, size in enumerate(params.sizes, start=1))
        names = [""]
        for n, (start, stop) in enumerate(zip(ends - params.sizes, ends, strict=True), start=1):
            file.write(f"\n\\{n}-grams:\n")
            names = _names(names, params, tokens, start, stop, n)
            file.writelines(_lines(params, names, start, stop))
        file.write("\n\\end\\\n")


def _names(contexts, params, tokens, start, stop, n):
    """The words of each n-gram as one string."""
    words = params.words[start:stop].tolist()
    if n == 1:
        return [tokens[word] for word in words]
    first = start - len(contexts)
    numbers = (params.contexts[start:stop] - first).tolist()
    return [f"{contexts[c]} {tokens[w]}" for c, w in zip(numbers, words, strict=True)]


def _lines(params, names, start, stop):
    """The lines of one order."""
    log_proba = np.maximum(params.log_proba[start:stop].astype(float) / LOG_10, LEAST).tolist()
    backoff = params.log_backoff[start:stop].astype(float) / LOG_10
    if start >= len(params.log_backoff):
        return (f"{p:.7g}\t{name}\n" for p, name in zip(log_proba, names, strict=True))
    values = zip(log_proba, names, np.maximum(backoff, LEAST).tolist(), strict=True)
    return (f"{p:.7g}\t{name}\t{b:.7g}\n" for p, name, b in values)


def _written(token, vocabulary):
    """A token as it stands in a file."""
    text = str(token)
    if text == " " and BLANK not in vocabulary:
        return BLANK
    if not text or any(space in text for space in SPACES):
        raise ValueError(
            f"the token {token!r} cannot be written to an ARPA file, which separates tokens by "
            "blanks; replace such characters in the text before fit."
        )
    return text


def _opened(path, mode):
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, mode, encoding="utf-8", newline="\n")


class _Reader:
    """The lines of a file, one after the other, with their numbers."""

    def __init__(self, path, file):
        self.path, self.file, self.number, self.line = path, file, 0, ""

    def advance(self):
        """Go to the next line that is not blank, which is given."""
        for line in self.file:
            self.number += 1
            self.line = line.strip(" \t\r\n")
            if self.line:
                return self.line
        raise self.error("the file ends before \\end\\; it is cut off")

    def expect(self, wanted):
        """Go to the next line, which must be this one."""
        if self.advance() != wanted:
            raise self.error(f"{self.line!r} stands where {wanted!r} should be")

    def error(self, what):
        """The exception that tells where the file is broken."""
        return ValueError(f"{self.path} is no valid ARPA file, line {self.number}: {what}.")


def read_arpa(path, *, blanks=False):
    """The vocabulary and the parameters in a file.

    Parameters
    ----------
    path : str or Path
    blanks : bool, default=False
        Whether the sign for a blank stands for one.
    """
    with _opened(path, "rt") as file:
        reader = _Reader(path, file)
        try:
            sizes = _header(reader)
            words, fields = _unigrams(reader, sizes, blanks)
            parts, numbers, lower = [fields], {word: i for i, word in enumerate(words)}, None
            for n in range(2, len(sizes) + 1):
                lower = numbers if n == 2 else lower
                fields, lower = _section(reader, n, sizes, numbers, lower, blanks)
                parts.append(fields)
            reader.expect("\\end\\")
        except UnicodeDecodeError as error:
            raise reader.error(f"it is not UTF-8 ({error.reason})") from error
    return words, _assembled(parts)


def _header(reader):
    """How many n-grams the file says it has of each order."""
    reader.expect("\\data\\")
    sizes = []
    while reader.advance().startswith("ngram "):
        left, _, right = reader.line[6:].partition("=")
        if left.strip() != str(len(sizes) + 1) or not right.strip().isdecimal():
            raise reader.error(f"{reader.line!r} should be 'ngram {len(sizes) + 1}=COUNT'")
        sizes.append(int(right))
    if not sizes:
        raise reader.error("there is no line 'ngram 1=COUNT'")
    if reader.line != "\\1-grams:":
        raise reader.error(f"{reader.line!r} stands where '\\1-grams:' should be")
    return sizes


def _entries(reader, n, sizes):
    """Log probability, n-gram and back-off weight of each line of a section."""
    for _ in range(sizes[n - 1]):
        fields = reader.advance().split("\t")
        if len(fields) == 1:  # blanks everywhere
            fields = reader.line.split(" ")
            fields = [fields[0], " ".join(fields[1 : n + 1]), *fields[n + 1 :]]
        try:
            log_proba, backoff = float(fields[0]), float(fields[2]) if len(fields) > 2 else 0.0
        except (IndexError, ValueError):
            log_proba = backoff = np.nan
        if np.isnan(backoff) or len(fields) not in (2, 3) or fields[1].count(" ") != n - 1:
            raise reader.error(
                f"{reader.line!r} should be a logarithm, {n} words and perhaps a back-off weight; "
                f"the header says that there are {sizes[n - 1]} {n}-grams"
            )
        if not log_proba <= 0:
            raise reader.error(f"{fields[0]} is no logarithm of a probability")
        yield log_proba if log_proba > LEAST else -np.inf, fields[1], backoff


def _unigrams(reader, sizes, blanks):
    """The vocabulary, the marks first, and the fields of the unigrams in its order."""
    found = {}
    for log_proba, word, backoff in _entries(reader, 1, sizes):
        token = MARKS[0] if word == "<UNK>" else " " if blanks and word == BLANK else word
        if token in found:
            raise reader.error(f"the word {word!r} stands there twice")
        found[token] = log_proba, backoff
    words = [*MARKS, *[word for word in found if word not in MARKS]]
    log_proba, backoff = np.array([found.get(word, (-np.inf, 0.0)) for word in words]).T
    log_proba[BEGIN] = -np.inf
    return words, (np.full(len(words), -1), np.arange(len(words)), log_proba, backoff)


def _section(reader, n, sizes, numbers, lower, blanks):
    """The fields of the n-grams, and the number of each by its words."""
    reader.expect(f"\\{n}-grams:")
    contexts, words, log_proba, backoffs, own = [], [], [], [], {}
    for logarithm, text, backoff in _entries(reader, n, sizes):
        text = _read(text, blanks)
        context, _, word = text.rpartition("\t")
        if context not in lower or word not in numbers:
            raise reader.error(
                f"the n-gram {reader.line!r} is there, but not its first {n - 1} words or its last"
            )
        if text in own:
            raise reader.error(f"the n-gram {reader.line!r} stands there twice")
        own[text] = len(own)
        contexts.append(lower[context])
        words.append(numbers[word])
        log_proba.append(logarithm)
        backoffs.append(backoff)
    return (np.array(contexts), np.array(words), log_proba, backoffs), own


def _read(text, blanks):
    """The words of an n-gram, separated by tabs, with which no token is mistaken."""
    text = text.replace("<UNK>", MARKS[0]).replace(" ", "\t")
    return text.replace(BLANK, " ") if blanks else text


def _assembled(parts):
    """Parameters from the fields of all orders."""
    sizes = np.array([len(part[1]) for part in parts], dtype=np.intp)
    starts = np.cumsum([0, *sizes])
    contexts = [parts[0][0]]
    for n, part in enumerate(parts[1:]):
        contexts.append(part[0].astype(np.intp) + starts[n])
    log_proba = np.concatenate([part[2] for part in parts]) * LOG_10
    backoff = np.concatenate([np.empty(0), *[part[3] for part in parts[:-1]]]) * LOG_10
    return Parameters(
        sizes,
        np.concatenate(contexts).astype(np.int32),
        np.concatenate([part[1] for part in parts]).astype(np.int32),
        None,
        log_proba.astype(np.float32),
        backoff.astype(np.float32),
    )
