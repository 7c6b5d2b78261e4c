"""Where a photo is bad: what a network says of each place, and its picture."""

from iqa_zoo.maps.drawing import overlay
from iqa_zoo.maps.mapping import DEFAULT, QualityMap, map_models, quality_map

__all__ = ["DEFAULT", "QualityMap", "map_models", "overlay", "quality_map"]
