"""The verbs over a container engine: Compose runs what compose.yaml says. Standard library only: no .venv is needed."""
