"""The fast way to evaluate a network gives the answer of the plain way."""

import torch

from playground import compute


def test_fast_changes_speed_not_the_answer() -> None:
    torch.manual_seed(0)
    conv, x = torch.nn.Conv2d(8, 8, 3), torch.randn(8, 8, 16, 16)
    with torch.no_grad():
        plain = conv(x)
        with compute.fast(x):
            fast = conv(x)
        assert not torch.is_autocast_cpu_enabled()
    torch.testing.assert_close(fast.float(), plain, atol=0.05, rtol=0.02)  # bfloat16 keeps 8 bits


def test_a_single_picture_stays_in_single_precision() -> None:
    with compute.fast(torch.zeros(1, 1, 4, 4)):
        assert not torch.is_autocast_cpu_enabled()
        assert torch.get_num_threads() == 1
    with compute.fast(torch.zeros(16, 1, 4, 4)):
        assert torch.get_num_threads() == compute.THREADS
