"""The command: its options, its one-line errors, and its end."""

import contextlib
import http.client
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

from reading_room import __main__ as command
from reading_room.server.networks import _names
from tests.support.commands import refusal_of
from tests.support.processes import assert_gone, children_of, linux
from tests.support.reading_rooms import Room


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--port", "70000"], "--port: 70000 is not from 0 to 65535"),
        (["--decoders", "0"], "--decoders: 0 is not from 1 to 64"),
        (["--queue", "0"], "--queue: 0 is not from 1 to 1024"),
        (["--megabytes", "257"], "--megabytes: 257 is not from 1 to 256"),
        (["--seconds", "nan"], "--seconds: nan is not from 1 to 3600"),
        (["--model", "a", "--model", "b"], "--model: 3 models; the page compares two at most"),
        (["--host", "no such host"], "--host: 'no such host' is no address of this machine"),
        (["--host", "0.0.0.0"], "--host 0.0.0.0: give --name NAME too"),
        (["--token-file", "{folder}/none"], "none: cannot be read: No such file"),
        (["--token-file", "{folder}/short"], "short: a token has at least 16 letters"),
        (["--port", "0"], "no released model here (model.json is missing)"),
    ],
)
def test_wrong_option_is_refused_in_one_line(capsys, tmp_path, options, line):
    (tmp_path / "short").write_text("secret\n")
    options = [option.format(folder=tmp_path) for option in options]
    assert line in refusal_of(capsys, command, "--model", str(tmp_path), *options)


def test_port_in_use_is_told_before_the_model_is_read(capsys, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refusal_of(capsys, command, "--model", str(tmp_path), "--port", port)
    assert line == f"error: --port: {port} is in use; give another one, or 0 for any"


def test_models_are_named_after_their_runs():
    folders = ["runs/one/model", "two", "other/one/model", "a\nb"]
    assert _names([Path(folder) for folder in folders]) == ["one", "two", "one (2)", "ab"]


@linux
def test_replaced_model_is_still_served_and_told_and_a_kill_leaves_nothing(model, png, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    own = Path(shutil.copytree(model, tmp_path / "own/model"))
    room = Room([own], home=home)
    client = room.client()
    before = client.ask("/score", png).json
    assert not client.ask("/models").json["models"][0]["replaced"]
    shutil.rmtree(own)
    deadline = time.monotonic() + 60
    while not client.ask("/models").json["models"][0]["replaced"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert client.ask("/score", png).json == before
    client.ask("/models")
    client.close()
    children = children_of(room.process.pid)
    assert children
    status, errors = room.end(signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert errors.count("the model on disk was replaced or removed") == 1
    assert_gone(children)
    written = [path for path in home.rglob("*") if path.is_file() and "elbow_jax" not in path.parts]
    assert written == []


@linux
@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 130, "interrupted\n"),
        (signal.SIGTERM, 143, "stopped by SIGTERM; give the same command again\n"),
    ],
)
def test_signal_ends_the_server_and_its_decoders(model, png, number, status, line):
    room = Room([model])
    with contextlib.closing(room.client()) as client:
        assert client.ask("/score", png).status == 200
    children = children_of(room.process.pid)
    assert room.end(number) == (status, line)
    assert_gone(children)


def test_other_address_has_a_token_that_every_question_needs(model, png):
    room = Room([model], "--host", "0.0.0.0", "--name", "127.0.0.1")
    address, _, token = room.url.partition("#token=")
    assert address == f"http://127.0.0.1:{room.port}/"
    connection = http.client.HTTPConnection("127.0.0.1", room.port, timeout=60)
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}"}, 200)):
        headers["Content-Type"] = "image/png"
        connection.request("POST", "/score", png, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()
    assert "other machines reach this server" in room.end()[1]
