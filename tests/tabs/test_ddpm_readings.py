"""The sentences on what a classifier reads in the estimates of a run."""

from pathlib import Path

import pytest
import torch
from shipped import SHIPPED

from playground.datasets.registry import DATASETS
from playground.runtime.paths import Paths
from playground.tabs.ddpm import readings, runs

NAMES = tuple("0123456789")


def probabilities(*rows: dict[int, float]) -> torch.Tensor:
    p = torch.zeros(len(rows), 10)
    for i, row in enumerate(rows):
        for k, value in row.items():
            p[i, k] = value
    return p


def test_one_picture_is_told_what_it_could_still_become() -> None:
    p = probabilities({3: 0.6, 5: 0.4}, {5: 0.97, 3: 0.03})[:, None]
    assert readings.describe(p.flip(0), p, NAMES, 1) == [
        "To a classifier the estimate could still become 3 (60%) or 5 (40%).",
        "A classifier reads the estimate as 5 (97%).",
    ]


def test_several_pictures_are_counted_by_what_they_become() -> None:
    first, last = probabilities({3: 1}, {1: 1}, {0: 1}), probabilities({3: 1}, {7: 1}, {8: 1})
    middle = probabilities({3: 1}, {7: 1}, {0: 1})
    assert readings.describe(torch.stack([first, last]), torch.stack([middle, last]), NAMES, 3) == [
        "Of 3 pictures, a classifier can read 1 in the noise, and 2 in the estimates.",
        "A classifier reads 3, 7, 8.",
    ]


def test_what_a_stopped_run_left_in_the_noise_is_not_told_as_read() -> None:
    noise, estimates = probabilities({1: 1}, {1: 1})[None], probabilities({3: 1}, {7: 1})[None]
    sentence = "Of 2 pictures, a classifier can read 0 in the noise, and 2 in the estimates."
    assert readings.describe(noise, estimates, NAMES, 2) == [sentence]


def test_of_many_pictures_the_first_are_counted_and_it_says_so() -> None:
    p = torch.stack([probabilities({3: 1}, {1: 1}), probabilities({3: 1}, {7: 1})])
    assert readings.describe(p, p, NAMES, 64) == [
        "Of the first 2 pictures, a classifier can read 1 in the noise, and 1 in the estimates.",
        "A classifier reads the first 2 as 3, 7.",
    ]


def test_milestones_are_where_a_reading_begins_that_stays() -> None:
    """Of two pictures that become 3 and 7; one that is read for a while only does not count."""
    three, other, seven = {3: 1.0}, {0: 1.0}, {7: 1.0}
    x = [(three, other), (three, other), (other, seven), (three, seven)]
    x0_hat = [(other, other), (three, other), (three, seven), (three, seven)]
    x, x0_hat = (torch.stack([probabilities(*row) for row in rows]) for rows in (x, x0_hat))
    assert readings.find_milestones(x, x0_hat) == [
        (1, "half of the estimates can be read"),
        (2, "all estimates can be read"),
        (3, "all noisy pictures can be read"),
    ], "half of the noisy ones from the start"
    assert readings.find_milestones(x[:, :1], x0_hat[:, :1]) == [
        (1, "the estimate can be read"),
        (3, "the noisy picture can be read"),
    ]
    assert readings.find_milestones(x[:, 1:], x0_hat[:, 1:])[0] == (2, "the estimate can be read")
    assert readings.find_milestones(x0_hat.flip(0), x0_hat) == [*readings.find_milestones(x, x0_hat)[:2]]


def test_the_first_run_is_read_as_the_ten_digits_but_not_its_noise() -> None:
    reading = runs.read_digits(SHIPPED, "ddpm-digits", runs.first(SHIPPED, "ddpm-digits"))
    sentences = reading.sentences
    assert sentences[-1] == "A classifier reads 0, 1, 2, 3, 4, 5, 6, 7, 8, 9."
    in_x, in_x0_hat = ([int(sentence.split()[k]) for sentence in sentences[:-1]] for k in (7, 12))
    assert in_x[0] < 5 <= in_x0_hat[0], "the network is told the classes"
    assert in_x[-1] == in_x0_hat[-1] == 10
    film = runs.make_film(
        runs.CHECKPOINTS.load(SHIPPED, "ddpm-digits"), runs.FIRST, runs.first(SHIPPED, "ddpm-digits"), "", reading
    )
    assert film.milestones == reading.milestones
    frame, text = film.milestones[-1]
    assert text == "all noisy pictures can be read"
    assert in_x[frame - 1] < in_x[frame] == 10
    assert film.captions[3].startswith(f"{sentences[3]}\nstep 3 of 20")


@pytest.mark.parametrize("data", [None, DATASETS["fashion_mnist"]])
def test_a_classifier_does_not_read_what_it_never_learned(data: object) -> None:
    assert readings.load_classifier(SHIPPED, data) is None


def test_without_the_classifier_there_is_no_sentence(tmp_path: Path) -> None:
    assert readings.load_classifier(Paths(tmp_path, tmp_path), DATASETS["digits"]) is None
