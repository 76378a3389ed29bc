"""What training reads: the order of images, batches, and the pipeline that delivers them."""
