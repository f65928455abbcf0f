"""The torch twin of an ensemble: the twins of its members, and the mean of their probabilities.

twin = build_ensemble_twin(config, members)
twin.load_state_dict(safetensors.torch.load_file("model.torch.safetensors"))
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from elbow_jax.models import ModelConfig
from elbow_jax.porting.twin import build_twin


class EnsembleTwin(nn.Module):
    """Networks of one architecture; their mean probability of injury, as a logit."""

    def __init__(self, members: list[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits `[B]`, and `member_logits` `[N, B]` as the only endpoint.

        The logit is the log-odds of the mean over members of the sigmoid of their logits.
        """
        logits = torch.stack([member(image)[0] for member in self.members])
        injured = torch.logsumexp(logsigmoid(logits), dim=0)
        normal = torch.logsumexp(logsigmoid(-logits), dim=0)
        return injured - normal, {"member_logits": logits}


def build_ensemble_twin(config: ModelConfig, members: int) -> EnsembleTwin:
    """Build the twin of an ensemble of so many networks, on the CPU, in float32.

    Raises:
        ValueError: a field of `config` has a value that cannot be built; the message names it.
    """
    return EnsembleTwin([build_twin(config) for _ in range(members)])
