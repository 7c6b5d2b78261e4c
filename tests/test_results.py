"""Scores as rows, and back."""

import csv
import io
import json

import numpy as np
import pytest

from iqa_zoo.results import FIELDS, LISTS, ImageScore, from_row, to_row

SHARES = tuple(np.float32([0.1, 0.2, 0.7]).astype(float).tolist())
SCORE = ImageScore(
    "a b\n\udcff.jpg",
    "m.t",
    2.6,
    0.66,
    SHARES,
    (1.0, 3.0),
    "higher_is_better",
    percentile=73.25,
    interval=(1.5, 3.0),
)
FAILED = ImageScore("x", "m.t", error="empty", message='no "bytes", none')


@pytest.mark.parametrize("score", [SCORE, FAILED])
def test_json_leads_back(score):
    row = json.loads(json.dumps(to_row(score)))
    assert tuple(row) == FIELDS
    back = from_row(row)
    assert back.distribution == pytest.approx(score.distribution, abs=1e-7)
    assert to_row(back) == to_row(score)


def test_shares_lead_back_to_the_same_float32():
    assert to_row(SCORE)["distribution"] == [0.1, 0.2, 0.7]
    back = np.float32(to_row(SCORE)["distribution"])
    assert back.tobytes() == np.float32(SHARES).tobytes()


def test_text_cells_lead_back():
    file = io.StringIO()
    row = to_row(SCORE)
    for name in LISTS:
        row[name] = json.dumps(row[name])
    csv.DictWriter(file, FIELDS).writerow(row)
    (cells,) = csv.DictReader(io.StringIO(file.getvalue(), newline=""), FIELDS)
    back = from_row(cells)
    assert to_row(back) == to_row(SCORE)
    assert (back.percentile, back.interval) == (73.25, (1.5, 3.0))


def test_rows_of_an_earlier_version_are_told():
    row = to_row(SCORE)
    del row["percentile"], row["interval"]
    with pytest.raises(ValueError, match="without the columns percentile, interval"):
        from_row(row)


@pytest.mark.parametrize(
    "change", [{"value": "high"}, {"scale": "1"}, {"other": 1}, {"distribution": "["}]
)
def test_other_rows_are_refused(change):
    with pytest.raises((TypeError, ValueError)):
        from_row({**to_row(SCORE), **change})
