"""`python -m iqa_zoo` is the command `iqa-zoo`."""

from iqa_zoo.cli import main

main()
