"""Configuration errors of every command, which come before the seconds of importing torch."""

import json
import subprocess
import sys

from tests.support.paths import ROOT
from tests.support.vlm_runs import write_config

COMMANDS = """
import json, sys
from elbow_core.errors import ConfigError
from vlm_torch import assemble_llava_rad, finetune, merge, predict

results = []
for name, *arguments in json.loads(sys.argv[1]):
    try:
        globals()[name].main(arguments)
    except ConfigError as error:
        imported = [name for name in ("torch", "transformers", "peft") if name in sys.modules]
        results.append([str(error), imported])
print(json.dumps(results))
"""


def test_configuration_errors_come_before_torch_is_imported(tmp_path):
    config = write_config(tmp_path, "medgemma")
    finished = tmp_path / "finished"
    (finished / "merged").mkdir(parents=True)
    (finished / "config.yaml").write_text(config.read_text())
    commands = {
        "lora.rank": ["finetune", "--config", str(config), "--lora.rank", "0"],
        "give one --config FILE": ["finetune"],
        "no_run: is not a run": ["predict", "--run", str(tmp_path / "no_run")],
        "--batch-size: 0": ["predict", "--run", str(finished), "--batch-size", "0"],
        "other: is not a run": ["merge", "--run", str(tmp_path / "other")],
        "merged: already exists": ["merge", "--run", str(finished)],
        "already exists; give another --out": [
            *("assemble_llava_rad", "--parts", str(tmp_path), "--out", str(tmp_path)),
        ],
        "--init projector": [
            *("assemble_llava_rad", "--parts", str(tmp_path), "--out", str(tmp_path / "new")),
            *("--init", "projector"),
        ],
    }
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(list(commands.values()))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for expected, (message, imported) in zip(commands, json.loads(done.stdout), strict=True):
        assert expected in message
        assert imported == [], message
