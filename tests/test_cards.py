"""Every packaged card is right, and every wrong card is refused by file and key."""

import copy
import re

import pytest
import tomli_w

from iqa_zoo import cards, store
from iqa_zoo.cards.schema import Optional, Positive
from iqa_zoo.errors import CardError, UnknownNameError
from iqa_zoo.images import ENLARGE_RULES, FIT_RULES, SHRINK_RULES
from iqa_zoo.models.losses import TERMS

FILE = {"file": "a.safetensors", "bytes": 3, "sha256": "0" * 64}
CALIBRATION = {
    "quantiles": {"set": "some photos", "percent": [0, 50, 100], "score": [1, 2, 2.5]},
    "interval": {"coverage": 0.9, "half_width": 1.5, "n": 20, "held_out": "others"},
}
WEIGHTS = {
    "kind": "own",
    **FILE,
    "dtype": "float16",
    "arrays": 2,
    "licence": "Apache-2.0",
    "data": "none",
    "terms": "none",
    "start": "random",
    "command": "pytest",
    "recipe": "short",
    "seed": 1,
    "trained_on": 0,
    "limits": ["not for drawings"],
    "arguments": {"bins": 10},
    "litert": {**FILE, "file": "a.tflite"},
    "seen": {**FILE, "file": "a.seen.txt"},
    "results": {},
    **CALIBRATION,
    "notes": ["a note"],
}
EXTERNAL = {
    "kind": "external",
    "file": "b.hdf5",
    "url": "https://example.org/b.hdf5",
    "bytes": 3,
    "bytes_at_most": 4,
    "sha256": "0" * 64,
    "git_blob": "0" * 40,
    "md5": "0" * 32,
    "converter": "iqa_zoo.models.nima:from_idealo",
    "licence": "Apache-2.0",
    "where": "example.org",
    "notes": ["a note"],
    "data": "none",
    "terms": "none",
    "task": "aesthetics",
    "input": {
        "size": [8, 9],
        "channels": "rgb",
        "range": [0, 255],
        "fit": "stretch",
        "shrink": "area",
        "enlarge": "corner",
        "least": 8,
        "network_least": 4,
        "halo": 4,
        "pair": True,
    },
    "arguments": {"bins": 10},
    "published": {},
    **CALIBRATION,
}


def full_card() -> dict:
    """A card that has every key of the schema but `unhashed`, which excludes a URL."""
    card = copy.deepcopy(dict(cards.all_cards()["nima-mobilenetv2"]))
    stage = {
        "loss": dict.fromkeys(TERMS, 0.5),
        "network": "iqa_zoo.models.diqa:error_map_loss",
        "target": "opinion",
        "patches": 4,
        "patch": 32,
        "side": 64,
        "optimizer": "sgd",
        "schedule": "constant",
        "weight_decay": 0.1,
        "warmup": 0.1,
        "average": 0.9,
        "crop": 0.9,
        "mirror": True,
        "ridge": 1.0,
        "batch_norm": "live",
        "clip": 1.0,
        "accumulate": 2,
        "patience": 3,
        "output": "pool",
        "kernel": {"frozen_to": "pool", "ridge": 0.1, "floor": 0.1},
    }
    card["recipe"] = [card["recipe"][0] | stage]
    card["input"] |= {"network_least": 4, "halo": 4, "pair": True}
    card["output"] |= {
        "classes": ["white_noise-1"],
        "map": "map",
        "map_direction": "lower_is_better",
    }
    return card | {
        "branch": "scnn",
        "recipes": {"short": copy.deepcopy(card["recipe"])},
        "default_weights": "a",
        "preferred": True,
        "arguments": {"bins": 10},
        "weights": {"a": copy.deepcopy(WEIGHTS), "b": copy.deepcopy(EXTERNAL)},
    }


def keys(schema, path=()):
    """Every key of a schema as (path to it, what it may be, whether it must be)."""
    if isinstance(schema, list):
        yield from keys(schema[0], (*path, 0))
    elif isinstance(schema, dict):
        for key, kind in schema.items():
            needed = not isinstance(kind, Optional)
            inner = kind if needed else kind.kind
            yield (*path, key), inner, needed
            yield from keys(inner, (*path, key))


