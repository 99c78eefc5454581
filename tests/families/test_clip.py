"""Our CLIP: its tokens, its encoders, its loss, its recipe."""

import json
import math
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from playground.datasets import emoji, scenes
from playground.datasets.emoji import Glyphs
from playground.families import clip
from playground.families.clip import Config
from playground.families.clip.model import UNKNOWN, demojize, match_activation, tokenizer
from playground.runtime import checkpoint
from playground.runtime.averaging import ema
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from train import clip as recipe

TEXTS = ["a small pizza on a blue background", "an owl", "the rocket left of a dog"]
TOKENS = clip.vocabulary_of(TEXTS)
TINY = Config(len(TOKENS), 16, 16, 8, 16, 32, 2, 32, 2)


def made(config: Config = TINY) -> clip.Model:
    torch.manual_seed(0)
    model = clip.Model(config).eval()
    model.tokens.copy_(TOKENS)
    return model


def tiny_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    """The loss on one batch, for tests/families/test_contract.py."""
    ramp = torch.linspace(-1, 1, 16)
    x = torch.stack([ramp.expand(3, 16, 16), ramp[:, None].expand(3, 16, 16), torch.ones(3, 16, 16)])
    return clip.loss(model, x, torch.tensor([[1, 3, 9, 0], [1, 4, 9, 0], [1, 5, 9, 0]]).repeat(1, 4))


def test_tokens_are_openclips_in_order() -> None:
    model, plain = made(), tokenizer()(TEXTS, 16)
    found = model.tokenize(TEXTS)
    assert torch.equal(model.tokens[found - 1], plain)
    assert found.max() == len(TOKENS), "the end of a caption, where its meaning is read, is the largest"
    assert torch.equal(model.tokenize([TEXTS[0].upper()]), found[:1])


def test_words_that_never_occurred_are_unknown_and_the_others_are_not() -> None:
    model = made()
    known, unknown = model.tokenize(["an owl", "an xylophone"])
    assert (known != UNKNOWN).all()
    assert (unknown == UNKNOWN).any()
    assert torch.equal(unknown[:2], known[:2])
    assert (model.tokenize([""]) != UNKNOWN).all()


def test_a_long_caption_is_cut_and_still_ends() -> None:
    tokens = made().tokenize(["owl " * 1000])
    assert tokens.shape == (1, 16)
    assert tokens[0, -1] == len(TOKENS)


def test_states_are_what_openclip_reads_the_caption_from() -> None:
    model = made()
    tokens = model.tokenize(TEXTS)
    states = model.context(tokens).states
    assert states.shape == (3, 16, 32)
    end = states[torch.arange(3), tokens.argmax(1)]
    torch.testing.assert_close(F.normalize(end @ model.clip.text_projection, dim=1), model.encode_text(tokens))
    torch.testing.assert_close(model.encode_text(tokens).norm(dim=1), torch.ones(3))


def test_a_state_knows_only_what_was_said_before() -> None:
    model = made()
    one, other = model.context(model.tokenize(["a small pizza", "a small owl"])).states
    torch.testing.assert_close(one[:3], other[:3])
    assert not torch.allclose(one[3], other[3], atol=1e-3)


def test_the_loss_is_symmetric_cross_entropy() -> None:
    model, x = made(), torch.rand(3, 3, 16, 16, generator=make_rng(0)) * 2 - 1
    tokens = model.tokenize(TEXTS)
    logits = model.clip.logit_scale.exp() * model.encode_image(x) @ model.encode_text(tokens).T
    own = torch.arange(3)
    expected = -(logits.log_softmax(1)[own, own] + logits.log_softmax(0)[own, own]).mean() / 2
    torch.testing.assert_close(clip.loss(model, x, tokens), expected)


