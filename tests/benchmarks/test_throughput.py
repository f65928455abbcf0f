"""The throughput benchmark without measuring: the jobs, the metrics, the records, the pages."""

import json

import pytest

from benchmarks.compile.__main__ import NAME as COMPILE_TIME
from benchmarks.compile.__main__ import document as compile_document
from benchmarks.learning.page import document as learning_document
from benchmarks.throughput import cases
from benchmarks.throughput.__main__ import DEFAULT_OUT
from benchmarks.throughput.results import page, plots, records, summary
from elbow_core.errors import UserError
from tests.benchmarks.rows import MACHINE, record, row, two_rounds
from tests.support.paths import ROOT


def selection(**chosen):
    fields = {
        "device": "cpu",
        "parts": ("inference",),
        "networks": ("convnext_tiny",),
        "sizes": (384,),
        "batches": (4,),
        "scale_batches": (1, 2),
        "modes": None,
        "rounds": 3,
        "quick": False,
    }
    return cases.Selection(**(fields | chosen))


def test_documents_and_pages_equal_the_records():
    measured = records.read_all(DEFAULT_OUT)
    assert measured
    for name in page.DOCUMENTS:
        text = (ROOT / name).read_text()
        assert page.BEGIN in text, name
        expected = page.fill(text, list(measured.values()), name)
        assert text == expected, f"run: {page.COMMAND} --table"
    for path, one in measured.items():
        assert path.with_suffix(".md").read_text() == page.document(one)
        assert path.with_suffix(".png").exists()


def test_pages_of_compile_time_and_learning_equal_their_records():
    path = DEFAULT_OUT / f"{COMPILE_TIME}.json"
    assert path.with_suffix(".md").read_text() == compile_document(json.loads(path.read_text()))
    learnt = list(DEFAULT_OUT.glob("learning_*.json"))
    assert learnt
    for path in learnt:
        expected = learning_document(json.loads(path.read_text()))
        assert path.with_suffix(".md").read_text() == expected


def test_modes_run_forwards_and_backwards_in_alternate_rounds():
    jobs = list(cases.plan_jobs(selection()))
    modes = [[job.mode for job in jobs if job.round == number] for number in range(3)]
    assert modes[0] == ["jit", *cases.TORCH_MODES["cpu"]]
    assert modes[1] == modes[0][::-1]
    assert modes[2] == modes[0]
    assert len({job.key for job in jobs}) == len(jobs) == 3 * len(modes[0])


def test_every_part_has_jobs_and_scale_covers_its_three_axes():
    everything = selection(parts=cases.PARTS, networks=cases.NETWORKS)
    jobs = list(cases.plan_jobs(everything))
    assert {job.case.part for job in jobs} == set(cases.PARTS)
    on_gpu = cases.plan_jobs(selection(parts=cases.PARTS, device="gpu"))
    assert {job.case.part for job in on_gpu} == set(cases.PARTS) - {"turns"}
    scale = {job.case for job in jobs if job.case.part == "scale"}
    assert {case.size for case in scale} == set(cases.SCALE_SIZES)
    assert {case.batch for case in scale} >= {1, 2}
    assert {case.devices for case in scale} == {1, 2, 4}
    assert all(case.batch % case.devices == 0 for case in scale)


def test_jax_is_compared_with_the_fastest_mode_round_by_round():
    (one,) = summary.comparisons(two_rounds(), "train")
    assert one.torch is not None
    assert one.jax is not None
    assert one.torch.mode == "compile"
    assert one.jax.seconds == 1.5
    assert one.ratios() == [2.0, 4.0]
    assert one.ratios("cpu_seconds") == [2.0, 4.0]
    assert one.operations_per_second(one.jax) == 10**9 * 6 * 4 / 1.5


def with_turns(jax, torch, ran):
    turns = [
        row("jax", "jit", 0, jax, part="turns", ran="jit"),
        row("torch", "fastest", 0, torch, part="turns", ran=ran),
    ]
    return two_rounds() + turns


def test_turns_against_the_fastest_mode_replace_the_rounds():
    (one,) = summary.network_comparisons(with_turns([1.0, 2.0, 1.0], [1.5, 2.0, 3.0], "compile"))
    assert one.torch is not None
    assert one.torch.mode == "compile"
    assert one.ratios() == [1.5, 1.0, 3.0]
    assert one.ratios("cpu_seconds") == [1.5, 1.0, 3.0]
    (one,) = summary.network_comparisons(with_turns([1.0], [1.5], "eager"))
    assert one.ratios() == [2.0, 4.0]
    unmeasured = with_turns([1.0], [1.5], "compile")
    unmeasured[-2]["note"] = "out of memory"
    (one,) = summary.network_comparisons(unmeasured)
    assert one.ratios() == [2.0, 4.0]


