"""Networks: one file a family, built as plain Keras functional models."""
