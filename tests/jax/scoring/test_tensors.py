"""The stored digests of networks are those of the traced shapes."""

import itertools
import json
from typing import get_args

import pytest

from elbow_jax.models import Backbone, ModelConfig
from elbow_jax.scoring.known_networks import KNOWN_NETWORKS
from elbow_jax.scoring.tensors import digest_of, name_of, traced_shapes

NETWORKS = [
    ModelConfig(backbone=backbone, variant=variant, cbam=cbam)
    for variant, backbone, cbam in itertools.product(
        ("small", "full"), get_args(Backbone), (True, False)
    )
]
QUICK = [network for network in NETWORKS if network.variant == "small" and network.cbam][:3]


def trace(networks: list[ModelConfig]) -> dict[str, str]:
    return {str(name_of(n)): digest_of(traced_shapes(n, 64)) for n in networks}


def test_digests_of_the_small_networks_are_those_of_their_traced_shapes():
    for name, digest in trace(QUICK).items():
        assert KNOWN_NETWORKS[name] == digest


@pytest.mark.slow
def test_digests_of_all_networks_are_those_of_their_traced_shapes():
    """Where a network has changed on purpose, this file as a program prints the new ones."""
    assert trace(NETWORKS) == KNOWN_NETWORKS


@pytest.mark.parametrize(
    "changes", [{"convention": "torchvision"}, {"dropout": 0.5}, {"drop_path": 0.1}]
)
def test_fields_that_are_not_in_the_name_change_no_shape(changes):
    plain = ModelConfig(backbone="mobilenetv3_large", variant="small")
    other = ModelConfig(backbone="mobilenetv3_large", variant="small", **changes)
    assert traced_shapes(plain, 64) == traced_shapes(other, 96)


def test_another_width_has_no_stored_digest():
    wide = ModelConfig(backbone="mobilenetv3_large", variant="small", features=64)
    assert name_of(wide) is None


if __name__ == "__main__":
    print(json.dumps(trace(NETWORKS), indent=4))
