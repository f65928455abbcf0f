"""Ensembles: networks of one architecture whose mean probability is the score.

Their variables are stacked along a first axis, so that an ensemble is one tree of arrays, in one
file, and its step has the signature of a single network's.

Reference: Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation using Deep
Ensembles, NeurIPS (2017), for the mean of probabilities.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

EvalStep = Callable[[Any, Mapping[str, Array]], Array]


def stack_variables(members: Sequence[Any]) -> Any:
    """Stack the variables of networks of one architecture along a new first axis, in NumPy.

    Raises:
        ValueError: if their trees or shapes differ.
    """
    return jax.tree.map(lambda *arrays: np.stack(arrays), *members)


def member_variables(variables: Any, number: int) -> Any:
    """Return the variables of one member, from 0, of stacked ones."""
    return jax.tree.map(lambda array: array[number], variables)


def mean_logit(logits: Float32[Array, "members batch"]) -> Float32[Array, " batch"]:
    """Return the log-odds of the mean over members of P(injury), the sigmoid of each logit.

    With p the mean, log p - log(1 - p) is the difference of two logsumexps of log-sigmoids, in
    which the number of members cancels. So no probability is rounded to 0 or 1. Where a member's
    logit is nan or infinite, the result is nan.
    """
    injured = jax.nn.logsumexp(jax.nn.log_sigmoid(logits), axis=0)
    normal = jax.nn.logsumexp(jax.nn.log_sigmoid(-logits), axis=0)
    return jnp.where(jnp.isfinite(logits).all(axis=0), injured - normal, jnp.nan)


def make_ensemble_step(eval_step: EvalStep) -> EvalStep:
    """Return the step of an ensemble: ``(stacked variables, batch) -> logits``, float32 [B].

    The members pass in sequence (`jax.lax.map`): one is compiled and one's activations are in
    memory at a time. `jax.vmap` would turn each convolution into a grouped one, for which XLA has
    no fast form on a CPU.

    Args:
        eval_step: of one network, from `elbow_jax.steps.make_eval_step`.
    """

    def ensemble_step(variables: Any, batch: Mapping[str, Array]) -> Float32[Array, " batch"]:
        return mean_logit(jax.lax.map(lambda member: eval_step(member, batch), variables))

    return ensemble_step
