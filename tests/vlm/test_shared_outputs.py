"""What people share of a fine-tuned run names no machine, no user and no place."""

import json

from elbow_core.evaluation.report.__main__ import main as report_main
from tests.support.planted_words import places_with, words_of_this_machine
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import write_config
from vlm_torch import finetune, merge, predict
from vlm_torch.models import FAMILIES

SHARED = ("adapter", "merged", "report", "predictions_test.csv", "metrics.jsonl", "run.json")


def test_shared_outputs_of_a_finetuned_run_hold_nothing_of_the_machine(tmp_path, monkeypatch):
    folder = tmp_path / "planted-user" / "planted-hospital"
    folder.mkdir(parents=True)
    monkeypatch.setenv("USER", "planted-user")
    monkeypatch.setenv("HOSTNAME", "planted-host")
    monkeypatch.setattr("socket.gethostname", lambda: "planted-host")
    monkeypatch.setattr("platform.node", lambda: "planted-host")
    base = folder / "base"
    FAMILIES["medgemma"].write_tiny_checkpoint(base, 32, 0)
    (base / "patients.txt").write_text("planted-patient")  # beside the files of the tokenizer
    (base / "trainer_state.json").write_text('{"path": "planted-patient"}')
    write_prepared(folder / "data")
    (folder / "data/rejected.csv").write_text(
        "path,reason\n"
        "planted-patient.png,is a GIF\n"
        'b.png,"is identical to planted-patient/a b.png, which has the other label"\n'
        "c.png,is a DICOM file whose WindowWidth is 'planted-patient'\n"
    )
    model = {
        "architecture": "medgemma",
        "base": {"kind": "folder", "path": str(base)},
        "dtype": "float32",
    }
    config = write_config(folder, "medgemma", model=model, epochs=1)
    run = folder / "run"
    assert finetune.main(["--config", str(config)]) == 0
    assert predict.main(["--run", str(run)]) == 0
    assert merge.main(["--run", str(run)]) == 0
    data = folder / "data"
    arguments = [
        *("--manifest", str(data / "manifest.csv"), "--rejected", str(data / "rejected.csv")),
        *("--archive", str(data), "--checklist", "--run", str(run), "--draws", "100"),
    ]
    predictions = str(run / "predictions_test.csv")
    assert report_main([predictions, "--out", str(run / "report"), *arguments]) == 0
    words = ["planted", *words_of_this_machine(tmp_path)]
    assert places_with(words, [run / name for name in SHARED]) == []
    # The places are in the files that are not to be shared, so that the run can be continued.
    start = json.loads((run / "local.json").read_text())["starts"][0]
    assert start["data"] == str(data)
    assert places_with(["planted"], [run / "config.yaml"])
