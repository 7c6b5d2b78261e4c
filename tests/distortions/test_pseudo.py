"""Sets to train on: pseudo-MOS, chains of distortions, photos that are cut."""

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from iqa_zoo.cli import main
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.splits import split_labels
from iqa_zoo.distortions import KINDS, distort, sets
from iqa_zoo.distortions.chains import (
    chain_name,
    chain_of,
    distort_by,
    draw_chains,
    single,
)
from iqa_zoo.distortions.pseudo import POWERS, pseudo_mos, raw_score
from iqa_zoo.distortions.table import read_manifest
from iqa_zoo.errors import UsageError
from iqa_zoo.full_reference import metric
from iqa_zoo.images import read_image
from tests.helpers.pictures import smooth

KADID = [name for name, kind in KINDS.items() if kind.family == "kadid"]


def iqa_zoo(*args):
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    grain = np.random.default_rng(0).normal(0, 12, (4, 120, 100, 1))
    for number in range(4):
        values = smooth(120, 100, seed=number) + grain[number]
        pixels = values.clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def table(out):
    with open(out / "manifest.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", POWERS)
def test_a_set_is_read_as_opinions(photos, tmp_path, name):
    out = tmp_path / "set"
    kinds = "jpeg,gaussian_blur,white_noise,mean_shift"
    result = iqa_zoo("distort", photos, "-o", out, "--kinds", kinds,
                     "--pseudo-mos", name)  # fmt: skip
    assert result.exit_code == 0
    # The blur of level 1 and the shift of level 3 change nothing.
    assert "4 have the pixels of another one and are not in the table" in result.stderr
    rows = table(out)
    assert len(rows) == 4 * 19 and {row["pseudo"] for row in rows} == {name}
    for row in rows[::9]:
        pair = read_image(out / row["reference"]), read_image(out / row["image"])
        assert float(row[name]) == pytest.approx(metric(name)(*pair), abs=1e-6)
        assert float(row["mos"]) == pseudo_mos(name, float(row[name]))
    labels = read_labels(out / "manifest.csv", out)
    assert labels.range == (0, 1) and labels.direction == "higher_is_better"
    assert labels.mos.max() == 1 and labels.mos.min() < 0.9
    assert set(labels.distortion) == set(kinds.split(","))
    assert set(labels.level) == {1, 2, 3, 4, 5}
    by_row = {(r["reference"], r["distortion"], r["level"]): r["mos"] for r in rows}
    for (reference, kind, level), mos in by_row.items():
        weaker = by_row.get((reference, kind, str(int(level) - 1)))
        if kind == "white_noise" and weaker:
            assert float(mos) < float(weaker)


def test_splits_go_by_content(photos, tmp_path):
    out = tmp_path / "set"
    iqa_zoo("distort", photos, "-o", out, "--kinds", "jpeg", "--pseudo-mos", "vsi")
    labels = read_labels(out / "manifest.csv", out)
    split = split_labels(labels, 0)
    train, test = (
        {labels.reference[row] for row in rows}
        for rows in (split["train"], split["test"])
    )
    assert train and test and not train & test


def test_the_rule():
    scores = np.linspace(0, 1, 101)
    for name in POWERS:
        found = [pseudo_mos(name, score) for score in scores]
        assert found[0] == 0 and found[-1] == 1 and found == sorted(found)
        assert pseudo_mos(name, -0.01) == 0 and pseudo_mos(name, 1.000001) == 1
        same = smooth(40, 50)
        assert raw_score(name, same, same) == 1


def test_scores_are_taken_once(photos, tmp_path, monkeypatch):
    out = tmp_path / "set"
    options = ("-o", out, "--kinds", "jpeg,darken", "--pseudo-mos", "vsi")
    iqa_zoo("distort", photos, *options)
    before = (out / "manifest.csv").read_bytes()
    taken = []

    def counted(*arguments):
        taken.append(arguments)
        return raw_score(*arguments)

    monkeypatch.setattr(sets, "raw_score", counted)
    iqa_zoo("distort", photos, *options)
    assert not taken
    lost, other = sorted(out.rglob("jpeg-3-0.png"))[:2]
    lost.unlink()
    Image.fromarray(smooth(120, 100, seed=99)).save(other)  # not the row's picture
    iqa_zoo("distort", photos, *options)
    assert len(taken) == 2
    lost.unlink()
    other.unlink()
    iqa_zoo("distort", photos, *options)
    assert (out / "manifest.csv").read_bytes() == before


def test_the_table_is_written_on_the_way(photos, tmp_path, monkeypatch):
    """A run that is killed keeps the scores that took its time."""
    out = tmp_path / "set"
    monkeypatch.setattr("iqa_zoo.cli.distort.EVERY", 0)
    monkeypatch.setattr(sets, "in_order", lambda jobs, room: (job() for _, job in jobs))
    rows = []

    def watched(*arguments):
        rows.append(len(table(out)) if rows else 0)
        return distort_by(*arguments)

    monkeypatch.setattr(sets, "distort_by", watched)
    iqa_zoo("distort", photos, "-o", out, "--kinds", "jpeg", "--pseudo-mos", "vsi")
    assert rows == list(range(20))


