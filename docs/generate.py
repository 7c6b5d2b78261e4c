"""Write every table and every output that README.md and docs/*.md show.

    python docs/generate.py           # rewrite what is stale
    python docs/generate.py --check   # name what is stale; exit 1 if anything is

A page marks the place with `<!-- generated: NAME -->` and `<!-- end -->`; what stands
between them comes from the function of that name here: from the cards, from recorded
benchmark results, or from running the program.
"""

import dataclasses
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import click

import iqa_zoo
from iqa_zoo.cards import all_cards, measure_cards
from iqa_zoo.comparing.metrics import metric_card, metric_names
from iqa_zoo.data import datasets
from iqa_zoo.distortions import KINDS, LEVELS
from iqa_zoo.distortions.pseudo import POWERS
from iqa_zoo.errors import IMAGE_CODES
from iqa_zoo.exporting import parity
from iqa_zoo.maps import map_models

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# Outputs with measured scores: another processor may round the last digit otherwise.
MEASURED = {"score-output", "score-jsonl"}
LAST_DIGIT = 0.0101


def models_table() -> str:
    """One line a weight set: ours first, then others'; then models without any."""
    ours, others, untrained = [], [], []
    for name, card in all_cards().items():
        start = (card["title"], f"{card['parameters'] / 1e6:.1f} M")
        for tag, weights in card.get("weights", {}).items():
            preferred = card.get("preferred") and tag == card["default_weights"]
            model = f"`{name}.{tag}`" + (" (default)" if preferred else "")
            judges = weights.get("task", card["task"])
            data = weights["data"].partition(":")[0]
            if weights["kind"] == "external":
                others.append((model, *start, judges, f"{data}, by others", ""))
                continue
            figures = weights.get("results", {}).get("trained", {})
            judged = "srocc" in figures and "pseudo" not in data  # by people
            srocc = f"{figures['srocc']['median']:.3f}" if judged else ""
            ours.append((model, *start, judges, data, srocc))
        if not card.get("weights"):
            untrained.append((f"`{name}`", *start, "", "train it yourself", ""))
    titles = ("model", "what", "parameters", "judges", "trained on", "SROCC")
    return table(titles, ours + others + untrained)


def measures_table() -> str:
    """The hand-made measures, from their cards."""
    rows = [
        (
            f"`{name}`",
            card["summary"],
            card["task"],
            card["output"]["direction"].replace("_", " "),
            ", ".join(card.get("weights", {})) or "needs none",
            card["input"]["least"],
        )
        for name, card in measure_cards().items()
    ]
    titles = ("measure", "what", "judges", "direction", "weights", "least side")
    return table(titles, rows)


def measures_short() -> str:
    """One line a hand-made measure."""
    rows = [
        (f"`{name}`", card["summary"], card["output"]["direction"].replace("_", " "))
        for name, card in measure_cards().items()
    ]
    return table(("measure", "what", "direction"), rows)


def metrics_table() -> str:
    """The full-reference metrics, from their cards."""
    rows = []
    for name in metric_names():
        card = metric_card(name)
        paper = card["paper"]
        low, high = (f"{bound:g}".replace("inf", "∞") for bound in card["range"])
        rows.append(
            (
                f"`{name}`",
                f"{card['title']}. {paper['authors']}, {paper['year']}",
                f"{low} to {high}, {card['direction'].replace('_', ' ')}",
                card["colour"],
                card["least"],
                "yes" if card["differentiable"] else "no",
                "yes" if card["has_map"] else "no",
            )
        )
    titles = ("metric", "what", "score", "colours", "least side", "loss", "map")
    return table(titles, rows)


def three_digits(number: float) -> str:
    """Three of them, and more where they stand before the point."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


LIBRARIES = ("piq", "scikit-image", "opencv")


def metrics_speed() -> str:
    """What `benchmarks/full_reference.py` last recorded of time and memory."""
    found = recorded("full_reference.json")
    sizes, memory = found["milliseconds"], found["peak_megabytes_at_12_megapixels"]

    def cells(times: dict) -> list[str]:
        by = dict(pair for pair in times.items() if " / " in pair[0])
        ratios = [
            next((f"{by[key]:.1f}" for key in by if key.startswith(f"{name} /")), "")
            for name in LIBRARIES
        ]
        return [three_digits(times["iqa_zoo"]), *ratios]

    rows = [
        (f"`{name}`", *(c for times in sizes.values() for c in cells(times[name])), mb)
        for name, mb in memory.items()
    ]
    columns = (f"{size}, ms" for size in sizes)
    titles = [title for ms in columns for title in (ms, *LIBRARIES)]
    return f"{found['machine']}.\n\n" + table(("metric", *titles, "MB"), rows)


def metrics_agreement() -> str:
    """How far the scores of 50 pairs are from other libraries', as last recorded."""
    far = recorded("full_reference.json")["largest_difference"]
    rows = [
        (f"`{name}`", *(f"{by[key]:.1g}" if key in by else "" for key in LIBRARIES))
        for name, by in far.items()
        if by
    ]
    return table(("metric", *LIBRARIES), rows)


