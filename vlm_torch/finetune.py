"""Fine-tune a vision-language model with LoRA.

    python -m vlm_torch.finetune --config F [--resume] [--dry-run] [--field.sub value ...]

--resume continues a run, or starts it; --dry-run prints parameter counts and memory, computed from
the model's shapes without a device, and writes nothing.
"""

from collections.abc import Sequence

from elbow_core import cli
from elbow_core.config import describe_fields, load_config, take_config_path
from elbow_core.files import require_utf8_name
from vlm_torch import startup, training
from vlm_torch.config import FinetuneConfig


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments:
        print(f"{__doc__}\nFields:\n{describe_fields(FinetuneConfig)}")
        return 0
    switches = {"--resume", "--dry-run"}
    path, overrides = take_config_path([word for word in arguments if word not in switches])
    config = load_config(FinetuneConfig, path, overrides)
    require_utf8_name(config.run.absolute())
    startup.begin(config.model)
    if "--dry-run" in arguments:
        print(training.describe_memory(config))
        return 0
    return training.finetune(config, resume="--resume" in arguments)


if __name__ == "__main__":
    cli.run(main)