EVERY_KEY = [
    *keys(cards.SCHEMA),
    *keys(cards.WEIGHTS, ("weights", "a")),
    *keys(cards.EXTERNAL, ("weights", "b")),
]
KEYS = [key for key in EVERY_KEY if key[0][-1] != "unhashed"]
TABLES = [
    (),
    *(path for path, kind, _ in KEYS if isinstance(kind, dict)),
    ("recipe", 0),
    ("weights", "a"),
    ("weights", "b"),
]
POSITIVE = [
    *(path for path, kind, _ in KEYS if isinstance(kind, Positive)),
    ("input", "size", 0),
    ("weights", "b", "input", "size", 1),
]
OF_A_DISTRIBUTION = cards.OUTPUT_KEYS["distribution"]
WRONG = (None, True, 1, 1.5, "odd", [], ["odd"], [{}], {}, {"odd": 1})


def at(card, path):
    for key in path:
        card = card[key]
    return card


def dotted(path) -> str:
    return ".".join(map(str, path))


def refused(card, *words):
    with pytest.raises(CardError) as caught:
        cards.check_card(card, "that.toml")
    for word in ("that.toml", *words):
        assert word in str(caught.value)


def test_the_full_card_has_every_key_and_is_right():
    card = full_card()
    for path, _, _ in KEYS:
        at(card, path)
    cards.check_card(card, "that.toml")


@pytest.mark.parametrize("path, kind, needed", KEYS, ids=[dotted(k[0]) for k in KEYS])
def test_missing_and_mistyped_keys(path, kind, needed):
    card = full_card()
    del at(card, path[:-1])[path[-1]]
    if path == ("weights",):
        del card["default_weights"]
    if needed or (path[0] == "output" and path[1] in OF_A_DISTRIBUTION):
        refused(card, dotted(path), "missing")
    else:
        cards.check_card(card, "that.toml")

    kind = getattr(kind, "kind", kind)  # of a number that must be positive
    allowed = (kind,) if isinstance(kind, type) else kind
    for wrong in WRONG:
        if allowed == (bool,) and isinstance(wrong, bool):
            continue
        if isinstance(allowed, tuple) and type(wrong) in allowed:
            continue  # a dict or a text of any content
        if kind == [str] and wrong == ["odd"]:
            continue
        card = full_card()
        at(card, path[:-1])[path[-1]] = wrong
        refused(card, dotted(path))


@pytest.mark.parametrize("path", TABLES, ids=dotted)
def test_unknown_keys(path):
    card = full_card()
    at(card, path)["colour"] = "red"
    refused(card, dotted((*path, "colour")), "Known here")


@pytest.mark.parametrize(
    "path", [path for path, kind, _ in KEYS if isinstance(kind, list)], ids=dotted
)
def test_elements_of_lists(path):
    card = full_card()
    at(card, path)[-1] = b"bytes"
    refused(card, f"{dotted(path)}.{len(at(card, path)) - 1}")
    at(card, path).clear()
    refused(card, dotted(path), "elements, not 0")


@pytest.mark.parametrize("path", [("input", "size"), ("output", "scale")], ids=dotted)
def test_pairs(path):
    for values in ([1], [1, 2, 3]):
        card = full_card()
        at(card, path)[:] = values
        refused(card, dotted(path), "must have 2 elements")


@pytest.mark.parametrize("path", POSITIVE, ids=dotted)
def test_numbers_that_count_or_measure_are_positive(path):
    numbers = [0, -1]
    if path[-1] in ("learning_rate", "crop"):
        numbers = [0.0, -1.0, float("nan"), float("inf")]
    for number in numbers:
        card = full_card()
        at(card, path[:-1])[path[-1]] = number
        refused(card, dotted(path), repr(number))


def test_numbers_are_finite():
    for number in (float("nan"), float("-inf"), 10**400, -(10**400)):
        card = full_card()
        card["output"]["scale"][1] = number
        refused(card, "output.scale.1", "finite")


