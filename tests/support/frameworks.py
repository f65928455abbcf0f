"""Set-up of JAX and PyTorch for the tests of each; a folder's conftest.py calls what it needs."""


def configure_jax() -> None:
    """Set XLA's flags as the commands do, and have implicit rank promotion raise.

    Call it before the first array: tests in this process then compute the bytes of a command.
    """
    import jax

    from elbow_jax.runtime import choose_xla_flags

    choose_xla_flags()
    jax.config.update("jax_numpy_rank_promotion", "raise")


def configure_torch() -> None:
    """Limit PyTorch, where it is installed, to one thread, and make timm importable."""
    try:
        import torch
    except ModuleNotFoundError:
        return
    from elbow_jax.porting import define_missing_torchvision_operators

    torch.set_num_threads(1)
    define_missing_torchvision_operators()
