"""Hub errors: offline, and from a local server that refuses; no test uses the network."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from elbow_core.errors import ConfigError, UserError
from tests.support.commands import error_of
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import make_config, write_config
from vlm_torch import finetune
from vlm_torch.config import FolderBase
from vlm_torch.models import FAMILIES, find_base
from vlm_torch.models.hub import download

HUB = {"kind": "hub", "id": "google/medgemma-4b-it"}
DOWNLOADS = """
import sys
from vlm_torch.models.hub import download
from elbow_core.errors import UserError
for revision in ("main", "missing"):
    name = "owner/gated" if revision == "main" else "owner/open"
    try:
        download(name, revision, "the terms")
    except UserError as error:
        print(error)
try:
    download("owner/nothing", "main", "the terms")
except UserError as error:
    print(error)
"""


class Refusing(BaseHTTPRequestHandler):
    """A server that answers like the hub: gated, no such revision, no such repository."""

    def do_GET(self) -> None:
        code, status = "RepoNotFound", 404
        if "owner/gated" in self.path:
            code, status = "GatedRepo", 403
        elif "owner/open" in self.path:
            code = "RevisionNotFound"
        body = json.dumps({"error": code}).encode()
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_offline_error_says_which_terms_to_accept_and_how_to_use_a_folder(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    write_prepared(tmp_path / "data")
    model = {"architecture": "medgemma", "base": HUB}
    path = write_config(tmp_path, "medgemma", model=model)
    message = error_of(capsys, finetune, "--config", str(path))
    assert "google/medgemma-4b-it" in message
    assert "Health AI Developer Foundations" in message
    assert "https://huggingface.co/google/medgemma-4b-it" in message
    assert "kind: folder" in message
    assert not (tmp_path / "run").exists()


def test_gated_missing_and_unknown_checkpoints_have_different_errors(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    environment |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", DOWNLOADS],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            check=True,
        )
    finally:
        server.shutdown()
        server.server_close()
    gated, revision, unknown = done.stdout.splitlines()
    assert "owner/gated: is gated; accept the terms" in gated
    assert "hf auth login" in gated
    assert "model.base.revision: owner/open has no revision 'missing'" in revision
    assert "owner/nothing: the hub shows no such checkpoint" in unknown


def test_cached_checkpoint_is_used_offline_with_its_commit(tmp_path, monkeypatch):
    cache = tmp_path / "hub"
    commit = "a" * 40
    repository = cache / "models--google--medgemma-4b-it"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text(commit)
    FAMILIES["medgemma"].write_tiny_checkpoint(repository / "snapshots" / commit, 32, 0)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    folder, found = download("google/medgemma-4b-it", "main", "the terms")
    assert found == commit
    assert folder == repository / "snapshots" / commit
    with pytest.raises(UserError, match="cannot be downloaded"):
        download("google/medgemma-4b-it", "b" * 40, "the terms")


def test_missing_folder_is_named(tmp_path):
    section = make_config(tmp_path, "medgemma").model
    section = section.model_copy(update={"base": FolderBase(path=tmp_path / "nothing")})
    with pytest.raises(ConfigError, match=r"model\.base\.path: .*nothing: no such folder"):
        find_base(section, tmp_path)


def test_checkpoint_of_another_architecture_is_refused(tmp_path):
    FAMILIES["llava_rad"].write_tiny_checkpoint(tmp_path / "llava", 32, 0)
    section = make_config(tmp_path, "medgemma").model
    section = section.model_copy(update={"base": FolderBase(path=tmp_path / "llava")})
    with pytest.raises(ConfigError, match="holds a model of type 'llava'"):
        find_base(section, tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_incomplete_folder_is_named(tmp_path, capsys, name):
    write_prepared(tmp_path / "data")
    FAMILIES["medgemma"].write_tiny_checkpoint(tmp_path / "base", 32, 0)
    (tmp_path / "base" / name).unlink()
    base = {"kind": "folder", "path": str(tmp_path / "base")}
    model = {"architecture": "medgemma", "base": base, "dtype": "float32"}
    path = write_config(tmp_path, "medgemma", model=model)
    message = error_of(capsys, finetune, "--config", str(path))
    assert str(tmp_path / "base") in message
    assert not (tmp_path / "run").exists()


def test_four_bits_without_bitsandbytes_say_what_to_install(tmp_path, capsys):
    if importlib.util.find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is installed")
    write_prepared(tmp_path / "data")
    path = write_config(tmp_path, "medgemma")
    message = error_of(capsys, finetune, "--config", str(path), "--model.four_bit", "true")
    assert "[vlm,qlora]" in message
