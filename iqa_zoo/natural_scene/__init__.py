"""Quality without a reference, from how the luminance of natural photos is distributed.

`brisque`, `niqe` and `piqe` take uint8 pixels and need neither training here nor a
network: what BRISQUE and NIQE have learned are a few small arrays.
"""
