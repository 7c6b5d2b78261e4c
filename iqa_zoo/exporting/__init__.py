"""Networks as files for phones, browsers and servers, and how far those are off."""
