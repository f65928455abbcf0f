"""Train the torch twin from given variables and record its learning curve."""

import functools
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.learning.curves import Curve
from elbow_core.dataset import PreparedData
from elbow_jax import networks, porting
from elbow_jax.config import AdamWSection, TrainConfig
from elbow_jax.data import scoring_batches
from elbow_jax.models import build_model
from elbow_jax.scoring import sigmoid
from elbow_jax.steps import GREY_DEVIATION, GREY_MEAN
from elbow_jax.training import open_batches


def train_torch(
    config: TrainConfig, data: PreparedData, initial: dict[str, Any], steps_per_epoch: int
) -> dict[str, Any]:
    """Return the curve of the twin that starts from the Flax variables `initial`."""
    porting.define_missing_torchvision_operators()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = networks.compute_dtype(config.precision) != np.float32
    autocast = (
        functools.partial(torch.autocast, device.type, torch.bfloat16) if half else nullcontext
    )
    twin = porting.build_twin(config.model)
    tensors = porting.to_torch(initial, build_model(config.model))
    twin.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
    twin = twin.to(device).to(memory_format=torch.channels_last)  # pyright: ignore
    recipe = config.optimizer
    rate: Any = recipe.learning_rate
    if isinstance(recipe, AdamWSection):
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            twin.parameters(),
            lr=rate,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.epsilon,
            weight_decay=recipe.weight_decay,
        )
    else:
        optimizer = torch.optim.SGD(
            twin.parameters(), lr=rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, recipe.warm_restarts.t_0, recipe.warm_restarts.t_mult
    )
    warm_up = round(recipe.warm_up_epochs * steps_per_epoch)

    def logits_of(image: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(image).to(device).permute(0, 3, 1, 2).float() / 255
        with autocast():
            return twin((pixels - GREY_MEAN) / GREY_DEVIATION)[0].float()

    batches, curve = open_batches(config, data), Curve("torch")
    labels = np.asarray([data.rows[at].label for at in data.positions("validation")])
    for step in range(config.epochs * steps_per_epoch):
        batch = next(batches)
        if step < warm_up:
            optimizer.param_groups[0]["lr"] = rate * (step + 1) / (warm_up + 1)
        else:
            since: Any = (step - warm_up) / steps_per_epoch
            restarts.step(since)
        twin.train()
        target = torch.from_numpy(batch["label"]).to(device).float()
        loss = binary_cross_entropy_with_logits(logits_of(batch["image"]), target)
        optimizer.zero_grad()
        loss.backward()
        if recipe.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(twin.parameters(), recipe.max_gradient_norm)
        optimizer.step()
        curve.loss.append(loss.item())
        if not (step + 1) % steps_per_epoch:
            twin.eval()
            with torch.no_grad():
                parts = [
                    logits_of(part["image"]).cpu().numpy()[part["weight"] > 0]
                    for part in scoring_batches(data, "validation", batch_size=config.batch_size)
                ]
            curve.add_epoch(labels, sigmoid(np.concatenate(parts)))
    return curve.to_record()