def measures_speed() -> str:
    """What `benchmarks/natural_scene.py` last recorded."""
    found = recorded("natural_scene.json")
    names = dict.fromkeys(
        name for size in found["sizes"].values() for name in size["milliseconds"]
    )
    memory = found["peak_memory_mb"]
    rows = [
        (
            name if name in memory else f"{name}, for comparison",
            *(three_digits(s["milliseconds"][name]) for s in found["sizes"].values()),
            f"{memory[name]:.0f}" if name in memory else "",
        )
        for name in names
    ]
    largest = list(found["sizes"])[-1]
    titles = (
        "measure",
        *(f"{size}, ms" for size in found["sizes"]),
        f"MB at {largest}",
    )
    return f"{found['machine']}.\n\n" + table(titles, rows)


def calibration() -> str:
    """What `benchmarks/calibration.py` last recorded."""
    rows = []
    for name, found in recorded("calibration.json")["metrics"].items():
        ours = {"values": found["ours"], "note": found["note"]}
        for by, entry in {"ours": ours, **found["others"]}.items():
            numbers = (f"{value:.6g}" for value in entry["values"].values())
            first = f"`{name}`" if by == "ours" else ""
            rows.append((first, by, *numbers, entry["note"]))
    titles = ("metric", "by", "I03", "I04", "I06", "I08", "I19", "")
    return table(titles, rows)


def revived() -> str:
    """What `benchmarks/revived.py` last recorded."""
    found = recorded("revived.json")
    figures = ("levels", "vsi", "fsimc")

    def cells(name: str) -> list[str]:
        return [f"{found['metrics'][name][figure]:.3f}" for figure in figures]

    rows = [("`cnn_pyramid`", *cells("cnn_pyramid"), "", "", "")]
    for name, gains in found["gains"].items():
        rows.append((f"`{name}`", *cells(name), "", "", ""))
        shown = []
        for figure in figures:
            low, high = gains[figure]["interval"]
            shown.append(f"{gains[figure]['gain']:+.3f} ({low:+.3f} to {high:+.3f})")
        rows.append((f"`cnn_{name}`", *cells(f"cnn_{name}"), *shown))
    titles = ("metric", "level", "VSI", "FSIMc")
    return table((*titles, *(f"gain, {title}" for title in titles[1:])), rows)


def map_models_table() -> str:
    """The models whose cards name a map."""
    rows = []
    for name in map_models():
        card = all_cards()[name]
        output, rule = card["output"], card["input"]
        direction = output.get("map_direction", output.get("direction", ""))
        rows.append(
            (
                f"`{name}`",
                card["title"],
                direction.replace("_", " "),
                "a photo and its original" if rule.get("pair") else "a photo",
                "yes" if "default_weights" in card else "no: train it",
            )
        )
    titles = ("model", "what", "direction of the map", "takes", "has weights")
    return table(titles, rows)


def models_pages() -> str:
    """One section a card, with all that the card says of its weight sets."""
    return "\n".join(model_page(name, card) for name, card in all_cards().items())


def model_page(name: str, card: dict) -> str:
    paper = card["paper"]
    lines = [
        f"## {name}",
        "",
        f"{card['title']}. {card['summary']}",
        "",
        f"- Paper: [{paper['title']}]({paper['url']}), {paper['authors']}, "
        f"{paper['venue']}, {paper['year']}",
        f"- Output: {output_fact(card['output'])}",
        f"- Input: {input_fact(card['input'])}",
        f"- Parameters: {card['parameters']:,}, of which "
        f"{card['trainable_parameters']:,} are trained",
        "",
        "What it is not for:",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
    ]
    for tag, weights in card.get("weights", {}).items():
        page = external_page if weights["kind"] == "external" else weights_page
        lines += [f"### {name}.{tag}", "", page(weights)]
    return "\n".join(lines)


def output_fact(output: dict) -> str:
    if output["kind"] == "classes":
        return f"which of {len(output['classes'])} distortions a photo has"
    low, high = output["scale"]
    better = output["direction"].replace("_", " ")
    bins = f", from {output['bins']} bins" if "bins" in output else ""
    return f"{low} to {high}, {better}{bins}"


