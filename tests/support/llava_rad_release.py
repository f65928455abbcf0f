"""A miniature of LLaVA-Rad's published parts, with real file and key names, and a reference model.

The tower has two attention heads of width 64, the width in every ViT-B, and sees 28 pixels in
patches of 14.
"""

import json
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

WIDTH, TOWER_WIDTH, HIDDEN, LAYERS, HEADS, BLOCKS = 32, 128, 64, 2, 4, 3
IMAGE_SIZE, PATCH, RANK, ALPHA = 28, 14, 4, 8
IMAGE_TOKENS = (IMAGE_SIZE // PATCH) ** 2
_LINEAR = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.k_proj": (WIDTH, WIDTH),
    "self_attn.v_proj": (WIDTH, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (HIDDEN, WIDTH),
    "mlp.up_proj": (HIDDEN, WIDTH),
    "mlp.down_proj": (WIDTH, HIDDEN),
}


def write_release(parts: Path) -> Path:
    """Write parts with random weights; return the folder."""
    torch.manual_seed(0)
    parts.mkdir(parents=True)
    torch.save(
        {"epoch": 3, "name": "biomedclip", "state_dict": tower()},
        parts / "biomedclipcxr_518_checkpoint.pt",
    )
    projector = {
        "base_model.model.model.mm_projector.0.weight": _random(WIDTH, TOWER_WIDTH),
        "base_model.model.model.mm_projector.0.bias": _random(WIDTH),
        "base_model.model.model.mm_projector.2.weight": _random(WIDTH, WIDTH),
        "base_model.model.model.mm_projector.2.bias": _random(WIDTH),
    }
    torch.save(projector, parts / "non_lora_trainables.bin")
    user_projector = {
        key.removeprefix("base_model.model."): _random(*v.shape) for key, v in projector.items()
    }
    torch.save(user_projector, parts / "mm_projector.bin")
    torch.save(lora(), parts / "adapter_model.bin")
    settings = {"r": RANK, "lora_alpha": ALPHA, "peft_type": "LORA", "bias": "none"}
    (parts / "adapter_config.json").write_text(json.dumps(settings))
    _write_language(parts / "vicuna-7b-v1.5")
    return parts


def tower() -> dict[str, Tensor]:
    """An open_clip checkpoint: a timm trunk and its head, and a text tower, which is ignored."""
    trunk = {
        "cls_token": _random(1, 1, TOWER_WIDTH),
        "pos_embed": _random(1, IMAGE_TOKENS + 1, TOWER_WIDTH),
        "patch_embed.proj.weight": _random(TOWER_WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": _random(TOWER_WIDTH),
        "norm.weight": _random(TOWER_WIDTH),
        "norm.bias": _random(TOWER_WIDTH),
    }
    for block in range(BLOCKS):
        for name, shape in {
            "norm1.weight": (TOWER_WIDTH,),
            "norm1.bias": (TOWER_WIDTH,),
            "attn.qkv.weight": (3 * TOWER_WIDTH, TOWER_WIDTH),
            "attn.qkv.bias": (3 * TOWER_WIDTH,),
            "attn.proj.weight": (TOWER_WIDTH, TOWER_WIDTH),
            "attn.proj.bias": (TOWER_WIDTH,),
            "ls1.gamma": (TOWER_WIDTH,),
            "norm2.weight": (TOWER_WIDTH,),
            "norm2.bias": (TOWER_WIDTH,),
            "mlp.fc1.weight": (2 * TOWER_WIDTH, TOWER_WIDTH),
            "mlp.fc1.bias": (2 * TOWER_WIDTH,),
            "mlp.fc2.weight": (TOWER_WIDTH, 2 * TOWER_WIDTH),
            "mlp.fc2.bias": (TOWER_WIDTH,),
            "ls2.gamma": (TOWER_WIDTH,),
        }.items():
            trunk[f"blocks.{block}.{name}"] = _random(*shape)
    state = {f"module.visual.trunk.{name}": value for name, value in trunk.items()}
    return state | {
        "module.visual.head.proj.weight": _random(16, TOWER_WIDTH),
        "module.text.transformer.embeddings.word_embeddings.weight": _random(8, 4),
        "module.logit_scale": _random(1),
    }


def lora() -> dict[str, Tensor]:
    """Low-rank updates of every linear layer of the language model."""
    state = {}
    for layer in range(LAYERS):
        for name, (rows, columns) in _LINEAR.items():
            start = f"base_model.model.model.layers.{layer}.{name}"
            state[f"{start}.lora_A.weight"] = _random(RANK, columns)
            state[f"{start}.lora_B.weight"] = _random(rows, RANK)
    return state


def _write_language(folder: Path) -> None:
    folder.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["USER: Classify this radiograph ASSISTANT: No injury"] * 50),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=310,
        byte_fallback=True,
        hard_vocab_limit=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=3,
    )
    (folder / "tokenizer.vocab").unlink()
    size = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model")).vocab_size()
    tokenizer = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": None,
        "model_max_length": 4096,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 4096,
        "vocab_size": size,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(json.dumps(config))
    state = {
        "model.embed_tokens.weight": _random(size, WIDTH),
        "model.norm.weight": _random(WIDTH),
        "lm_head.weight": _random(size, WIDTH),
    }
    for layer in range(LAYERS):
        start = f"model.layers.{layer}"
        for name, shape in _LINEAR.items():
            state[f"{start}.{name}.weight"] = _random(*shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            state[f"{start}.{name}.weight"] = _random(WIDTH)
        state[f"{start}.self_attn.rotary_emb.inv_freq"] = _random(4)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape) * 0.2


