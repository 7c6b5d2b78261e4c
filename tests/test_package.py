"""The package as a whole: its public face, its floors and what it never does."""

import ast
import importlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

import iqa_zoo

PACKAGE = Path(iqa_zoo.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))

# docs/architecture.md draws this. Modules import downwards, and within a floor from
# the modules to their left.
FLOORS = (
    ("errors", "files", "download", "cards", "threads"),
    ("images", "opinions", "correlation", "calibration", "results", "hdf5", "arrays"),
    (
        *("full_reference", "natural_scene", "technical", "diagnosis"),
        *("distortions", "screens"),
    ),
    ("models",),
    ("store", "registry"),
    ("engines", "data"),
    ("scoring", "comparing", "naming", "maps"),
    ("evaluation", "training", "exporting", "ray", "explain"),
    ("cli",),
)
ORDER = [name for floor in FLOORS for name in floor]

# From which floor on a library may be imported, ...
FIRST_FLOOR = {
    "numpy": 1,
    "cv2": 1,
    "PIL": 1,
    "scipy": 1,
    "keras": 2,
    "tensorflow": 2,
    "safetensors": 1,
    "ai_edge_litert": 5,
    "tensorflow_datasets": 5,
    "openpyxl": 5,
    "tomli_w": 0,
    "flatbuffers": 7,
    "matplotlib": 7,
    "onnx": 7,
    "onnxruntime": 7,
    "tf2onnx": 7,
    "ray": 7,
    "pyarrow": 7,
    "fsspec": 7,
    "tqdm": 8,
    "click": 8,
}
# ... and those that are slow to import, or may not load: only inside functions.
INSIDE_FUNCTIONS = {
    *("cv2", "matplotlib", "openpyxl", "scipy", "tensorflow_datasets"),
    *("onnx", "onnxruntime", "tf2onnx", "ray", "pyarrow", "fsspec"),
}
# Nothing imports this but who builds a data set, so it may derive from their classes.
BUILDING = PACKAGE / "data" / "datasets" / "building.py"


