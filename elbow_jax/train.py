"""Train one stage.

python -m elbow_jax.train --config F [--resume | --dry-run] [--field.sub value ...]

--resume continues a run that stopped, or starts it; --dry-run builds and compiles, prints sizes,
memory and time, and writes nothing.
"""

from collections.abc import Sequence

from elbow_core import cli
from elbow_core.config import describe_fields, load_config, take_config_path
from elbow_core.errors import ConfigError
from elbow_core.files import require_utf8_name
from elbow_jax import runtime, training
from elbow_jax.config import TrainConfig


def main(arguments: Sequence[str]) -> int:
    """Run the command; JAX is imported once the configuration has been read."""
    if "--help" in arguments:
        print(f"{__doc__}\nFields:\n{describe_fields(TrainConfig)}")
        return 0
    flags = {"--resume", "--dry-run"} & set(arguments)
    if len(flags) > 1:
        raise ConfigError("--resume and --dry-run: give one of them")
    path, overrides = take_config_path([word for word in arguments if word not in flags])
    config = load_config(TrainConfig, path, overrides)
    require_utf8_name(config.run.absolute())
    runtime.set_up_process()
    runtime.join_processes()
    runtime.open_devices()
    if "--dry-run" in flags:
        training.print_cost(config)
        return 0
    return training.run_stage(config, resume="--resume" in flags)


if __name__ == "__main__":
    cli.run(main)
