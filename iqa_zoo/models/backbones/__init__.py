"""ImageNet networks without their classifier; raw RGB 0..255 in, feature map out."""
