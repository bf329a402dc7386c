"""Real images, a real classifier, planted faults: scikit-learn's 1,797 handwritten digits as a project.

    python digits.py prepare DIR       images, label schema and a first round of labels, in an empty directory
    python digits.py relabel [DIR]     a second round of three batches, in which one annotator takes digits for one another
    python digits.py answer PACKET...  what a reviewer who knows digits makes of packets for a blind second look
    python digits.py train RUN --version V [--data DIR]    pin, train, predict every image, report accuracy
    python digits.py table [SEEDS]     planted faults of three kinds: how often the ranking names them

``docs/tutorials/regression.md`` walks through the first four. The first round is right throughout: it is what
the digits are. In the second one, three batches are gone through again to say how thick the pen was. Needs the
`dev` extra (scikit-learn), no network.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import SVC

import lineage
from lineage.calc.intervals import wilson
from lineage.calc.slices import Attribute
from lineage.calc.suspects import Units, did_rank

SEED = 7
N_CLASSES = 10
BATCHES = ("w01", "w02", "w03", "w04")
AGAIN = ("w02", "w03", "w04")
PEOPLE = tuple(f"{name}@digits.example" for name in ("ana", "bruno", "chen", "dora", "emil"))
REVIEWER = "rita@digits.example"
CULPRIT = ("w03", "bruno@digits.example")
WRONG = np.array([0, 7, 2, 8, 9, 5, 6, 1, 3, 4])
"""What the wrong reading makes of each digit: 1 and 7, 3 and 8, 4 and 9 change places."""
WRONG_FRACTION = 0.9
SLIP_FRACTION = 0.01
FAULTS = ("annotator", "annotator x class", "batch")
FRACTIONS = (0.05, 0.15, 0.3, 0.6)
FIRST_DAY = datetime(2026, 3, 2, 9, tzinfo=UTC)

SCHEMA = {
    "name": "digits",
    "version": "1.0",
    "title": "Handwritten digits",
    "classes": {
        str(digit): {
            "definition": f"the digit {digit}",
            "kinds": ["class"],
            "attributes": {
                "type": "object",
                "properties": {"pen": {"enum": ["thin", "thick"]}},
                "additionalProperties": False,
            },
        }
        for digit in range(N_CLASSES)
    },
}
MAPPING = """\
kind: class
columns: {id: id, asset: image, annotator: annotator, class: digit, labelled_at: labelled_at}
attributes: [pen]
"""


class Round:
    """Who labelled which digit, in which batch: drawn once for all rounds.

    Parameters
    ----------
    digit
        ndarray of int64, shape (n,): what the images show.
    rng
        Draws batches and people. Each batch has people of its own shares: in one, where the crew is
        thin, half is the culprit's.
    """

    def __init__(self, digit: np.ndarray, rng: np.random.Generator) -> None:
        n = len(digit)
        self.digit = digit
        # half of all images are in w01, a sixth in each of the others
        self.batch = np.maximum(rng.permutation(n) % 6 - 2, 0)
        shares = rng.dirichlet(np.full(len(PEOPLE), 8.0), len(BATCHES))
        shares[BATCHES.index(CULPRIT[0])] = (0.15, 0.5, 0.15, 0.1, 0.1)
        drawn = rng.random(n)
        self.person = (drawn[:, None] > shares.cumsum(axis=1)[self.batch]).sum(axis=1)
        self.person = np.minimum(self.person, len(PEOPLE) - 1)
        self.is_again = np.isin(self.batch, [BATCHES.index(tag) for tag in AGAIN])

    def slips(self, rng: np.random.Generator) -> np.ndarray:
        """Return the second round's labels of people who make the odd slip and no more."""
        is_slip = self.is_again & (rng.random(len(self.digit)) < SLIP_FRACTION)
        other = (self.digit + rng.integers(1, N_CLASSES, len(self.digit))) % N_CLASSES
        return np.where(is_slip, other, self.digit)


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return the images as uint8, shape (n, 8, 8), and what they show."""
    told = load_digits()
    return (told.images * 15).astype(np.uint8), told.target.astype(np.int64)


def prepare(folder: Path) -> None:
    """Write a project's images, schema and first round of labels."""
    images, digit = pictures()
    (folder / "images").mkdir(parents=True)
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / "images" / name_of(number))
    (folder / "digits.json").write_text(json.dumps(SCHEMA, indent=1))
    (folder / "columns.yaml").write_text(MAPPING)
    drawn = Round(digit, np.random.default_rng(SEED))
    for at, tag in enumerate(BATCHES):
        rows = np.flatnonzero(drawn.batch == at)
        write_export(folder / "exports" / "first" / f"{tag}.csv", drawn, rows, digit, week=at)
    print(f"{len(digit):,} images and the first round of {len(BATCHES)} batches in {folder}")


