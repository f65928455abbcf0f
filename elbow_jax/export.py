"""A released model for other runtimes: ``python -m elbow_jax.export --model DIR --out FILE``.

FILE.stablehlo and FILE.onnx are written, or the one whose ending FILE has. Both hold the network
with its weights, and model.json: preprocessing, thresholds, label names. StableHLO runs in JAX on a
CPU, on CUDA and on a TPU, ONNX in onnxruntime and others; docs/export.md has a loader for each.
"""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import UserError
from elbow_core.files import require_output_file, require_utf8_name
from elbow_jax import porting, runtime, scoring

STABLEHLO, ONNX = ".stablehlo", ".onnx"

_CARD = "model.json"  # its name among the metadata of an ONNX file
_PACKAGES = ("torch", "timm", "onnx", "onnxscript")


def outputs_of(out: Path) -> list[Path]:
    """Return the files to write: one that is named with its ending, or both."""
    if out.suffix in (STABLEHLO, ONNX):
        return [out]
    return [out.with_name(out.name + ending) for ending in (STABLEHLO, ONNX)]


def require_packages() -> None:
    """Raise `UserError` unless the packages are installed that write ONNX."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"{ONNX} needs {', '.join(missing)}: pip install 'elbow-radiographs[export]', or name "
            f"a file that ends in {STABLEHLO}"
        )


def write_onnx(path: Path, released: "scoring.ReleasedModel") -> None:
    """Write a model as ONNX, with its card in the metadata."""
    card = released.card
    porting.write_onnx(
        path,
        card.architecture,
        porting.released_to_torch(card.architecture, released.variables, card.members),
        card.preprocessing.size,
        {_CARD: scoring.card_text(card)},
        card.members,
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", type=Path, required=True, help="the `model` folder of a finished run"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    outputs = outputs_of(options.out)
    if any(path.suffix == ONNX for path in outputs):
        require_packages()
    require_utf8_name(options.model)
    for path in outputs:
        mark = scoring.stablehlo_mark() if path.suffix == STABLEHLO else porting.ONNX_MARK
        require_output_file(path, "--out", mark=mark, regular=True)
    runtime.set_up_process()
    runtime.open_devices()
    released = scoring.read_released(options.model)
    for path in outputs:
        if path.suffix == STABLEHLO:
            scoring.write_stablehlo(path, released)
        else:
            write_onnx(path, released)
        print(path)
    return 0


if __name__ == "__main__":
    cli.run(main)
