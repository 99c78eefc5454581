"""CLIP: an image encoder and a text encoder with a shared embedding space. Radford 2021, "Learning Transferable Visual
Models From Natural Language Supervision".

Architecture, tokenizer and loss are OpenCLIP's. The network is small, and its token embedding has only the tokens of
its training captions, and one for all others. Text to image is conditioned on the states of the text encoder. Shapes:
B batch, L tokens, W width of the text encoder, E dimensions of the embedding space.

`open_clip` takes seconds to import, so it is imported where it is used.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import emoji
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.nn.attention import Context
from playground.runtime import validation

UNKNOWN = 0  # index of all tokens outside the vocabulary
QUICK_GELU = "-quickgelu"  # ending of OpenCLIP's names of architectures with that activation
HEAD_WIDTH = 32  # width of an attention head
MAX_LOGIT_SCALE = 4.6052  # log 100, upper bound of the log-scale of the logits (Radford 2021, section 2.5)


@dataclass(frozen=True)
class Config:
    """Configuration of both encoders."""

    vocabulary: int = 512  # Number of tokens in the vocabulary, including start, end and padding.
    context: int = 24  # Maximum number of tokens of a caption, with its start and end.
    size: int = 64  # Width and height of the images in pixels.
    patch: int = 8  # Width and height of the patches of the image encoder.
    embed: int = 128  # Dimensions of the embedding space.
    text_width: int = 128  # Width of the text transformer, with heads of width 32.
    text_layers: int = 4  # Layers of the text transformer.
    image_width: int = 160  # Width of the image transformer, with heads of width 32.
    image_layers: int = 4  # Layers of the image transformer.

    def __post_init__(self) -> None:
        bounds = {"vocabulary": (3, 49_408), "context": (3, 77), "size": (8, 256), "patch": (2, 64), "embed": (8, 1024),
                  "text_width": (HEAD_WIDTH, 1024), "text_layers": (1, 24), "image_width": (HEAD_WIDTH, 1024),
                  "image_layers": (1, 24)}  # fmt: skip
        validation.check_bounds(self, bounds)
        for name, factor in (("text_width", HEAD_WIDTH), ("image_width", HEAD_WIDTH), ("size", self.patch)):
            if getattr(self, name) % factor:
                raise validation.UserError(f"{name} must be a multiple of {factor}, not {getattr(self, name)}")


class Word(NamedTuple):
    """Token of a text."""

    text: str  # characters of the token
    in_vocabulary: bool  # True where the token occurred in the encoder's training


class Model(nn.Module):
    """Both encoders."""

    # Vocabulary, tokens of OpenCLIP's tokenizer in ascending order (vocabulary,); the end of a caption is the largest.
    tokens: Tensor

    def __init__(self, config: Config):
        from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

        super().__init__()
        self.config = config
        self.clip = CLIP(
            config.embed,
            CLIPVisionCfg(layers=config.image_layers, width=config.image_width, head_width=HEAD_WIDTH,
                          patch_size=config.patch, image_size=config.size),
            CLIPTextCfg(context_length=config.context, vocab_size=config.vocabulary + 1, width=config.text_width,
                        heads=config.text_width // HEAD_WIDTH, layers=config.text_layers),
        )  # fmt: skip
        self.register_buffer("tokens", torch.arange(config.vocabulary))
        mask = self.clip.attn_mask.clamp(min=-1e4)  # a file with infinities counts as damaged
        del self.clip.attn_mask
        self.clip.register_buffer("attn_mask", mask)  # stored in the file, from which alone a checkpoint is loaded

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Return the indices of the texts' tokens in the token embedding (B, L), padded; `UNKNOWN` for others."""
        tokens = tokenizer()(demojize(texts), self.config.context).to(self.tokens.device)
        index = torch.searchsorted(self.tokens, tokens).clamp(max=len(self.tokens) - 1)
        return torch.where(self.tokens[index] == tokens, index + 1, UNKNOWN)

    def words(self, text: str) -> list[Word]:
        """Return the tokens of a text, with its start and end."""
        return split_words(text, self.tokenize([text])[0])

    def context(self, tokens: Tensor) -> Context:
        """Return the states of tokens (B, L), the context of text to image; see `encode_tokens`."""
        return encode_tokens(self.clip, tokens)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Return the embeddings of captions (B, E), normalized, for tokens (B, L)."""
        return self.clip.encode_text(tokens, normalize=True).float()

    def encode_image(self, x: Tensor) -> Tensor:
        """Return the embeddings of images (B, E), normalized, for x (B, 3, H, W) in [-1, 1]."""
        return self.clip.encode_image(x, normalize=True).float()

    def forward(self, x: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the embeddings of images and captions, each (B, E), and the scale of the logits, a scalar."""
        return self.encode_image(x), self.encode_text(tokens), self.clip.logit_scale.exp()


def encode_tokens(clip: nn.Module, tokens: Tensor) -> Context:
    """Return the states of the text transformer of OpenCLIP's model or text encoder for tokens (B, L), with a mask that
    ends with the end of each caption."""
    text = cast(Any, clip)
    h = text.token_embedding(tokens) + text.positional_embedding
    states = text.ln_final(text.transformer(h, attn_mask=text.attn_mask))
    end = tokens.argmax(1, keepdim=True)  # the end of a caption is the largest token
    return Context(states, torch.arange(tokens.shape[1], device=tokens.device) <= end)


