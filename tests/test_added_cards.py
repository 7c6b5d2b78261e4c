"""Models that other packages add, in good order and in bad."""

import importlib
import logging
import subprocess
import sys

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import save

from iqa_zoo import cards, registry, store
from iqa_zoo.errors import CardError, UnknownNameError
from iqa_zoo.files import sha256
from tests.helpers import small

BUILD = """
from iqa_zoo.models import nima  # what a package of models is made of
from tests.helpers.small import small

def net(**arguments):
    return small(**arguments)
"""


def card(**changes) -> dict:
    return small.card() | {"builder": "acme_models.build:net"} | changes


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Makes a distribution `acme` of these cards, as pip would have installed it."""

    def install(made, *, value="acme_models.cards", code="", name="acme"):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
        entry = f"[{cards.GROUP}]\n{name} = {value}\n"
        (info / "entry_points.txt").write_text(entry)
        package = tmp_path / "acme_models"
        (package / "cards").mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(code)
        (package / "build.py").write_text(BUILD)
        for file, content in made.items():
            if isinstance(content, dict):
                content = tomli_w.dumps(content).encode()
            (package / "cards" / file).write_bytes(content)
        return package / "cards"

    def forget():
        for cached in (cards._scan, cards.added_cards):
            cached.cache_clear()
        for module in [m for m in sys.modules if m.startswith("acme_models")]:
            del sys.modules[module]
        importlib.invalidate_caches()

    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield install
    forget()


def test_a_model_of_another_package(site):
    arrays = {
        path: variable.numpy()
        for path, variable in registry.variables(small.small()).items()
    }
    data = save(arrays)
    own = {
        "kind": "own",
        "file": "acme-net.safetensors",
        "bytes": len(data),
        "sha256": sha256(data),
        "dtype": "float32",
        "arrays": len(arrays),
        **dict.fromkeys(("licence", "data", "terms", "start", "command"), "none"),
        "seed": 0,
        "trained_on": 0,
    }
    made = card(default_weights="own", weights={"own": own}, preferred=True)
    folder = site({"acme-net.toml": made, "acme-net.safetensors": data})

    assert "acme-net" in registry.list_models()
    assert registry.list_models("acme-*", has_weights=True) == ["acme-net"]
    assert registry.model_card("acme-net") == made
    for name in ("acme-net", "acme-net.own"):
        entry = registry.resolve(name)
        assert (entry.name, entry.folder) == ("acme-net.own", folder)
        network = registry.load_model(name)
    for path, variable in registry.variables(network).items():
        np.testing.assert_array_equal(variable, arrays[path])
    # The default stays ours, and runs name the model as they name ours.
    assert registry.default_model() != "acme-net.own"
    with pytest.raises(UnknownNameError, match=r"acme-net\.own"):
        registry.resolve("acme-net.onw")
    with pytest.raises(UnknownNameError, match="acme-net"):
        registry.resolve("acme-nett")


def test_what_others_publish_for_it(site, monkeypatch, tmp_path):
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "home"))
    theirs = {
        "kind": "external",
        "file": "acme-net.theirs.npz",
        "bytes_at_most": 100,
        "sha256": "0" * 64,
        "converter": "acme_models.build:net",
        **dict.fromkeys(("licence", "where", "data", "terms"), "none"),
    }
    site({"acme-net.toml": card(weights={"theirs": theirs})})
    assert store.published_set("acme-net.theirs") == theirs
    entry = registry.resolve("acme-net.theirs")
    assert entry.package == "acme_models"


def test_a_runs_card_names_only_builders_of_known_models(site, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "card.toml").write_text(tomli_w.dumps(card()))
    with pytest.raises(CardError, match="Install the package"):
        registry.load_model(run, None)
    cards._scan.cache_clear()
    cards.added_cards.cache_clear()
    site({"acme-net.toml": card()})
    assert registry.load_model(run, None).name == "nima_small"
    for changed in ({"builder": "acme_models.build:other"}, {"parameters": 5}):
        (run / "card.toml").write_text(tomli_w.dumps(card() | changed))
        with pytest.raises(CardError, match="no model here has the builder"):
            registry.load_model(run, None)


@pytest.mark.parametrize(
    "builder",
    [
        "os:system",
        "iqa_zoo.store:add",
        "acme_modelsevil:net",
        "acme:net",
        "acme_models.build:no",
        "acme_models.no:net",
        "acme_models.build:nima",
    ],
)
def test_builders_outside_the_package(site, builder):
    site({"acme-net.toml": card(builder=builder)})
    with pytest.raises(CardError):
        registry.load_model("acme-net", None)


BROKEN = {
    "no TOML": ({"acme-net.toml": b"title ="}, {}, "acme-net"),
    "bad key": ({"acme-net.toml": card(colour="red")}, {}, "acme-net"),
    "dot": ({"acme.net.toml": card()}, {}, "acme.net"),
    "import": ({"acme-net.toml": card()}, {"code": "import no_such_library"}, "acme"),
    "raises": ({"acme-net.toml": card()}, {"code": "1 / 0"}, "acme"),
    "no package": ({}, {"value": "acme_models.no"}, "acme"),
    "a module": ({}, {"value": "acme_models.build"}, "acme"),
    "nonsense": ({}, {"value": "..."}, "acme"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_left_out_and_told(site, caplog, case):
    made, options, name = BROKEN[case]
    site({**made, "good-net.toml": card()}, **options)
    packaged = list(cards.all_cards())
    with caplog.at_level(logging.WARNING, "iqa_zoo"):
        names = registry.list_models()
        registry.list_models()
    (line,) = caplog.messages
    assert line.startswith(f"{name} is left out: ")
    assert set(packaged) <= set(names)
    assert name not in names
    assert ("good-net" in names) is (name != "acme")
    with pytest.raises(CardError) as caught:
        registry.resolve(name, None)
    assert str(caught.value) in line
    registry.resolve(packaged[0], None)


def test_taken_names_stay_with_who_has_them(site, caplog):
    site({"nima-mobilenetv2.toml": card(), "acme-net.toml": card(title="first")})
    site({}, name="later")
    names = registry.list_models()
    assert names.count("acme-net") == names.count("nima-mobilenetv2") == 1
    assert "MobileNetV2" in registry.model_card("nima-mobilenetv2")["title"]
    assert registry.model_card("acme-net")["title"] == "first"
    assert any("'nima-mobilenetv2' is taken" in line for line in caplog.messages)
    assert any("'acme-net' is taken" in line for line in caplog.messages)


def test_nobody_looks_for_other_packages_to_find_ours(tmp_path):
    program = (
        "import sys; from iqa_zoo import registry;"
        "registry.resolve('nima-mobilenetv2'); registry.resolve(sys.argv[1], None);"
        "sys.exit('importlib.metadata' in sys.modules)"
    )
    run = tmp_path / "run"
    run.mkdir()
    ours = registry.model_card("nima-mobilenetv2")
    (run / "card.toml").write_text(tomli_w.dumps(ours))
    done = subprocess.run([sys.executable, "-c", program, run], check=False)
    assert done.returncode == 0


def test_files_of_two_packages_never_replace_each_other(site, caplog):
    ours = next(iter(cards.backbone_cards().values()))["weights"]["imagenet"]
    theirs = {
        **{key: ours[key] for key in ("file", "licence", "where", "converter")},
        **{"kind": "external", "bytes": 5, "md5": "0" * 32},
        **{"data": "none", "terms": "none"},
    }
    site({"acme-net.toml": card(weights={"theirs": theirs})})
    assert "acme-net" not in registry.list_models()
    with pytest.raises(CardError, match="already"):
        registry.resolve("acme-net", None)


def test_the_code_of_a_package_is_part_of_what_the_store_keeps(site, tmp_path):
    site({"acme-net.toml": card()})
    before = registry.code(registry.resolve("acme-net", None))
    build = tmp_path / "acme_models" / "build.py"
    build.write_text(build.read_text() + "# another version\n")
    assert registry.code(registry.resolve("acme-net", None)) != before
    assert registry.code(registry.resolve("nima-mobilenetv2", None)) == []