def room(path: Path) -> str:
    """The name in `ORDER` that a file belongs to; "" for the package's own face."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return {"__init__": "", "__main__": "cli"}.get(first, first)


def floor_of(name: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if name in floor)


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every imported module's full name, and whether that is outside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    in_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    parts = path.relative_to(ROOT).with_suffix("").parts
    package = parts[:-1]
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        outside = id(node) not in in_functions
        if isinstance(node, ast.Import):
            found += [(alias.name, outside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            # `from iqa_zoo import store` names a module, `from x import y` a thing.
            found += [
                (f"{module}.{alias.name}" if module == "iqa_zoo" else module, outside)
                for alias in node.names
            ]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    here = room(path)
    if not here:
        return
    assert here in ORDER, f"{here} has no floor yet: add it to FLOORS and to the docs"
    for name, outside in imports(path):
        top, _, rest = name.partition(".")
        if top == "iqa_zoo":
            there = rest.partition(".")[0]
            if there in ("", "__version__"):
                assert here == "cli", f"{here} imports the public face above it"
                continue
            assert there in ORDER, f"{path.name} imports {name}, which has no floor"
            if there != here:
                assert ORDER.index(there) < ORDER.index(here), (
                    f"{here} (floor {floor_of(here)}) imports {there} "
                    f"(floor {floor_of(there)})"
                )
        elif top not in sys.stdlib_module_names:
            assert top in FIRST_FLOOR, f"{path.name} imports {top}: no dependency"
            assert floor_of(here) >= FIRST_FLOOR[top], f"{here} may not import {top}"
            if outside and path != BUILDING:
                assert top not in INSIDE_FUNCTIONS, (
                    f"{path.name} imports {top} outside a function"
                )


@pytest.mark.parametrize("name", ORDER)
def test_no_room_has_the_name_of_a_public_function(name):
    # A package attribute that is first a function and then a module is a trap.
    assert name not in iqa_zoo.__all__


def test_public_face():
    assert list(iqa_zoo.__all__) == sorted(iqa_zoo.__all__)
    assert len(set(iqa_zoo.__all__)) == len(iqa_zoo.__all__)
    for name in iqa_zoo.__all__:
        assert getattr(iqa_zoo, name).__doc__, f"{name} has no docstring"
    assert set(iqa_zoo.__all__) <= set(dir(iqa_zoo))
    public = {
        "Diagnosis",
        "ImageScore",
        "IqaError",
        "Limits",
        "NamedDistortion",
        "PairScore",
        "QualityMap",
        "Scorer",
        "compare",
        "diagnose",
        "distort",
        "evaluate",
        "export",
        "list_models",
        "load_model",
        "model_card",
        "name_distortion",
        "quality_map",
        "score",
        "train",
    }
    errors = {
        error.__name__
        for error in children(iqa_zoo.IqaError)
        if not error.__name__.startswith("_")
    }
    assert set(iqa_zoo.__all__) == public | errors


def children(error: type) -> set[type]:
    below = {error, *error.__subclasses__()}
    return below.union(*(children(child) for child in error.__subclasses__()))


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="scroe"):
        _ = iqa_zoo.scroe


def test_version_is_the_installed_one():
    from importlib.metadata import version

    assert iqa_zoo.__version__ == version("iqa_zoo")


def test_import_is_light():
    heavy = "tensorflow keras cv2 h5py scipy ai_edge_litert tensorflow_datasets click"
    program = (
        "import sys, iqa_zoo; dir(iqa_zoo);"
        f"loaded = [name for name in {heavy.split()} if name in sys.modules];"
        "sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"import iqa_zoo loads {done.stderr}"


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_tests_reach_no_other_host():
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


FORBIDDEN_MODULES = {
    *("pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "torch"),
    *("code", "runpy"),
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "Lambda", "__import__"}
# Keras builds whatever network such a file describes.
FORBIDDEN_METHODS = {
    *("load_model", "load_weights", "deserialize", "deserialize_keras_object"),
    *("from_config", "model_from_json", "load_checkpoint"),
}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_runs_no_code_from_files(path):
    for name, _ in imports(path):
        assert name.partition(".")[0] not in FORBIDDEN_MODULES, name
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in {"os.system", "os.popen"}
        if called in {"np.load", "np.lib.format.read_array"}:
            assert len(node.args) == 1, ast.unparse(node)  # the third allows pickles
        if called.rpartition(".")[2] in FORBIDDEN_METHODS:
            assert called == "registry.load_model", ast.unparse(node)
        for keyword in node.keywords:
            if keyword.arg in {"shell", "allow_pickle"}:
                assert ast.unparse(keyword.value) == "False", ast.unparse(node)
        match node.func:
            case ast.Name(id=called):
                assert called not in FORBIDDEN_CALLS, ast.unparse(node)
            case ast.Attribute(value=owner, attr=called) if called in FORBIDDEN_CALLS:
                # Patterns and Keras models have a harmless method of that name.
                assert called == "compile", ast.unparse(node)
                assert ast.unparse(owner) != "builtins", ast.unparse(node)


def commands():
    import click

    main = importlib.import_module("iqa_zoo.cli").main
    context = click.Context(main, info_name="iqa-zoo")

    def walk(command, path, parent):
        yield path, command, parent
        if isinstance(command, click.Group):
            for name in command.list_commands(parent):
                child = command.get_command(parent, name)
                below = click.Context(child, info_name=name, parent=parent)
                yield from walk(child, f"{path} {name}", below)

    return list(walk(main, "iqa-zoo", context))


def test_every_command_has_help_and_an_example():
    found = commands()
    assert {"iqa-zoo score", "iqa-zoo train", "iqa-zoo evaluate"} <= {
        path for path, *_ in found
    }
    for path, command, context in found:
        page = command.get_help(context)
        assert command.help, f"{path} has no help"
        assert path in page.partition("Example")[2], f"{path} has no example"
        for parameter in command.params:
            if getattr(parameter, "hidden", False) or parameter.name == "help":
                continue
            if parameter.param_type_name == "option":
                assert parameter.help, f"{path} {parameter.name} has no help"
