"""Simple technical measures of one photo: one file a measure, no training, no network.

`measure` of each file takes uint8 RGB (height, width, 3), or grey (height, width), and
gives one number. `noise` and `sharpness` withstand each other: sharpness is measured
with the noise taken off, and texture counts little as noise.

Grey is MATLAB's rounded luma throughout.
"""
