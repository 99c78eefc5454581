"""Parts of networks for any family: U-Net, attention, embeddings, and interpolation of codes."""