def input_fact(rule: dict) -> str:
    size = " × ".join(map(str, rule["size"]))
    pair = "; the original likewise" if rule.get("pair") else ""
    if rule["fit"] == "native":
        return (
            f"the photo in its own size, RGB, in tiles of up to {size} pixels "
            f"(height × width); photos of fewer than {rule['least']} pixels a side are "
            f"refused{pair}"
        )
    return (
        f"{size} pixels (height × width), RGB; fit by `{rule['fit']}`, "
        f"shrunk by `{rule['shrink']}`, enlarged by `{rule['enlarge']}`; "
        f"photos of fewer than {rule['least']} pixels a side are refused{pair}"
    )


def weights_page(weights: dict) -> str:
    """A weight set that was trained here."""
    facts = [
        ("trained on", f"{weights['trained_on']:,} images. {weights['data']}"),
        ("terms of the data", weights["terms"]),
        ("licence of the weights", weights["licence"]),
        ("started from", weights["start"]),
        ("made by", f"`{weights['command']}`"),
        ("seed", str(weights["seed"])),
        ("file", file_fact(weights)),
    ]
    if "litert" in weights:
        facts.append(("LiteRT file", file_fact(weights["litert"])))
    parts = [table(("", ""), facts)]
    parts += [f"{limit}\n" for limit in weights.get("limits", [])]
    if "results" in weights:
        parts.append(results_table(weights["results"]))
    if "quantiles" in weights:
        parts.append(quantiles_table(weights["quantiles"]))
    if "interval" in weights:
        parts.append(interval_fact(weights["interval"]))
    parts += [f"{note}\n" for note in weights.get("notes", [])]
    return "\n".join(parts)


def external_page(weights: dict) -> str:
    """A weight set that others trained and publish."""
    facts = [
        ("trained by others on", weights["data"]),
        ("terms of the data", weights["terms"]),
        ("licence of the weights", weights["licence"]),
        ("where", weights["where"]),
        ("file", file_fact(weights)),
    ]
    if "task" in weights:
        facts.insert(0, ("judges", weights["task"]))
    if "input" in weights:
        facts.append(("input", input_fact(weights["input"])))
    for figure, value in weights.get("published", {}).items():
        facts.append((f"published: {figure}", str(value)))
    notes = [f"{note}\n" for note in weights.get("notes", [])]
    return "\n".join([table(("", ""), facts), *notes])


def file_fact(file: dict) -> str:
    size = f"{file['bytes']:,} bytes" if "bytes" in file else "size not published"
    hashes = {"sha256": "sha256", "git_blob": "git blob", "md5": "md5"}
    said = [f"{hashes[key]} `{file[key]}`" for key in hashes if key in file]
    return ", ".join([f"`{file['file']}`", size, *said])


def results_table(results: dict) -> str:
    """Medians over the splits, with the lowest and the highest beside them."""
    figures = {
        "srocc": "SROCC",
        "plcc": "PLCC",
        "krocc": "KROCC",
        "rmse": "RMSE",
        "emd": "EMD",
        "kind": "kind named rightly",
        "kind_and_level": "and level",
        "map_correlation": "correlation of the map",
    }
    figures = {k: title for k, title in figures.items() if k in results["trained"]}
    methods = (
        ("trained", "trained by this recipe"),
        ("frozen_svr", "frozen ImageNet features and an SVR"),
        ("constant", "a constant"),
        ("psnr", "PSNR"),
        ("ssim", "SSIM"),
    )
    rows = [
        (said, *(spread(results[method].get(figure)) for figure in figures))
        for method, said in methods
        if method in results
    ]
    splits = len(next(iter(results["trained"].values()))["splits"])
    said = "median (lowest to highest split)" if splits > 1 else ""
    titles = (said, *figures.values())
    return f"{results['protocol']}\n\n{table(titles, rows)}"


def spread(figure: dict | None) -> str:
    if figure is None:
        return ""
    low, high = min(figure["splits"]), max(figure["splits"])
    if len(figure["splits"]) == 1:
        return f"{low:.3f}"
    return f"{figure['median']:.3f} ({low:.3f} to {high:.3f})"


def quantiles_table(quantiles: dict) -> str:
    """Where scores lie over a named set of photos."""
    shown_percent = (5, 25, 50, 75, 95)
    at = dict(zip(quantiles["percent"], quantiles["score"], strict=True))
    titles = ("photos below this score", *(f"{p} %" for p in shown_percent))
    row = ("score", *(f"{at[p]:.2f}" for p in shown_percent))
    return f"Its scores on {quantiles['set']}:\n\n{table(titles, [row])}"


