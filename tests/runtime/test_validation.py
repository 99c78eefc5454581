"""Tests of the checks of values: a clean value, or one sentence that names the bad one."""

import math
import re

import numpy as np
import pytest

from playground.runtime import validation

NAN, INF = math.nan, math.inf
HUGE = [pytest.param(10**400, id="10^400"), pytest.param(-(10**5000), id="-10^5000")]  # floats and str() overflow
NO_NUMBER = [None, "3", "", True, False, [3], (3,), {}, {"a": 3}, object(), 3j, np.eye(2), NAN, INF, -INF, *HUGE]


def error_message(check, *args) -> str:
    """Return the message of a failed check: one line that begins with the name."""
    with pytest.raises(ValueError, match=r"^thing must be ") as caught:
        check("thing", *args)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 200
    return message


@pytest.mark.parametrize(("value", "clean"), [(0, 0.0), (1, 1.0), (0.25, 0.25), (-0.0, 0.0), (1e-300, 1e-300)])
def test_numbers_in_range_become_floats(value, clean):
    result = validation.check_number("thing", value, 0, 1)
    assert (type(result), result) == (float, clean)


@pytest.mark.parametrize("value", [*NO_NUMBER, -1e-9, 1.0000001, 2])
def test_other_numbers_are_rejected(value):
    assert "from 0 to 1" in error_message(validation.check_number, value, 0, 1)


@pytest.mark.parametrize(("value", "clean"), [(1, 1), (50, 50), (3.0, 3)])
def test_whole_numbers_in_range_become_integers(value, clean):
    result = validation.check_integer("thing", value, 1, 50)
    assert (type(result), result) == (int, clean)


@pytest.mark.parametrize("value", [*NO_NUMBER, 3.7, 0, 51, -1, 50.5, 1e300])
def test_other_whole_numbers_are_rejected(value):
    assert "from 1 to 50" in error_message(validation.check_integer, value, 1, 50)


def test_large_whole_numbers_stay_exact():
    assert validation.check_integer("seed", validation.MAX_SEED, 0, validation.MAX_SEED) == 2**32 - 1


@pytest.mark.parametrize("value", [None, 0, "", "ddi", "DDIM", ["ddim"], {"ddim"}, True, NAN])
def test_a_choice_is_one_of_the_names(value):
    assert validation.check_choice("thing", "ddim", {"ddim": 1, "ddpm": 2}) == "ddim"
    assert "one of ddim, ddpm" in error_message(validation.check_choice, value, ["ddim", "ddpm"])
    assert "one that exists, and there is none" in error_message(validation.check_choice, value, [])


def test_flags_are_true_or_false():
    assert validation.check_flag("thing", True) is True
    assert validation.check_flag("thing", False) is False


@pytest.mark.parametrize("value", [None, 0, 1, "true", "", [], NAN])
def test_other_flags_are_rejected(value):
    error_message(validation.check_flag, value)


def test_a_long_value_is_shown_in_short():
    message = error_message(validation.check_integer, "x" * 10_000, 1, 50)
    assert re.search(r"not 'x+\.\.\.$", message)