class Pretrained(nn.Module):
    """Text encoder of a pretrained OpenCLIP model.

    Args:
        architecture: Name of the architecture, such as ViT-B-32.
        weights: Name of the weights, such as laion2b_s34b_b79k, which are downloaded; or the path of a file.
    """

    def __init__(self, architecture: str, weights: str):
        import open_clip

        super().__init__()
        architecture = match_activation(architecture, weights)
        self.clip = open_clip.create_model(architecture, pretrained=weights, require_pretrained=True)
        del self.clip.visual
        self.tokenizer = open_clip.get_tokenizer(architecture)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Return the tokens of texts (B, 77)."""
        return self.tokenizer(demojize(texts)).to(self.clip.positional_embedding.device)

    def words(self, text: str) -> list[Word]:
        """Return the tokens of a text, with its start and end."""
        return split_words(text, self.tokenize([text])[0] + 1)  # its vocabulary has all tokens

    def context(self, tokens: Tensor) -> Context:
        """Return the states of tokens (B, L), the context of text to image; see `encode_tokens`."""
        return encode_tokens(self.clip, tokens)


def match_activation(architecture: str, weights: str) -> str:
    """Return the variant of an architecture, with GELU or QuickGELU, that weights were trained with.

    Both variants have the same tensors. The names of published weights tell which they are, and so does the file
    open_clip_config.json that is published beside them.

    Raises:
        UserError: Nothing tells.
    """
    import open_clip

    plain = architecture.removesuffix(QUICK_GELU)
    if plain + QUICK_GELU not in open_clip.list_models():
        return architecture
    path, tag = Path(weights), open_clip.get_pretrained_cfg(architecture, weights)
    config_path = path.with_name("open_clip_config.json")
    if not tag and config_path.is_file():
        config = json.loads(config_path.read_text())
        tag = config.get("model_cfg", config)
    elif not tag and path.is_file() and architecture == plain:
        raise validation.UserError(
            f"{path.name} does not say whether it was trained with QuickGELU: put the {config_path.name} of these "
            f"weights beside it, or if it was, name the architecture {plain}{QUICK_GELU}"
        )
    if not tag:
        return architecture
    return plain + QUICK_GELU * tag.get("quick_gelu", False)


@cache
def load_pretrained(name: str) -> Pretrained:
    """Load a text encoder by its name, ARCHITECTURE/WEIGHTS, or raise UserError if there is none or it cannot be
    loaded."""
    architecture, _, weights = name.partition("/")
    try:
        return Pretrained(architecture, weights).requires_grad_(False).eval()
    except Exception as error:  # open_clip, its downloads and torch raise many kinds
        raise validation.UserError(f"the text encoder {name} cannot be loaded ({error})") from error


def demojize(texts: Sequence[str]) -> list[str]:
    """Replace emoji characters in texts by their names, such as "dog face"."""
    return [emoji.replace_emoji(text, lambda _, data: f" {data['en']} ".translate(_PLAIN)) for text in texts]


def split_words(text: str, indices: Tensor) -> list[Word]:
    """Return the tokens of a text up to its end, with their texts, for their indices in the encoder's token embedding
    (L,)."""
    padded = tokenizer()(demojize([text]), len(indices))[0]
    tokens = padded[1 : int(padded.argmax())].tolist()
    texts = [tokenizer().decode([token]).strip().replace("\ufffd", "…") for token in tokens]  # "…": part of a character
    in_vocabulary = (indices[: len(texts) + 2] != UNKNOWN).tolist()
    return [Word(*pair) for pair in zip(["start", *texts, "end"], in_vocabulary, strict=True)]


_PLAIN = str.maketrans({":": "", "_": " "})


@cache
def tokenizer() -> Any:
    """Return OpenCLIP's tokenizer, a byte pair encoding of lower-case text."""
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def vocabulary_of(texts: Sequence[str]) -> Tensor:
    """Return the vocabulary of texts for `Model.tokens`: their tokens, with start, end and padding, in order (V,)."""
    return torch.unique(tokenizer()(list(texts)))


def loss(
    model: nn.Module,
    x: Tensor,
    tokens: Tensor,
    swapped: tuple[Tensor, Tensor] | None = None,
    rank: int = 0,
    processes: int = 1,
) -> Tensor:
    """Return the contrastive loss of images and captions, a scalar. Radford 2021, figure 3.

    It hardly depends on which of two objects is where, since no other caption of a batch names the same two. So images
    of two objects are also compared with captions that swap them, as in Yuksekgonul 2023, "When and why vision-language
    models behave like bags-of-words", section 4.

    Args:
        x: Images (B, 3, H, W) in [-1, 1].
        tokens: Tokens of their captions (B, L).
        swapped: Indices of the images with swapped captions (K,), and the tokens of these captions (K, L).
        rank, processes: Index of this process and number of all; the batches of all processes are contrasted.
    """
    from open_clip.loss import ClipLoss

    distributed = processes > 1
    contrastive = ClipLoss(local_loss=distributed, gather_with_grad=distributed, rank=rank, world_size=processes)
    if swapped is None:
        return contrastive(*model(x, tokens))
    indices, swapped_tokens = swapped
    image, text, scale = model(x, torch.cat([tokens, swapped_tokens]))
    text, swapped_text = text.split([len(tokens), len(swapped_tokens)])
    margin = scale * (image[indices] * (text[indices] - swapped_text)).sum(1)
    return contrastive(image, text, scale) + F.softplus(-margin).sum() / max(len(margin), 1)  # a batch may have none
