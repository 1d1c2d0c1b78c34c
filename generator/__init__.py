"""From a training script and model.yaml to workflows and overlays: the command `generator`."""
