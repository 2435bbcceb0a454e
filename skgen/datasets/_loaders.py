"""One reader for all tables: csv files with a header, described by sections of SOURCES.md."""

import gzip
from importlib.resources import files

import numpy as np
from sklearn.utils import Bunch

_DOC = """{summary}

Parameters
----------
as_frame : bool, default=False
    Give pandas objects in place of arrays; needs pandas.

Returns
-------
bunch : :class:`sklearn.utils.Bunch`
    ``data``, ndarray or DataFrame of shape {shape}, NaN where nothing was observed;{target}
    ``feature_names``, the names of its columns; ``frame``, the whole table as a DataFrame, or None
    where ``as_frame`` is False; ``DESCR``, the meaning, source and licence of the table.

Examples
--------
>>> from skgen.datasets import load_{name}
>>> load_{name}().data.shape
{shape}
"""


def _read(name):
    """Header and values of a table: list of str, float64 array."""
    file = files(__package__) / f"{name}.csv"
    if file.is_file():
        text = file.read_bytes()
    else:
        text = gzip.decompress((files(__package__) / f"{name}.csv.gz").read_bytes())
    header, *lines = text.decode().splitlines()
    return header.split(","), np.loadtxt(lines, delimiter=",", ndmin=2)


def _description(name):
    """The section of SOURCES.md that bears this name."""
    text = (files(__package__) / "SOURCES.md").read_text(encoding="utf-8")
    return text.split(f"## {name}\n")[1].split("\n## ")[0].strip()


def _bunch(name, as_frame, target_names):
    """The table as a Bunch; with `target_names`, its last column is the target."""
    columns, values = _read(name)
    n_features = len(columns) - (target_names is not None)
    bunch = Bunch(
        data=np.ascontiguousarray(values[:, :n_features]),
        frame=None,
        feature_names=columns[:n_features],
        DESCR=_description(name),
    )
    if target_names is not None:
        bunch.update(target=values[:, -1].astype(np.intp), target_names=np.array(target_names))
    return _with_frame(bunch, columns[-1]) if as_frame else bunch


def _with_frame(bunch, target_name):
    """The same bunch with pandas objects in place of arrays."""
    import pandas as pd

    bunch.data = bunch.frame = pd.DataFrame(bunch.data, columns=bunch.feature_names)
    if "target" in bunch:
        bunch.target = pd.Series(bunch.target, name=target_name)
        bunch.frame = bunch.data.assign(**{target_name: bunch.target})
    return bunch


def _loader(name, shape, summary, target_names=None):
    """The public function ``load_<name>``."""

    def load(*, as_frame=False):
        return _bunch(name, as_frame, target_names)

    target = "\n    ``target`` and ``target_names``, the classes;" if target_names else ""
    load.__doc__ = _DOC.format(name=name, shape=shape, summary=summary, target=target)
    load.__name__ = load.__qualname__ = f"load_{name}"
    return load


def load_kjv():
    """The King James Bible, a verse a sentence, in lower case and cut into tokens.

    Returns
    -------
    bunch : :class:`sklearn.utils.Bunch`
        ``data``, a list of 31,103 str, the tokens of each separated by blanks; ``train`` and
        ``test``, the same without and with only every tenth of them; ``DESCR``, what a token is,
        source and licence.

    Examples
    --------
    >>> from skgen.datasets import load_kjv
    >>> load_kjv().train[0]
    'in the beginning god created the heaven and the earth .'
    """
    import bz2  # the one user of a module that some builds of Python lack

    text = bz2.decompress((files(__package__) / "kjv.txt.bz2").read_bytes())
    verses = text.decode("ascii").splitlines()
    train = [verse for i, verse in enumerate(verses) if i % 10 != 9]
    return Bunch(data=verses, train=train, test=verses[9::10], DESCR=_description("kjv"))


load_airquality = _loader("airquality", (153, 6), "Daily air quality in New York, with 44 gaps.")
load_apple = _loader("apple", (18, 2), "Apple crops with six gaps (Little and Rubin).")
load_cdnow = _loader("cdnow", (23570, 5), "What each customer of an online music shop bought.")
load_cement = _loader("cement", (13, 5), "Heat of setting cements with 15 gaps (Little and Rubin).")
load_earthquakes = _loader("earthquakes", (107, 2), "Major earthquakes of each year since 1900.")
load_faithful = _loader("faithful", (272, 2), "Eruptions of the Old Faithful geyser.")
load_fed_funds = _loader("fed_funds", (226, 3), "The federal funds rate of each quarter.")
load_galaxies = _loader("galaxies", (82, 1), "Velocities of galaxies.")
load_penguins = _loader(
    "penguins", (344, 4), "Penguins of three species.", ("Adelie", "Chinstrap", "Gentoo")
)


def load_japanese_vowels(*, subset="all"):
    """Utterances of nine speakers: 640 short sequences of twelve coefficients.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        All utterances, the 270 for training or the 370 for testing.

    Returns
    -------
    bunch : :class:`sklearn.utils.Bunch`
        ``data``, a list with one ndarray of shape (n_steps, 12) for each utterance; ``target``,
        the index of its speaker in ``target_names``; ``feature_names``; ``DESCR``, the meaning,
        source and licence.

    Examples
    --------
    >>> from skgen.datasets import load_japanese_vowels
    >>> train = load_japanese_vowels(subset="train")
    >>> len(train.data), train.data[0].shape
    (270, (20, 12))
    """
    if subset not in ("all", "train", "test"):
        raise ValueError(f'subset={subset!r} must be "all", "train" or "test".')
    columns, values = _read("japanese_vowels")
    if subset != "all":
        values = values[values[:, 2] == (subset == "train")]
    first = np.flatnonzero(np.diff(values[:, 0], prepend=-1))
    return Bunch(
        data=np.split(values[:, 3:] / 1e4, first[1:]),
        target=values[first, 1].astype(np.intp) - 1,
        target_names=np.array([str(speaker) for speaker in range(1, 10)]),
        feature_names=columns[3:],
        DESCR=_description("japanese_vowels"),
    )


load_sunspots = _loader("sunspots", (289, 2), "Yearly numbers of sunspots since 1700.")
