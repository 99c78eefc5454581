"""What makes tests independent of each other and of the load of the machine."""

from collections.abc import Iterator

import pytest
import torch

from playground.runtime import inference

THREADS = torch.get_num_threads()  # the number of cores, or OMP_NUM_THREADS
inference.bfloat16_is_faster = lambda: False  # it is measured: what else runs would decide on the numbers of a test


@pytest.fixture(autouse=True)
def fresh_start() -> Iterator[None]:
    """Seed every test, and fail a test that changes the number of torch's threads."""
    torch.manual_seed(0)
    yield
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    assert threads == THREADS, f"the test leaves torch with {threads} threads instead of {THREADS}"
