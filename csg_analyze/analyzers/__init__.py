"""One file per analysis: plain functions whose positional parameters name their inputs."""
