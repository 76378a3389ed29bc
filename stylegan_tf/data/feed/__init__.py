"""The input of training: the order of images, batches, and the pipeline that reads them."""
