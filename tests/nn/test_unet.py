"""Parts of networks against closed forms and torch's own functions."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from playground.families import ddpm
from playground.nn.attention import Context, CrossAttention, SelfAttention
from playground.nn.blocks import ResidualBlock
from playground.nn.embeddings import sinusoidal_embedding
from playground.nn.unet import UNet


def randomize(module: nn.Module) -> nn.Module:
    """Add noise to every parameter, most of all to the zeros, and return the module."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def test_embedding_of_time_is_cosines_and_sines_of_geometric_frequencies():
    """Vaswani 2017, section 3.5: angles t / 10000^(i / half)."""
    emb = sinusoidal_embedding(torch.tensor([0, 1, 777]), 8)
    assert emb.shape == (3, 8)
    for row, t in zip(emb, (0, 1, 777), strict=True):
        angles = [t / 10_000 ** (i / 4) for i in range(4)]
        expected = [math.cos(x) for x in angles] + [math.sin(x) for x in angles]
        assert row.tolist() == pytest.approx(expected, abs=1e-4)


def test_times_of_a_run_have_distinct_embeddings():
    emb = sinusoidal_embedding(torch.arange(1001), 64).double()
    distances = torch.cdist(emb, emb) + 10 * torch.eye(1001)
    assert distances.min() > 0.1


@pytest.mark.parametrize(("c_in", "c_out"), [(8, 8), (8, 16)])
def test_a_new_residual_block_is_its_skip_connection(c_in, c_out):
    block, x = ResidualBlock(c_in, c_out, emb_dim=4), torch.randn(2, c_in, 5, 5)
    torch.testing.assert_close(block(x, torch.randn(2, 4)), block.skip(x))
    if c_in == c_out:
        torch.testing.assert_close(block.skip(x), x)


def test_adaptive_group_norm_scales_and_shifts_each_channel():
    """With the modulation's scale at -1 only the shift is left of the second norm."""
    block, x = randomize(ResidualBlock(8, 8, emb_dim=4)), torch.randn(2, 8, 5, 5)
    shift = torch.randn(8)
    nn.init.zeros_(block.modulation.weight)
    block.modulation.bias.data = torch.cat([-torch.ones(8), shift])
    only_shift = F.silu(shift)[None, :, None, None].expand(2, 8, 5, 5)
    torch.testing.assert_close(block(x, torch.randn(2, 4)), x + block.conv2(only_shift))


def test_new_attention_is_the_identity():
    x = torch.randn(2, 16, 3, 3)
    torch.testing.assert_close(SelfAttention(16)(x), x)


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_torchs_scaled_dot_product(heads):
    attention, x = randomize(SelfAttention(16, heads)), torch.randn(2, 16, 3, 5)
    q, k, v = attention.qkv(attention.norm(x)).flatten(2).chunk(3, dim=1)  # each (B, C, H W)
    q, k, v = (part.unflatten(1, (heads, -1)).transpose(2, 3) for part in (q, k, v))  # (B, heads, H W, C / heads)
    h = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(x.shape)
    torch.testing.assert_close(attention(x), x + attention.out(h), rtol=1e-4, atol=1e-5)


def test_attention_is_equivariant_to_permutations():
    """Positions permuted before are positions permuted after."""
    attention, x, order = randomize(SelfAttention(16)), torch.randn(2, 16, 1, 10), torch.randperm(10)
    torch.testing.assert_close(attention(x[..., order]), attention(x)[..., order], rtol=1e-4, atol=1e-5)


def make_context(b=2, tokens=5):
    mask = torch.arange(tokens) < torch.arange(2, 2 + b)[:, None]  # two tokens in the first, three in the second, ...
    return Context(torch.randn(b, tokens, 6), mask)


@pytest.mark.parametrize("heads", [1, 4])
def test_cross_attention_is_torchs_scaled_dot_product_over_the_tokens_in_the_mask(heads):
    attention, x, context = randomize(CrossAttention(16, 6, heads)), torch.randn(2, 16, 3, 5), make_context()
    q = attention.q(attention.norm(x)).flatten(2).transpose(1, 2)
    k, v = attention.kv(context.states).chunk(2, dim=2)
    q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    h = F.scaled_dot_product_attention(q, k, v, attn_mask=context.mask[:, None, None])
    h = h.transpose(2, 3).reshape(x.shape)
    torch.testing.assert_close(attention(x, context), x + attention.out(h), rtol=1e-4, atol=1e-5)


