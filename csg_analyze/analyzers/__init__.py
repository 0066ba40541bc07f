"""One file or folder per analysis: plain functions whose positional parameters name their inputs."""
