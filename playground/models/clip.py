"""CLIP: an encoder of pictures and one of captions that meet in one space. Radford 2021, "Learning Transferable Visual
Models From Natural Language Supervision".

Architecture, tokenizer and loss are OpenCLIP's; the network is small, and its token embedding is cut to the tokens that
occur in its captions, and one for all others. Text to image is conditioned on the states of its text encoder. It makes
no pictures. Shapes: B batch, L tokens, W width of the text encoder, E dimensions of the common space.

`open_clip` takes seconds to import: it is imported where it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, cast

import emoji
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground import validation
from playground.nets import Context

UNKNOWN = 0  # the place of all tokens that never occurred
HEAD = 32  # width of an attention head
LARGEST_SCALE = 4.6052  # log 100: of the logits (Radford 2021, section 2.5)


@dataclass(frozen=True)
class Config:
    """What rebuilds both encoders.

    Attributes:
        vocabulary: number of tokens that occur in captions, start, end and padding among them.
        context: tokens of a caption at most, with its start and end.
        size: of the pictures, in pixels a side.
        patch: side of the squares that the picture's encoder sees as one.
        embed: dimensions of the common space.
        text_width, text_layers, image_width, image_layers: of the two transformers; heads are 32 wide.
    """

    vocabulary: int = 512
    context: int = 24
    size: int = 64
    patch: int = 8
    embed: int = 128
    text_width: int = 128
    text_layers: int = 4
    image_width: int = 160
    image_layers: int = 4

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        bounds = {"vocabulary": (3, 49_408), "context": (3, 77), "size": (8, 256), "patch": (2, 64), "embed": (8, 1024),
                  "text_width": (HEAD, 1024), "text_layers": (1, 24), "image_width": (HEAD, 1024),
                  "image_layers": (1, 24)}  # fmt: skip
        validation.bound(self, bounds)
        for name, factor in (("text_width", HEAD), ("image_width", HEAD), ("size", self.patch)):
            if getattr(self, name) % factor:
                raise validation.UserError(f"{name} must be a multiple of {factor}, not {getattr(self, name)}")


class Word(NamedTuple):
    """A token of a text: what it says, and whether the encoder has seen it in training."""

    text: str
    known: bool


class Model(nn.Module):
    """Both encoders.

    Attributes:
        tokens: those of OpenCLIP's tokenizer that occur, in order (vocabulary,); the end of a caption is the largest.
    """

    tokens: Tensor

    def __init__(self, config: Config):
        from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

        super().__init__()
        self.config = config
        self.clip = CLIP(
            config.embed,
            CLIPVisionCfg(layers=config.image_layers, width=config.image_width, head_width=HEAD,
                          patch_size=config.patch, image_size=config.size),
            CLIPTextCfg(context_length=config.context, vocab_size=config.vocabulary + 1, width=config.text_width,
                        heads=config.text_width // HEAD, layers=config.text_layers),
        )  # fmt: skip
        self.register_buffer("tokens", torch.arange(config.vocabulary))
        mask = self.clip.attn_mask.clamp(min=-1e4)  # infinities would make a moving average NaN
        del self.clip.attn_mask
        self.clip.register_buffer("attn_mask", mask)  # kept in the file: a checkpoint is rebuilt from that alone

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Texts -> places in the token embedding (B, L), padded; those of tokens that never occurred are UNKNOWN."""
        found = tokenizer()(spelled(texts), self.config.context).to(self.tokens.device)
        place = torch.searchsorted(self.tokens, found).clamp(max=len(self.tokens) - 1)
        return torch.where(self.tokens[place] == found, place + 1, UNKNOWN)

    def words(self, text: str) -> list[Word]:
        """The tokens of a text, its start and its end included."""
        return words(text, self.tokenize([text])[0])

    def context(self, tokens: Tensor) -> Context:
        """What text to image attends to: see `context`."""
        return context(self.clip, tokens)

    def text(self, tokens: Tensor) -> Tensor:
        """Tokens (B, L) -> captions in the common space (B, E), of length 1."""
        return self.clip.encode_text(tokens, normalize=True).float()

    def image(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] -> pictures in the common space (B, E), of length 1."""
        return self.clip.encode_image(x, normalize=True).float()

    def forward(self, x: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures and their captions in the common space, each (B, E), and the scale of the logits, a scalar."""
        return self.image(x), self.text(tokens), self.clip.logit_scale.exp()


