"""Sources of the metric networks: files, packages and the cache; and their conversion to canonical arrays."""
