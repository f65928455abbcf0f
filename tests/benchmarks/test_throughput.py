"""What the throughput benchmark would measure, and what it makes of measurements."""

import pytest

from elbow_core.errors import UserError
from tests.support.paths import ROOT

MACHINE = {
    "device": "cpu",
    "name": "A CPU, 2 cores",
    "precision": "float32",
    "cores": 2,
    "python": "3.11",
    "versions": {"jax": "1"},
    "settings": {},
}


def selection(cases, **chosen):
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


def row(parts, framework, mode, number, seconds, **more):
    case = parts.cases.Case(**{"part": "train", "name": "convnext_tiny", "work": "train"} | {
        name: more.pop(name, default)
        for name, default in (("size", 384), ("batch", 4), ("devices", 1), ("part", "train"))
    })  # fmt: skip
    return {
        **vars(case),
        "framework": framework,
        "mode": mode,
        "round": number,
        "source": "",
        "load": 1.0,
        "seconds": seconds,
        "cpu_seconds": [2 * second for second in seconds],
        "peak_mib": 100.0,
        "trace_s": 1.0,
        "compile_s": 2.0,
        "from_cache": False,
        **more,
    }


def compared(parts):
    return [
        row(parts, "jax", "jit", 0, [1.0, 2.0, 9.0], multiply_adds=10**9),
        row(parts, "jax", "jit", 1, [1.0, 1.0, 1.0], multiply_adds=10**9),
        row(parts, "torch", "eager", 0, [3.0, 3.0, 3.0]),
        row(parts, "torch", "eager", 1, [8.0, 8.0, 8.0]),
        row(parts, "torch", "compile", 0, [4.0, 4.0, 4.0]),
        row(parts, "torch", "compile", 1, [4.0, 4.0, 4.0]),
        row(parts, "torch", "eager_channels_last", 0, [], note="out of memory"),
    ]


def test_documents_show_what_the_records_hold(parts):
    measured = parts.records.read_all(ROOT / "docs" / "benchmarks")
    for name in parts.page.DOCUMENTS:
        text = (ROOT / name).read_text()
        expected = parts.page.filled(text, measured, name)
        assert text == expected, f"run: {parts.page.COMMAND} --table"
    assert parts.page.BEGIN in (ROOT / "docs" / "throughput.md").read_text()


def test_contenders_take_turns_forwards_and_backwards(parts):
    turns = list(parts.cases.jobs(selection(parts.cases)))
    modes = [[job.mode for job in turns if job.round == number] for number in range(3)]
    assert modes[0] == ["jit", *parts.cases.TORCH_MODES["cpu"]]
    assert modes[1] == modes[0][::-1]
    assert modes[2] == modes[0]
    assert len({job.key for job in turns}) == len(turns) == 3 * len(modes[0])


def test_every_part_names_its_work_and_scale_goes_along_three_axes(parts):
    cases = parts.cases
    everything = selection(cases, parts=cases.PARTS, networks=cases.NETWORKS)
    jobs = list(cases.jobs(everything))
    assert {job.case.part for job in jobs} == set(cases.PARTS)
    on_gpu = cases.jobs(selection(cases, parts=cases.PARTS, device="gpu"))
    assert {job.case.part for job in on_gpu} == set(cases.PARTS) - {"turns"}
    scale = {job.case for job in jobs if job.case.part == "scale"}
    assert {case.size for case in scale} == set(cases.SCALE_SIZES)
    assert {case.batch for case in scale} >= {1, 2}
    assert {case.devices for case in scale} == {1, 2, 4}
    assert all(case.batch % case.devices == 0 for case in scale)


def test_jax_is_held_against_the_fastest_mode_round_by_round(parts):
    (one,) = parts.summary.comparisons(compared(parts), "train")
    assert one.torch.mode == "compile"
    assert one.jax.seconds == 1.5
    assert one.ratios() == [2.0, 4.0]
    assert one.ratios("cpu_seconds") == [2.0, 4.0]
    assert one.operations_per_second(one.jax) == 10**9 * 6 * 4 / 1.5


def in_turns(parts, jax, torch, ran):
    rows = [
        row(parts, "jax", "jit", 0, jax, part="turns", ran="jit"),
        row(parts, "torch", "fastest", 0, torch, part="turns", ran=ran),
    ]
    return compared(parts) + rows


def test_turns_against_the_fastest_mode_stand_for_the_case(parts):
    (one,) = parts.summary.networks(in_turns(parts, [1.0, 2.0, 1.0], [1.5, 2.0, 3.0], "compile"))
    assert one.torch.mode == "compile"
    assert one.ratios() == [1.5, 1.0, 3.0]
    assert one.ratios("cpu_seconds") == [1.5, 1.0, 3.0]
    (one,) = parts.summary.networks(in_turns(parts, [1.0], [1.5], "eager"))
    assert one.ratios() == [2.0, 4.0]
    unmeasured = in_turns(parts, [1.0], [1.5], "compile")
    unmeasured[-2]["note"] = "out of memory"
    (one,) = parts.summary.networks(unmeasured)
    assert one.ratios() == [2.0, 4.0]


