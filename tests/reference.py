"""Definitions, written for clarity: enumeration and integration, one entry at a time."""

import itertools

import numpy as np
from scipy import stats


def missing_patterns(X):
    """Row indices by pattern, as {observed features: [rows]}."""
    patterns = {}
    for i, row in enumerate(X):
        seen = tuple(j for j, x in enumerate(row) if not np.isnan(x))
        patterns.setdefault(seen, []).append(i)
    return patterns


def product_log_likelihood(X, log_pmf, K):
    """log p(observed entries of row i | k) for independent columns, log_pmf(x, k, j) of each."""
    out = np.zeros((len(X), K))
    for (i, j), x in np.ndenumerate(X):
        if not np.isnan(x):
            out[i] += [log_pmf(x, k, j) for k in range(K)]
    return out


def poisson_log_likelihood(X, rates):
    """Independent Poisson columns, rates of shape (K, d)."""
    return product_log_likelihood(
        X, lambda x, k, j: stats.poisson(rates[k, j]).logpmf(x), len(rates)
    )


def bernoulli_log_likelihood(X, probs):
    """Independent columns of zeros and ones, probabilities of a one of shape (K, d)."""
    return product_log_likelihood(
        X, lambda x, k, j: stats.bernoulli(probs[k, j]).logpmf(x), len(probs)
    )


def categorical_log_likelihood(X, probs):
    """Independent columns of codes, probs of shape (K, d, C)."""
    with np.errstate(divide="ignore"):
        log_probs = np.log(probs)
    return product_log_likelihood(X, lambda x, k, j: log_probs[k, j, int(x)], len(probs))


def grid(lines):
    """All rows with entries from the given values of each column, of shape (n_rows, d)."""
    return np.array(list(itertools.product(*lines)), dtype=float)


def normal_log_density(x, mean, covariance):
    """log N(observed entries of x; mean, covariance), 0 for a row without any."""
    seen = ~np.isnan(x)
    if not seen.any():
        return 0.0
    inner = covariance[np.ix_(seen, seen)]
    return stats.multivariate_normal(mean[seen], inner).logpdf(x[seen])


def normal_moments(x, mean, covariance):
    """E[x - mean] and E[(x - mean)(x - mean)'] given the observed entries of x."""
    seen = ~np.isnan(x)
    z, second = np.zeros(len(x)), np.zeros(covariance.shape)
    z[seen] = (x - mean)[seen]
    slope = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, ~seen)])
    z[~seen] = z[seen] @ slope
    inner = covariance[np.ix_(~seen, seen)] @ slope
    second[np.ix_(~seen, ~seen)] = covariance[np.ix_(~seen, ~seen)] - inner
    return z, second + np.outer(z, z)


def gaussian_pass(X, log_weights, means, covariances, weights):
    """Everything that one pass of a Gaussian mixture gives, one row at a time."""
    K = len(means)
    log_joint = np.array(
        [
            [log_weights[k] + normal_log_density(x, means[k], covariances[k]) for k in range(K)]
            for x in X
        ]
    )
    log_sum = np.logaddexp.reduce(log_joint, axis=1)
    empty = np.isnan(X).all(axis=1)
    log_prob = np.where(empty, 0.0, log_sum)
    resp = np.exp(log_joint - log_sum[:, None]) * weights[:, None]
    weight, first, second = np.zeros(K), np.zeros(means.shape), np.zeros(covariances.shape)
    for i, k in itertools.product(np.flatnonzero(~empty), range(K)):
        z, zz = normal_moments(X[i], means[k], covariances[k])
        weight[k] += resp[i, k]
        first[k] += resp[i, k] * z
        second[k] += resp[i, k] * zz
    return {
        "log_joint": log_joint,
        "log_prob": log_prob,
        "resp": resp,
        "labels": log_joint.argmax(axis=1),
        "log_lik": log_prob @ weights,
        "moments": (weight, first, second),
    }


def chain_paths(log_lik, startprob, transmat):
    """Every path of a hidden Markov chain, with log p(path, rows); (K^T, T) and (K^T,)."""
    T, K = log_lik.shape
    paths = np.array(list(itertools.product(range(K), repeat=T)))
    with np.errstate(divide="ignore"):
        log_start, log_transmat = np.log(startprob), np.log(transmat)
    log_joint = log_start[paths[:, 0]] + log_lik[0, paths[:, 0]]
    for t in range(1, T):
        log_joint = log_joint + log_transmat[paths[:, t - 1], paths[:, t]] + log_lik[t, paths[:, t]]
    return paths, log_joint


def chain_posterior(log_lik, startprob, transmat):
    """What one sequence says of its states, from the probabilities of all paths."""
    T, K = log_lik.shape
    prefixes = [chain_paths(log_lik[:t], startprob, transmat) for t in range(1, T + 1)]
    log_probs = np.array([np.logaddexp.reduce(log_joint) for _, log_joint in prefixes])
    filtered, resp, pairs = np.zeros((T, K)), np.zeros((T, K)), np.zeros((K, K))
    for t, (paths, log_joint) in enumerate(prefixes):
        np.add.at(filtered[t], paths[:, t], np.exp(log_joint - log_probs[t]))
    paths, log_joint = prefixes[-1]
    probs = np.exp(log_joint - log_probs[-1])
    for t in range(T):
        np.add.at(resp[t], paths[:, t], probs)
    for t in range(1, T):
        np.add.at(pairs, (paths[:, t - 1], paths[:, t]), probs)
    step = np.diff(log_probs, prepend=0.0)
    return {"log_prob": log_probs[-1], "step": step, "filtered": filtered, "resp": resp,
            "pairs": pairs}  # fmt: skip


