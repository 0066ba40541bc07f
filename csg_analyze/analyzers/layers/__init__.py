"""Class-specificity of every convolution."""