def datasets_table() -> str:
    """One line a published data set, from its dataset.toml."""
    rows = []
    for name in datasets.names():
        known = datasets.metadata(name)
        low, high = known["range"]
        good = "high" if known["direction"] == "higher_is_better" else "low"
        count = f"{known['images']:,}"
        if "references" in known:
            count += f" from {known['references']:,}"
        scores = f"{low} to {high}, {good} is good"
        also = [column for column in known["columns"] if column != "split"]
        split = known.get("splits", "")
        named = f"[{known['title']}](#{name})"
        terms = known["terms"]
        rows.append((f"`{name}`", named, count, scores, ", ".join(also), split, terms))
    titles = ("name", "set", "images", "scores", "also", "fixed split", "terms")
    return table(titles, rows)


def datasets_pages() -> str:
    """One section a published data set: its files, and what to know and to cite."""
    lines = []
    for name in datasets.names():
        known = datasets.metadata(name)
        lines += [
            f"### {name}",
            "",
            f"{known['title']}: {known['summary']}",
            "",
            f"From <{known['url']}>.",
            f"In the data folder, or in `{known['folder']}/` there:",
            "",
        ]
        for file in known["files"]:
            paths = [file["path"]] if isinstance(file["path"], str) else file["path"]
            named = " or ".join(f"`{path}`" for path in paths)
            lines.append(f"- {named}: {file['what']}")
        if "mos_csv" in known:
            lines.append("- or `mos.csv` and `images`")
        lines += ["", *(f"{note}\n" for note in known.get("notes", []))]
        lines += ["```bibtex", known["citation"].strip(), "```", ""]
    return "\n".join(lines)


def pseudo_mos() -> str:
    """The rules that make a pseudo-MOS."""
    rules = (f"- `{name}`: mos = {name}^{power}" for name, power in POWERS.items())
    return "\n".join(rules) + "\n"


def distortions_table() -> str:
    """Every kind of distortion with its parameter at the five levels."""
    rows = [
        (f"`{name}`", kind.parameter, *(f"{value:.4g}" for value in kind.levels))
        for name, kind in KINDS.items()
    ]
    return table(("kind", "parameter", *map(str, LEVELS)), rows)


def interval_fact(interval: dict) -> str:
    """How far off scores are."""
    return (
        f"The mean opinion is within {interval['half_width']:.2f} of the score for "
        f"{100 * interval['coverage']:g} % of photos like {interval['held_out']} "
        f"({interval['n']:,} scores).\n"
    )


def image_codes() -> str:
    return table(
        ("code", "meaning"),
        [(f"`{code}`", meaning) for code, meaning in IMAGE_CODES.items()],
    )


def image_limits() -> str:
    said = {
        "pixels": "width times height",
        "side": "the longer side, in pixels",
        "bytes": "the size of the file",
    }
    rows = [
        (f"`{name}`", said[name], f"{value:,}")
        for name, value in dataclasses.asdict(iqa_zoo.Limits()).items()
    ]
    return table(("limit", "of what", "default"), rows)


def score_output() -> str:
    return shown("iqa-zoo score examples/photos")


def score_jsonl() -> str:
    return shown("iqa-zoo score --format jsonl examples/photos/coffee.jpg")


def commands() -> str:
    """The help page of every command, as the program prints it."""
    from iqa_zoo.cli import main

    return "\n".join(help_pages(main, click.Context(main, info_name="iqa-zoo")))


