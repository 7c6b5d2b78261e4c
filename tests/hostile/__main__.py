"""Everything hostile, in one run: images, weight files, damage to the shipped ones.

    python -m tests.hostile

Takes some minutes. The exit status is 1 if anything is not as it must be.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections import Counter

from tests.hostile import images, shipped, weights


def main() -> int:
    """Run all and print the counts; gives the exit status."""
    print("Malformed images are read and scored ...", file=sys.stderr)
    pictures = images.run()
    print("Hostile weight files are loaded ...", file=sys.stderr)
    files = weights.run()
    print("Shipped weight files are damaged ...", file=sys.stderr)
    damaged = shipped.run()

    print(pictures.text())
    print()
    for line in _weights(files):
        print(line)
    print()
    for line in _shipped(damaged):
        print(line)
    problems = [*pictures.failures(), *pictures.excesses(), *files.problems]
    problems += [missed for count in damaged for missed in count.missed]
    print()
    print(f"{len(problems)} problems" if problems else "All is as it must be.")
    return bool(problems)


def _weights(files: weights.Summary) -> list[str]:
    forms = Counter(name.rpartition(".")[2] for name in files.outcomes)
    errors = Counter(files.outcomes.values())
    figures = {
        "refused": sum(errors[error] for error in weights.REFUSED),
        "loaded": errors["loaded"],
        "uncaught exceptions": sum(
            count for error, count in errors.items() if "uncaught" in error
        ),
    }
    return [
        f"{len(files.outcomes)} hostile weight files: "
        + ", ".join(f"{count} {form}" for form, count in forms.items()),
        "",
        *(f"{count:6}  {what}" for what, count in figures.items()),
        "",
        ", ".join(f"{count} {error}" for error, count in errors.most_common()),
        f"slowest: {files.seconds:.2f} s of {weights.SECONDS:.0f} allowed",
        f"most allocated: {files.allocated / 1e6:.2f} MB beside {weights.TIMES} times "
        f"the card's bytes, of {weights.ROOM / 1e6:.0f} allowed",
        f"growth of the process: {files.growth / 1e6:.0f} MB, of "
        f"{weights.GROWTH / 1e6:.0f} allowed",
        *files.problems,
    ]


def _shipped(damaged: list[shipped.Count]) -> list[str]:
    width = max(len(count.file) for count in damaged)
    lines = [f"{'shipped file':{width}}{'flips':>8}{'cuts':>8}{'caught':>8}"]
    for file, flips, cuts, missed in damaged:
        caught = flips + cuts - len(missed)
        lines.append(f"{file:{width}}{flips:8}{cuts:8}{caught:8}")
    return lines + [missed for count in damaged for missed in count.missed]


if __name__ == "__main__":
    sys.exit(main())
