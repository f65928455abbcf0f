"""SGD and AdamW as in PyTorch, with cosine warm restarts, warm-up and a rate per group."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, Int
from optax.schedules import StatefulSchedule

Rate = optax.Schedule | StatefulSchedule

_LARGE = 2**16  # numbers of an array that stays separate


class WarmRestarts:
    """The learning rate as a cosine that restarts, one of Optax's stateful schedules.

    Within a cycle of ``t_i`` epochs the rate is ``learning_rate / 2 * (1 + cos(pi * t / t_i))``
    with ``t`` the fractional epoch since the restart; cycles last ``t_0``, ``t_0 * t_mult``,
    ``t_0 * t_mult**2``, ... epochs, without end.

    Before the first cycle the rate may rise linearly for ``warm_up`` steps: step ``s``, counted
    from 0, has ``learning_rate * (s + 1) / (warm_up + 1)``.

    Peak rate and cycle length are part of the optimiser's state, not of the compiled program, so
    that the stages of one network and runs at other rates share a program.

    Args:
        learning_rate: rate at the start of every cycle.
        t_0: epochs of the first cycle, at least 1.
        t_mult: factor from one cycle's length to the next, at least 1.
        steps_per_epoch: optimiser steps in one epoch.
        warm_up: steps before the first cycle.

    Raises:
        ValueError: if a count is below 1, or `warm_up` below 0.

    Reference: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts",
    ICLR 2017; stepped per batch as `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
    """

    def __init__(
        self, learning_rate: float, t_0: int, t_mult: int, steps_per_epoch: int, warm_up: int = 0
    ):
        counts = {"t_0": t_0, "t_mult": t_mult, "steps_per_epoch": steps_per_epoch}
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if warm_up < 0:
            raise ValueError(f"warm_up must be at least 0, got {warm_up}")
        self._learning_rate = learning_rate
        self._first_cycle = t_0 * steps_per_epoch
        self._t_mult = t_mult
        self._warm_up = warm_up

    def init(self) -> dict[str, Array]:
        """Return the state before the first step."""
        return {
            "step": jnp.zeros((), jnp.int32),
            "learning_rate": jnp.asarray(self._learning_rate, jnp.float32),
            "first_cycle": jnp.asarray(self._first_cycle, jnp.int32),
        }

    def update(self, state: Mapping[str, Array], **_: Any) -> dict[str, Array]:
        """Return the state one step later."""
        return {**state, "step": state["step"] + 1}

    def __call__(self, state: Mapping[str, Array], **_: Any) -> Float[Array, ""]:
        """Return the rate of a state."""
        return self._rate(state["step"], state)

    def at(self, step: Int[ArrayLike, "*n"]) -> Float[Array, "*n"]:
        """Return the rate of a step, counted from 0."""
        return self._rate(jnp.asarray(step), self.init())

    def _rate(self, step: Array, state: Mapping[str, Array]) -> Array:
        peak, first_cycle = state["learning_rate"], state["first_cycle"]
        if not self._warm_up:
            return self._cosine(step, peak, first_cycle)
        rising = peak * (step + 1) / (self._warm_up + 1)
        falling = self._cosine(jnp.maximum(step - self._warm_up, 0), peak, first_cycle)
        return jnp.where(step < self._warm_up, rising, falling)

    def _cosine(self, step: Array, learning_rate: Array, first_cycle: Array) -> Array:
        """The rate by steps since the begin of the first cycle."""
        if self._t_mult == 1:
            since, length = step % first_cycle, first_cycle
        else:
            # Starts and lengths of the cycles, in first cycles, up to the largest int32 step.
            lengths = [self._t_mult**power for power in range(31) if self._t_mult**power < 2**31]
            starts = [sum(lengths[:number]) for number in range(len(lengths))]
            known = jnp.asarray([start for start in starts if start < 2**31], jnp.int32)
            cycle = jnp.searchsorted(known, step // first_cycle, side="right") - 1
            since = step - known[cycle] * first_cycle
            length = jnp.asarray(lengths, jnp.float32)[cycle] * first_cycle
        return learning_rate / 2 * (1 + jnp.cos(jnp.pi * since / length))


def sgd(
    rate: Rate | Mapping[str, Rate],
    momentum: float,
    weight_decay: float,
    max_gradient_norm: float | None = None,
) -> optax.GradientTransformation:
    """Return SGD with momentum and weight decay in the order of `torch.optim.SGD`.

    The decay ``weight_decay * p`` is added to the gradient before momentum: ``b = momentum * b + g
    + weight_decay * p``, then ``p -= rate * b``. Every parameter decays, including biases and
    normalisation, as with ``torch.optim.SGD(model.parameters())``.

    Args:
        rate: the learning rate by step, or one for each top-level key of the parameter tree.
        momentum: factor on the running sum of gradients, in [0, 1).
        weight_decay: factor on the parameters.
        max_gradient_norm: gradients of a larger L2 norm are scaled down to it.
    """

    def descend(
        learning_rate: Array, momentum: Array, weight_decay: Array
    ) -> optax.GradientTransformation:
        return optax.chain(
            optax.add_decayed_weights(weight_decay),
            optax.trace(decay=momentum),
            optax.scale_by_learning_rate(learning_rate),
        )

    def group(rate: Rate) -> optax.GradientTransformation:
        return _on_joined_leaves(optax.inject_hyperparams(descend)(rate, momentum, weight_decay))

    return _clipped(_by_group(rate, group), max_gradient_norm)


def adamw(
    rate: Rate | Mapping[str, Rate],
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float,
    max_gradient_norm: float | None = None,
) -> optax.GradientTransformation:
    """Return AdamW, as `torch.optim.AdamW` (Loshchilov and Hutter, 2019, arXiv:1711.05101).

    ``p -= rate * (m / (sqrt(v) + epsilon) + weight_decay * p)`` with ``m`` and ``v`` the means of
    the gradients and of their squares, corrected for their start at 0. Every parameter decays, as
    with ``torch.optim.AdamW(model.parameters())``.

    Args:
        rate: the learning rate by step, or one for each top-level key of the parameter tree.
        beta1: decay of the mean of the gradients, in [0, 1).
        beta2: decay of the mean of their squares, in [0, 1).
        epsilon: above 0.
        weight_decay: factor on the parameters.
        max_gradient_norm: gradients of a larger L2 norm are scaled down to it.
    """

    def group(rate: Rate) -> optax.GradientTransformation:
        inject = optax.inject_hyperparams(optax.adamw)
        return _on_joined_leaves(
            inject(rate, b1=beta1, b2=beta2, eps=epsilon, weight_decay=weight_decay)
        )

    return _clipped(_by_group(rate, group), max_gradient_norm)


def _by_group(
    rate: Rate | Mapping[str, Rate], group: Callable[[Rate], optax.GradientTransformation]
) -> optax.GradientTransformation:
    if isinstance(rate, Mapping):
        return optax.partition(
            {name: group(rate_of_group) for name, rate_of_group in rate.items()}, _groups
        )
    return group(rate)


def _clipped(
    optimizer: optax.GradientTransformation, max_norm: float | None
) -> optax.GradientTransformation:
    if max_norm is None:
        return optimizer
    return optax.chain(optax.clip_by_global_norm(max_norm), optimizer)


def join_small(tree: Any) -> list[Array]:
    """Return the leaves of a tree, the small ones concatenated to one vector.

    Most arrays of a network are vectors of some hundred numbers. XLA compiles kernels for each of
    them, half of the compilation of a training step.
    """
    leaves = jax.tree.leaves(tree)
    small = [leaf.ravel() for leaf in leaves if _is_small(leaf)]
    large = [leaf for leaf in leaves if not _is_small(leaf)]
    return [jnp.concatenate(small), *large] if small else large


def _split_small(joined: Any, like: Any) -> Any:
    """Invert `join_small` for a tree of the same shapes."""
    leaves, structure = jax.tree.flatten(like)
    sizes = [leaf.size for leaf in leaves if _is_small(leaf)]
    small = iter(jnp.split(joined[0], np.cumsum(sizes)[:-1]) if sizes else ())
    large = iter(joined[1:] if sizes else joined)
    return structure.unflatten(
        next(small).reshape(leaf.shape) if _is_small(leaf) else next(large) for leaf in leaves
    )


def _on_joined_leaves(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Apply an elementwise transformation to joined leaves."""

    def init(params: Any) -> Any:
        return inner.init(join_small(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        joined, state = inner.update(join_small(updates), state, join_small(params))
        return _split_small(joined, updates), state

    return optax.GradientTransformation(init, update)


def _is_small(leaf: Array) -> bool:
    return leaf.size < _LARGE


def _groups(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Label each top-level subtree with its own key."""
    return {key: key for key in parameters}