def relabel(folder: Path) -> None:
    """Write the second round: three batches, gone through again."""
    images, digit = pictures()
    drawn = Round(digit, np.random.default_rng(SEED))
    rng = np.random.default_rng(SEED + 1)
    label = drawn.slips(rng)
    batch, person = BATCHES.index(CULPRIT[0]), PEOPLE.index(CULPRIT[1])
    is_his = (drawn.batch == batch) & (drawn.person == person)
    is_wrong = is_his & (rng.random(len(digit)) < WRONG_FRACTION)
    label = np.where(is_wrong, WRONG[digit], label)
    ink = images.mean(axis=(1, 2))
    pen = np.where(ink > np.median(ink), "thick", "thin")
    n = 0
    for tag in AGAIN:
        at = BATCHES.index(tag)
        rows = np.flatnonzero(drawn.batch == at)
        path = folder / "exports" / "second" / f"{tag}.csv"
        write_export(path, drawn, rows, label, week=len(BATCHES) + at, pen=pen)
        n += len(rows)
    print(f"the second round of {', '.join(AGAIN)}: {n:,} labels, each with its pen")


def write_export(
    path: Path,
    drawn: Round,
    rows: np.ndarray,
    label: np.ndarray,
    *,
    week: int,
    pen: np.ndarray | None = None,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(("id", "image", "digit", "annotator", "labelled_at", "pen"))
        for place, number in enumerate(rows.tolist()):
            at = FIRST_DAY + timedelta(weeks=week, seconds=40 * place)
            told = "" if pen is None else pen[number]
            who = PEOPLE[drawn.person[number]]
            sheet.writerow(
                (f"d{number:04}", name_of(number), label[number], who, at.isoformat(), told)
            )


def answer(packets: Sequence[Path]) -> None:
    """Write what the reviewer's tool would export: every image of the packets with its digit."""
    digit = pictures()[1]
    for packet in packets:
        tasks = []
        for task in json.loads(packet.read_text()):
            name = task["data"]["image"]
            seen = {"choices": [str(digit[int(Path(name).stem)])]}
            region = {"type": "choices", "from_name": "class", "to_name": "image", "value": seen}
            told = {"completed_by": {"email": REVIEWER}, "result": [region]}
            tasks.append({"data": {"image": name}, "annotations": [told]})
        path = Path("exports") / "recheck" / f"{packet.parent.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(tasks))
        print(f"{path}: {len(tasks)} images looked at by {REVIEWER}")


def name_of(number: int) -> str:
    return f"{number:04}.png"


def classifier() -> SVC:
    """Return a classifier that learns its training labels by heart, right or wrong, as large networks do."""
    return SVC(C=100, gamma=0.3)


def train(run: str, version: str, data: Path | None) -> None:
    """Train on the pinned version's labels, predict every image, put accuracy on record.

    Images that the model was trained on are predicted out of fold, by a model that has not seen them.
    """
    pinned = lineage.pin(run, version=version, data=data)
    names, pixels, label, is_trained = [], [], [], []
    for split in ("train", "val", "test"):
        found = lineage.dataset(pinned, split=split, images="images")
        for name, (image, told) in zip(found.assets.to_pylist(), found, strict=True):
            names.append(name)
            pixels.append(image[..., 0].ravel() / 240)
            label.append(found.classes[told["class"][0]])
            is_trained.append(split == "train")
    x, y, at = np.array(pixels), np.array(label), np.array(is_trained)
    scores = np.empty((len(y), len(np.unique(y[at]))))
    scores[at] = cross_val_predict(
        classifier(), x[at], y[at], cv=folds(SEED), method="decision_function"
    )
    model = classifier().fit(x[at], y[at])
    scores[~at] = model.decision_function(x[~at])
    best = model.classes_[scores.argmax(axis=1)]
    rows = list(zip(names, best, scores.max(axis=1).round(4), strict=True))
    write_predictions(Path(f"predictions/{run}.csv"), rows)
    held_out = [row for row, was_seen in zip(rows, is_trained, strict=True) if not was_seen]
    write_predictions(Path(f"predictions/{run}-held-out.csv"), held_out)
    is_right = best == y
    told = {
        "accuracy": round(float(is_right[~at].mean()), 4),
        "n_errors": int((~is_right[~at]).sum()),
    }
    pinned.metrics(told)
    print(
        f"{run}: trained on {at.sum():,} images of {version}; of {(~at).sum()} held out "
        f"{told['n_errors']} wrong: accuracy {told['accuracy']:.3f}"
    )


def write_predictions(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(("asset", "class", "score"))
        sheet.writerows(rows)


def folds(seed: int) -> StratifiedKFold:
    return StratifiedKFold(5, shuffle=True, random_state=seed)


def planted(
    drawn: Round, kind: str, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the second round's labels with a fault of one kind, and which units are in its slice.

    ``fraction`` is the share of wrong labels among the slice's.
    """
    label = drawn.slips(rng)
    is_person = drawn.person == rng.integers(len(PEOPLE))
    is_batch = drawn.batch == BATCHES.index(AGAIN[rng.integers(len(AGAIN))])
    is_hit = rng.random(len(label)) < fraction
    where = {"annotator": is_person, "annotator x class": is_person, "batch": is_batch}[kind]
    where = where & drawn.is_again
    if kind != "annotator x class":
        turned = (drawn.digit + rng.integers(1, N_CLASSES, len(label))) % N_CLASSES
        return np.where(where & is_hit, turned, label), where
    taken_for = rng.integers(N_CLASSES)
    # so many others as make them this share of what then stands under the class
    n_right = int((where & (label == taken_for)).sum())
    others = rng.permutation(np.flatnonzero(where & (label != taken_for)))
    label[others[: round(n_right * fraction / (1 - fraction))]] = taken_for
    return label, where & (label == taken_for)


def table(n_seeds: int) -> None:
    """Print how often faults of three kinds are named, and how often clean rounds show evidence."""
    images, digit = pictures()
    x = images.reshape(len(images), -1) / 240
    good = {
        seed: cross_val_predict(classifier(), x, digit, cv=folds(seed)) for seed in range(n_seeds)
    }
    start = time.process_time()
    first, third, claimed = defaultdict(list), defaultdict(list), defaultdict(list)
    for kind in FAULTS:
        for fraction in FRACTIONS:
            for seed in range(n_seeds):
                rng = np.random.default_rng([seed, FAULTS.index(kind), round(100 * fraction)])
                drawn = Round(digit, rng)
                label, where = planted(drawn, kind, fraction, rng)
                hits, is_evidence = ranked(drawn, label, good[seed], where)
                first[kind, fraction].append(hits[:1].any())
                third[kind, fraction].append(hits.any())
                claimed[kind, fraction].append(is_evidence)
    print(f"{n_seeds} seeds each: named first, among the first three, with evidence")
    print(f"{'':20}" + "".join(f"{f'{fraction:.2f} wrong':>18}" for fraction in FRACTIONS))
    for kind in FAULTS:
        cells = [
            " ".join(f"{np.mean(told[kind, fraction]):.2f}" for told in (first, third, claimed))
            for fraction in FRACTIONS
        ]
        print(f"{kind:20}" + "".join(f"{cell:>18}" for cell in cells))
    n_false, n_rounds = 0, 20 * n_seeds
    for number in range(n_rounds):
        rng = np.random.default_rng([number, 99])
        drawn = Round(digit, rng)
        n_false += ranked(drawn, drawn.slips(rng), good[number % n_seeds], drawn.is_again)[1]
    low, high = wilson(n_false, n_rounds)
    print(
        f"second rounds without a fault that show evidence: {n_false} of {n_rounds}, {n_false / n_rounds:.1%} "
        f"({low:.1%} to {high:.1%}); all rankings {time.process_time() - start:.1f} s CPU"
    )


def ranked(
    drawn: Round, label: np.ndarray, predicted: np.ndarray, where: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Rank the second round's slices; return which of the first three are the planted one, and evidence."""
    codes = {"annotator": (drawn.person, PEOPLE), "batch": (drawn.batch, BATCHES)}
    codes["class"] = (label, range(N_CLASSES))
    units = Units(
        (predicted != label).astype(float),
        drawn.is_again,
        label,
        N_CLASSES,
        tuple(Attribute(name, code, len(words)) for name, (code, words) in codes.items()),
    )
    found = did_rank(units, n_first=3, n_steps=1).first
    hits = np.zeros(3, bool)
    for at, suspect in enumerate(found):
        named = drawn.is_again.copy()
        for name, value in zip(suspect.slice.attributes, suspect.slice.values, strict=True):
            named &= codes[name][0] == value
        hits[at] = (named & where).sum() >= 0.8 * (named | where).sum()
    return hits, bool(found and found[0].is_evidence)


def main(words: list[str]) -> None:
    """Do one of the five things."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    verbs = asked.add_subparsers(dest="verb", required=True)
    verbs.add_parser("prepare").add_argument("folder", type=Path)
    verbs.add_parser("relabel").add_argument("folder", type=Path, nargs="?", default=Path())
    verbs.add_parser("answer").add_argument("packets", type=Path, nargs="+")
    training = verbs.add_parser("train")
    training.add_argument("run")
    training.add_argument("--version", required=True)
    training.add_argument("--data", type=Path)
    verbs.add_parser("table").add_argument("seeds", type=int, nargs="?", default=20)
    told = asked.parse_args(words)
    if told.verb == "prepare":
        prepare(told.folder)
    elif told.verb == "relabel":
        relabel(told.folder)
    elif told.verb == "answer":
        answer(told.packets)
    elif told.verb == "train":
        train(told.run, told.version, told.data)
    else:
        table(told.seeds)


if __name__ == "__main__":
    main(sys.argv[1:])
