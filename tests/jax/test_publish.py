"""The page of a released model, and its way to the hub."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from huggingface_hub import ModelCard

from elbow_core.dataset import NOTHING_SEEN, UNKNOWN_SEEN
from elbow_core.errors import HubError
from elbow_jax import publish, scoring
from elbow_jax.scoring import PAGE, RELEASED_FILES, is_own_page, model_page, read_card
from tests.support.commands import refusal_of, status_of
from tests.support.finished_runs import random_variables
from tests.support.released_models import CARD, NETWORK, SIZE


@pytest.fixture
def model(tmp_path) -> Path:
    """A released model with random weights."""
    folder = tmp_path / "model"
    scoring.write_released(folder, random_variables(NETWORK, SIZE), NOTHING_SEEN, **CARD)
    return folder


@pytest.fixture
def report(tmp_path) -> Path:
    """A report's folder with one model."""
    folder = tmp_path / "report"
    folder.mkdir()
    interval = {"low": 0.7, "high": 0.9, "method": "wilson", "reason": ""}
    nothing = {"low": None, "high": None, "method": "wilson", "reason": "no normal image"}
    model = {
        "auroc": 0.8123456,
        "sensitivity": 0.8,
        "specificity": None,
        "intervals": {"auroc": interval, "sensitivity": nothing},
    }
    content = {
        "schema": 4,
        "title": "hands | on test",
        "images": 62,
        "patients": 30,
        "injured": 29,
        "normal": 33,
        "draws": 2000,
        "seed": 0,
        "models": {"hands": model},
    }
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder


def run(*arguments: object) -> int:
    return publish.main([str(argument) for argument in arguments])


def test_released_model_has_a_page_that_the_hub_reads(model):
    text = (model / PAGE).read_text()
    metadata = ModelCard(text).data.to_dict()
    assert metadata["library_name"] == "flax"
    assert metadata["pipeline_tag"] == "image-classification"
    assert "model-index" not in metadata
    assert "a small MobileNetV3-Large" in text
    assert "32 x 32 pixels" in text
    assert "not a medical device" in text
    assert read_card(model).weights_sha256 in text
    assert "No figures of a test set were given." in text
    assert {path.name for path in model.iterdir()} == set(RELEASED_FILES)


def test_page_has_the_figures_of_a_report_and_they_are_metadata_too(model, report, capsys):
    assert run("--model", model, "--report", report, "--license", "cc-by-4.0") == 0
    assert capsys.readouterr().out == f"{model / PAGE}\n"
    text = (model / PAGE).read_text()
    metadata = ModelCard(text).data.to_dict()
    assert metadata["license"] == "cc-by-4.0"
    (result,) = metadata["model-index"][0]["results"]
    assert result["dataset"]["name"] == "hands | on test"
    found = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert found == {"roc_auc": 0.8123, "recall": 0.8}
    assert "62 images of 30 patients, 29 with an injury" in text
    assert "| auroc | 0.812 | 0.700 | 0.900 |" in text
    assert "| sensitivity | 0.800 | – | – |" in text
    assert "specificity |" not in text
    before = text
    run("--model", model, "--report", report, "--license", "cc-by-4.0")
    assert (model / PAGE).read_text() == before
    run("--model", model)
    assert "hands" not in (model / PAGE).read_text()


def test_page_that_was_edited_is_kept(model, capsys):
    path = model / PAGE
    assert is_own_page(path.read_bytes())
    edited = path.read_text().replace("## Limits", "## Limits\n\n- Hands only.")
    path.write_text(edited)
    assert not is_own_page(path.read_bytes())
    line = refusal_of(capsys, publish, "--model", str(model))
    assert line.endswith("README.md: was edited; move it away, and merge the new one by hand")
    assert path.read_text() == edited
    path.unlink()
    assert status_of(publish, "--model", str(model)) == 0
    assert path.is_file()


def test_what_came_from_unknown_weights_is_said(model):
    card = read_card(model)
    words = "do not say what they learnt from"
    assert words in model_page(card, UNKNOWN_SEEN)
    assert words not in model_page(card, NOTHING_SEEN)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--push", "name"], "--push: 'name' is not of the form OWNER/NAME"),
        (["--push", "a/b/c"], "is not of the form OWNER/NAME"),
        (["--license", "CC BY\nx"], "--license"),
        (["--of", "hands"], "--of: names a model of --report"),
        (["--private"], "--private: is of --push"),
    ],
)
def test_arguments_that_cannot_be_are_named(arguments, problem, model, capsys):
    with pytest.raises(SystemExit):
        run("--model", model, *arguments)
    assert problem in capsys.readouterr().err


def test_other_reports_are_refused(model, report, capsys):
    def refused(*arguments: str) -> str:
        return refusal_of(
            capsys, publish, "--model", str(model), "--report", str(report), *arguments
        )

    assert "has no model 'legs'; its models are hands" in refused("--of", "legs")
    path = report / "metrics.json"
    content = json.loads(path.read_text())
    content["models"]["legs"] = content["models"]["hands"]
    path.write_text(json.dumps(content))
    assert "has the models hands, legs; name one with --of" in refused()
    path.write_text("{}")
    assert "is not the metrics.json of a report" in refused()
    path.unlink()
    assert "cannot be read: No such file" in refused()


class _Hub(BaseHTTPRequestHandler):
    """The requests of `upload_folder`, as the hub answers them for files that are no LFS ones."""

    files: ClassVar[dict[str, bytes]] = {}
    refuse: ClassVar[bool] = False

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if self.refuse:
            self._answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            self._answer(200, {"url": self._url()})
        elif self.path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            listed = [entry["path"] for entry in json.loads(body)["files"]]
            modes = [
                {"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in listed
            ]
            self._answer(200, {"files": modes})
        elif "/commit/" in self.path:
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            address = f"{self._url()}/commit/{'0' * 40}"
            self._answer(200, {"commitUrl": address, "commitOid": "0" * 40, "success": True})
        else:
            self._answer(404, {})

    def do_GET(self) -> None:
        self._answer(401 if self.refuse else 200, {"siblings": [], "id": "owner/name"})

    def _url(self) -> str:
        return f"http://{self.headers['Host']}/owner/name"

    def _answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def hub(monkeypatch) -> Iterator[type[_Hub]]:
    """A server with the hub's answers on this machine, in its place."""
    _Hub.files, _Hub.refuse = {}, False
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    yield _Hub
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_four_files_are_pushed_and_nothing_else(hub, model, capsys):
    (model / "thesis.txt").write_text("mine")
    assert run("--model", model, "--push", "owner/name", "--private") == 0
    assert hub.files == {name: (model / name).read_bytes() for name in RELEASED_FILES}
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"/commit/{'0' * 40}")


def test_hub_that_refuses_is_one_line(hub, model):
    hub.refuse = True
    with pytest.raises(HubError, match=r"owner/name: the hub refuses \(401\); is HF_TOKEN a token"):
        run("--model", model, "--push", "owner/name")


def test_without_network_the_line_says_what_to_do(hub, model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set; the model is complete in its"):
        run("--model", model, "--push", "owner/name")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="the hub cannot be reached"):
        run("--model", model, "--push", "owner/name")