def test_spread_of_few_ratios_is_their_extremes_and_of_many_their_quartiles():
    assert summary.spread([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert summary.spread([float(number) for number in range(11)]) == (2.0, 8.0)


def test_a_mode_that_could_not_run_has_its_note_in_its_row():
    lines = page.document(record(two_rounds())).splitlines()
    assert [line for line in lines if "eager, channels last" in line and "out of memory" in line]
    (main,) = [line for line in lines if "3.00 (2.00 to 4.00)" in line][:1]
    assert "2.67" in main  # 4 images in 1.5 s
    assert "1 (compile)" in main


def test_the_tables_say_that_no_gpu_was_measured_until_one_was():
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    measured = record(two_rounds())
    filled = page.fill(text, [measured], page.TABLES_PAGE)
    assert "old" not in filled
    assert page.NO_GPU in filled
    assert filled.startswith("before\n")
    assert filled.endswith("after\n")
    assert page.fill(filled, [measured], page.TABLES_PAGE) == filled
    with_gpu = [measured, measured | {"device": "gpu"}]
    assert page.NO_GPU not in page.fill(text, with_gpu, page.TABLES_PAGE)
    with pytest.raises(UserError, match="needs both"):
        page.fill(page.BEGIN, [measured], "README.md")


def test_the_summary_has_one_line_a_device_with_the_range_of_ratios_at_384_pixels():
    rows = two_rounds()
    for network, seconds in (("mobilenetv3_large", 3.0), ("efficientnetv2_s", 9.0)):
        rows.append(row("jax", "jit", 0, [2.0], name=network))
        rows.append(row("torch", "eager", 0, [seconds], name=network))
    rows.append(row("jax", "jit", 0, [1.0], size=584))
    rows.append(row("torch", "eager", 0, [100.0], size=584))
    empty = f"{page.BEGIN}\n{page.END}\n"
    filled = page.fill(empty, [record(rows)], "README.md")
    assert f"`{page.COMMAND}`" in filled
    assert f"]({page.TABLES_PAGE})" in filled
    lines = [line for line in filled.splitlines() if line.startswith("- ")]
    assert lines == [
        "- A CPU, 2 cores, float32: inference not measured, training step 1.50 to 4.50",
        "- GPU: not measured",
    ]
    gpu = record(rows, device="gpu", name="1 x GPU")
    assert "not measured\n\n" not in page.fill(empty, [gpu], "README.md")


def test_the_figure_has_a_panel_for_the_ratios_and_for_each_axis_of_scale():
    measured = record(two_rounds())
    figure = plots.draw(measured)
    assert figure is not None
    assert len(figure.axes) == 1
    for size, batch, devices in ((224, 4, 1), (384, 4, 1), (224, 1, 1), (224, 4, 2)):
        where = {"part": "scale", "size": size, "batch": batch, "devices": devices}
        measured["rows"].append(row("jax", "jit", 0, [1.0], **where))
        if devices == 1:
            measured["rows"].append(row("torch", "eager_channels_last", 0, [2.0], **where))
    figure = plots.draw(measured)
    assert figure is not None
    _, sizes, batches, devices = figure.axes
    points = [
        [len(line.get_xdata()) for line in panel.lines]  # pyright: ignore[reportArgumentType]
        for panel in (sizes, batches, devices)
    ]
    assert points == [[2, 2], [2, 2], [2, 1]]
    assert plots.draw(record([])) is None


def test_rows_of_changed_code_are_measured_again():
    job = next(cases.plan_jobs(selection()))
    measured = {"rows": []}
    records.add_row(measured, job, {"seconds": [1.0]})
    assert records.missing_jobs(measured, [job]) == []
    measured["rows"][0]["source"] = "of older code"
    assert records.missing_jobs(measured, [job]) == [job]
    records.add_row(measured, job, {"seconds": [2.0]})
    assert [each["seconds"] for each in measured["rows"]] == [[2.0]]


def test_turns_against_a_mode_that_is_no_longer_the_fastest_are_measured_again():
    case = cases.Case("turns", "convnext_tiny", "train", 384, 4)
    jobs = cases.interleaved_jobs(case, 0)
    measured = {"rows": two_rounds()}  # where torch.compile is the fastest
    for job, mode in zip(jobs, ("jit", "compile"), strict=True):
        records.add_row(measured, job, {"seconds": [1.0], "ran": mode})
    assert records.missing_jobs(measured, jobs) == []
    records.add_row(measured, jobs[1], {"seconds": [1.0], "ran": "eager"})
    assert records.missing_jobs(measured, jobs) == [jobs[1]]


def test_a_record_of_other_versions_is_refused(tmp_path):
    path = tmp_path / "cpu.json"
    measured = records.open_record(path, MACHINE, quick=False, fresh=False)
    measured["rows"] = two_rounds()
    records.write(measured, path)
    assert records.open_record(path, MACHINE, quick=False, fresh=False) == measured
    newer = MACHINE | {"versions": {"jax": "2"}}
    with pytest.raises(UserError, match="versions was"):
        records.open_record(path, newer, quick=False, fresh=False)
    assert records.open_record(path, newer, quick=False, fresh=True)["rows"] == []
    path.write_text("{}")
    with pytest.raises(UserError, match="not a record"):
        records.open_record(path, MACHINE, quick=False, fresh=False)
