"""What every test runs under: two cores, no network, a compilation cache, shapes checked."""

import os
from pathlib import Path

from tests.support.paths import RADIOGRAPHS, ROOT

# Two workers share two cores, so each framework gets one thread. Before the first import.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache/jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

import hypothesis
import jax
import pytest

from elbow_jax.runtime import startup

# Before the first array, so that what a test runs in its own process gives the bytes of a command.
startup.choose_xla_flags()

hypothesis.settings.register_profile("shared_cores", deadline=None)
hypothesis.settings.load_profile("shared_cores")
jax.config.update("jax_numpy_rank_promotion", "raise")


def _set_torch_up() -> None:
    """One thread, and a torchvision that timm can import."""
    try:
        import torch
    except ModuleNotFoundError:
        return
    from elbow_jax.porting.torchvision_operators import define_missing_torchvision_operators

    torch.set_num_threads(1)
    define_missing_torchvision_operators()


_set_torch_up()


@pytest.fixture(scope="session")
def real_radiographs() -> Path:
    """The folder of real radiographs that may lie beside the project."""
    if not RADIOGRAPHS.is_dir():
        pytest.skip("the real radiographs (../shared/data) are not on this machine")
    return RADIOGRAPHS


@pytest.fixture(scope="session", params=("medgemma", "llava_rad"))
def tuned(request, tmp_path_factory) -> Path:
    """The folder of a finished fine-tuning run of each architecture."""
    # Here, since other tests need neither transformers nor the seconds of its import.
    from tests.support.small_data import write_prepared
    from tests.support.vlm_runs import TUNED_EPOCHS, write_config
    from vlm_torch import finetune

    folder = tmp_path_factory.mktemp(request.param)
    write_prepared(folder / "data")
    config = write_config(folder, request.param, epochs=TUNED_EPOCHS, checkpoint_every=4)
    assert finetune.main(["--config", str(config)]) == 0
    return folder
