"""Two reports compared, from what they wrote and without the models. Submodules are imported where needed."""
