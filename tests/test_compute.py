"""The fast way to evaluate a network gives the answer of the plain way."""

import os
import subprocess
import sys

import pytest
import torch

from playground import compute
from playground.validation import UserError


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
    cores = torch.get_num_threads()
    with compute.fast(torch.zeros(16, 1, 4, 4)):
        assert torch.get_num_threads() == cores


PROGRAM = """
import threading, torch
from playground import compute
cores = torch.get_num_threads()
compute.keep_to_one_thread()
seen = [*compute.one_by_one(torch.get_num_threads() for _ in range(2)), torch.get_num_threads()]
other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
other.start(); other.join()
with compute.fast(torch.zeros(1)):
    pass
seen += compute.one_by_one(torch.get_num_threads() for _ in range(1))
assert seen == [cores, cores, 1, 1, cores], seen
"""


def test_one_thread_has_the_cores_whatever_others_do() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env={**os.environ, "OMP_NUM_THREADS": "3"})


def test_items_come_one_by_one_and_errors_come_through() -> None:
    def items():
        yield 1
        raise UserError("no more")

    made = compute.one_by_one(items())
    assert next(made) == 1
    with pytest.raises(UserError, match="no more"):
        next(made)
