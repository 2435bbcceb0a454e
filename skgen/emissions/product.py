"""A product of emissions over groups of columns, for rows of mixed types."""

import copy
from typing import ClassVar

import numpy as np
from sklearn.utils.metaestimators import _BaseComposition

from .._sequences import column_label
from ._base import Emission, record


class Product(Emission, _BaseComposition):
    r"""Groups of columns that are independent given the component, each with its own emission.

    .. math:: p(x \mid k) = \prod_b p_b(x_b \mid k)

    The blocks are given as in scikit-learn's ``ColumnTransformer``: real numbers, counts and
    categories of one table each get the distribution that fits them.

    Parameters
    ----------
    blocks : list of (name, emission, columns)
        ``columns`` is an index, a name, or a list of these; names need a fit to a frame. Every
        column belongs to one block. The hyperparameters of a block are reached by its name:
        ``emission__size__covariance_type`` in a grid.

    Notes
    -----
    The parameters of a model carry the name of the block: ``size__means_``. Entries may be missing
    in any block; a row without any observed entry in a block says nothing about that block.
    Columns are dependent through the component, and within a block as its emission has it.

    Examples
    --------
    >>> import numpy as np
    >>> from skgen import Mixture
    >>> from skgen.emissions import Categorical, Gaussian, Product
    >>> X = np.array([[0.1, 1], [0.2, 1], [0.0, 0], [5.1, 2], [4.9, 2], [np.nan, 2]])
    >>> mixed = Product([("size", Gaussian(), [0]), ("kind", Categorical(), [1])])
    >>> model = Mixture(mixed, n_components=2, random_state=0).fit(X)
    >>> np.sort(model.size__means_.ravel()).round(1)
    array([0.1, 5. ])
    >>> model.kind__probs_.max(axis=2).round(1).ravel()
    array([1. , 0.7])
    """

    _parameter_constraints: ClassVar = {"blocks": [list, tuple]}

    def __init__(self, blocks):
        self.blocks = blocks

    # ---- blocks -----------------------------------------------------------------------------

    @property
    def _named(self):
        """The blocks as (name, emission): what scikit-learn takes for nested parameters."""
        return [(name, emission) for name, emission, _ in self.blocks]

    @_named.setter
    def _named(self, pairs):
        self.blocks = [(*pair, block[2]) for pair, block in zip(pairs, self.blocks, strict=True)]

    def get_params(self, deep=True):
        """Hyperparameters, those of the blocks with their names in front.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
        """
        try:
            return self._get_params("_named", deep=deep)
        except (TypeError, ValueError):  # blocks that are none, of which adapt tells
            return {"blocks": self.blocks}

    def set_params(self, **params):
        """Set hyperparameters, those of a block by ``name__parameter``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self
        """
        self._set_params("_named", **params)
        return self

    def _with(self, blocks):
        """A copy with these blocks."""
        other = copy.copy(self)
        other.blocks = blocks
        return other

    def _map(self, change):
        """A copy with ``change(emission, columns)`` in place of each emission."""
        return self._with([(name, change(e, c), c) for name, e, c in self.blocks])

    def _split(self, params):
        """The parameters by block."""
        fields = iter(params)
        for _, emission, _ in self.blocks:
            kind = emission.params_type
            yield kind(*(next(fields) for _ in kind._fields))

    def _each(self, params, rows=None):
        """(emission, parameters, columns or rows) of each block."""
        for (_, emission, columns), part in zip(self.blocks, self._split(params), strict=True):
            yield emission, part, columns if rows is None else rows.columns(columns)

    def _joined(self, parts):
        """The parameters of all blocks in one NamedTuple."""
        return self.params_type(*(value for part in parts for value in part))

    @property
    def params_type(self):
        """The parameters of all blocks, with the name of the block in front."""
        return record(*self._fields(lambda emission: emission.params_type._fields))

    @property
    def shared(self):
        """What all components share in any block."""
        return self._fields(lambda emission: emission.shared)

    def _fields(self, of):
        return tuple(
            f"{name}__{field}" for name, emission, _ in self.blocks for field in of(emission)
        )

    # ---- the contract -----------------------------------------------------------------------

    def resolve(self, names):
        """A copy with columns as arrays of indices."""
        self._check_blocks()
        return self._with(
            [
                (name, emission.resolve(_names_of(names, indices)), indices)
                for name, emission, columns in self.blocks
                for indices in [_indices(name, columns, names)]
            ]
        )

    def _check_blocks(self):
        """Raise where the blocks are not (name, emission, columns)."""
        self._validate_params()
        for block in self.blocks:
            if not (
                isinstance(block, tuple) and len(block) == 3 and isinstance(block[1], Emission)
            ):
                raise TypeError(f"blocks has {block!r}; each must be (name, emission, columns).")
        names = [name for name, *_ in self.blocks]
        self._validate_names(names)
        for name in names:
            if not name.isidentifier() or name.startswith("_"):
                raise ValueError(
                    f"blocks has the name {name!r}, from which attributes of the model are made; "
                    "use letters, digits and underscores."
                )

    def adapt(self, rows, n_components=1):
        """A copy whose blocks are adapted to their columns of ``rows``."""
        resolved = self.resolve(None)
        times = np.zeros(rows.n_features, dtype=int)
        for name, _, columns in resolved.blocks:
            if len(columns) and not 0 <= columns.min() <= columns.max() < len(times):
                raise ValueError(
                    f"columns of block {name!r} are {columns.tolist()}, but X has {len(times)} "
                    f"columns: 0 to {len(times) - 1}."
                )
            np.add.at(times, columns, 1)
        for j in np.flatnonzero(times != 1)[:1]:
            raise ValueError(
                f"{column_label(rows.names, j)} of X is in {times[j]} blocks; put it into one, or "
                "leave it out of X."
            )
        return resolved._map(lambda e, c: e.adapt(rows.columns(c), n_components))

    def recoded(self, rows):
        """What each block reads of its columns."""
        values = None
        for _, emission, columns in self.resolve(None).blocks:
            if columns.size and not 0 <= columns.min() <= columns.max() < rows.n_features:
                continue  # of which adapt tells
            block = rows.columns(columns)
            found = emission.recoded(block)
            if found is not block:
                values = np.array(rows.values) if values is None else values
                values[:, columns] = found.values
        return rows if values is None else rows.with_values(values)

    def restricted(self, features):
        """The blocks that have some of these features, with their new indices."""
        features, kept = np.asarray(features), []
        for name, emission, columns in self.resolve(None).blocks:
            where, inner = _within(features, columns)
            if len(where):
                kept.append((name, emission.restricted(inner), where))
        return self._with(kept)

    def initialize(self, rows, resp):
        """The starts of the blocks."""
        return self._joined(
            emission.initialize(rows.columns(columns), resp) for _, emission, columns in self.blocks
        )

    def log_likelihood(self, params, rows):
        """The sum over the blocks of log p(observed entries of row i | k)."""
        return sum(e.log_likelihood(part, block) for e, part, block in self._each(params, rows))

    def statistics(self, params, rows, resp):
        """The statistics of the blocks, by name."""
        kind = record(*(name for name, *_ in self.blocks))
        return kind(
            *(e.statistics(part, block, resp) for e, part, block in self._each(params, rows))
        )

    def maximize(self, statistics):
        """The M-steps of the blocks."""
        pairs = zip(self._named, statistics, strict=True)
        return self._joined(emission.maximize(found) for (_, emission), found in pairs)

    def maximize_held(self, statistics, last, held):
        """The M-steps of the blocks."""
        parts = []
        for (name, emission, _), found, part in zip(
            self.blocks, statistics, self._split(last), strict=True
        ):
            own = {field for field in part._fields if f"{name}__{field}" in held}
            parts.append(emission.maximize_held(found, part, own))
        return self._joined(parts)

    def cdf(self, params, values):
        """P(X_j <= value_ij | k) of each feature by itself, of shape (n, d, K)."""
        found = [(c, e.cdf(part, values[:, c])) for e, part, c in self._each(params)]
        out = np.empty((*values.shape, found[0][1].shape[2]))
        for columns, block in found:
            out[:, columns] = block
        return out

    def sample(self, params, components, rng):
        """One row drawn from each of ``components``."""
        out = np.empty((len(components), sum(len(c) for *_, c in self.blocks)))
        for emission, part, columns in self._each(params):
            out[:, columns] = emission.sample(part, components, rng)
        return out

    def complete(self, params, rows, component, how="mean", rng=None):
        """``rows`` with gaps filled, block by block."""
        out = np.empty(rows.values.shape)
        for (*_, columns), each in zip(self.blocks, self._each(params, rows), strict=True):
            emission, part, block = each
            out[:, columns] = emission.complete(part, block, component, how, rng)
        return out

    def variance(self, params, rows, component):
        """Variances of the missing entries, block by block; None where one does not know them."""
        out = np.empty(rows.values.shape)
        for (*_, columns), each in zip(self.blocks, self._each(params, rows), strict=True):
            emission, part, block = each
            variance = emission.variance(part, block, component)
            if variance is None:
                return None
            out[:, columns] = variance
        return out

    def marginal(self, params, features):
        """The parameters of some features, as :meth:`restricted` has them."""
        features, parts = np.asarray(features), []
        for emission, part, columns in self._each(params):
            where, inner = _within(features, columns)
            if len(where):
                parts.append(emission.marginal(part, inner))
        return self.restricted(features)._joined(parts)

    def conditional(self, params, row, free):
        """The parameters of the features ``free`` given the others in their blocks."""
        parts = []
        for emission, part, columns in self._each(params):
            where, inner = _within(free, columns)
            if len(where):
                parts.append(emission.conditional(part, row.columns(columns), inner))
        return self.restricted(free)._joined(parts)

    def n_parameters(self, params):
        """Those of all blocks."""
        return sum(emission.n_parameters(part) for emission, part, _ in self._each(params))

    def regularizer(self, params):
        """The log priors of all blocks."""
        return sum(emission.regularizer(part) for emission, part, _ in self._each(params))

    def embed(self, rows):
        """The points of the blocks side by side."""
        points = [e.embed(rows.columns(columns)) for _, e, columns in self.blocks]
        return np.concatenate(points, axis=1)

    def pack(self, params):
        """The vectors of the blocks end to end, or None where one has none."""
        vectors = [emission.pack(part) for emission, part, _ in self._each(params)]
        return None if any(v is None for v in vectors) else np.concatenate(vectors)

    def unpack(self, vector, like):
        """The inverse of :meth:`pack`."""
        parts, start = [], 0
        for emission, part, _ in self._each(like):
            model = emission.pack(part)
            if model is None:
                return None
            parts.append(emission.unpack(vector[start : start + len(model)], part))
            start += len(model)
        return None if any(part is None for part in parts) else self._joined(parts)

    def degenerate(self, params):
        """Components that collapsed in a block."""
        found = {}
        for name, (emission, part, _) in zip(dict(self._named), self._each(params), strict=True):
            for k, sentence in emission.degenerate(part).items():
                found.setdefault(k, f"in block {name!r} {sentence}")
        return found


def _within(features, columns):
    """Where features lie in a block: their positions, and their indices among its columns."""
    where = np.flatnonzero(np.isin(features, columns))
    index = {column: i for i, column in enumerate(columns.tolist())}
    return where, np.array([index[j] for j in features[where].tolist()], dtype=np.intp)


def _names_of(names, indices):
    """The names of some columns, where columns have names."""
    return None if names is None else np.asarray(names)[indices]


def _indices(block, columns, names):
    """Columns given by index or by name as an array of indices."""
    columns = [columns] if isinstance(columns, str) else np.atleast_1d(columns).tolist()
    if all(isinstance(j, int) and not isinstance(j, bool) for j in columns):
        return np.array(columns, dtype=np.intp)
    if not all(isinstance(name, str) for name in columns):
        raise TypeError(
            f"columns of block {block!r} are {columns}; give indices or names of columns."
        )
    known = {} if names is None else {name: j for j, name in enumerate(names)}
    for name in columns:
        if name not in known:
            has = "has no names of columns" if names is None else f"has the columns {list(known)}"
            raise ValueError(
                f"block {block!r} asks for column {name!r}, but X {has}; give indices, or fit on a "
                "frame that has it."
            )
    return np.array([known[name] for name in columns], dtype=np.intp)
