"""Score pixels with a file that `iqa-zoo export` wrote, with LiteRT and NumPy alone:
python score_tflite.py model.tflite pixels.npy (uint8 RGB of the file's size)."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

score = Interpreter(model_path=sys.argv[1]).get_signature_runner("score")
image = score.get_input_details()["image"]
pixels = np.load(sys.argv[2]).reshape(image["shape"]).astype(image["dtype"])
shares = score(image=pixels)["distribution"][0]  # of opinions, at each score
print(f"{shares @ np.arange(1, len(shares) + 1) / shares.sum():.4f}")
