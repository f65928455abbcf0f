"""The JSON interface of a running server."""

import re
import threading

import cv2
import numpy as np
import pytest

from elbow_core.evaluation.statistics.calibration import log_odds
from elbow_core.evaluation.studies import Studies
from elbow_core.evaluation.studies.joins import MEAN_OF_LOGITS, _plain
from elbow_core.radiographs import decode_radiograph, preprocess
from elbow_jax.scoring import Predictor, read_released
from reading_room.server.openapi import description
from tests.support.processes import children_of, linux
from tests.support.reading_rooms import FILE, memory_of
from tests.support.tiny_images import encode, make_image


@pytest.fixture(scope="module")
def released(model):
    return read_released(model)


def test_score_answer_and_gate_are_those_of_the_model(client, released, png):
    predictor = Predictor(released, batch_size=1)
    noise = encode(np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8))
    for data, gate in ((png, "ok"), (noise, "unlike the training images")):
        grey = decode_radiograph(data, "image")
        pixels = preprocess(grey, **released.card.preprocessing.model_dump())
        batch = {"image": pixels[None, :, :, None], "position": np.zeros(1, np.int32)}
        _, (expected,), _ = predictor.judge([batch])
        answer = client.ask("/score", data)
        assert answer.status == 200
        (judged,) = answer.json["models"]
        assert judged["score"] == pytest.approx(expected, abs=1e-6)
        below, above = released.card.abstention.normal_below, released.card.abstention.injury_from
        wanted = "injury" if expected >= above else "normal" if expected < below else "uncertain"
        assert judged["answer"] == wanted
        assert (judged["model"], judged["operating_point"]) == ("elbows", "abstention")
        assert judged["gate"] == gate
        assert (answer.json["height"], answer.json["width"]) == grey.shape


