"""What a cluster runs of an overlay: read, judged, and where it fails, why and what to do."""
