"""DCGAN (Radford et al. 2016), as PyTorch's tutorial has it: convolutions with batch normalisation, no growing, no labels."""