def test_a_loss_has_a_term():
    card = full_card()
    card["recipe"][0]["loss"] = {}
    refused(card, "recipe.0.loss", "empty", ", ".join(sorted(TERMS)))


def test_stages_of_all_recipes_are_checked():
    card = full_card()
    card["recipes"]["short"][0]["colour"] = "red"
    refused(card, "recipes.short.0.colour", "Known here")


def test_each_kind_of_output_has_its_keys():
    card = full_card()
    card["output"] = {"kind": "classes"}
    refused(card, "output.classes", "missing")
    card["output"] = {"kind": "score", "scale": [0, 1]}
    refused(card, "output.direction", "missing")


def test_quantiles_ascend():
    for percent, score in (
        ([0, 50, 40], [1, 2, 3]),
        ([0, 50, 50], [1, 2, 3]),
        ([0, 50, 100], [1, 3, 2]),
        ([0, 50], [1, 2, 3]),
        ([0, 50, 101], [1, 2, 3]),
        ([-1, 50, 100], [1, 2, 3]),
    ):
        card = full_card()
        card["weights"]["b"]["quantiles"] |= {"percent": percent, "score": score}
        refused(card, "weights.b.quantiles", "ascend")


def test_an_interval_covers_a_share():
    card = full_card()
    card["weights"]["a"]["interval"]["coverage"] = 1
    refused(card, "weights.a.interval.coverage", "less than 1")


# --- files that others publish --------------------------------------------------------


def test_a_published_file_has_a_hash_and_a_size():
    card = full_card()
    for key in ("sha256", "git_blob", "md5"):
        cards.check_card(card, "that.toml")
        del card["weights"]["b"][key]
    refused(card, "weights.b", "no hash")
    card["weights"]["b"]["unhashed"] = "made by everyone"
    refused(card, "weights.b", "cannot be fetched")
    del card["weights"]["b"]["url"]
    cards.check_card(card, "that.toml")
    del card["weights"]["b"]["bytes"]
    cards.check_card(card, "that.toml")
    del card["weights"]["b"]["bytes_at_most"]
    refused(card, "weights.b", "no size")


@pytest.mark.parametrize(
    "url", ["http://example.org/b", "ftp://example.org/b", "file:///etc/passwd", "b"]
)
def test_only_https_is_fetched(url):
    card = full_card()
    card["weights"]["b"]["url"] = url
    refused(card, "weights.b", "https://")


@pytest.mark.parametrize("change", [{"url": "http://a"}, {"unhashed": "none"}])
def test_cards_of_backbones_are_checked_likewise(tmp_path, change):
    keys = cards.PUBLISHED_FILE.keys() & EXTERNAL.keys()
    file = {key: EXTERNAL[key] for key in keys}
    path = tmp_path / "b.toml"
    made = {"title": "B", "weights": {"imagenet": file}}
    path.write_text(tomli_w.dumps(made))
    assert cards._read(path, cards.BACKBONE) == made
    file |= change
    path.write_text(tomli_w.dumps(made))
    with pytest.raises(CardError, match=r"b\.toml: weights\.imagenet"):
        cards._read(path, cards.BACKBONE)


@pytest.mark.parametrize("kind", ["odd", 3, None, []])
def test_kinds_of_weight_sets(kind):
    card = full_card()
    card["weights"]["b"]["kind"] = kind
    refused(card, "weights.b.kind", "'own', 'local', 'external'")
    card["weights"]["b"] = kind
    refused(card, "weights.b", "table")


def test_default_weights_must_exist():
    refused(full_card() | {"default_weights": "c"}, "default_weights", "[weights.c]")


@pytest.mark.parametrize(
    "file", ["../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", ".", ""]
)
@pytest.mark.parametrize("table", ["a", "a.litert", "a.seen", "b"])
def test_a_file_lies_beside_its_card_or_in_the_store(table, file):
    card = full_card()
    at(card["weights"], table.split("."))["file"] = file
    refused(card, f"weights.{table[0]}", repr(file))


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"title = ", b"title = 'a'\ntitle = 'b'", b"a=" + b"[" * 9999],
    ids=["empty", "no UTF-8", "no TOML", "twice the same key", "deep"],
)
def test_no_card_at_all(tmp_path, content):
    path = tmp_path / "card.toml"
    path.write_bytes(content)
    with pytest.raises(CardError, match=r"card\.toml"):
        cards.read_card(path)


