"""Devices and processes: a mesh with one axis ``data``, over which batches are split."""

import os

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from elbow_core.errors import ConfigError

_ADDRESS = "JAX_COORDINATOR_ADDRESS"


def join_processes() -> None:
    """Join the other processes of this run, if the environment names any.

    Either ``JAX_COORDINATOR_ADDRESS`` (host:port of process 0), ``JAX_NUM_PROCESSES`` and
    ``JAX_PROCESS_ID`` are set, or the process belongs to a SLURM step of several tasks. Must be
    called before anything that uses a device.

    Raises:
        ConfigError: if the other processes cannot be reached or a variable is missing.
    """
    if _ADDRESS not in os.environ and int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) < 2:
        return
    try:
        if _ADDRESS in os.environ:
            jax.distributed.initialize(
                os.environ[_ADDRESS],
                int(os.environ["JAX_NUM_PROCESSES"]),
                int(os.environ["JAX_PROCESS_ID"]),
            )
        else:
            jax.distributed.initialize()
    except KeyError as error:
        raise ConfigError(f"{_ADDRESS} is set, so {error.args[0]} must be too") from error
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"the processes of this run cannot be joined: {reason}") from error


def open_devices() -> None:
    """Initialise the devices; after `join_processes`, before anything else that uses them.

    Raises:
        ConfigError: if there is none of the kind that ``JAX_PLATFORMS`` asks for, or none that
            works.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # AssertionError: a GPU was asked for, none is
        asked = os.environ.get("JAX_PLATFORMS")
        reason = " ".join(str(error).split("\n")[0].split()) or "no such device"
        raise ConfigError(
            f"JAX_PLATFORMS={asked}: {reason}; unset it, or set JAX_PLATFORMS=cpu"
            if asked
            else f"no device can be used: {reason}; set JAX_PLATFORMS=cpu to compute on the CPU"
        ) from error


def process() -> tuple[int, int]:
    """Return the index of this process and the number of processes."""
    return jax.process_index(), jax.process_count()


def is_main() -> bool:
    """Return whether this process is the one that writes files and prints."""
    return jax.process_index() == 0


def wait_for_all(name: str) -> None:
    """Return once every process has called this; at once in a run of one process."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def any_process(flag: bool) -> bool:
    """Return whether `flag` is set in any process; every process must call this together."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.asarray(flag))))


def make_mesh(batch_size: int) -> Mesh:
    """Return a mesh of every device of every process along the axis ``data``.

    Args:
        batch_size: images that pass through the network at once, over all devices.

    Raises:
        ConfigError: if they cannot be split evenly over the devices.
    """
    devices = jax.devices()
    if batch_size % len(devices):
        raise ConfigError(
            f"batch_size: {batch_size} cannot be split over {len(devices)} devices; "
            f"choose a multiple of {len(devices)}"
        )
    return Mesh(np.asarray(devices), ("data",))


def replicated_sharding(mesh: Mesh) -> NamedSharding:
    """Return the sharding of a state: a whole copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Return the sharding of a batch: its first axis split over the devices."""
    return NamedSharding(mesh, PartitionSpec("data"))


def to_devices(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Place this process's share of a batch on its devices, each entry as one global array."""
    sharding = batch_sharding(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, array)
        for name, array in batch.items()
    }
