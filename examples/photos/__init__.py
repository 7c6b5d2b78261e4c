"""The example photos; installed as the package `iqa_zoo.example_photos`."""