def test_picture_is_the_radiograph_and_a_heat_map_has_the_size_of_the_input(client, released, png):
    picture = client.ask("/picture", png)
    assert picture.headers["content-type"] == "image/png"
    shown = cv2.imdecode(np.frombuffer(picture.body, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(shown, decode_radiograph(png, "image"))
    answer = client.ask("/heat_map?model=0", png)
    heat = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_UNCHANGED)
    assert heat is not None
    size = released.card.preprocessing.size
    assert heat.shape == (size, size)
    assert heat.max() in (0, 255)


def test_views_of_a_study_have_one_digest_and_no_identity(client, view):
    answers = [client.ask("/score", view("1", position)).json for position in ("AP", "LL")]
    assert answers[0]["study"] == answers[1]["study"] != ""
    assert [answer["view"] for answer in answers] == ["ap", "lateral"]
    for answer in answers:
        assert not re.search("MRN77|Zorblatt|1\\.2\\.840", str(answer))


@pytest.mark.parametrize("scores", [[0.3], [0.9, 0.2], [0.0, 1.0, 0.5]])
def test_study_is_joined_as_the_report_joins(client, scores):
    count = len(scores)
    studies = Studies(
        np.array([""]), np.array([0]), np.array([count]), np.zeros(count, np.int64), 0
    )
    array = np.array(scores, np.float64)
    expected = _plain(studies, array, log_odds(array))[MEAN_OF_LOGITS][0]
    body = f'{{"scores": {[[score] for score in scores]}}}'.encode()
    (joined,) = client.ask("/study", body).json["models"]
    assert joined["score"] == pytest.approx(expected, abs=1e-12)
    assert (joined["join"], joined["images"]) == (MEAN_OF_LOGITS, count)


REFUSED = {
    "an unknown path": ("/../etc/passwd", None, FILE, "GET", 404),
    "a path of a file": ("/reading_room/__main__.py", None, FILE, "GET", 404),
    "a Python file of the page": ("/__init__.py", None, FILE, "GET", 404),
    "another method": ("/score", None, FILE, "GET", 405),
    "a method of its own": ("/models", b"x", FILE, "DELETE", 405),
    "no image": ("/score", b"text", FILE, "POST", 422),
    "an empty body": ("/score", b"", FILE, "POST", 400),
    "a body that is too long": ("/score", bytes(5 * 2**20), FILE, "POST", 413),
    "a form": ("/score", b"x", {"Content-Type": "text/plain;charset=utf-8"}, "POST", 415),
    "no type": ("/score", b"x", {}, "POST", 415),
    "another host": ("/models", None, {"Host": "evil.example"}, "GET", 421),
    "another page": ("/score", b"x", FILE | {"Origin": "http://evil.example"}, "POST", 403),
    "a page without an origin": ("/score", b"x", FILE | {"Origin": "null"}, "POST", 403),
    "a request across sites": (
        "/score",
        b"x",
        FILE | {"Sec-Fetch-Site": "cross-site"},
        "POST",
        403,
    ),
    "a frame on another site": ("/models", None, {"Sec-Fetch-Site": "same-site"}, "GET", 403),
    "no such model": ("/heat_map?model=1", b"x", FILE, "POST", 400),
    "a study without images": ("/study", b'{"scores": []}', FILE, "POST", 400),
    "a score above 1": ("/study", b'{"scores": [[1.5]]}', FILE, "POST", 400),
    "a score that is none": ("/study", b'{"scores": [[NaN]]}', FILE, "POST", 400),
    "scores of other models": ("/study", b'{"scores": [[0.5, 0.5]]}', FILE, "POST", 400),
    "no JSON": ("/study", b"[" * 10_000, FILE, "POST", 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_one_line_of_json_and_the_server_goes_on(room, client, png, name):
    path, body, headers, method, status = REFUSED[name]
    connection = room.client()._connection
    connection.request(method, path, body, dict(headers))
    response = connection.getresponse()
    text = response.read()
    assert response.status == status, text
    assert list(response.headers).count("content-security-policy") == 1
    if method != "HEAD":
        assert b"\n" not in text
        assert text.startswith(b'{"error":"')
    assert "access-control-allow-origin" not in response.headers
    connection.close()
    assert client.ask("/score", png).status == 200


def test_body_without_a_length_and_one_that_ends_early_are_refused(room, client, png):
    connection = room.client()._connection
    connection.request("POST", "/score", iter([png[:100], png[100:]]), FILE, encode_chunked=True)
    assert connection.getresponse().status == 411
    connection.close()
    connection = room.client()._connection
    connection.putrequest("POST", "/score")
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Content-Length", "5000")
    connection.endheaders(b"part")
    connection.close()
    assert client.ask("/score", png).status == 200


def test_page_is_served_from_memory_and_names_nothing_elsewhere(client):
    answer = client.ask("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    names = re.findall(r'(?:src|href)="/([\w.]+)"', answer.body.decode())
    assert {"main.js", "style.css", "icon.svg"} == set(names)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    for name in ("", *names, "viewer.js"):
        text = client.ask(f"/{name}").body.decode()
        found = set(re.findall(r"https?://[\w./]+", text)) - {"http://www.w3.org/2000/svg"}
        assert found == set()
        assert not re.search(r"\sstyle=|\son\w+=|innerHTML|eval\(", text)


def test_description_lists_what_the_server_answers(client, png):
    text = client.ask("/openapi.json").json
    assert text == description()
    schemas = text["components"]["schemas"]

    def required(name: str) -> set[str]:
        return set(schemas[name]["required"])

    scored = client.ask("/score", png).json
    assert scored.keys() == required("Image") == schemas["Image"]["properties"].keys()
    assert scored["models"][0].keys() == required("Judged")
    joined = client.ask("/study", b'{"scores": [[0.5], [0.6]]}').json
    assert joined["models"][0].keys() == required("Joined")
    models = client.ask("/models").json
    assert models.keys() == required("Models")
    entry = schemas["Models"]["properties"]["models"]["items"]["properties"]
    assert models["models"][0].keys() == entry.keys()
    for path, operations in text["paths"].items():
        for method in operations:
            body = None if method == "get" else b"x"
            assert client.ask(path, body).status not in (404, 405), path


def test_every_one_of_64_clients_is_answered_and_no_answer_is_another_ones(room, released):
    images = [encode(make_image(number, 64 + number, 70)) for number in range(64)]
    heights: dict[int, list[int]] = {}
    busy = [0] * len(images)
    barrier = threading.Barrier(len(images))

    def ask(number: int) -> None:
        client = room.client()
        barrier.wait()
        heights[number] = []
        for _ in range(3):
            answer, times = client.insist("/score", images[number])
            heights[number].append(answer.json["height"])
            busy[number] += times
        client.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heights == {number: [64 + number] * 3 for number in range(len(images))}
    assert sum(busy) > 0  # The queue takes 16.


@linux
def test_memory_does_not_grow_with_the_requests(room, client):
    grown = growth(room, client, 400)
    assert grown < 40 * 2**20


@linux
@pytest.mark.slow
def test_memory_is_flat_over_ten_thousand_requests(room, client):
    growth(room, client, 1000)
    assert growth(room, client, 10_000) < 40 * 2**20


def growth(room, client, count: int) -> int:
    """Return by how much the memory of the server and its decoders grows over many requests."""
    images = [encode(make_image(number, 300, 300)) for number in range(10)]
    pids = [room.process.pid, *children_of(room.process.pid)]

    def ask(times: int) -> None:
        for number in range(times):
            path = ("/score", "/picture", "/heat_map")[number % 3]
            assert client.insist(path, images[number % 10])[0].status == 200

    ask(100)
    before = memory_of(pids)
    ask(count)
    return memory_of(pids) - before


def test_no_name_reaches_the_log(room, client, view):
    for data in (view("1", "AP"), view("1", "AP")[:500], b"Zorblatt" * 20):
        for path in ("/score", "/picture", "/heat_map"):
            client.ask(path, data)
    client.ask("/Zorblatt?name=Zorblatt")
    printed = "".join([*room.lines, *room.errors])
    assert "Zorblatt" not in printed
    assert "MRN77" not in printed
    assert printed == room.lines[0]
