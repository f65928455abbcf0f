"""Tune a vision-language model by LoRA.

    python -m vlm_torch.finetune --config F [--resume] [--dry-run] [--field.sub value ...]

--dry-run counts parameters and memory on no device, from the real shapes, and trains nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from peft import PeftModel
from transformers import set_seed
from transformers.trainer_callback import PrinterCallback

from elbow_core import cli
from elbow_core.config import load_config, take_config_path
from elbow_core.config.help import describe_fields
from elbow_core.dataset.prepared import PreparedData, open_prepared
from elbow_core.errors import ConfigError
from elbow_core.radiographs.augmentation import NO_AUGMENTATION
from elbow_core.radiographs.preprocessing import Preprocessing
from elbow_core.runs import METRICS, MetricsLog, begin_run, describe_run, resume_run
from vlm_torch import startup
from vlm_torch.config import FinetuneConfig
from vlm_torch.data import Collate, Radiographs, require_images
from vlm_torch.lora.adapter import installed_versions, write_adapter
from vlm_torch.lora.layers import add_lora, count_trained
from vlm_torch.models.base import (
    BaseFolder,
    Reading,
    find_base,
    load_base,
    read_processor,
    real_shapes,
)
from vlm_torch.training.checkpoints import (
    best_checkpoint,
    latest_checkpoint,
    remove_partial_checkpoints,
)
from vlm_torch.training.memory import TEXT_TOKENS, memory_table
from vlm_torch.training.trainer import Log, LoraTrainer, training_arguments


def build_model(config: FinetuneConfig, base: BaseFolder) -> PeftModel:
    """Load the base model and add what is trained.

    Raises:
        ConfigError: weights that do not fit.
    """
    set_seed(config.seed)
    return add_lora(load_base(base, config.model), config.lora)


def build_trainer(
    config: FinetuneConfig, data: PreparedData, reading: Reading, model: PeftModel
) -> LoraTrainer:
    """Join a model with the images; makes the folder of checkpoints."""
    section = config.data
    return LoraTrainer(
        model=model,
        args=training_arguments(config, config.run / "checkpoints"),
        data_collator=Collate(reading.tokens, reading.normalise, config.loss),
        train_dataset=Radiographs(data, "train", config.seed, section.copies, section.augmentation),
        eval_dataset=Radiographs(data, "validation", config.seed, 0, NO_AUGMENTATION),
        batch_size=config.batch_size,
        marks_image=reading.tokens.marks_image,
    )


def finetune(config: FinetuneConfig, resume: bool) -> Path:
    """Tune from configuration to adapter; return the adapter's folder.

    Raises:
        UserError: if anything the user gave cannot be used; before the first step, but for a loss
            that is not finite.
    """
    data = open_prepared(config.data.prepared)
    arguments = training_arguments(config, config.run / "checkpoints")
    is_main = arguments.process_index == 0
    with arguments.main_process_first(local=False):
        base = find_base(config.model, config.run.parent)
    reading = read_processor(base, config.model, config.prompt)
    require_images(data, ("train", "validation"), reading.image_size)
    images = len(data.positions("train")) * (1 + config.data.copies)
    if images < config.batch_size:
        raise ConfigError(
            f"{data.directory}: {images} training images, copies among them, do not fill a batch "
            f"of {config.batch_size}; lower batch_size or raise data.copies"
        )
    model = build_model(config, base)
    low_rank, whole = count_trained(model)
    with arguments.main_process_first(local=False):
        if is_main:
            record = describe_run(
                tuple(installed_versions()),
                data.directory,
                processes=arguments.world_size,
                device=str(arguments.device),
                base={"origin": base.origin, "revision": base.revision},
                lora_parameters=low_rank,
                other_trained_parameters=whole,
            )
            (resume_run if resume else begin_run)(config.run, config, record)
    adapter = config.run / "adapter"
    if adapter.is_dir():
        print(f"{config.run}: finished already")
        return adapter
    checkpoints = config.run / "checkpoints"
    latest = latest_checkpoint(checkpoints)
    log = None
    if is_main:
        remove_partial_checkpoints(checkpoints)
        step = 0 if latest is None else int(latest.name.removeprefix("checkpoint-"))
        log = MetricsLog(config.run / METRICS, after=step)
        print(
            f"{config.run.name}: {low_rank:,} LoRA parameters and {whole:,} others to train "
            f"beside {model.num_parameters() - low_rank - whole:,} frozen"
        )
    trainer = build_trainer(config, data, reading, model)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Log(config.run.name, log, config.checkpoint_every))
    trainer.train(resume_from_checkpoint=None if latest is None else str(latest))
    if is_main:
        checkpoint, step, loss = best_checkpoint(checkpoints)
        write_adapter(
            adapter,
            checkpoint,
            base,
            model=config.model,
            prompt=config.prompt,
            preprocessing=Preprocessing.model_validate(data.archive.settings),
            step=step,
            validation_loss=loss,
        )
        print(f"adapter: {adapter} (step {step}, validation loss {loss:.4f})")
    return adapter


def dry_run(config: FinetuneConfig) -> None:
    """Print what each setting of a configuration would hold in memory."""
    part = config.batch_size // config.accumulate
    print(
        f"{config.model.architecture}, LoRA rank {config.lora.rank}, {part} images of a batch of "
        f"{config.batch_size} at a time, {TEXT_TOKENS} tokens of text; one process that trains by "
        "itself\n"
    )
    print(memory_table(config, real_shapes(config.model, config.run.parent)))


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments:
        print(f"{__doc__}\nFields:\n{describe_fields(FinetuneConfig)}")
        return 0
    switches = {"--resume", "--dry-run"}
    path, overrides = take_config_path([word for word in arguments if word not in switches])
    config = load_config(FinetuneConfig, path, overrides)
    startup.begin(config.model)
    if "--dry-run" in arguments:
        dry_run(config)
        return 0
    finetune(config, resume="--resume" in arguments)
    return 0


if __name__ == "__main__":
    cli.run(main)