def context(clip: nn.Module, tokens: Tensor) -> Context:
    """The states of tokens (B, L), each in the light of those before it, up to and with the end of each caption.

    Args:
        clip: OpenCLIP's model, or its text encoder.
    """
    text = cast(Any, clip)
    h = text.token_embedding(tokens) + text.positional_embedding
    states = text.ln_final(text.transformer(h, attn_mask=text.attn_mask))
    end = tokens.argmax(1, keepdim=True)  # the end of a caption is the largest token
    return Context(states, torch.arange(tokens.shape[1], device=tokens.device) <= end)


class Pretrained(nn.Module):
    """The text encoder of an OpenCLIP model that others have trained.

    Args:
        architecture: such as ViT-B-32.
        weights: such as laion2b_s34b_b79k, which are downloaded, or the path of a file.
    """

    def __init__(self, architecture: str, weights: str):
        import open_clip

        super().__init__()
        self.clip = open_clip.create_model(architecture, pretrained=weights, require_pretrained=True)
        del self.clip.visual
        self.tokenizer = open_clip.get_tokenizer(architecture)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Texts -> tokens (B, 77)."""
        return self.tokenizer(spelled(texts)).to(self.clip.positional_embedding.device)

    def words(self, text: str) -> list[Word]:
        """The tokens of a text, its start and its end included."""
        return words(text, self.tokenize([text])[0] + 1)  # none is UNKNOWN

    def context(self, tokens: Tensor) -> Context:
        """What text to image attends to: see `context`."""
        return context(self.clip, tokens)


@cache
def pretrained(name: str) -> Pretrained:
    """The encoder of a name, ARCHITECTURE/WEIGHTS.

    Raises:
        UserError: there is no such architecture, or its weights cannot be had.
    """
    architecture, _, weights = name.partition("/")
    try:
        return Pretrained(architecture, weights).requires_grad_(False).eval()
    except Exception as error:  # open_clip, its downloads and torch raise many kinds
        raise validation.UserError(f"the text encoder {name} cannot be loaded ({error})") from error


def spelled(texts: Sequence[str]) -> list[str]:
    """Texts with the names of emoji for the characters, such as "dog face" for its picture."""
    return [emoji.replace_emoji(text, lambda _, about: f" {about['en']} ".translate(_PLAIN)) for text in texts]


def words(text: str, places: Tensor) -> list[Word]:
    """The tokens of a text up to its end, as an encoder with these places (L,) in its token embedding reads them."""
    found = tokenizer()(spelled([text]), len(places))[0]
    tokens = found[1 : int(found.argmax())].tolist()
    said = [tokenizer().decode([token]).strip().replace("\ufffd", "…") for token in tokens]  # "…": a part of a letter
    known = (places[: len(said) + 2] != UNKNOWN).tolist()
    return [Word(*pair) for pair in zip(["start", *said, "end"], known, strict=True)]


def length(text: str) -> int:
    """Tokens of a text, however many, its start and its end included."""
    return len(tokenizer().encode(spelled([text])[0])) + 2


_PLAIN = str.maketrans({":": "", "_": " "})


@cache
def tokenizer() -> Any:
    """OpenCLIP's, of byte pairs, for lower case."""
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def occurring(texts: Sequence[str]) -> Tensor:
    """The tokens of texts in order, with start, end and padding: what `Model.tokens` is to be, (V,)."""
    return torch.unique(tokenizer()(list(texts)))


def loss(
    model: nn.Module,
    x: Tensor,
    tokens: Tensor,
    exchanged: tuple[Tensor, Tensor] | None = None,
    rank: int = 0,
    processes: int = 1,
) -> Tensor:
    """Cross-entropy of telling each picture's caption among those of the batch, and each caption's picture, a scalar.

    Radford 2021, figure 3. That alone hardly asks which of two things is where, for no other caption of the batch names
    the same two: so each picture of two is also told from a caption that has them exchanged, as in Yuksekgonul 2023,
    "When and why vision-language models behave like bags-of-words", section 4.

    Args:
        model: a `Model`, or one wrapped for several processes.
        x: pictures (B, 3, H, W) in [-1, 1]; tokens: of their captions (B, L).
        exchanged: which pictures (K,) such captions are of, and their tokens (K, L).
        rank, processes: which of several processes this is; the pictures of all are told apart.
    """
    from open_clip.loss import ClipLoss

    many = processes > 1
    told = ClipLoss(local_loss=many, gather_with_grad=many, rank=rank, world_size=processes)
    if exchanged is None:
        return told(*model(x, tokens))
    which, wrong = exchanged
    image, text, scale = model(x, torch.cat([tokens, wrong]))
    right, mistaken = text.split([len(tokens), len(wrong)])
    margin = scale * (image[which] * (right[which] - mistaken)).sum(1)
    return told(image, right, scale) + F.softplus(-margin).mean()
