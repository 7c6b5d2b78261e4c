"""Score a folder of photos and print the best and the worst.

    python examples/score_folder.py examples/photos

Nothing is uploaded, and no network connection is opened.
"""

import sys

import iqa_zoo


def main(folder: str, count: int = 3) -> None:
    scorer = iqa_zoo.Scorer()
    results = list(scorer.score(folder))

    scored = [result for result in results if result.error is None]
    higher_is_better = all(r.direction == "higher_is_better" for r in scored)
    scored.sort(key=lambda result: result.value, reverse=higher_is_better)
    for title, chosen in (("best", scored[:count]), ("worst", scored[-count:])):
        print(title)
        for result in chosen:
            print(f"  {result.value:5.2f}  {result.path}")

    for result in results:
        if result.error is not None:
            print(f"no score: {result.path}: {result.message}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
