"""A training loop of your own, with `models`, `optimizer` and `steps` of this project alone."""

import jax
import jax.numpy as jnp
import numpy as np

from elbow_jax.models import ModelConfig, build_model
from elbow_jax.optimizer import WarmRestarts, adamw
from elbow_jax.steps import create_state, make_eval_step, make_train_step


def bright_squares(batches, size=16, side=64, seed=0):
    """Yield batches to learn from; put your own in place of them."""
    random = np.random.default_rng(seed)
    for _ in range(batches):
        label = random.integers(0, 2, size, dtype=np.int32)
        image = random.integers(0, 99, (size, side, side, 1), dtype=np.uint8)
        image[label == 1, side // 4 : -side // 4, side // 4 : -side // 4] += 120
        batch = {"image": image, "label": label, "weight": np.ones(size, np.float32)}
        yield {name: jnp.asarray(array) for name, array in batch.items()}


def main(steps=30):
    """Train on batches of `bright_squares`, then score some that it has not seen."""
    module = build_model(ModelConfig(backbone="mobilenetv3_large", variant="small"))
    variables = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 64, 64, 1)))
    optimizer = adamw(WarmRestarts(3e-3, 1, 1, steps), 0.9, 0.999, 1e-8, 1e-2)
    state = create_state(variables, optimizer, seed=0)
    train_step = jax.jit(make_train_step(module.apply, optimizer, jnp.float32), donate_argnums=0)
    for batch in bright_squares(steps):
        state, metrics = train_step(state, batch)
        print(f"step {state.step}  loss {metrics['loss']:.3f}")
    eval_step = jax.jit(make_eval_step(module.apply, jnp.float32))
    test = next(bright_squares(1, size=64, seed=1))
    print("accuracy", jnp.mean((eval_step(state.variables, test) > 0) == test["label"]))


if __name__ == "__main__":
    main()