def test_a_picture_is_told_from_the_caption_with_its_names_exchanged() -> None:
    """Minus the log of the probability of the right one of two captions."""
    model, x = made(), torch.rand(3, 3, 16, 16, generator=make_rng(0)) * 2 - 1
    tokens, exchanged = model.tokenize(TEXTS), model.tokenize(["pizza owl", "an owl"])
    image, right, wrong = model.encode_image(x), model.encode_text(tokens), model.encode_text(exchanged)
    both = torch.stack([(image[1:] * right[1:]).sum(1), (image[1:] * wrong).sum(1)], dim=1)
    pairs = -(model.clip.logit_scale.exp() * both).log_softmax(1)[:, 0].mean()
    torch.testing.assert_close(
        clip.loss(model, x, tokens, (torch.tensor([1, 2]), exchanged)), clip.loss(model, x, tokens) + pairs
    )


def test_a_checkpoint_holds_all_that_a_caption_needs(tmp_path: Path) -> None:
    model, path = made(), tmp_path / "clip.safetensors"
    checkpoint.save(path, model, {})
    loaded = checkpoint.load(path, family="clip")
    assert torch.equal(loaded.tokenize(TEXTS), model.tokenize(TEXTS))
    tokens = model.tokenize(TEXTS)
    torch.testing.assert_close(loaded.context(tokens).states, model.context(tokens).states, rtol=0, atol=2e-2)


def test_what_is_there_ends_with_the_caption() -> None:
    model = made()
    there = model.context(model.tokenize(["an owl", "a small pizza"])).mask
    assert there.sum(1).tolist() == [4, 5]
    assert (there.int().diff(dim=1) <= 0).all()


def describe_activation(folder: Path, quick_gelu: bool) -> None:
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"quick_gelu": quick_gelu}}))


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-32-quickgelu"])
@pytest.mark.parametrize("quick_gelu", [False, True])
def test_weights_get_the_activation_of_their_training(tmp_path: Path, name: str, quick_gelu: bool) -> None:
    """The tensors of both variants have the same names and shapes."""
    describe_activation(tmp_path, quick_gelu)
    expected = "ViT-B-32" + "-quickgelu" * quick_gelu
    assert match_activation(name, str(tmp_path / "some.safetensors")) == expected
    assert open_clip.get_model_config(expected).get("quick_gelu", False) == quick_gelu


WITH_BOTH = [name for name in open_clip.list_models() if f"{name}-quickgelu" in open_clip.list_models()]


@pytest.mark.parametrize("name", WITH_BOTH)
def test_published_weights_get_the_activation_of_their_training(name: str) -> None:
    for tag in open_clip.list_pretrained_tags_by_model(name):
        matched = match_activation(name, tag)
        config, published = open_clip.get_model_config(matched), open_clip.get_pretrained_cfg(matched, tag)
        assert config.get("quick_gelu", False) == published.get("quick_gelu", False), (matched, tag)


def test_weights_that_do_not_tell_their_activation_are_refused(tmp_path: Path) -> None:
    (path := tmp_path / "some.pt").touch()
    with pytest.raises(UserError, match=r"some.pt does not say whether .* name the architecture ViT-B-32-quickgelu"):
        clip.load_pretrained(f"ViT-B-32/{path}")
    assert match_activation("ViT-B-32-quickgelu", str(path)) == "ViT-B-32-quickgelu"
    assert match_activation("ViT-S-32", str(path)) == "ViT-S-32", "OpenCLIP has it with GELU alone"


def test_an_encoder_that_others_have_trained_is_loaded_from_its_file(tmp_path: Path) -> None:
    """The real path of `open_clip.create_model`, with random weights of its smallest model in a local file."""
    whole, path = open_clip.create_model("ViT-S-32-alt"), tmp_path / "ViT-S-32-alt.safetensors"
    save_file(whole.state_dict(), path)
    encoder = clip.load_pretrained(f"ViT-S-32-alt/{path}")
    tokens = encoder.tokenize(TEXTS)
    assert torch.equal(tokens, open_clip.get_tokenizer("ViT-S-32-alt")(TEXTS))
    states = encoder.context(tokens).states
    assert states.shape == (3, 77, 256)
    with torch.no_grad():
        expected = whole.encode_text(tokens)
    torch.testing.assert_close(states[torch.arange(3), tokens.argmax(1)] @ whole.text_projection, expected)
    with pytest.raises(UserError, match="cannot be loaded"):
        clip.load_pretrained(f"ViT-S-32-alt/{tmp_path / 'nothing.safetensors'}")