def log_product(log_vector, log_matrix):
    """log of vector times matrix, entry by entry."""
    return np.logaddexp.reduce(log_vector[:, None] + log_matrix, axis=0)


def chain_recursion(log_lik, startprob, transmat):
    """The same by the textbook's recursions in logarithms, normalised step by step; O(T K^2)."""
    T, K = log_lik.shape
    step, alpha, beta = np.empty(T), np.empty((T, K)), np.zeros((T, K))
    with np.errstate(divide="ignore"):
        log_ahead, log_transmat = np.log(startprob), np.log(transmat)
    for t in range(T):
        log_joint = log_ahead + log_lik[t]
        step[t] = np.logaddexp.reduce(log_joint)
        alpha[t] = log_joint - step[t]
        log_ahead = log_product(alpha[t], log_transmat)
    for t in range(T - 2, -1, -1):
        beta[t] = log_product(log_lik[t + 1] + beta[t + 1] - step[t + 1], log_transmat.T)
    after = log_lik[1:] + beta[1:] - step[1:, None]
    pairs = np.exp(alpha[:-1, :, None] + log_transmat + after[:, None, :]).sum(axis=0)
    return {"log_prob": step.sum(), "step": step, "filtered": np.exp(alpha),
            "resp": np.exp(alpha + beta), "pairs": pairs}  # fmt: skip


def chain_best_path(log_lik, startprob, transmat):
    """The path of largest probability and its log, by Viterbi's recursion."""
    with np.errstate(divide="ignore"):
        best, log_transmat, links = np.log(startprob) + log_lik[0], np.log(transmat), []
    for row in log_lik[1:]:
        into = best[:, None] + log_transmat
        links.append(into.argmax(axis=0))
        best = into.max(axis=0) + row
    path = [best.argmax()]
    for link in links[::-1]:
        path.append(link[path[-1]])
    return np.array(path[::-1]), best.max()


# ---- n-grams ---------------------------------------------------------------------------------


def count_ngrams(sentences, order):
    """How often each tuple of 1 to `order` tokens occurs in <s> sentence </s>, by its length."""
    counts = [{} for _ in range(order + 1)]
    for sentence in sentences:
        tokens = ("<s>", *sentence, "</s>")
        for n in range(1, order + 1):
            for i in range(len(tokens) - n + 1):
                gram = tokens[i : i + n]
                counts[n][gram] = counts[n].get(gram, 0) + 1
    return counts


def continuation_counts(counts):
    """Below the highest order: before how many different tokens each n-gram stands."""
    adjusted = [dict(c) for c in counts]
    for n in range(1, len(counts) - 1):
        for gram in counts[n]:
            if gram[0] != "<s>":
                adjusted[n][gram] = sum(longer[1:] == gram for longer in counts[n + 1])
    return adjusted


def modified_discounts(counts):
    """Chen and Goodman (1998), equation 26, for counts of 1, 2 and 3 or more."""
    n = [sum(c == k for gram, c in counts.items() if gram != ("<s>",)) for k in range(5)]
    if not all(n[1:4]):
        return [0.0, 0.5, 1.0, 1.5]
    share = n[1] / (n[1] + 2 * n[2])
    found = [k - (k + 1) * share * n[k + 1] / n[k] for k in (1, 2, 3)]
    return [0.0, *found] if all(0 <= d <= k + 1 for k, d in enumerate(found)) else [0, 0.5, 1, 1.5]


def ngram_proba(sentences, order, smoothing, vocabulary, prune=(0,)):
    """A function p(token, context) by the definition of each smoothing; context is a tuple.

    The vocabulary has <unk> and </s>, which can be predicted, but not <s>. n-grams that were seen
    at most as often as `prune` says for their order, the last number for all longer ones, give all
    that they have to the lower order, as KenLM's do; discounts are those of all n-grams.
    """
    raw = count_ngrams(sentences, order)
    counts = continuation_counts(raw) if smoothing == "modified-kneser-ney" else raw
    discounts = [modified_discounts(c) for c in counts]
    singles = [[sum(c == k for c in level.values()) for k in range(3)] for level in raw]
    size = len(vocabulary)

    def taken_and_given(n):
        """What is taken off counts of 0, 1, 2 and more, and what they give to the lower order."""
        if smoothing == "witten-bell":
            return [0.0] * 4, [0.0, 1.0, 1.0, 1.0]
        d = discounts[n]
        if smoothing == "absolute":
            once, twice = singles[n][1] - (n == 1 and raw[1][("<s>",)] == 1), singles[n][2]
            twice -= n == 1 and raw[1][("<s>",)] == 2
            d = [0.0] + 3 * [once / (once + 2 * twice) if once and twice else 0.5]
        return d, d

    def proba(token, context):
        context = context[max(0, len(context) - order + 1) :]
        n = len(context) + 1
        seen = {t: counts[n].get((*context, t), 0) for t in vocabulary}
        seen = {t: c for t, c in seen.items() if c}
        total, own = sum(seen.values()), seen.get(token, 0)
        if smoothing == "laplace":
            return (own + 1) / (total + size)
        lower = proba(token, context[1:]) if context else 1 / size
        if not seen:
            return lower
        taken, given = taken_and_given(n)
        total, left, least = 0.0, 0.0, prune[min(n, len(prune)) - 1]
        for t, c in seen.items():
            kind = min(c, 3)
            total += c - taken[kind] + given[kind]
            left += given[kind]
            if raw[n][(*context, t)] <= least:
                left += c - taken[kind]
                own = 0 if t == token else own
        return (own - taken[min(own, 3)] + left * lower) / total

    return proba