def test_of_many_ratios_the_middle_half_is_told(parts):
    assert parts.summary.spread([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert parts.summary.spread([float(number) for number in range(11)]) == (2.0, 8.0)


def test_a_mode_that_could_not_run_says_so_in_its_row(parts):
    record = {"benchmark": "throughput", "quick": False, **MACHINE, "rows": compared(parts)}
    lines = parts.page.document(record).splitlines()
    assert [line for line in lines if "eager, channels last" in line and "out of memory" in line]
    (main,) = [line for line in lines if "3.00 (2.00 to 4.00)" in line][:1]
    assert "2.67" in main  # 4 images in 1.5 s
    assert "1 (compile)" in main


def test_the_page_says_that_no_gpu_was_measured_until_one_was(parts):
    text = f"before\n{parts.page.BEGIN}\nold\n{parts.page.END}\nafter\n"
    record = {"benchmark": "throughput", "quick": False, **MACHINE, "rows": compared(parts)}
    filled = parts.page.filled(text, [record], "docs/throughput.md")
    assert "old" not in filled
    assert parts.page.NO_GPU in filled
    assert filled.startswith("before\n")
    assert filled.endswith("after\n")
    assert parts.page.filled(filled, [record], "docs/throughput.md") == filled
    with_gpu = [record, record | {"device": "gpu"}]
    assert parts.page.NO_GPU not in parts.page.filled(text, with_gpu, "README.md")
    with pytest.raises(UserError, match="needs both"):
        parts.page.filled(parts.page.BEGIN, [record], "README.md")


def test_the_figure_has_a_panel_for_the_ratios_and_for_each_axis_of_scale(parts):
    record = {**MACHINE, "rows": compared(parts)}
    assert len(parts.plots.draw(record).axes) == 1
    for size, batch, devices in ((224, 4, 1), (384, 4, 1), (224, 1, 1), (224, 4, 2)):
        where = {"part": "scale", "size": size, "batch": batch, "devices": devices}
        record["rows"].append(row(parts, "jax", "jit", 0, [1.0], **where))
        if devices == 1:
            record["rows"].append(row(parts, "torch", "eager_channels_last", 0, [2.0], **where))
    _, sizes, batches, devices = parts.plots.draw(record).axes
    points = [
        [len(line.get_xdata()) for line in panel.lines] for panel in (sizes, batches, devices)
    ]
    assert points == [[2, 2], [2, 2], [2, 1]]
    assert parts.plots.draw({**MACHINE, "rows": []}) is None


def test_figures_of_changed_code_are_measured_again(parts):
    job = next(parts.cases.jobs(selection(parts.cases)))
    record = {"rows": []}
    parts.records.add(record, job, {"seconds": [1.0]})
    assert parts.records.missing(record, [job]) == []
    record["rows"][0]["source"] = "of older code"
    assert parts.records.missing(record, [job]) == [job]
    parts.records.add(record, job, {"seconds": [2.0]})
    assert [each["seconds"] for each in record["rows"]] == [[2.0]]


def test_turns_against_a_mode_that_is_no_longer_the_fastest_are_taken_again(parts):
    case = parts.cases.Case("turns", "convnext_tiny", "train", 384, 4)
    duel = parts.cases.duel(case, 0)
    record = {"rows": compared(parts)}  # where torch.compile is the fastest
    for job, mode in zip(duel, ("jit", "compile"), strict=True):
        parts.records.add(record, job, {"seconds": [1.0], "ran": mode})
    assert parts.records.missing(record, duel) == []
    parts.records.add(record, duel[1], {"seconds": [1.0], "ran": "eager"})
    assert parts.records.missing(record, duel) == [duel[1]]


def test_a_record_of_other_versions_is_not_added_to(parts, tmp_path):
    path = tmp_path / "cpu.json"
    record = parts.records.begin(path, MACHINE, quick=False, fresh=False)
    record["rows"] = compared(parts)
    parts.records.write(record, path)
    assert parts.records.begin(path, MACHINE, quick=False, fresh=False) == record
    newer = MACHINE | {"versions": {"jax": "2"}}
    with pytest.raises(UserError, match="versions was"):
        parts.records.begin(path, newer, quick=False, fresh=False)
    assert parts.records.begin(path, newer, quick=False, fresh=True)["rows"] == []
    path.write_text("{}")
    with pytest.raises(UserError, match="not a record"):
        parts.records.begin(path, MACHINE, quick=False, fresh=False)
