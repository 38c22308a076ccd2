"""From `rung.toml` to objects: the only place that names back ends."""