def test_one_metric_a_set(photos, tmp_path):
    out = tmp_path / "set"
    photo = photos / "0.png"
    run = ("distort", photo, "-o", out, "--levels", "2,3", "--kinds")
    assert iqa_zoo(*run, "jpeg").exit_code == 0
    result = iqa_zoo(*run, "darken", "--pseudo-mos", "vsi")
    assert "2 pictures in" in result.stderr and "no pseudo-MOS" in result.stderr
    assert [row["distortion"] for row in table(out)] == ["darken"] * 2
    # The set's own metric is kept up without being named.
    assert iqa_zoo(*run, "jpeg").exit_code == 0
    assert [row["pseudo"] for row in table(out)] == ["vsi"] * 4
    result = iqa_zoo(*run, "jpeg", "--pseudo-mos", "fsimc")
    assert result.exit_code == 2 and "is of vsi, not of fsimc" in result.stderr
    assert len(read_manifest(out)) == 4


@pytest.mark.parametrize("edit", [("0.", "1."), (",vsi,", ",fsimc,"), ("jpeg", "jpg")])
def test_tables_that_were_changed(photos, tmp_path, edit):
    out = tmp_path / "set"
    run = ("distort", photos / "0.png", "-o", out, "--kinds", "jpeg")
    iqa_zoo(*run, "--pseudo-mos", "vsi")
    path = out / "manifest.csv"
    head, row, *_ = path.read_text().splitlines()
    path.write_text(f"{head}\n{row.replace(*edit)}\n")
    with pytest.raises(UsageError, match="no table of distorted pictures"):
        read_manifest(out)


def test_chains_in_a_set(photos, tmp_path):
    out = tmp_path / "set"
    kinds = ("--kinds", "jpeg,gaussian_blur,white_noise", "--levels", "2-4")
    options = ("-o", out, *kinds, "--chains", 9, "--pseudo-mos", "vsi", "--seed", 3)
    assert iqa_zoo("distort", photos, *options).exit_code == 0
    before = (out / "manifest.csv").read_bytes()
    rows = table(out)
    assert len(rows) == 4 * 9
    chains = [chain_of(row["image"].split("/")[1].rpartition("-")[0]) for row in rows]
    assert {len(chain) for chain in chains} == {1, 2, 3}
    for row, chain in list(zip(rows, chains, strict=True))[::7]:
        wanted = read_image(out / row["reference"])
        for kind, level in chain:
            wanted = distort(wanted, kind, level, seed=3)
        np.testing.assert_array_equal(read_image(out / row["image"]), wanted)
        assert int(row["level"]) == max(level for _, level in chain)
        is_one = len(chain) == 1
        assert row["distortion"] == (chain[0][0] if is_one else chain_name(chain))
    by_photo = {row["reference"]: set() for row in rows}
    for row in rows:
        by_photo[row["reference"]].add(row["distortion"])
    assert len(set(map(frozenset, by_photo.values()))) > 1  # each photo has its own
    next(out.rglob("*+*.png")).unlink()
    (out / "manifest.csv").unlink()
    assert iqa_zoo("distort", photos, *options).exit_code == 0
    assert (out / "manifest.csv").read_bytes() == before
    assert len(read_labels(out / "manifest.csv", out).names) == 36


def test_drawing_chains():
    many = draw_chains(300, KADID, range(1, 6), (0, 1))
    assert (
        len(set(many)) == 300
        and draw_chains(80, KADID, range(1, 6), (0, 1)) == many[:80]
    )
    assert draw_chains(80, KADID, range(1, 6), (1, 1)) != many[:80]
    lengths = [len(chain) for chain in many]
    assert all(60 < lengths.count(length) < 140 for length in (1, 2, 3))
    for chain in many:
        kinds = [kind for kind, _ in chain]
        assert len(set(kinds)) == len(kinds)
        assert chain_of(chain_name(chain)) == chain
    assert {kind for chain in many for kind, _ in chain} == set(KADID)
    assert sorted(draw_chains(3, ["jpeg"], [1, 2, 3], (0, 0))) == single(
        ["jpeg"], [1, 2, 3]
    )
    with pytest.raises(UsageError, match="there are 3"):
        draw_chains(4, ["jpeg"], [1, 2, 3], (0, 0))


@pytest.mark.parametrize("name", ["", "jpeg", "jpeg-6", "jpg-1", "jpeg-01", "jpeg-1+",
                                  "+".join(["jpeg-1"] * 4)])  # fmt: skip
def test_names_of_no_chain(name):
    with pytest.raises(ValueError):
        chain_of(name)


def test_photos_are_cut(photos, tmp_path):
    out = tmp_path / "set"
    Image.fromarray(smooth(60, 300)).save(photos / "low.png")
    result = iqa_zoo("distort", photos, "-o", out, "--kinds", "jpeg", "--side", 64)
    assert result.exit_code == 1 and "20 pictures in" in result.stderr
    assert "low.png: 300 x 60 pixels cannot be cut to 64 x 64" in result.stderr
    whole = read_image(photos / "0.png")
    references = [read_image(path) for path in out.rglob("reference.png")]
    assert any(np.array_equal(whole[28:92, 18:82], cut) for cut in references)
    # Other sides of the same photos stand beside them.
    iqa_zoo("distort", photos, "-o", out, "--kinds", "jpeg", "--side", 32)
    assert len({row["reference"] for row in table(out)}) == 9


def test_wrong_use(photos, tmp_path):
    out = tmp_path / "set"
    for options, said in (
        (("--pseudo-mos", "psnr"), "psnr"),
        (("--chains", 0), "0"),
        (("--side", 8), "8"),
        (("--chains", 6, "--kinds", "jpeg"), "6 chains cannot be drawn"),
    ):
        result = iqa_zoo("distort", photos, "-o", out, *options)
        assert result.exit_code == 2 and said in result.stderr
    assert not (out / "manifest.csv").exists()
