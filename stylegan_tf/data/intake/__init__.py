"""From a source of images to records: decoding, cropping, labels, checks, report."""