def help_pages(command: click.Command, context: click.Context) -> list[str]:
    path = context.command_path
    pages = [f"## {path}\n\n" + shown(f"{path} --help", prompt=False)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            below = click.Context(child, info_name=name, parent=context)
            pages += help_pages(child, below)
    return pages


def public_names() -> str:
    """Directives that pull in the docstrings of the public face."""
    directives = []
    for name in iqa_zoo.__all__:
        thing = getattr(iqa_zoo, name)
        if not isinstance(thing, type):
            kind, options = "autofunction", ""
        elif issubclass(thing, Exception):
            kind, options = "autoexception", ""
        else:
            # The fields of a named tuple stand in its own text.
            members = "" if hasattr(thing, "_fields") else "\n   :members:"
            kind, options = "autoclass", members
        directives.append(f".. {kind}:: iqa_zoo.{name}{options}\n")
    return "```{eval-rst}\n" + "\n".join(directives) + "```\n"


def speed() -> str:
    """What `benchmarks/` last recorded."""
    many, one = recorded("throughput.json"), recorded("startup.json")
    rates = many["images_per_second"]
    memory = " and ".join(
        f"{megabytes:,.0f} MB for {count} photos"
        for count, megabytes in many["peak_memory_mb"].items()
    )
    rows = [
        ("one photo, the whole program", f"{one['score_one_photo_s']:.2f} s"),
        ("`import tensorflow` alone", f"{one['import_tensorflow_s']:.2f} s"),
        ("a folder of photos", f"{rates['iqa_zoo.score']:.1f} photos/s"),
        ("plain Keras with tf.data", f"{rates['keras predict']:.1f} photos/s"),
        ("bare LiteRT and decoding, the limit", f"{many['limit']:.1f} photos/s"),
        ("peak memory", memory),
    ]
    what = f"`{many['model']}`, {many['images']} photos; {many['machine']}"
    return table((what, ""), rows)


def ray_scale() -> str:
    """What `benchmarks/ray_scale.py` last recorded."""
    found = recorded("ray_scale.json")
    killed, overhead, million = found["killed"], found["overhead"], found["million"]
    rows = [
        (
            f"{actors} actor{'s' * (actors != '1')}",
            f"{told['images_per_second']:.1f} photos/s",
            f"{told['startup_seconds']:.1f} s",
        )
        for actors, told in found["actors"].items()
    ]
    rates = table(("with Ray", "rate", "start-up before it"), rows)
    what = (
        f"{found['images']:,} photos of {found['mean_kilobytes']:,} kB on average, "
        f"`{found['model']}`; {found['machine']}"
    )
    facts = [
        ("workers killed half-way", killed["workers_killed"]),
        ("photos with exactly one row", f"{killed['images_with_one_row']:,}"),
        ("rows equal to one machine's", f"{killed['equal_to_one_machine']:,}"),
        ("`iqa_zoo.score`", f"{overhead['iqa_zoo.score']:.1f} photos/s"),
        ("Ray on the same cores, in turns", f"{overhead['ray']:.1f} photos/s"),
        ("overhead after start-up", f"{100 * overhead['overhead']:.0f} %"),
        (
            "a million such photos, extrapolated",
            f"{million['core_hours']:,.1f} core-hours, "
            f"{million['hours_here']:,.1f} hours here",
        ),
    ]
    return f"{table((what, ''), facts)}\n{rates}"


def export_bounds() -> str:
    """What each quantization is, and how far off a file may be on 1 to 10."""
    bits = {
        "none": ("32", "32"),
        "float16": ("16, biases 32", "32"),
        "dynamic": ("8", "8 where LiteRT can, else 32"),
        "int8": ("8", "8; pooling, head and softmax 32"),
    }
    form = {
        "max": "largest difference {:.2g}",
        "mean": "mean difference {:.2g}",
        "srocc": "SROCC {:g}",
    }
    rows = []
    for name, bounds in parity.BOUNDS.items():
        limits = [
            form[key].format(value if key == "srocc" else 9 * value)
            for key, value in bounds.items()
        ]
        rows.append((f"`{name}`", *bits[name], ", ".join(limits)))
    titles = ("`--quantize`", "bits of weights", "bits of sums")
    return table((*titles, "allowed, on a scale of 1 to 10"), rows)


def export_table() -> str:
    """What `benchmarks/export.py` last recorded."""
    found = recorded("export.json")
    rows, before = [], None
    for row in found["rows"]:
        rows.append(
            (
                f"`{row['model']}`" if row["model"] != before else "",
                f"`{row['quantize']}`" + ("" if row["within"] else ", refused"),
                f"{row['bytes'] / 1e6:.2f} MB",
                f"{row['mean']:.2g} ({row['max']:.2g})",
                f"{row['srocc']:.4f}",
                *(
                    f"{row[f'ms_{threads}']:.1f} ms ({row[f'speedup_{threads}']:.2f})"
                    for threads in (1, 2)
                ),
            )
        )
        before = row["model"]
    titles = (
        "model",
        "`--quantize`",
        "size",
        "mean (largest) difference",
        "SROCC",
        "one thread (times as fast as 32 bits)",
        "two threads",
    )
    what = f"{found['photos']} photos of LIVE In the Wild; {found['machine']}."
    return f"{what}\n\n{table(titles, rows)}"


def mediapipe_gap() -> str:
    """What `benchmarks/mediapipe_gap.py` last recorded."""
    found = recorded("mediapipe.json")
    sets = {"clive": "LIVE In the Wild", "other": "other sizes"}

    def cells(figures: dict, before: str) -> list[str]:
        mean, largest, ms = (figures[f"{before}{key}"] for key in ("mean", "max", "ms"))
        return [f"{mean:.4f} ({largest:.3f})", f"{ms:.0f} ms"]

    rows = [
        (
            f"`{model}`" if key == "clive" else "",
            f"{each[key]['photos']}, {said}",
            *(cell for before in ("", "plain_") for cell in cells(each[key], before)),
        )
        for model, each in found["models"].items()
        for key, said in sets.items()
    ]
    titles = (
        "model",
        "photos",
        "mean (largest) difference",
        "a photo takes",
        "without: difference",
        "takes",
    )
    model = next(iter(found["models"]))
    sizes = [
        (
            row["name"],
            f"{row['width']} × {row['height']}",
            *(f"{row[key]:.2f}" for key in ("library", "mediapipe", "plain")),
        )
        for row in found["models"][model]["other"]["rows"]
    ]
    by_size = ("photo", "width × height", f"score by `{model}`", "MediaPipe", "without")
    scores = table(by_size, sizes)
    return f"{found['machine']}.\n\n{table(titles, rows)}\n{scores}"


def browser_gap() -> str:
    """What `benchmarks/browser_gap.py` last recorded."""
    found = recorded("browser.json")
    sets = {"clive": "LIVE In the Wild", "other": "other sizes"}
    rows = [
        (
            f"{found[key]['photos']}, {said}",
            f"{found[key]['mean']:.4f}",
            f"{found[key]['max']:.3f}",
        )
        for key, said in sets.items()
    ]
    titles = ("photos", "mean difference to the library's scores", "largest")
    return f"Chromium {found['chromium']}.\n\n{table(titles, rows)}"


def colour_profiles() -> str:
    """What `benchmarks/colours.py` last recorded."""
    found = recorded("colours.json")
    rows = [
        (case, f"{moves['mean']:.3f}", f"{moves['largest']:.3f}")
        for case, moves in found["score_moves_by"].items()
    ]
    what = f"{found['photos_converted']} photos, scores of the shipped models"
    return table((what, "move by, on average", "at most"), rows)


def large_photos() -> str:
    """What `benchmarks/large_photos.py` last recorded."""
    found = recorded("large_photos.json")
    rows = []
    for photo, ways in found["photos"].items():
        ours, theirs = ways["iqa_zoo"], ways.get("pillow and keras")
        seconds = theirs and f"{theirs['decode'] + theirs['predict']:.2f} s"
        rows.append(
            (
                photo,
                f"{ours['seconds']:.2f} s",
                f"{ours['peak_memory_mb']:.0f} MB",
                seconds or "",
                f"{theirs['peak_memory_mb']:.0f} MB" if theirs else "",
            )
        )
    titles = (
        f"`{found['model']}`; {found['machine']}",
        "iqa_zoo",
        "peak memory",
        "Pillow's decoding and Keras's `predict`",
        "peak memory",
    )
    return table(titles, rows)


def clive_splits() -> str:
    """What `benchmarks/clive_splits.py` last recorded."""
    rows = []
    for method, entry in sorted(recorded("clive_splits.json").items()):
        if method == "machine":
            continue
        found = [entry["splits"][k] for k in sorted(entry["splits"])]
        cells = [f"{split['srocc']:.3f}" for split in found]
        medians = [
            f"{statistics.median(split[figure] for split in found):.3f}"
            for figure in ("srocc", "plcc_logistic")
        ]
        rows.append((method, *cells, *medians))
    titles = ("SROCC of split", *"01234", "median", "median PLCC")
    return table(titles, rows)


def clive_tries() -> str:
    """What was tried before a recipe was fixed."""
    rows = [
        (
            f"{each['what']} (`{each['model']}`)",
            ", ".join(map(str, each["splits"])),
            f"{each['validation_srocc']:.3f}",
            "" if (plcc := each["validation_plcc"]) is None else f"{plcc:.3f}",
        )
        for each in recorded("clive_tries.json")["tries"]
    ]
    titles = ("try", "splits", "mean validation SROCC", "mean validation PLCC")
    return table(titles, rows)


def fresh_user() -> str:
    """What `benchmarks/fresh_user.py` last recorded."""
    found = recorded("fresh_user.json")
    rows = []
    for split in found["splits"]:
        low, high = split["test_intervals"]["srocc"]
        rows.append(
            (
                split["split"],
                split["test"]["n"],
                f"{split['test']['srocc']:.3f} ({low:.3f} to {high:.3f})",
                f"{split['test']['plcc_logistic']:.3f}",
                f"{split['frozen_svr']['srocc']:.3f}",
                f"{split['minutes']:.0f} min",
            )
        )
    median, frozen = found["median_srocc"], found["median_frozen_srocc"]
    rows.append(("median", "", f"{median:.3f}", "", f"{frozen:.3f}", ""))
    titles = (
        "split by prompt",
        "test images",
        "SROCC (95 % interval)",
        "PLCC",
        "SROCC of frozen features and an SVR",
        f"time ({found['machine']})",
    )
    return table(titles, rows)


def few_labels() -> str:
    """What `benchmarks/few_labels.py` last recorded."""
    found = recorded("few_labels.json")
    rows = []
    for size, entry in found["sizes"].items():
        for split, each in enumerate(entry["splits"]):
            cells = []
            for method in ("trained", "frozen"):
                low, high = each[method]["interval"]
                cells.append(f"{each[method]['srocc']:.3f} ({low:.3f} to {high:.3f})")
            rows.append((size, split, *cells, f"{entry['gains'][split]:+.3f}"))
        medians = [f"{entry[f'{m}_median']:.3f}" for m in ("trained", "frozen")]
        gain = statistics.median(entry["gains"])
        rows.append((size, "median", *medians, f"{gain:+.3f}"))
    titles = (
        f"labels (`{found['model']}`)",
        "split",
        "trained, SROCC (95 % interval)",
        "frozen features and an SVR",
        "gain",
    )
    return table(titles, rows)


def fusion() -> str:
    """What `benchmarks/fusion.py` last recorded: each block alone, and fusions."""
    found = recorded("fusion.json")
    rows = []
    for method, medians in found["median"].items():
        cells = [f"{split[method]['srocc']:.3f}" for split in found["splits"]]
        said = spoken(method) + (" block alone" if method in found["gains"] else "")
        figures = (f"{medians[figure]:.3f}" for figure in ("srocc", "plcc"))
        rows.append((said, *cells, *figures))
    titles = (f"SROCC of split (`{found['model']}`)", *"01234", "median", "median PLCC")
    return table(titles, rows)


def fusion_gains() -> str:
    """What each block adds to the fusion of the others, as last recorded."""
    rows = []
    for block, gain in recorded("fusion.json")["gains"].items():
        low, high = gain["interval"]
        rows.append(
            (spoken(block), f"{gain['srocc']:+.3f}", f"{low:+.3f} to {high:+.3f}")
        )
    return table(("block", "adds to SROCC", "95 % interval"), rows)


def training_loop() -> str:
    """What `benchmarks/training_loop.py` last recorded."""
    found = recorded("training_loop.json")
    over = found["overhead"]
    rows = [
        (
            f"a step, all layers, {over['batch'][0]} pictures of {over['batch'][1]} "
            "pixels a side",
            f"{over['ours_s']:.2f} s",
            f"bare `tf.function`: {over['bare_s']:.2f} s",
            f"{over['ratio']:.3f}",
        )
    ]
    for name, said in (
        ("cached_trunk", "pictures a second from the cached trunk"),
        ("jpeg_files", "pictures a second from JPEG files"),
    ):
        each = found["pipeline"][name]
        rows.append(
            (
                said,
                f"{each['pipeline_gives_per_s']:.0f}",
                f"the step takes {each['step_takes_per_s']:.0f}",
                f"{each['ratio']:.1f}",
            )
        )
    rows += [
        (
            f"`{model}`: time to validation SROCC {race['level']:.3f}, from nothing",
            f"{race['ours_s']:.0f} s",
            f"Keras `fit`, decoding in every epoch: {race['naive_s']:.0f} s",
            f"{race['ratio']:.1f}",
        )
        for model, race in found["race"].items()
    ]
    what = f"`{over['model']}`; {over['machine']}"
    return table((what, "iqa_zoo", "beside it", "ratio"), rows)


def diagnose_flags() -> str:
    """How often each flag of the diagnosis is right, as last recorded."""
    rows = [
        (
            spoken(flag),
            ", ".join(f"`{kind}`" for kind in figures["matching"]),
            f"{figures['precision']:.3f}",
            f"{figures['recall']:.3f}",
        )
        for flag, figures in recorded("diagnose.json")["flags"].items()
    ]
    motion = recorded("diagnose.json")["motion"]
    cells = (f"{motion[key]:.3f}" for key in ("precision", "recall"))
    rows.append(("motion, of what is blurred", "`motion_blur`", *cells))
    return table(("fault", "to find", "precision", "recall"), rows)


def diagnose_levels() -> str:
    """The share of pictures that a flag is raised on, by distortion and level."""
    found = recorded("diagnose.json")
    rows = [
        (spoken(flag), f"`{kind}`", *(f"{share:.2f}" for share in shares.values()))
        for flag, figures in found["flags"].items()
        for kind, shares in figures["matching"].items()
    ]
    for flag, kind in (("underexposed", "darken"), ("overexposed", "brighten")):
        shares = found["flags"][flag]["also"].get(kind, {})
        cells = (f"{shares.get(str(level), 0):.2f}" for level in found["levels"])
        rows.append((spoken(flag), f"`{kind}`", *cells))
    return table(("fault", "distortion", *map(str, found["levels"])), rows)


def diagnose_clean() -> str:
    """The share of photos that each flag is raised on without a distortion."""
    found = recorded("diagnose.json")["clean"]
    names = {
        "pristine": "Kodak: whole, smaller, quarters",
        "well_rated": "well rated",
        "worst": "worst rated",
    }
    rows = [
        (spoken(flag), *(f"{100 * found[s]['raised'][flag]:.1f} %" for s in names))
        for flag in recorded("diagnose.json")["flags"]
    ]
    for key, text in (
        ("any_false", "photos with a false flag"),
        ("false_flags", "false flags of all flags"),
        ("cannot_tell", "not told"),
    ):
        rows.append((text, *(f"{100 * found[s][key]:.1f} %" for s in names)))
    counts = (f"{text} ({found[s]['photos']})" for s, text in names.items())
    return table(("fault", *counts), rows)


def spoken(flag: str) -> str:
    return flag.replace("_", " ")


def recorded(name: str) -> dict:
    """The results that a benchmark left."""
    path = ROOT / "benchmarks" / "results" / name
    found: dict = json.loads(path.read_text(encoding="utf-8"))
    return found


def shown(command: str, prompt: bool = True) -> str:
    """A command and what it prints on stdout, in a fenced block."""
    done = subprocess.run(
        [Path(sys.executable).with_name("iqa-zoo"), *shlex.split(command)[1:]],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1"},
    )
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stderr}")
    first = f"$ {command}\n" if prompt else ""
    body = "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())
    return f"```text\n{first}{body}\n```\n"


