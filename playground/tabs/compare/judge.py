"""The classifier on the digits of the race: how many it reads as asked."""

import numpy as np

from playground.runtime.paths import Paths
from playground.tabs.compare.participants import DATA, Request
from playground.tabs.ddpm import readings
from playground.tabs.ddpm.readings import SURE


def describe(paths: Paths, images: np.ndarray, request: Request, has_classes: bool) -> str:
    """Return what a classifier reads in digits uint8 (N, H, W, C): how many as asked, if a class could be asked for,
    or else which in their order, and of how many it is sure; "" if there is no classifier."""
    classifier = readings.load_classifier(paths, DATA)
    if classifier is None:
        return ""
    p = readings.classify(classifier, images[:, None])[:, 0]  # (N, K), a picture at a time
    values, classes = (part.tolist() for part in p.max(-1))
    if not has_classes:
        digits = ", ".join(DATA.classes[k] for k in classes)
        sure = sum(value > SURE for value in values)
        return f"A classifier reads {digits}; it is sure of {sure} of {len(values)}."
    labels = [i % len(DATA.classes) if request.label is None else request.label for i in range(len(classes))]
    right = sum(read == label for read, label in zip(classes, labels, strict=True))
    target = "as the digits asked for" if request.label is None else f"as {DATA.classes[request.label]}"
    return f"A classifier reads {right} of {len(classes)} {target}."
