"""Which folders become which packages; everything else is in setup.cfg.

setup.cfg can either search for packages or list them. This project needs both: the
packages under iqa_zoo/ are found, and the folders weights/, examples/web/ and
examples/photos/ are installed as iqa_zoo.weights, iqa_zoo.web_page and
iqa_zoo.example_photos.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["iqa_zoo", "iqa_zoo.*"]),
        "iqa_zoo.weights",
        "iqa_zoo.web_page",
        "iqa_zoo.example_photos",
    ]
)