def table(titles: tuple, rows: list) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


BLOCKS = {
    "browser-gap": browser_gap,
    "calibration": calibration,
    "clive-splits": clive_splits,
    "clive-tries": clive_tries,
    "colour-profiles": colour_profiles,
    "commands": commands,
    "datasets-pages": datasets_pages,
    "datasets-table": datasets_table,
    "diagnose-clean": diagnose_clean,
    "diagnose-flags": diagnose_flags,
    "diagnose-levels": diagnose_levels,
    "distortions-table": distortions_table,
    "pseudo-mos": pseudo_mos,
    "export-bounds": export_bounds,
    "export-table": export_table,
    "few-labels": few_labels,
    "fresh-user": fresh_user,
    "fusion": fusion,
    "fusion-gains": fusion_gains,
    "image-codes": image_codes,
    "image-limits": image_limits,
    "large-photos": large_photos,
    "measures-short": measures_short,
    "measures-table": measures_table,
    "measures-speed": measures_speed,
    "mediapipe-gap": mediapipe_gap,
    "metrics-agreement": metrics_agreement,
    "metrics-speed": metrics_speed,
    "metrics-table": metrics_table,
    "map-models": map_models_table,
    "models-pages": models_pages,
    "models-table": models_table,
    "public-names": public_names,
    "ray-scale": ray_scale,
    "revived": revived,
    "score-jsonl": score_jsonl,
    "score-output": score_output,
    "speed": speed,
    "training-loop": training_loop,
}


