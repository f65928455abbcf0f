import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from elbow_jax.optimizer import sgd, warm_restarts
from tests.tolerances import OPTIMIZER

STEPS_PER_EPOCH = 7


@pytest.mark.parametrize(
    ("t_0", "t_mult", "epochs"), [(5, 2, 35), (4, 2, 28), (4, 2, 12), (3, 1, 8)]
)
def test_rates_are_torchs_over_a_whole_run(t_0, t_mult, epochs):
    schedule = warm_restarts(0.1, t_0, t_mult, STEPS_PER_EPOCH, epochs)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, t_0, t_mult)
    expected = []
    for step in range(epochs * STEPS_PER_EPOCH):
        optimizer.step()
        scheduler.step(step / STEPS_PER_EPOCH)  # pyright: ignore[reportArgumentType]
        expected.append(optimizer.param_groups[0]["lr"])
    rates = np.asarray(jax.vmap(schedule)(jnp.arange(len(expected))))
    np.testing.assert_allclose(rates, expected, atol=OPTIMIZER * 0.1)


def test_rate_never_stays_at_zero_after_the_last_cycle():
    schedule = warm_restarts(0.1, 2, 1, STEPS_PER_EPOCH, epochs=6)
    assert schedule(6 * STEPS_PER_EPOCH) == pytest.approx(0.1)


def test_parameters_are_torchs_after_200_steps_with_momentum_and_decay():
    rng = np.random.default_rng(0)
    matrix, target = rng.normal(size=(32, 5)), rng.normal(size=32)
    start = {"head": rng.normal(size=3), "backbone": rng.normal(size=2)}
    rates = {"head": 2e-2, "backbone": 5e-3}
    schedules = {
        group: warm_restarts(rate, 4, 2, STEPS_PER_EPOCH, 30) for group, rate in rates.items()
    }
    optimizer = sgd(schedules, momentum=0.8, weight_decay=1e-3)

    theirs = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    descent = torch.optim.SGD(
        [{"params": [theirs[name]], "lr": rates[name]} for name in theirs],
        momentum=0.8,
        weight_decay=1e-3,
    )
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(descent, 4, 2)

    with jax.enable_x64(True):
        ours = {name: jnp.asarray(value) for name, value in start.items()}
        state = optimizer.init(ours)

        def loss_of(parameters):
            weights = jnp.concatenate([parameters["head"], parameters["backbone"]])
            return jnp.mean((matrix @ weights - target) ** 2)

        @jax.jit
        def step_ours(parameters, state):
            updates, state = optimizer.update(jax.grad(loss_of)(parameters), state, parameters)
            return optax.apply_updates(parameters, updates), state

        for step in range(200):
            restarts.step(step / STEPS_PER_EPOCH)  # pyright: ignore[reportArgumentType]
            descent.zero_grad()
            weights = torch.cat([theirs["head"], theirs["backbone"]])
            ((torch.tensor(matrix) @ weights - torch.tensor(target)) ** 2).mean().backward()
            descent.step()
            ours, state = step_ours(ours, state)
    for name in start:
        assert not np.allclose(ours[name], start[name], atol=1e-2)
        np.testing.assert_allclose(ours[name], theirs[name].detach().numpy(), atol=OPTIMIZER)


@pytest.mark.parametrize("name", ["t_0", "t_mult", "steps_per_epoch", "epochs"])
def test_count_below_one_is_refused_by_name(name):
    counts = {"t_0": 1, "t_mult": 1, "steps_per_epoch": 1, "epochs": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        warm_restarts(0.1, **counts)