def test_missing_file(tmp_path):
    with pytest.raises(CardError, match=r"no\.toml"):
        cards.read_card(tmp_path / "no.toml")


def test_a_card_reads_back_as_it_was_written(tmp_path):
    path = tmp_path / "card.toml"
    path.write_text(tomli_w.dumps(full_card()))
    assert cards.read_card(str(path)) == full_card()


def test_the_terms_of_the_loss_are_those_that_there_are():
    assert cards.STAGE["loss"].keys() == TERMS.keys()


# --- the packaged ones ----------------------------------------------------------------

NAMES = list(cards.all_cards())
FILES = [
    (f"{name}.{tag}", file)
    for name, card in cards.own_cards().items()
    for tag, weights in card.get("weights", {}).items()
    for file in (weights, weights.get("litert"), weights.get("seen"))
    if file and weights["kind"] != "external"
]
PUBLISHED = store.published_sets()


def test_exactly_one_model_is_preferred_and_has_weights():
    preferred = [card for card in cards.all_cards().values() if card.get("preferred")]
    assert len(preferred) == 1
    assert preferred[0]["default_weights"] in preferred[0]["weights"]


#: Families whose models have names of their own.
FAMILIES = ("wadiqam",)


@pytest.mark.parametrize("name", NAMES)
def test_packaged_card(name):
    card = cards.all_cards()[name]
    assert name.startswith(card["family"]) or card["family"] in FAMILIES
    assert name == name.lower()
    output, sets = card["output"], card.get("weights", {})
    rules = [weights["input"] for weights in sets.values() if "input" in weights]
    for rule in (card["input"], *rules):
        assert rule["range"] == [0, 255]
        assert rule["fit"] in FIT_RULES
        assert rule["shrink"] in SHRINK_RULES
        assert rule["enlarge"] in ENLARGE_RULES
    if "scale" in output:
        assert output["scale"][0] < output["scale"][1]
    assert output.get("bins", 2) >= 2
    for recipe in card.get("recipes", {}).values():
        for stage in recipe:
            assert stage.get("batch_norm", "frozen") in ("frozen", "live")
    for stage in card["recipe"]:
        assert stage.get("batch_norm", "frozen") in ("frozen", "live")
    if "backbone" in card:
        cards.backbone_card(card["backbone"])
    if any(weights["kind"] == "own" for weights in sets.values()):
        assert sets[card["default_weights"]]["kind"] == "own"


@pytest.mark.parametrize("name", PUBLISHED)
def test_packaged_published_file(name):
    from iqa_zoo.arrays import READERS
    from iqa_zoo.registry import named_function

    expected = PUBLISHED[name]
    assert callable(named_function(expected["converter"]))
    for kind, length in (("sha256", 64), ("git_blob", 40), ("md5", 32)):
        assert re.fullmatch(f"[0-9a-f]{{{length}}}", expected.get(kind, "0" * length))
    assert expected["file"].endswith(tuple(suffix for s in READERS for suffix in s))
    # Two sets under one name would take each other's place in the store.
    same = [
        other for other in PUBLISHED if PUBLISHED[other]["file"] == expected["file"]
    ]
    assert same == [name]


def test_unknown_backbone_names_the_nearest():
    with pytest.raises(UnknownNameError, match="mobilenetv2"):
        cards.backbone_card("mobilenetv3")


@pytest.mark.weights
@pytest.mark.parametrize("name, file", FILES, ids=[f[1]["file"] for f in FILES])
def test_packaged_file(name, file):
    assert name.partition(".")[0] in file["file"]
    assert len(store.read_checked(store.own_folder() / file["file"], file))
    assert file["bytes"] <= 16e6


@pytest.mark.weights
def test_no_file_without_a_card():
    there = {path.name for path in store.own_folder().iterdir() if path.is_file()}
    code = {name for name in there if name.endswith(".py")}
    assert there - code == {file["file"] for _, file in FILES}
