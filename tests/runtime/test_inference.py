"""Tests of fast inference: the same results, and the right number of threads."""

import os
import subprocess
import sys

import pytest
import torch

from playground.runtime import inference
from playground.runtime.validation import UserError


@pytest.mark.parametrize("bfloat16", [False, True])
def test_fast_mode_does_not_change_the_result(bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "bfloat16_is_faster", lambda: bfloat16)
    conv, x = torch.nn.Conv2d(8, 8, 3), torch.randn(8, 8, 16, 16)
    with torch.no_grad():
        plain = conv(x)
        with inference.fast_mode(x):
            fast = conv(x)
        assert not torch.is_autocast_enabled("cpu")
    assert fast.dtype == (torch.bfloat16 if bfloat16 else torch.float32)
    torch.testing.assert_close(fast.float(), plain, atol=0.05, rtol=0.02)  # bfloat16 keeps 8 bits


def test_a_single_picture_stays_in_single_precision() -> None:
    with inference.fast_mode(torch.zeros(1, 1, 4, 4)):
        assert not torch.is_autocast_enabled("cpu")
        assert torch.get_num_threads() == 1
    cores = torch.get_num_threads()
    with inference.fast_mode(torch.zeros(16, 1, 4, 4)):
        assert torch.get_num_threads() == cores


PROGRAM = """
import threading, time, torch
from playground.runtime import inference
from playground.runtime.cores import count_cores
cores = min(torch.get_num_threads(), count_cores())
inference.reserve_cores_for_worker()
threads = [*inference.in_worker_thread((torch.get_num_threads() for _ in range(2)), 2), torch.get_num_threads()]
other = threading.Thread(target=lambda: threads.append(torch.get_num_threads()))
other.start(); other.join()
with inference.fast_mode(torch.zeros(1)):
    pass
threads += inference.in_worker_thread((torch.get_num_threads() for _ in range(1)), 1)
assert threads == [cores, cores, 1, 1, cores], threads
first, second = (inference.in_turns(iter(torch.get_num_threads, None), 9) for _ in range(2))
assert [next(first), next(second), next(first)] == [cores, 1, 1], "a run is alone, or shares the cores"
second.close()
assert next(first) == cores, "the other run has ended"

def multiply():
    "Yield for each step its matrix products' CPU time in all threads, as a multiple of that in its own."
    x = torch.randn(500, 500)
    while True:
        process, thread = time.process_time(), time.thread_time()
        for _ in range(20):
            x @ x
        yield (time.process_time() - process) / (time.thread_time() - thread)

first, second = inference.in_turns(multiply(), 9), inference.in_turns(multiply(), 9)
alone, _, shared = next(first), next(second), [next(first), next(second)]
# Torch's own number of threads does not bind its matrix products.
assert max(shared) < 1.2 and (cores == 1 or alone > 1.2), (alone, shared)
"""


@pytest.mark.slow
def test_only_the_worker_thread_has_several_cores() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env={**os.environ, "OMP_NUM_THREADS": "3"})


def test_the_worker_thread_yields_items_and_raises_errors() -> None:
    def items():
        yield 1
        raise UserError("no more")

    results = inference.in_worker_thread(items(), 2)
    assert next(results) == 1
    with pytest.raises(UserError, match="no more"):
        next(results)
