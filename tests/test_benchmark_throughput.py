import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from elbow_core.errors import UserError
from elbow_jax.models import ModelConfig
from elbow_jax.steps import make_eval_step, weighted_loss

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "benchmark_throughput.py"
NAMES = ("cases", "page", "plots", "processes", "records", "summary", "torch_work", "work")
MACHINE = {
    "device": "cpu",
    "name": "A CPU, 2 cores",
    "precision": "float32",
    "cores": 2,
    "python": "3.11",
    "versions": {"jax": "1"},
    "settings": {},
}


@pytest.fixture(scope="module")
def parts():
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(os.fspath(ROOT / "scripts"))
        modules = {name: importlib.import_module(f"throughput.{name}") for name in NAMES}
        script = importlib.import_module("benchmark_throughput")
        yield SimpleNamespace(script=script, **modules)


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


def test_both_sides_do_the_same_work(parts):
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    from tests.random_networks import ported, random_twin, relative_error
    from tests.tolerances import NETWORK

    config = ModelConfig(backbone="mobilenetv3_large", variant="small")
    twin = random_twin(config)
    module, variables = ported(config, twin)
    case = parts.cases.Case("train", "mobilenetv3_large", "train", 64, 4, variant="small")
    batch = parts.work.random_batch(case)
    ours = jax.jit(make_eval_step(module.apply, np.float32))(variables, batch)
    theirs = parts.torch_work.Normalised(twin)
    image = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2)
    label, weight = torch.from_numpy(batch["label"]).float(), torch.from_numpy(batch["weight"])
    with torch.no_grad():
        assert relative_error(ours, theirs(image)) < NETWORK
        loss = parts.torch_work.Loss(theirs)(image, label, weight)
    assert relative_error(weighted_loss(ours, jax.device_put(batch)), loss) < NETWORK


def benchmark(out, *arguments, path=""):
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, SCRIPT, "--out", out, "--quick", "--seconds", "0.01", *arguments]
    return subprocess.run(
        [*map(str, command)], env=environment, capture_output=True, text=True, check=False
    )


def test_without_torch_the_rows_of_jax_stand_alone_and_a_second_run_adds_nothing(tmp_path):
    folder, out = tmp_path / "hidden", tmp_path / "out"
    folder.mkdir()
    missing = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    (folder / "torch.py").write_text(missing)
    done = benchmark(out, "--part", "ceilings", path=str(folder))
    assert done.returncode == 0, done.stderr
    (record,) = out.glob("*_quick.json")
    rows = json.loads(record.read_text())["rows"]
    notes = {(each["framework"], each.get("note")) for each in rows}
    assert notes == {("jax", None), ("torch", "torch is not installed")}
    assert all(second > 0 for each in rows for second in each.get("seconds", []))
    assert record.with_suffix(".md").exists()
    before = record.read_bytes()
    assert "[1/" not in benchmark(out, "--part", "ceilings", path=str(folder)).stdout
    assert record.read_bytes() == before


@pytest.mark.parametrize("framework", ["jax", "torch"])
def test_a_batch_beyond_the_memory_is_a_row_that_says_so(parts, tmp_path, framework):
    layer = "mobilenetv3_large stage2"
    case = parts.cases.Case("depthwise", layer, "forward", 384, 10**9)
    mode = "jit" if framework == "jax" else "eager"
    job = parts.cases.Job(case, framework, mode, 0)
    assert parts.processes.measure(job, "cpu", 0.01, tmp_path) == {"note": "out of memory"}


def test_contenders_live_side_by_side_and_step_in_turns(tmp_path):
    chosen = ["--part", "inference", "turns", "--network", "mobilenetv3_large", "--mode", "jit"]
    done = benchmark(tmp_path, *chosen, "eager")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*_quick.json")
    rows = json.loads(path.read_text())["rows"]
    duel = {each["framework"]: each for each in rows if each["part"] == "turns"}
    assert {name: each["ran"] for name, each in duel.items()} == {"jax": "jit", "torch": "eager"}
    for each in rows:  # of training nothing was measured, and so there are no turns
        assert each["work"] == "inference"
        assert min(each["seconds"]) > 0
    assert {len(each["seconds"]) for each in duel.values()} == {8}
    assert "(eager)" in path.with_suffix(".md").read_text()


def test_who_has_no_opponent_says_so(parts, tmp_path):
    case = parts.cases.Case("turns", "mobilenetv3_large", "inference", 64, 4, variant="small")
    ours = parts.cases.Job(case, "jax", "jit", 0)
    too_large = parts.cases.Case("depthwise", "mobilenetv3_large stage2", "forward", 384, 10**9)
    nobody = parts.cases.Job(too_large, "jax", "jit", 0)
    in_turns = parts.processes.measure_in_turns
    none_came, memory = {"note": "no turn came"}, {"note": "out of memory"}
    assert in_turns([ours, nobody], "cpu", 0.01, tmp_path) == [none_came, memory]
    assert in_turns([nobody, ours], "cpu", 0.01, tmp_path) == [memory, {"note": "not run"}]


def test_without_the_data_packages_only_the_end_to_end_part_is_left_out(
    parts, tmp_path, monkeypatch
):
    folder = tmp_path / "hidden"
    folder.mkdir()

    def hide(package):
        missing = f"raise ModuleNotFoundError('no {package}', name='{package}')\n"
        (folder / f"{package}.py").write_text(missing)

    hide("grain")
    hide("array_record")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    config = {"name": "mobilenetv3_large", "work": "train", "size": 64, "batch": 2}
    case = parts.cases.Case(part="end_to_end", variant="small", **config)
    job = parts.cases.Job(case, "jax", "jit", 0)
    named = parts.processes.measure(job, "cpu", 0.01, tmp_path)  # the first that is imported
    assert named in [
        {"note": f"{package} is not installed"} for package in ("array-record", "grain")
    ]
    hide("cv2")
    hide("pydicom")
    case = parts.cases.Case(part="inference", variant="small", **config | {"work": "inference"})
    figures = parts.processes.measure(parts.cases.Job(case, "jax", "jit", 0), "cpu", 0.01, tmp_path)
    assert min(figures["seconds"]) > 0
    assert figures["multiply_adds"] > 0


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["--batch", "0"], ["--part", "scales"]])
def test_a_wrong_argument_ends_with_status_2(tmp_path, arguments):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--out", tmp_path / "out", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert arguments[0] in done.stderr
    assert not (tmp_path / "out").exists()
