"""The weight files of this project; installed as the package `iqa_zoo.weights`."""