def test_a_hook_gets_the_attention_weights_and_may_change_them():
    attention, x, context, calls = randomize(CrossAttention(16, 6)), torch.randn(2, 16, 3, 5), make_context(), []

    def attend_to_the_first(weights):
        calls.append(weights)
        return torch.zeros_like(weights).index_fill_(3, torch.tensor([0]), 1.0)

    changed = attention(x, context, attend_to_the_first)
    assert calls[0].shape == (2, 4, 15, 5)
    torch.testing.assert_close(calls[0].sum(-1), torch.ones(2, 4, 15))
    assert (calls[0][0, ..., 2:] == 0).all(), "padding gets no attention"
    alone = Context(context.states[:, :1], context.mask[:, :1])
    torch.testing.assert_close(changed, attention(x, alone))


def test_a_unet_calls_the_hook_for_every_cross_attention_in_order():
    net, context, calls = randomize(UNet(1, 8, (1, 2), 1, 6, context_dim=6)), make_context(), []

    def hook(layer, weights):
        calls.append((layer, weights.shape[2]))
        return weights

    x, emb = torch.randn(2, 1, 8, 8), torch.randn(2, 6)
    torch.testing.assert_close(net(x, emb, context, hook), net(x, emb, context))
    assert calls == [(0, 64), (1, 16), (2, 16), (3, 16), (4, 16), (5, 64)]
    changed = context._replace(states=context.states + 1)
    assert not torch.allclose(net(x, emb, changed), net(x, emb, context), atol=1e-3)


def test_a_fine_block_attends_to_the_tokens_at_the_full_resolution():
    net, context, calls = randomize(UNet(1, 8, (1,), 1, 6, patch=2, context_dim=6, fine_width=16)), make_context(), []

    def hook(layer, weights):
        calls.append((layer, weights.shape[2]))
        return weights

    x, emb = torch.randn(2, 1, 8, 8), torch.randn(2, 6)
    assert net(x, emb, context, hook).shape == x.shape
    assert calls == [(0, 16), (1, 16), (2, 16), (3, 16), (4, 64)]


SHAPES = [
    # channels, size, width, multipliers, blocks, patch
    (1, 8, 8, (1,), 1, 1),
    (1, 32, 8, (1, 2), 2, 2),
    (3, 16, 8, (1, 2, 3), 1, 1),
    (4, 16, 16, (2, 1), 1, 4),
]


@pytest.mark.parametrize(("channels", "size", "width", "multipliers", "blocks", "patch"), SHAPES)
def test_a_unet_keeps_the_shape_and_starts_at_zero(channels, size, width, multipliers, blocks, patch):
    net, x, emb = (
        UNet(channels, width, multipliers, blocks, 6, patch),
        torch.randn(2, channels, size, size),
        torch.randn(2, 6),
    )
    torch.testing.assert_close(net(x, emb), torch.zeros_like(x))
    assert randomize(net)(x, emb).shape == x.shape


@pytest.mark.parametrize(("channels", "size", "width", "multipliers", "blocks", "patch"), SHAPES)
def test_every_parameter_of_a_unet_and_its_embedding_matter(channels, size, width, multipliers, blocks, patch):
    net = randomize(UNet(channels, width, multipliers, blocks, 6, patch))
    emb = torch.randn(2, 6, requires_grad=True)
    net(torch.randn(2, channels, size, size), emb).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in [*net.parameters(), emb])


def test_attention_is_at_the_lowest_resolution_alone():
    sizes = []
    net = UNet(1, 8, (1, 2, 2), 1, 6)
    for module in net.modules():
        if isinstance(module, SelfAttention):
            module.register_forward_hook(lambda _, inputs, output: sizes.append(output.shape[-1]))
    net(torch.randn(1, 1, 32, 32), torch.randn(1, 6))
    assert sizes
    assert set(sizes) == {8}


def test_items_of_a_batch_do_not_mix():
    net, x, emb = randomize(UNet(1, 8, (1, 2), 1, 6)), torch.randn(3, 1, 8, 8), torch.randn(3, 6)
    torch.testing.assert_close(net(x, emb)[1:2], net(x[1:2], emb[1:2]), rtol=1e-3, atol=1e-4)


def test_the_shipped_network_has_at_most_four_million_parameters():
    with torch.device("meta"):
        model = ddpm.Model(ddpm.Config())
    assert sum(parameter.numel() for parameter in model.parameters()) <= 4_000_000
