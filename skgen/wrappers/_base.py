"""What the wrappers share: an estimator in the constructor, of which fitted clones do the work."""

from numbers import Integral

from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import has_fit_parameter

from .._density import Density
from ..gaussian import Gaussian


class Wrapper(CallbackSupportMixin, BaseEstimator):
    """An estimator that fits clones of another one, the argument named ``_wrapped``."""

    _wrapped = "density"
    _doc_link_module = Density._doc_link_module
    _doc_link_template = Density._doc_link_template
    _all_or_nothing = Density._all_or_nothing

    def _inner(self):
        """The estimator to clone: the one given, or the default."""
        given = getattr(self, self._wrapped)
        return self._default() if given is None else given

    def _default(self):
        return asking_for_weights(Gaussian())

    def _fit_inner(self, context, X, sample_weight=None, prototype=None, **data):
        """A clone fitted to X as one task of the fit, so that callbacks reach it."""
        inner = clone(self._inner() if prototype is None else prototype)
        if sample_weight is not None:
            data["sample_weight"] = sample_weight
        with context.propagate_callback_context(inner):
            context.call_on_fit_task_begin(estimator=self, X=X)
            inner.fit(X, **data)
            context.call_on_fit_task_end(estimator=self, X=X)
        return inner

    def _adopt_features(self, fitted):
        """The names and the number of the columns, as the fitted clone knows them."""
        self.__dict__.pop("feature_names_in_", None)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def _passed_on(self, weights):
        """The weights, if there are any and the wrapped estimator is to have them; else None."""
        if weights is None:
            return None
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=weights)
            return routed[self._wrapped].fit.get("sample_weight")
        if not self._inner_takes_weights():
            raise TypeError(
                f"sample_weight was given, but {type(self._inner()).__name__}.fit does not take "
                "it; leave it out, or for a Pipeline use scikit-learn's metadata routing."
            )
        return weights

    def _inner_takes_weights(self):
        return has_fit_parameter(self._inner(), "sample_weight")

    def get_metadata_routing(self):
        """How metadata such as ``sample_weight`` travel; see scikit-learn's user guide.

        Returns
        -------
        MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(**{self._wrapped: self._inner()}, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = self._inner()
        if hasattr(inner, "__sklearn_tags__"):
            tags.input_tags = get_tags(inner).input_tags
        return tags


def asking_for_weights(density):
    """The density itself, which has the weights of its wrapper routed to it."""
    if get_config()["enable_metadata_routing"]:
        density.set_fit_request(sample_weight=True)
    return density


def check_count(name, value):
    """Raise where a number of things to draw is not one."""
    if not (isinstance(value, Integral) and value >= 1):
        raise ValueError(f"{name}={value!r} must be a positive integer.")
