"""Opinion tables and how they are split."""
