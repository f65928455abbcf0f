import jax
import numpy as np
import pytest

from benchmarks.architecture_trace import trace_network
from elbow_jax.models import ModelConfig, build_model
from scripts.make_architecture import COMMAND, SIZES, document, draw
from tests.support.paths import ROOT

NETWORKS = ("convnext_tiny", "efficientnetv2_s", "mobilenetv3_large", "fusion")
BACKBONES = NETWORKS[:3]


@pytest.fixture(scope="module")
def traces():
    return {
        name: [trace_network(ModelConfig(backbone=name), size) for size in SIZES]
        for name in NETWORKS
    }


def test_the_page_equals_a_fresh_trace_of_the_modules(traces):
    page = (ROOT / "docs" / "networks.md").read_text()
    assert page == document(traces), f"run: {COMMAND}"
    for name in NETWORKS:
        figure = f"figures/architecture_{name}.png"
        assert f"]({figure})" in page
        assert (ROOT / "docs" / figure).stat().st_size < 200_000


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "convnext_tiny",
            "stem stage0 cbam0 stage1 cbam1 stage2 cbam2 stage3 cbam3 mean head",
        ),
        (
            "efficientnetv2_s",
            "stem stage0 stage1 stage2 cbam0 stage3 stage4 stage5 last cbam1 mean dropout head",
        ),
        (
            "mobilenetv3_large",
            "stem stage0 stage1 stage2 stage3 stage4 stage5 last narrow cbam0 mean dropout head",
        ),
    ],
)
def test_attention_follows_the_stages_that_the_paper_names(traces, name, parts):
    assert [box.name for box in traces[name][0].boxes] == parts.split()
    kinds = {box.name for box in traces[name][0].boxes if box.kind == "cbam"}
    assert kinds == {part for part in parts.split() if part.startswith("cbam")}


def test_fusion_is_traced_as_three_backbones_and_a_head(traces):
    fusion = traces["fusion"][0]
    assert tuple(fusion.backbones) == BACKBONES
    for name in BACKBONES:
        assert fusion.backbones[name] == traces[name][0].backbones["backbone"]
    assert [box.name for box in fusion.head] == ["norm", "dropout", "hidden", "logit"]
    assert fusion.features == 3 * 768


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("convnext_tiny", [3, 3, 9, 3]),
        ("efficientnetv2_s", [2, 4, 4, 6, 9, 15]),
        ("mobilenetv3_large", [1, 2, 3, 4, 2, 3]),
    ],
)
def test_scanned_blocks_are_counted_one_by_one(traces, name, blocks):
    assert [box.blocks for box in traces[name][0].boxes if box.kind == "stage"] == blocks


@pytest.mark.parametrize("name", NETWORKS)
def test_parts_sum_to_the_whole_network(traces, name):
    for one in traces[name]:
        assert sum(box.parameters for box in one.boxes) == one.parameters
        assert sum(box.multiply_adds for box in one.boxes) == one.multiply_adds


@pytest.mark.parametrize("name", BACKBONES)
def test_parameters_and_multiply_adds_agree_with_torch(traces, name):
    pytest.importorskip("timm")
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from elbow_jax.porting import build_twin

    twin = build_twin(ModelConfig(backbone=name)).to("meta").eval()
    for one in traces[name]:
        assert one.parameters == sum(parameter.numel() for parameter in twin.parameters())
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            twin(torch.empty(1, 1, one.size, one.size, device="meta"))
        assert one.multiply_adds * 2 == counter.get_total_flops()


def test_a_small_network_has_the_parameters_of_its_variables():
    config = ModelConfig(backbone="efficientnetv2_s", variant="small")
    image = jax.ShapeDtypeStruct((1, 64, 64, 1), np.float32)
    tree = jax.eval_shape(build_model(config).init, jax.random.key(0), image)["params"]
    small = trace_network(config, 64)
    assert small.parameters == sum(leaf.size for leaf in jax.tree.leaves(tree))
    assert small.features == 192


@pytest.mark.parametrize("name", NETWORKS)
def test_the_diagram_names_every_part(traces, tmp_path, name):
    figure = draw(name, traces[name][0])
    figure.savefig(tmp_path / "diagram.png", dpi=40)
    assert (tmp_path / "diagram.png").stat().st_size > 0
    written = [text.get_text().partition(" ×")[0].lower() for text in figure.axes[0].texts]
    parts = [box.name for box in traces[name][0].boxes]
    for part in parts:
        assert written.count(part) == parts.count(part)
