"""Registry of the data sets: every file of this package that defines `DATASET`."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import playground.datasets
from playground.datasets.dataset import Dataset
from playground.runtime.validation import check_choice


def find_datasets() -> Iterator[Dataset]:
    """Yield the data sets of this package, in the order of their files."""
    for file in pkgutil.iter_modules(playground.datasets.__path__):
        dataset = getattr(importlib.import_module(f"playground.datasets.{file.name}"), "DATASET", None)
        if isinstance(dataset, Dataset):
            yield dataset


DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in find_datasets()}


def get_dataset(name: str) -> Dataset:
    """Return a data set by its name, or raise UserError if there is none."""
    return DATASETS[check_choice("dataset", name, DATASETS)]


def dataset_of(provenance: Mapping[str, Any]) -> Dataset | None:
    """Return the data set that a checkpoint was trained on, by the provenance in its header.

    A recipe without a choice of data sets names its own by the description alone. None if the data are not in the
    registry, such as a folder of a user's images.
    """
    flags = provenance.get("flags")  # in a file of unknown origin it may be anything
    if isinstance(flags, dict) and "dataset" in flags:
        return DATASETS.get(str(flags["dataset"])) if flags.get("data_folder") is None else None
    return next((dataset for dataset in DATASETS.values() if dataset.description == provenance.get("data")), None)


def class_names_of(provenance: Mapping[str, Any], n: int) -> list[str]:
    """Return the names of the n classes of a checkpoint: those of its data, or numbers where they are not known."""
    dataset = dataset_of(provenance)
    header_names = provenance.get("classes")
    names = dataset.classes if dataset else header_names if isinstance(header_names, list) else ()
    return [str(names[k]) if k < len(names) else f"class {k}" for k in range(n)]