def forward(
    trunk: dict[str, Tensor],
    projector: dict[str, Tensor],
    language: dict[str, Tensor],
    pixels: Tensor,
    ids: list[int],
    image_token: int,
) -> Tensor:
    """Logits [length, vocabulary] of one dialogue: a plain forward pass of the architecture."""
    features = functional.linear(image_features(trunk, pixels), projector["0.weight"])
    features = functional.gelu(features + projector["0.bias"])
    features = functional.linear(features, projector["2.weight"], projector["2.bias"])
    table = language["model.embed_tokens.weight"]
    is_image = torch.tensor(ids) == image_token
    x = table[torch.tensor(ids).clamp(max=len(table) - 1)].clone()
    x[is_image] = features
    for layer in range(LAYERS):
        part = {
            name.removeprefix(f"model.layers.{layer}."): value
            for name, value in language.items()
            if name.startswith(f"model.layers.{layer}.")
        }
        x = x + _attention(_rms_norm(x, part["input_layernorm.weight"]), part)
        h = _rms_norm(x, part["post_attention_layernorm.weight"])
        gate = functional.silu(h @ part["mlp.gate_proj.weight"].T)
        x = x + (gate * (h @ part["mlp.up_proj.weight"].T)) @ part["mlp.down_proj.weight"].T
    return _rms_norm(x, language["model.norm.weight"]) @ language["lm_head.weight"].T


def image_features(trunk: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """The output of the tower's penultimate block, without the class token [tokens, width]."""
    patches = functional.conv2d(
        pixels, trunk["patch_embed.proj.weight"], trunk["patch_embed.proj.bias"], stride=PATCH
    )
    x = torch.cat([trunk["cls_token"][0], patches[0].flatten(1).T]) + trunk["pos_embed"][0]
    for block in range(BLOCKS - 1):
        w = {
            name.removeprefix(f"blocks.{block}."): value
            for name, value in trunk.items()
            if name.startswith(f"blocks.{block}.")
        }
        h = functional.layer_norm(x, (TOWER_WIDTH,), w["norm1.weight"], w["norm1.bias"], 1e-6)
        qkv = functional.linear(h, w["attn.qkv.weight"], w["attn.qkv.bias"])
        q, k, v = qkv.unflatten(-1, (3, -1, 64)).permute(1, 2, 0, 3)
        h = ((q @ k.mT / 8).softmax(-1) @ v).transpose(0, 1).flatten(1)
        x = x + w["ls1.gamma"] * functional.linear(h, w["attn.proj.weight"], w["attn.proj.bias"])
        h = functional.layer_norm(x, (TOWER_WIDTH,), w["norm2.weight"], w["norm2.bias"], 1e-6)
        h = functional.gelu(functional.linear(h, w["mlp.fc1.weight"], w["mlp.fc1.bias"]))
        x = x + w["ls2.gamma"] * functional.linear(h, w["mlp.fc2.weight"], w["mlp.fc2.bias"])
    return x[1:]


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return weight * x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


def _attention(x: Tensor, part: dict[str, Tensor]) -> Tensor:
    head = WIDTH // HEADS
    q, k, v = (
        (x @ part[f"self_attn.{name}_proj.weight"].T).unflatten(-1, (HEADS, head)).transpose(0, 1)
        for name in "qkv"
    )
    angles = torch.arange(len(x))[:, None] / 10_000 ** (torch.arange(0, head, 2) / head)
    cosine, sine = (torch.cat([f(angles)] * 2, -1) for f in (torch.cos, torch.sin))
    q, k = (
        y * cosine + torch.cat([-y[..., head // 2 :], y[..., : head // 2]], -1) * sine
        for y in (q, k)
    )
    future = torch.ones(len(x), len(x)).triu(1).bool()
    scores = (q @ k.mT / head**0.5).masked_fill(future, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(0, 1).flatten(1) @ part["self_attn.o_proj.weight"].T
