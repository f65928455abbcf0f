"""The watcher and a real Orthanc: every image once, and one line for each trouble."""

import io
import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import DigitalXRayImageStorageForProcessing

from reading_room import watch
from reading_room.watch import __main__ as command
from reading_room.watch import server as server_module
from tests.support.commands import refusal_of, status_of
from tests.support.orthanc import Orthanc
from tests.support.pacs_studies import PATIENT, all_once, image_uid, results, study_image


def watch_once(orthanc: Orthanc, model: Path, state: Path, *more: str) -> int:
    arguments = ["--dicomweb", orthanc.url, "--model", str(model), "--state", str(state)]
    return status_of(command, *arguments, "--once", *more)


def test_each_image_is_scored_once_across_passes_states_and_restarts(
    orthanc, model, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr(server_module, "_PAGE", 2)  # several pages
    for study in range(3):
        orthanc.put(study_image(study))
    orthanc.put(study_image(2, 1))
    orthanc.put(study_image(7, BodyPartExamined="KNEE"))
    images = [image_uid(0), image_uid(1), image_uid(2), image_uid(2, 1)]
    state = tmp_path / "state"
    assert watch_once(orthanc, model, state) == 0
    assert results(orthanc) == all_once(*images)
    first = sorted(orthanc.file(one["ID"]) for one in orthanc.instances())

    assert watch_once(orthanc, model, state) == 0  # nothing is new
    orthanc.kill()
    orthanc.start()
    assert watch_once(orthanc, model, tmp_path / "lost state") == 0  # the server is asked
    # Our own objects are no radiographs, whatever is wanted.
    assert watch_once(orthanc, model, state, "--body-part", "elbow", "--modality", "OT", "CR") == 0
    assert sorted(orthanc.file(one["ID"]) for one in orthanc.instances()) == first

    orthanc.put(study_image(0, 1))  # a late image of a series that is done
    assert watch_once(orthanc, model, state) == 0
    assert results(orthanc) == all_once(*images, image_uid(0, 1))
    printed = capfd.readouterr()
    assert "4 images scored" in printed.out
    assert PATIENT not in printed.out + printed.err
    assert PATIENT.encode() not in (state / "journal").read_bytes()
    assert image_uid(0).encode() not in (state / "journal").read_bytes()


def test_missing_objects_alone_are_sent_and_have_the_same_bytes(orthanc, model, tmp_path):
    orthanc.put(study_image(0))
    state = tmp_path / "state"
    assert watch_once(orthanc, model, state) == 0
    before = sorted(orthanc.file(one["ID"]) for one in orthanc.instances())
    for one in orthanc.instances():
        made = dcmread(io.BytesIO(orthanc.file(one["ID"])))
        if made.Modality in ("SR", "PR"):
            orthanc.delete(one["ID"])
    # As a kill between two objects leaves it: the moment is known, the image is not done.
    lines = (state / "journal").read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"watch"' in line or '"moment"' in line]
    (state / "journal").write_text("".join(kept))
    assert watch_once(orthanc, model, state) == 0
    assert sorted(orthanc.file(one["ID"]) for one in orthanc.instances()) == before


def test_study_without_a_usable_image_is_one_line_once(orthanc, model, tmp_path, capfd):
    orthanc.put(study_image(0, BitsStored=33))
    raw = {"SOPClassUID": DigitalXRayImageStorageForProcessing, "Modality": "DX"}
    orthanc.put(study_image(1, **raw))
    orthanc.put(study_image(2))
    state = tmp_path / "state"
    assert watch_once(orthanc, model, state) == 2
    errors = sorted(capfd.readouterr().err.splitlines())
    assert len(errors) == 2
    assert errors[0].startswith(f"error: image {image_uid(0)}: is a DICOM file that contradicts")
    assert errors[1].endswith("has no usable image, only objects of other kinds")
    assert results(orthanc) == all_once(image_uid(2))
    assert watch_once(orthanc, model, state) == 0
    assert capfd.readouterr().err == ""


def test_days_leave_earlier_studies_out(orthanc, model, tmp_path):
    orthanc.put(study_image(0, StudyDate="19990102"))
    assert watch_once(orthanc, model, tmp_path / "state", "--days", "30") == 0
    assert results(orthanc) == {}


def test_server_that_is_not_there_is_one_line(model, tmp_path, capsys):
    given = ["--dicomweb", "http://127.0.0.1:9/dicom-web", "--model", str(model), "--once"]
    line = refusal_of(capsys, command, *given, "--state", str(tmp_path / "state"))
    assert line == "error: http://127.0.0.1:9/dicom-web: no connection (ConnectionError)"


def test_address_that_is_no_dicomweb_is_one_line(orthanc, model, tmp_path, capsys):
    given = ["--dicomweb", f"{orthanc.address}/nothing", "--model", str(model), "--once"]
    line = refusal_of(capsys, command, *given, "--state", str(tmp_path / "state"))
    assert line.endswith("does not give or take its list of series (HTTP 404)")


def test_account_is_asked_for_and_used(model, tmp_path, capsys, monkeypatch):
    from tests.support.orthanc import require_orthanc

    require_orthanc()
    users = {"reader": "secret"}
    server = Orthanc(tmp_path / "orthanc", AuthenticationEnabled=True, RegisteredUsers=users)
    server.start(account=("reader", "secret"))
    try:
        given = ["--dicomweb", server.url, "--model", str(model), "--once"]
        given += ["--state", str(tmp_path / "state")]
        assert "refuses the account (HTTP 401)" in refusal_of(capsys, command, *given)
        monkeypatch.setenv(server_module.USER, "reader")
        monkeypatch.setenv(server_module.PASSWORD, "secret")
        assert status_of(command, *given) == 0
    finally:
        server.remove()


def test_tries_become_rarer_while_the_server_is_away(model, tmp_path, capsys, monkeypatch):
    class EnoughError(Exception):
        pass

    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            raise EnoughError

    class Away(watch.Watcher):
        def __init__(self) -> None:
            self.progress = 0

        def make_pass(self) -> watch.Counts:
            if len(pauses) == 3:
                self.progress = 1  # it was there for a while
            raise watch.UnreachableError("http://x: no connection")

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(EnoughError):
        watch.keep_watching(Away(), 30.0, once=False)
    assert pauses == [1, 2, 4, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[1] == "error: http://x: no connection; trying again in 2 s"


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_model_that_changes_while_watching_ends_it_with_one_line(
    orthanc, model, tmp_path, capsys, change
):
    from reading_room.inference import Classifier

    orthanc.put(study_image(0))
    mine = Path(shutil.copytree(model, tmp_path / "model"))
    classifier = Classifier(mine)
    card = (mine / "model.json").read_text()
    if change == "replaced":
        (mine / "model.json").write_text(card.replace('"youden": 0.4', '"youden": 0.6'))
    else:
        shutil.rmtree(mine)
    with watch.opened_state(tmp_path / "state", orthanc.url) as state:
        wanted = watch.Wanted(frozenset({"ELBOW"}), ("CR",), None)
        watcher = watch.Watcher(watch.Server(orthanc.url), state, classifier, wanted)
        with pytest.raises(server_module.ConfigError, match="same command again") as caught:
            watcher.make_pass()
    assert "\n" not in str(caught.value)
    assert results(orthanc) == {}


def test_state_belongs_to_one_server_and_one_watcher(model, tmp_path, capsys):
    state = tmp_path / "state"
    with watch.opened_state(state, "http://a:1/x"):
        given = ["--dicomweb", "http://a:1/x", "--model", str(model), "--state", str(state)]
        assert "another watcher uses it" in refusal_of(capsys, command, *given)
    given[1] = "http://b:1/x"
    assert "belongs to the server http://a:1/x" in refusal_of(capsys, command, *given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dicomweb", "pacs:8042"], "is no address such as"),
        (["--dicomweb", "http://me:word@pacs/dicom-web"], "has an account in it"),
        (["--dicomweb", "http://pacs/dicom-web?a=b"], "has a part behind its path"),
        (["--dicomweb", "http://pacs/dicom-web", "--interval", "0"], "--interval: 0 is not above"),
        (["--dicomweb", "http://pacs/dicom-web", "--days", "-1"], "--days: -1 is not at least 0"),
    ],
)
def test_wrong_use_is_one_line(model, capsys, arguments, message):
    line = refusal_of(capsys, command, "--model", str(model), *arguments)
    assert message in line
    assert "word" not in line