@pytest.mark.parametrize("wrong", [{"text_width": 100}, {"size": 65}, {"vocabulary": 2}, {"context": 0.5}])
def test_a_config_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Config(**wrong)


def test_a_training_learns_the_words_of_its_captions_and_is_measured(tmp_path: Path) -> None:
    colours = torch.randint(256, (16, 4, 64, 64), generator=make_rng(0), dtype=torch.uint8)
    glyphs = Glyphs(emoji.CORE[:16], colours, "")
    tiny = recipe.Recipe(name="clip-tiny", steps=3, batch_size=8, precision="no", log_every=1, save_every=2,
                         config=replace(TINY, size=64), out=tmp_path / "weights", runs=tmp_path / "runs")  # fmt: skip
    path = recipe.train(tiny, glyphs)
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model = checkpoint.load(path, family="clip")
    assert (model.tokenize(["a big lion under the fox on turquoise"]) != UNKNOWN).all()
    assert (model.tokenize(["a xylophone"]) == UNKNOWN).any()
    assert model.clip.logit_scale <= math.log(100) + 1e-4
    found = recipe.retrieval(path, glyphs, n=20, among=10)
    assert set(found) == {f"{way}_{what}" for way in ("image_to_text", "text_to_image") for what in ("name", "ground")}
    assert all(0 <= share <= 1 for share in found.values())
    told = recipe.order(path, glyphs, n=20)
    assert set(told) == {"left of, above", "right of, under"}


def test_exchanged_scenes_have_each_emoji_in_the_other_place() -> None:
    shown = scenes.sample_mixed(6, make_rng(0), scenes.training_combinations(["pizza", "owl", "rocket", "anchor"]), 0.5)
    two = shown.glyph[:, 1] != scenes.NONE
    other = recipe.exchange_emoji(shown, two)
    assert torch.equal(other.glyph, shown.glyph[3:].flip(1))
    assert torch.equal(other.x, shown.x[3:])
    again = recipe.exchange_emoji(other, torch.ones(3, dtype=torch.bool))
    assert all(torch.equal(part, whole[3:]) for part, whole in zip(again, shown, strict=True))


def test_emoji_characters_are_read_as_their_names() -> None:
    model = made()
    assert demojize(["🍕 on blue"])[0].split() == ["pizza", "on", "blue"]
    assert model.tokenize(["a small 🍕 on a blue background"]).equal(model.tokenize(TEXTS[:1]))


def test_words_are_the_tokens_and_say_which_are_unknown() -> None:
    model = made()
    said = model.words("a small zeppelin")
    assert said[:3] == [("start", True), ("a", True), ("small", True)]
    assert said[-1] == ("end", True)
    assert "".join(word.text for word in said[3:-1]) == "zeppelin"
    assert not any(word.in_vocabulary for word in said[3:-1])
    assert len(model.words("owl " * 100)) == TINY.context, "what is too long is cut"
    assert [word.text for word in model.words("")] == ["start", "end"]


def test_a_moving_average_of_the_model_stays_finite() -> None:
    model = made()
    average = ema(model, 0.9)
    for _ in range(2):
        average.update_parameters(model)
    for name, value in average.module.state_dict().items():
        assert value.float().isfinite().all(), name
    tokens = model.tokenize(TEXTS)
    torch.testing.assert_close(average.module.encode_text(tokens), model.encode_text(tokens))


def test_a_token_that_ends_within_a_letter_is_shown_as_part_of_one() -> None:
    assert [word.text for word in made().words("owl 犬")] == ["start", "owl", "…", "…", "…", "end"]
