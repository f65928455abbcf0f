"""Vision-language models tuned by LoRA, in PyTorch."""

import sys

from vlm_torch.torchvision_unused import keep_transformers_from_torchvision

keep_transformers_from_torchvision(sys.modules)
