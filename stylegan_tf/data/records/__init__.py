"""The dataset format on disk: record files, labels, manifest, and what reads, writes and inspects them."""
