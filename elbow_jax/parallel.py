"""Devices: one mesh axis ``data``, over which batches are split and states are replicated."""

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from elbow_core.errors import ConfigError


def make_mesh(batch_size: int) -> Mesh:
    """Return a mesh of every device of every process along the axis ``data``.

    Raises:
        ConfigError: if the global batch cannot be split evenly over the devices.
    """
    devices = jax.devices()
    if batch_size % len(devices):
        raise ConfigError(
            f"batch_size: {batch_size} cannot be split over {len(devices)} devices; "
            f"choose a multiple of {len(devices)}"
        )
    return Mesh(np.asarray(devices), ("data",))


def replicated(mesh: Mesh) -> NamedSharding:
    """The layout of a state: a whole copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh) -> NamedSharding:
    """The layout of a batch: its first axis cut over the devices."""
    return NamedSharding(mesh, PartitionSpec("data"))


def to_devices(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Place this process's share of a batch on its devices, as one global array each."""
    sharding = split_batch(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, array)
        for name, array in batch.items()
    }
