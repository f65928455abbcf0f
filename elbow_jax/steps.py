"""The training step and the scoring step: pure functions of a state and a batch.

The caller applies `jit`, so that each function can be read, tested and differentiated by itself.
A batch is a dict of arrays:

    image   uint8 [B, H, W, 1], grey levels 0..255
    label   int32 [B], 0 normal, 1 injury
    weight  float32 [B], 0 for the padding of a last batch, else 1
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Float32, Int32, UInt8, UInt32

from elbow_jax.auxiliary import HEADS, auxiliary_loss
from elbow_jax.ops import pixel_sums
from elbow_jax.optimizer import join_small

# ImageNet's channel means and deviations, averaged to one grey channel.
GREY_MEAN = 0.449
GREY_DEVIATION = 0.226

Batch = Mapping[str, Array]
Metrics = dict[str, Float32[Array, ""]]
Variables = Mapping[str, Any]


@flax.struct.dataclass
class TrainState:
    """The state that a training step reads and returns.

    Attributes:
        step: optimiser steps taken so far.
        params: trained parameters, float32.
        batch_stats: running statistics of batch normalisation, float32; empty if there is none.
        optimizer_state: momentum and step counts of Optax.
        key: raw data of the run's random key; a step folds its number into it.
        average: exponential moving average of `params` and `batch_stats`, as their dict; None where
            none is kept.
    """

    step: Int32[Array, ""]
    params: Any
    batch_stats: Any
    optimizer_state: Any
    key: UInt32[Array, "..."]
    average: Any = None

    @property
    def variables(self) -> dict[str, Any]:
        """The variables that ``module.apply`` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def create_state(
    variables: Variables,
    optimizer: optax.GradientTransformation,
    seed: int,
    averaged: bool = False,
) -> TrainState:
    """Return the state before the first step, from a network's variables.

    `averaged` keeps an average of the weights, which begins with them.
    """
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    start = {"params": params, "batch_stats": batch_stats}
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        optimizer_state=optimizer.init(params),
        key=jax.random.key_data(jax.random.key(seed)),
        average=jax.tree.map(jnp.copy, start) if averaged else None,
    )


def normalise(
    image: UInt8[Array, "batch height width 1"], dtype: jnp.dtype | type = jnp.float32
) -> Float[Array, "batch height width 1"]:
    """Map grey levels 0..255 to zero mean and unit deviation over ImageNet, as `dtype`."""
    grey = image.astype(jnp.float32) / 255.0
    return ((grey - GREY_MEAN) / GREY_DEVIATION).astype(dtype)


def weighted_loss(
    logits: Float32[Array, " batch"], batch: Batch, pos_weight: float = 1.0
) -> Float32[Array, ""]:
    """Return the mean sigmoid cross-entropy of one logit per image, over images of weight 1.

    The loss of an injured image is multiplied by `pos_weight`, as in
    `torch.nn.BCEWithLogitsLoss`.
    """
    loss = optax.sigmoid_binary_cross_entropy(logits, batch["label"].astype(jnp.float32))
    if pos_weight != 1.0:
        loss = jnp.where(batch["label"] == 1, pos_weight * loss, loss)
    return jnp.sum(loss * batch["weight"]) / jnp.maximum(jnp.sum(batch["weight"]), 1.0)


