"""Where the metric networks come from: files, packages and the cache, and the canonical arrays that they are turned into."""
