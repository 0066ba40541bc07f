"""The mathematics: arrays in, numbers out. Nothing here knows of models, files or figures."""
