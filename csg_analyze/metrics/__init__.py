"""The mathematics: arrays in, numbers out. Nothing here depends on models, files or figures."""
