"""Values of a small page, made by hand; `Parts` reads a page back."""

from __future__ import annotations

from html.parser import HTMLParser

from lineage.pages.values import Disputed, Opinion, Quality

NUMBERS = {
    "n_images": 4,
    "n_pairs": 12,
    "f1": 0.75,
    "f1_lo": 0.6123456789,
    "f1_hi": 0.9,
    "alpha": None,
    "iou_mean": 0.8,
    "iou_lt75_fraction": 0.2,
    "n_missing": 1,
}
FEW = {**NUMBERS, "n_pairs": 1, "f1": None, "f1_lo": None, "f1_hi": None}
HOSTILE = "<script>alert('x')</script> & \"quoted\""


def quality(**more: object) -> Quality:
    """Return a page's values: two classes, one with a hostile name, three people, two weeks."""
    by_class = {"n_units": 9, "alpha_lo": None, "alpha_hi": None, "f1_chance": 0.1}
    agreement = {
        "overall": {**NUMBERS, "f1_chance": 0.1},
        "by_class": [
            {**NUMBERS, **by_class, "class": "car"},
            {**FEW, **by_class, "class": HOSTILE},
        ],
        "by_pair": [{**NUMBERS, "a": "a-one", "b": "a-two"}, {**FEW, "a": "a-one", "b": "a-three"}],
        "by_annotator": [{**NUMBERS, "annotator": p} for p in ("a-one", "a-two", "a-three")],
        "by_batch": [{**NUMBERS, "batch": "b1"}],
        "by_schema": [{**NUMBERS, "schema": "s@1.0"}],
        "by_week": [{**NUMBERS, "week": "2026-W10"}, {**NUMBERS, "week": "2026-W12"}],
        "by_tag": [],
        "by_self": [{**NUMBERS, "annotator": "a-one"}],
        "confusion": [{"class": "car", "as_class": None, "n": 3}],
        "disputes": [
            {
                "class": "car",
                "as_class": None,
                "n": 3,
                "a_fresh": 0.5,
                "a_fresh_lo": 0.1,
                "a_fresh_hi": 0.9,
                "s": 0.4,
                "p": 0.001,
                "verdict": "definition_split",
                "camps": [["a-one"], ["a-two", "a-three"]],
                "advice": "rewrite the guideline",
            }
        ],
    }
    cells = {"n_mentions": 7, "f1": 0.5, "f1_lo": 0.2, "f1_hi": 0.8}
    ring = [10.0, 20.0, 40.0, 20.0, 40.0, 60.0, 10.0, 60.0]
    opinions = [Opinion("a-one", "car", [ring], 5), Opinion("a-two", None, [], None)]
    found: dict[str, object] = {
        "project": "demo",
        "as_of": "ledger at place 3",
        "options": "",
        "stages": {"submitted": 20},
        "batches": [
            {
                "tag": "b1",
                "task": "detection",
                "schema": "s@1.0",
                "kind": "archive",
                "state": "open",
                "n_annotations": 20,
            }
        ],
        "schemas": [{"schema": "s@1.0", "state": "locked", "n_labels": 20}],
        "versions": [],
        "iou_threshold": 0.5,
        "agreement": agreement,
        "by_pair_class": [{"a": "a-one", "b": "a-two", "class": "car", **cells}],
        "by_week_class": [
            {"week": week, "class": "car", **cells} for week in ("2026-W10", "2026-W12")
        ],
        "by_annotator_class": [{"annotator": "a-one", "class": HOSTILE, **cells}],
        "begins": [{"week": "2026-W10", "what": "schema", "name": "s@1.0"}],
        "volumes": [{"annotator": "a-one", "n_labels": 12}, {"annotator": "a-two", "n_labels": 8}],
        "disputed": [Disputed("car", None, "images/a.png", opinions, None)],
    }
    return Quality(**{**found, **more})  # type: ignore[arg-type]


class Parts(HTMLParser):
    """What stands in a page.

    ``cells`` are the exact values of every list's rows, ``links`` every attribute that refers to
    something, ``ids`` every id in order, ``titles`` what is told on hover, ``scripts`` their number.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.ids: list[str] = []
        self.heads: list[str] = []
        self.scripts = 0
        self.text = ""
        self._list: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.links += [
            told[name] for name in ("href", "src", "xlink:href", "action") if name in told
        ]
        self.ids += [told["id"]] if "id" in told else []
        self.scripts += tag == "script"
        if tag == "table":
            self._list = told["data-list"]
            self.cells[self._list] = []
        elif tag == "tr" and self._list is not None:
            self.cells[self._list].append([])
        elif tag == "td" and self._list is not None:
            self.cells[self._list][-1].append(told["data-v"])
        elif tag == "th":
            self.heads.append(told["title"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._list = None

    def handle_data(self, data: str) -> None:
        self.text += data
