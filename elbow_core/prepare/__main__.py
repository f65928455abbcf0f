"""Prepare a data set: scan, check, split, preprocess, archive.

python -m elbow_core.prepare --config configs/data/elbow.yaml [--field.sub value ...] [--strict]
    [--near-duplicates group]

The same command resumes an interrupted run.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.config import describe_fields, load_config, take_config_path
from elbow_core.dataset import ManifestRow, count_classes, read_manifest
from elbow_core.prepare.config import DataConfig
from elbow_core.prepare.corrections_record import describe_record, read_record
from elbow_core.prepare.pipeline import MANIFEST, NEAR_DUPLICATES, REJECTED, prepare
from elbow_core.printable import one_line
from elbow_core.tables import read_csv_table

_REASONS = 12  # that are printed: all rules that leave files out, and some


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments or "-h" in arguments:
        print(f"{__doc__}\nFields:\n{describe_fields(DataConfig)}")
        return 0
    path, overrides = take_config_path(_expand_flags(arguments))
    config = load_config(DataConfig, path, overrides)
    prepared = prepare(config)
    print(f"{config.out}: {'prepared' if prepared else 'already prepared with these settings'}")
    print(format_table(read_manifest(config.out / MANIFEST)))
    if record := read_record(config.out):
        print(describe_record(record))
    if rejected := _read_lines(config.out / REJECTED):
        print(f"{len(rejected)} files were not used; {config.out / REJECTED} says why")
        for line in describe_reasons(rejected):
            print(f"  {line}")
    if pairs := _read_lines(config.out / NEAR_DUPLICATES):
        separated = sum(line["split"] != line["other_split"] for line in pairs)
        print(
            f"{len(pairs)} pairs of images of different patients look the same, "
            f"{separated} of them in different splits; {config.out / NEAR_DUPLICATES} lists them"
        )
    return 0


def format_table(rows: Sequence[ManifestRow]) -> str:
    """Return a text table of images per split and class, as in the paper."""
    counts = count_classes(rows)
    counts["total"] = (
        sum(normal for normal, _ in counts.values()),
        sum(injury for _, injury in counts.values()),
    )
    lines = [f"{'Set':<12}{'Normal':>8}{'Injury':>8}"]
    for name, (normal, injury) in counts.items():
        lines.append(f"{name.capitalize():<12}{normal:>8}{injury:>8}")
    return "\n".join(lines)


def describe_reasons(rejected: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a line for each of the most frequent reasons: its file, or their number and one."""
    first: dict[str, str] = {}
    for line in rejected:
        first.setdefault(line["reason"], line["path"])
    counts = Counter(line["reason"] for line in rejected)
    lines = [
        one_line(
            f"{first[reason]}: {reason}"
            if number == 1
            else f"{number} files, such as {first[reason]}: {reason}"
        )
        for reason, number in counts.most_common(_REASONS)
    ]
    return lines + ["..."] * (len(counts) > _REASONS)


def _expand_flags(arguments: Sequence[str]) -> list[str]:
    """Replace the two flags that are not field names by the fields that they set."""
    expanded = []
    for argument, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        if argument == "--strict" and following.startswith("--"):
            argument = "--strict=true"
        elif argument.partition("=")[0] == "--near-duplicates":
            argument = argument.replace("--near-duplicates", "--near_duplicates", 1)
        expanded.append(argument)
    return expanded


def _read_lines(table: Path) -> list[Mapping[str, str]]:
    return [row.cells for row in read_csv_table(table).rows]


if __name__ == "__main__":
    cli.run(main)