def make_train_step(
    apply: Callable[..., Any],
    optimizer: optax.GradientTransformation,
    dtype: jnp.dtype | type,
    accumulate: int = 1,
    pos_weight: float = 1.0,
    ema_decay: float | None = None,
    auxiliary: Mapping[str, float] | None = None,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Return the pure function ``train_step(state, batch) -> (state, metrics)``.

    ``metrics`` holds ``loss`` and ``gradient_norm`` (the global L2 norm), float32 scalars.

    Args:
        apply: a network's: ``apply(variables, image, train, mutable, rngs)``.
        optimizer: of the parameters.
        dtype: of the computation.
        accumulate: number of equal parts of a batch that pass through the network in sequence, to
            save memory; their gradients are averaged. Batch normalisation uses the statistics of
            one part at a time, as in torch. It divides the batch size.
        pos_weight: factor on the loss of an injured image.
        ema_decay: of the average of the weights, for a state that keeps one. In step ``s``, counted
            from 0, the decay is at most ``(1 + s) / (10 + s)``, so that the initial weights are
            soon forgotten, as in `tf.train.ExponentialMovingAverage`.
        auxiliary: weights of the losses of auxiliary targets, whose heads are among the parameters
            (see `elbow_jax.auxiliary`); ``loss`` is then the sum.
    """

    def loss_of(
        params: Any, batch_stats: Any, batch: Batch, key: Array
    ) -> tuple[Float32[Array, ""], Any]:
        (logits, endpoints), updated = apply(
            {"params": params, "batch_stats": batch_stats},
            normalise(batch["image"], dtype),
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": key},
        )
        loss = weighted_loss(logits, batch, pos_weight)
        if auxiliary:
            loss += auxiliary_loss(params[HEADS], endpoints, batch, auxiliary)
        return loss, updated.get("batch_stats", {})

    value_and_gradient = jax.value_and_grad(loss_of, has_aux=True)

    def accumulate_gradients(state: TrainState, batch: Batch, key: Array) -> tuple[Any, Any]:
        # Every accumulate-th image: each part is then sharded over the devices as the batch is.
        parts = {
            name: array.reshape(-1, accumulate, *array.shape[1:]).swapaxes(0, 1)
            for name, array in batch.items()
        }

        def add(total: tuple[Any, Any, Any], numbered: tuple[Array, Batch]) -> tuple[Any, None]:
            loss, batch_stats, gradients = total
            number, part = numbered
            part_key = jax.random.fold_in(key, number)
            (part_loss, batch_stats), part_gradients = value_and_gradient(
                state.params, batch_stats, part, part_key
            )
            gradients = jax.tree.map(jnp.add, gradients, part_gradients)
            return (loss + part_loss, batch_stats, gradients), None

        zeros = jax.tree.map(jnp.zeros_like, state.params)
        start = (jnp.zeros((), jnp.float32), state.batch_stats, zeros)
        (loss, batch_stats, gradients), _ = jax.lax.scan(
            add, start, (jnp.arange(accumulate), parts)
        )
        mean = jax.tree.map(lambda total: total / accumulate, (loss, gradients))
        return (mean[0], batch_stats), mean[1]

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        if accumulate == 1:
            (loss, batch_stats), gradients = value_and_gradient(
                state.params, state.batch_stats, batch, key
            )
        else:
            (loss, batch_stats), gradients = accumulate_gradients(state, batch, key)
        updates, optimizer_state = optimizer.update(gradients, state.optimizer_state, state.params)
        params = optax.apply_updates(state.params, updates)
        average = state.average
        if ema_decay is not None:
            decay = jnp.minimum(ema_decay, (1 + state.step) / (10 + state.step))
            new = {"params": params, "batch_stats": batch_stats}
            average = optax.incremental_update(new, average, 1 - decay)
        advanced = TrainState(
            step=state.step + 1,
            params=params,
            batch_stats=batch_stats,
            optimizer_state=optimizer_state,
            key=state.key,
            average=average,
        )
        return advanced, {"loss": loss, "gradient_norm": _norm(gradients)}

    return train_step


def _norm(tree: Any) -> Float32[Array, ""]:
    """The global L2 norm of all leaves; each leaf is squared and summed in one pass."""
    squares = [pixel_sums(jnp.square(leaf)).sum() for leaf in join_small(tree)]
    return jnp.sqrt(jnp.stack(squares).sum())


def make_eval_step(
    apply: Callable[..., Any], dtype: jnp.dtype | type
) -> Callable[[Variables, Batch], Float32[Array, " batch"]]:
    """Return the pure function ``eval_step(variables, batch) -> logits``, float32 [B].

    Logits of padding images are meaningless; the caller drops them by their weight of 0.
    """

    def eval_step(variables: Variables, batch: Batch) -> Float32[Array, " batch"]:
        logits, _ = apply(variables, normalise(batch["image"], dtype), train=False)
        return logits

    return eval_step