def fresh(text: str) -> str:
    """A page's text with every block written anew, and measured ones where needed."""

    def block(match: re.Match) -> str:
        start, name, end = match.groups()
        if name not in BLOCKS:
            sys.exit(f"No function here writes {name!r}; known: {', '.join(BLOCKS)}.")
        new = f"{start}{BLOCKS[name]()}{end}"
        close = name in MEASURED and nearly_equal(match.group(), new)
        return match.group() if close else new

    return BLOCK.sub(block, text)


def nearly_equal(old: str, new: str) -> bool:
    """Whether two outputs differ in nothing but the last digit of some numbers."""
    number = re.compile(r"\d+\.\d+")
    # The drawn distributions follow the numbers.
    drawn = str.maketrans("▁▂▃▄▅▆▇█", " " * 8)
    bare = [number.sub("#", text).translate(drawn).split() for text in (old, new)]
    if bare[0] != bare[1]:
        return False
    pairs = zip(number.findall(old), number.findall(new), strict=True)
    return all(abs(float(a) - float(b)) <= LAST_DIGIT for a, b in pairs)


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    check = sys.argv[1:] == ["--check"]
    stale = []
    for page in PAGES:
        old = page.read_text(encoding="utf-8")
        new = fresh(old)
        if new != old:
            stale.append(page.relative_to(ROOT))
            if not check:
                page.write_text(new, encoding="utf-8")
    for page in stale:
        print(f"{'stale' if check else 'written'}: {page}")
    if check and stale:
        sys.exit("Run: python docs/generate.py")


if __name__ == "__main__":
    main()
