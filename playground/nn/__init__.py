"""Parts of networks for any family: U-Net, attention, embeddings, interpolation of codes, and normal densities."""
