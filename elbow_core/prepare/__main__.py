"""Make a prepared data set: scan, check, split, preprocess, archive.

python -m elbow_core.prepare --config configs/data/elbow.yaml [--field.sub value ...] [--strict]
    [--near-duplicates group]

A run that was killed goes on where it was when the same command is given again.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.config import load_config, take_config_path
from elbow_core.config.help import describe_fields
from elbow_core.dataset.manifest import ManifestRow, read_manifest
from elbow_core.dataset.splits import count_classes
from elbow_core.prepare.config import DataConfig
from elbow_core.prepare.pipeline import MANIFEST, NEAR_DUPLICATES, REJECTED, prepare


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments or "-h" in arguments:
        print(f"{__doc__}\nFields:\n{describe_fields(DataConfig)}")
        return 0
    path, overrides = take_config_path(_spell_out(arguments))
    config = load_config(DataConfig, path, overrides)
    done = prepare(config)
    print(f"{config.out}: {'prepared' if done else 'already prepared with these settings'}")
    print(format_table(read_manifest(config.out / MANIFEST)))
    if passed_over := _read_lines(config.out / REJECTED):
        print(f"{len(passed_over)} files were not used; {config.out / REJECTED} says why")
    if pairs := _read_lines(config.out / NEAR_DUPLICATES):
        apart = sum(line["split"] != line["other_split"] for line in pairs)
        print(
            f"{len(pairs)} pairs of images of different patients look the same, {apart} of them in "
            f"different splits; {config.out / NEAR_DUPLICATES} lists them"
        )
    return 0


def format_table(rows: Sequence[ManifestRow]) -> str:
    """Return the report's table: images per split and class."""
    counts = count_classes(rows)
    counts["total"] = (
        sum(normal for normal, _ in counts.values()),
        sum(injury for _, injury in counts.values()),
    )
    lines = [f"{'Set':<12}{'Normal':>8}{'Injury':>8}"]
    for name, (normal, injury) in counts.items():
        lines.append(f"{name.capitalize():<12}{normal:>8}{injury:>8}")
    return "\n".join(lines)


def _spell_out(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the two that have a form of their own as the fields they set."""
    flags = {"--strict": "--strict=true"}
    following = [*arguments[1:], "--"]
    bare = [
        flags.get(argument, argument) if after.startswith("--") else argument
        for argument, after in zip(arguments, following, strict=True)
    ]
    return [
        argument.replace("--near-duplicates", "--near_duplicates", 1)
        if argument.partition("=")[0] == "--near-duplicates"
        else argument
        for argument in bare
    ]


def _read_lines(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    cli.run(main)
