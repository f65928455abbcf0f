import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from elbow_jax import optimizer as optimizer_module
from elbow_jax.optimizer import WarmRestarts, adamw, join_small, sgd
from tests.support.tolerances import OPTIMIZER

STEPS_PER_EPOCH = 7


@pytest.mark.parametrize(
    ("t_0", "t_mult", "epochs"), [(5, 2, 35), (4, 2, 28), (4, 2, 12), (3, 1, 8)]
)
def test_rates_equal_torchs_over_a_whole_run(t_0, t_mult, epochs):
    schedule = WarmRestarts(0.1, t_0, t_mult, STEPS_PER_EPOCH)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, t_0, t_mult)
    expected = []
    for step in range(epochs * STEPS_PER_EPOCH):
        optimizer.step()
        scheduler.step(step / STEPS_PER_EPOCH)  # pyright: ignore[reportArgumentType]
        expected.append(optimizer.param_groups[0]["lr"])
    rates = np.asarray(schedule.at(np.arange(len(expected))))
    np.testing.assert_allclose(rates, expected, atol=OPTIMIZER * 0.1)


def test_state_carries_the_rate_from_step_to_step():
    schedule = WarmRestarts(0.1, 2, 2, STEPS_PER_EPOCH)
    state, rates = schedule.init(), []
    for _ in range(6 * STEPS_PER_EPOCH):
        rates.append(float(schedule(state)))
        state = schedule.update(state)
    np.testing.assert_array_equal(rates, schedule.at(np.arange(len(rates))))


@pytest.mark.parametrize("t_mult", [1, 2, 10])
def test_cycles_continue_for_every_int32_step(t_mult):
    schedule = WarmRestarts(0.1, 2, t_mult, STEPS_PER_EPOCH)
    cycle, length = 0, 2 * STEPS_PER_EPOCH
    while cycle < 2**31 and cycle < 1000 * length:
        assert schedule.at(cycle) == pytest.approx(0.1)
        cycle, length = cycle + length, length * t_mult
        assert cycle > 2**31 or schedule.at(cycle - 1) < 0.01


def test_joining_small_arrays_keeps_all_values():
    tree = {"a": jnp.arange(4.0).reshape(2, 2), "b": jnp.ones((300, 300)), "c": -jnp.ones(3)}
    joined = join_small(tree)
    assert [leaf.shape for leaf in joined] == [(7,), (300, 300)]
    assert optax.tree.norm(joined) == pytest.approx(float(optax.tree.norm(tree)))


def test_other_rates_and_cycles_share_one_program():
    def lower(schedule):
        optimizer = sgd(schedule, momentum=0.8, weight_decay=1e-3)
        parameters = {"weight": jnp.ones(3)}
        return jax.jit(optimizer.update).lower(parameters, optimizer.init(parameters), parameters)

    one, other = lower(WarmRestarts(0.1, 2, 2, 7)), lower(WarmRestarts(0.02, 5, 2, 11))
    assert one.as_text() == other.as_text()


RATES = {"head": 2e-2, "backbone": 5e-3}


def torch_sgd(groups):
    return torch.optim.SGD(groups, momentum=0.8, weight_decay=1e-3)


def torch_adamw(groups):
    return torch.optim.AdamW(groups, betas=(0.85, 0.99), eps=1e-6, weight_decay=0.05)


@pytest.mark.parametrize("max_norm", [None, 3.0])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda rate, norm: sgd(rate, 0.8, 1e-3, norm), torch_sgd),
        (lambda rate, norm: adamw(rate, 0.85, 0.99, 1e-6, 0.05, norm), torch_adamw),
    ],
    ids=["sgd", "adamw"],
)
@pytest.mark.parametrize("large", [1, 3, 2**16])
def test_parameters_equal_torchs_after_200_steps(monkeypatch, large, ours, theirs, max_norm):
    monkeypatch.setattr(optimizer_module, "_LARGE", large)  # none, one or both joined
    rng = np.random.default_rng(0)
    matrix, target = rng.normal(size=(32, 5)), rng.normal(size=32)
    start = {"head": rng.normal(size=3), "backbone": rng.normal(size=2)}
    warm_up = 10
    schedules = {
        group: WarmRestarts(rate, 4, 2, STEPS_PER_EPOCH, warm_up) for group, rate in RATES.items()
    }
    optimizer = ours(schedules, max_norm)

    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    descent = theirs([{"params": [tensors[name]], "lr": RATES[name]} for name in tensors])
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(descent, 4, 2)

    with jax.enable_x64(True):
        parameters = {name: jnp.asarray(value) for name, value in start.items()}
        state = optimizer.init(parameters)

        def loss_of(parameters):
            weights = jnp.concatenate([parameters["head"], parameters["backbone"]])
            return jnp.mean((matrix @ weights - target) ** 2)

        @jax.jit
        def step_ours(parameters, state):
            updates, state = optimizer.update(jax.grad(loss_of)(parameters), state, parameters)
            return optax.apply_updates(parameters, updates), state

        clipped = 0
        for step in range(200):
            if step < warm_up:
                for group, rate in zip(descent.param_groups, RATES.values(), strict=True):
                    group["lr"] = rate * (step + 1) / (warm_up + 1)
            else:
                since = (step - warm_up) / STEPS_PER_EPOCH
                restarts.step(since)  # pyright: ignore[reportArgumentType]
            descent.zero_grad()
            weights = torch.cat([tensors["head"], tensors["backbone"]])
            ((torch.tensor(matrix) @ weights - torch.tensor(target)) ** 2).mean().backward()
            if max_norm is not None:
                norm = torch.nn.utils.clip_grad_norm_(tensors.values(), max_norm)
                clipped += int(norm > max_norm)
            descent.step()
            parameters, state = step_ours(parameters, state)
    assert max_norm is None or 10 < clipped < 200
    for name in start:
        found, expected = np.asarray(parameters[name]), tensors[name].detach().numpy()
        assert not np.allclose(found, start[name], atol=1e-2)
        np.testing.assert_allclose(found, expected, rtol=OPTIMIZER)


def test_warm_up_rises_to_the_first_cycle_which_it_delays():
    rates = np.asarray(WarmRestarts(0.1, 2, 2, STEPS_PER_EPOCH, 4).at(np.arange(40)))
    np.testing.assert_allclose(rates[:4], [0.02, 0.04, 0.06, 0.08], rtol=1e-6)
    later = np.asarray(WarmRestarts(0.1, 2, 2, STEPS_PER_EPOCH).at(np.arange(36)))
    np.testing.assert_array_equal(rates[4:], later)
    with pytest.raises(ValueError, match="warm_up must be at least 0"):
        WarmRestarts(0.1, 2, 2, STEPS_PER_EPOCH, -1)


@pytest.mark.parametrize("name", ["t_0", "t_mult", "steps_per_epoch"])
def test_count_below_one_is_refused_by_name(name):
    counts = {"t_0": 1, "t_mult": 1, "steps_per_epoch": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        WarmRestarts(0.1, **counts)
