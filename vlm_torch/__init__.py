"""Vision-language models fine-tuned with LoRA, in PyTorch.

The modules here are the commands, the configuration schema, and process start-up; the work is in
`models`, `lora`, `training` and `scoring`. Importing this package imports neither torch nor
transformers; it only makes sure that transformers, once imported, will not use torchvision.
"""

import elbow_core  # noqa: F401 - Ctrl-C while a command imports its modules
from vlm_torch.hide_torchvision import hide_torchvision_from_transformers

hide_torchvision_from_transformers()
